"""Understanding media: each is fetched in bounds, and becomes something for the model or a sentence for the person.

Bytes live as long as the turn, and are never stored.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from bot import log
from bot.conversation import Media, MediaKind, Pending, Usage
from bot.errors import ContentFailed, ContentFault, KaiwaError, Misconfigured, ModelFailed, Unavailable
from bot.formats import audio_suffix, image_type, is_pdf, text_of
from bot.limits import (
    AUDIO_BYTES,
    FETCH_SECONDS,
    FILE_BYTES,
    FILE_CHARACTERS,
    HEAR_SECONDS,
    IMAGE_BYTES,
    MEDIA_BYTES,
    TRANSCRIPT_CHARACTERS,
)
from bot.media import UNREAD, is_plain, label
from bot.ports import Attachment, Content, Heard, Transcriber
from bot.texts import Phrase

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries, while LINE prepares it or cannot be reached."""
AT_ONCE = 3
CUT = "\n[the file goes on, only its beginning is shown]"
MOST: dict[MediaKind, int] = {"image": IMAGE_BYTES, "audio": AUDIO_BYTES, "file": FILE_BYTES}
TROUBLES: dict[ContentFault, Phrase] = {
    "gone": "media_gone",
    "too_large": "media_too_large",
    "not_ready": "media_not_ready",
    "wrong_type": "media_wrong_type",
}


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message's media came to: how it stands in the text, what the model is given, or what went wrong.

    `usage`: what it took to hear it.
    """

    text: str
    attachments: tuple[Attachment, ...] = ()
    trouble: Phrase | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class _Room:
    """What the media of one turn may take together: bytes, and downloads at once. `spoken`: how many are audio."""

    spoken: int
    left: int = MEDIA_BYTES
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


@dataclass(frozen=True, slots=True)
class Fetcher:
    content: Content
    transcriber: Transcriber
    pauses: Sequence[float] = PAUSES

    async def understand(
        self, segment: Sequence[Pending], quoted: Sequence[Pending] = ()
    ) -> tuple[list[Understood | None], list[Understood | None]]:
        """One for each message, side by side; None where there is nothing to fetch. Never raises.

        Then one for each of `quoted`; None where LINE has nothing of it.
        """
        media = [pending.media for pending in segment if pending.media]
        images, numbers = sum(one.kind == "image" for one in media), count(1)
        room = _Room(max(1, sum(one.kind == "audio" for one in media)))
        numbered = [next(numbers) if _is_image(pending) and images > 1 else 0 for pending in segment]
        own = map(self._one, segment, numbered, [room] * len(segment))
        understood = await asyncio.gather(*own, *(self._quoted(one, room) for one in quoted))
        return understood[: len(segment)], understood[len(segment) :]

    async def _one(self, pending: Pending, number: int, room: _Room) -> Understood | None:
        media = pending.media
        if media is None:
            return None
        is_known = not is_plain(media, pending.text)
        if is_known and media.kind == "audio":
            return Understood(pending.text)  # asked again: its words are there already
        try:
            return await self._understood(pending, media, number, room)
        except _Trouble as trouble:
            log.event("media_unread", "WARNING", kind=media.kind, why=trouble.phrase)
            # Asked again after LINE has let go of it: what was understood then is still known.
            known = Understood(pending.text)
            return known if is_known else Understood(label(media, number, UNREAD), trouble=trouble.phrase)

    async def _quoted(self, pending: Pending, room: _Room) -> Understood | None:
        """No trouble to be told or logged: most of what is quoted is text, which LINE gives to nobody."""
        if pending.media is None:
            return None
        try:
            understood = await self._understood(pending, pending.media, 0, room)
        except _Trouble:
            return None
        seen = (replace(attachment, name=f"quoted {attachment.name}") for attachment in understood.attachments)
        return replace(understood, attachments=tuple(seen))

    async def _understood(self, pending: Pending, media: Media, number: int, room: _Room) -> Understood:
        if media.kind == "video":
            raise _Trouble("video")
        attachment = await self._fetched(pending, media, room)
        media = _known(media, attachment)
        if len(attachment.data) > MOST[media.kind]:
            raise _Trouble("media_too_large")
        if media.kind == "audio":
            heard = await self._heard(attachment, room)
            return Understood(heard.words, usage=heard.usage)
        seen = _image(attachment, number) if media.kind == "image" else _file(attachment, media)
        if seen is None:
            raise _Trouble("media_wrong_type")
        return Understood(label(media, number), (seen,))

    async def _fetched(self, pending: Pending, media: Media, room: _Room) -> Attachment:
        try:
            async with asyncio.timeout(FETCH_SECONDS), room.gate:
                most = min(MOST[media.kind], room.left)
                if media.too_large or most <= 0:
                    raise _Trouble("media_too_large")
                attachment = await self._insist(pending.message_id, media.url, most)
        except ContentFailed as failed:
            raise _Trouble(TROUBLES[failed.fault]) from None
        except (Unavailable, Misconfigured, TimeoutError):
            raise _Trouble("media_not_ready") from None
        if len(attachment.data) > room.left:
            raise _Trouble("media_too_large")  # others, fetched beside it, were faster
        room.left -= len(attachment.data)
        return attachment

    async def _insist(self, message_id: str, url: str, most: int) -> Attachment:
        for pause in self.pauses:
            try:
                return await self.content.fetch(message_id, url, most)
            except ContentFailed as failed:
                if failed.fault != "not_ready":
                    raise
            except Unavailable:
                pass
            await asyncio.sleep(pause)
        return await self.content.fetch(message_id, url, most)

    async def _heard(self, audio: Attachment, room: _Room) -> Heard:
        suffix = audio_suffix(audio.data, audio.content_type)
        if not suffix:
            raise _Trouble("media_wrong_type")
        try:
            async with asyncio.timeout(HEAR_SECONDS):
                heard = await self._transcribed(replace(audio, name=f"voice.{suffix}"))
        except ModelFailed as failed:
            log.event("model_failed", "WARNING", fault=failed.fault)
            raise _Trouble("not_heard" if failed.fault == "rejected" else "media_not_ready") from None
        except (Unavailable, Misconfigured, TimeoutError):
            raise _Trouble("media_not_ready") from None
        if not heard.words.strip():
            raise _Trouble("not_heard")
        return replace(heard, words=_cut(heard.words.strip(), TRANSCRIPT_CHARACTERS // room.spoken, "…"))

    async def _transcribed(self, audio: Attachment) -> Heard:
        try:
            return await self.transcriber.transcribe(audio)
        except ModelFailed as failed:
            if not failed.may_pass:
                raise
        await asyncio.sleep(self.pauses[0] if self.pauses else 0)
        return await self.transcriber.transcribe(audio)


class _Trouble(KaiwaError):
    """What to tell the person."""

    def __init__(self, phrase: Phrase) -> None:
        super().__init__(phrase)
        self.phrase = phrase


def _is_image(pending: Pending) -> bool:
    return pending.media is not None and pending.media.kind == "image"


def _known(media: Media, attachment: Attachment) -> Media:
    """A file without a name may be anything: a message of which nothing is known but its id."""
    if media.kind != "file" or media.name:
        return media
    if image_type(attachment.data):
        return replace(media, kind="image")
    return replace(media, kind="audio") if attachment.content_type.startswith("audio/") else media


def _image(attachment: Attachment, number: int) -> Attachment | None:
    kind = image_type(attachment.data)
    return Attachment(kind, attachment.data, f"image {number}" if number else "image") if kind else None


def _file(attachment: Attachment, media: Media) -> Attachment | None:
    """A PDF, a text, or an image that was sent as a file."""
    name = media.name or "file"
    if is_pdf(attachment.data):
        # The model's provider tells a file's kind by its name.
        return Attachment("application/pdf", attachment.data, media.name or "file.pdf")
    if kind := image_type(attachment.data):
        return Attachment(kind, attachment.data, f"file: {name}") if len(attachment.data) <= IMAGE_BYTES else None
    text = text_of(attachment.data)
    return Attachment("text/plain", _cut(text, FILE_CHARACTERS, CUT).encode(), name) if text is not None else None


def _cut(text: str, most: int, mark: str) -> str:
    return text if len(text) <= most else text[:most] + mark
