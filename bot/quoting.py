"""What a message quotes. LINE tells only its id: the words come from what is kept, however long ago they were said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.answering import answer_bubbles
from bot.conversation import Conversation, Language, Media, Pending, Turn, Usage
from bot.fetching import Understood
from bot.media import is_plain, label
from bot.ports import Attachment, Store
from bot.profiles import SOMEBODY, known_as

CHARACTERS = 2_000
UNKNOWN = "[quoting a message that is not kept]"
BOT = "you"
PERSON = "the user"


@dataclass(frozen=True, slots=True)
class Quotation:
    """`mark`: as the model reads it. `message_id`: what was found; empty when nothing is kept of it.

    `media`: what LINE may still have of it, said by `speaker`. `attachments`: what was seen of it.
    `usage`: what it took to hear it.
    """

    mark: str = UNKNOWN
    message_id: str = ""
    media: Media | None = None
    speaker: str = ""
    attachments: tuple[Attachment, ...] = ()
    usage: Usage = field(default_factory=Usage)

    def seen(self, quoted_id: str, understood: Understood) -> "Quotation":
        """Once it was looked at."""
        mark = _mark(self.speaker, understood.text)
        seen, usage = understood.attachments, understood.usage
        return replace(self, mark=mark, message_id=quoted_id, attachments=seen, usage=usage)


async def quotation(
    store: Store, conversation_id: str, state: Conversation, quoted_id: str, names: Mapping[str, str], now: int
) -> Quotation:
    """`names` by user id. Raises Unavailable or Misconfigured when the archive cannot be read."""
    if quoted_id in state.unsent:
        return Quotation()  # it may be in the archive for a moment yet
    found = _waiting(state, quoted_id, names) or _said(state, state.turns, quoted_id)
    if found is None and state.archived:
        batch = await store.find_in_archive(conversation_id, state.generation, quoted_id)
        found = _said(state, batch.turns, quoted_id) if batch and batch.expire_at > now else None
    if found is None:
        return Quotation(media=Media("file"), speaker=_person(state, ""))
    speaker, text, media = found
    if media and not _can_be_looked_at(media, text):
        media = None
    return Quotation(_mark(speaker, text), quoted_id, media, speaker if media else "")


Found = tuple[str, str, Media | None]
"""Who said it, and what; what it brought."""


def _can_be_looked_at(media: Media, text: str) -> bool:
    """The words of a voice message are there already."""
    return media.kind in ("image", "file") or (media.kind == "audio" and is_plain(media, text))


def _mark(speaker: str, text: str) -> str:
    text = text if len(text) <= CHARACTERS else text[:CHARACTERS] + "…"
    return f'[quoting {speaker}: "{text}"]'


def _waiting(state: Conversation, quoted_id: str, names: Mapping[str, str]) -> Found | None:
    for pending in (*state.pending, *state.overheard):
        if pending.message_id == quoted_id and (words := _words(pending)):
            return _person(state, known_as(names, pending.speaker)), words, pending.media
    return None


def _words(pending: Pending) -> str:
    return pending.text or (label(pending.media) if pending.media else "")


def _said(state: Conversation, turns: Sequence[Turn], quoted_id: str) -> Found | None:
    for turn in turns:
        for said in turn.said:
            if said.message_id == quoted_id:
                return _person(state, said.speaker), said.text, said.media
        if quoted_id in turn.sent_ids and turn.answer:
            return BOT, _bubble(turn, turn.sent_ids.index(quoted_id), state.language), None
    return None


def _person(state: Conversation, name: str) -> str:
    is_private = state.source is None or state.source.is_private
    return PERSON if is_private else name or SOMEBODY


def _bubble(turn: Turn, index: int, language: Language) -> str:
    """The bubble that was quoted; the whole answer where it was shown in another way than it is kept."""
    pieces = answer_bubbles(turn.answer, (), language)
    return pieces[index] if len(pieces) == len(turn.sent_ids) else turn.answer
