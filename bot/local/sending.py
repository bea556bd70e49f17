"""What people can send from the page: a wish becomes LINE's event and the bubble that shows it.

Every function raises KeyError, TypeError or ValueError on a wish that makes no sense.
"""

import base64
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.local.chats import Bubble, Content, Json
from bot.local.webhook import Events, Speaker

LARGEST_TEXT = 10_000
LARGEST_FILE = 30_000_000
MOST_FILES = 20
LARGEST_NAME = 255
LONGEST_MS = 24 * 60 * 60_000
PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
"""What the page shows as pictures; others, such as SVG, may hold scripts and go as files."""

STICKER_PACKAGE = "1000"
STICKERS: Mapping[str, tuple[str, ...]] = {
    "1001": ("hello", "hi", "wave", "good morning"),
    "1002": ("thank you", "thanks", "grateful", "bow"),
    "1003": ("happy", "laugh", "haha", "fun"),
    "1004": ("sad", "cry", "tears", "sorry"),
    "1005": ("OK", "roger", "got it", "thumbs up"),
    "1006": ("love", "heart", "like", "adore"),
    "1007": ("sleepy", "good night", "tired", "zzz"),
    "1008": ("what?", "question", "confused", "puzzled"),
    "1009": ("congratulations", "party", "celebrate", "birthday"),
    "1010": ("angry", "mad", "grumpy", "annoyed"),
}
"""Keywords by sticker id, as LINE gives them: in English."""


@dataclass(frozen=True, slots=True)
class Sending:
    """An event for the function, the bubble for the page, and the bytes that belong to it, if any."""

    event: Json
    bubble: Bubble
    content: Content | None = None


def words(wish: Json) -> str:
    """`{text}`: what somebody has typed."""
    text = str(wish["text"])
    if not text.strip() or len(text) > LARGEST_TEXT:
        raise ValueError("text")
    return text


def text(events: Events, speaker: Speaker, wish: Json, people: Mapping[str, str]) -> Sending:
    """`{text, quoted?}`; `people`: user ids by name, who can be mentioned."""
    said, quoted = words(wish), str(wish.get("quoted") or "")
    event = events.text(speaker, said, quoted=quoted, people=people)
    return Sending(event, _bubble(event, speaker, said, quoted=quoted))


def sticker(events: Events, speaker: Speaker, wish: Json) -> Sending:
    """`{sticker, quoted?}`"""
    sticker_id, quoted = str(wish["sticker"]), str(wish.get("quoted") or "")
    event = events.sticker(speaker, STICKER_PACKAGE, sticker_id, STICKERS[sticker_id], quoted=quoted)
    return Sending(event, _bubble(event, speaker, quoted=quoted))


def location(events: Events, speaker: Speaker, wish: Json) -> Sending:
    """`{latitude, longitude, title?, address?}`"""
    latitude, longitude = float(wish["latitude"]), float(wish["longitude"])
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError("latitude, longitude")
    title, address = (str(wish.get(name) or "")[:LARGEST_NAME] for name in ("title", "address"))
    event = events.location(speaker, latitude, longitude, title=title, address=address)
    return Sending(event, _bubble(event, speaker))


def media(events: Events, speaker: Speaker, wish: Json) -> list[Sending]:
    """`{files: [{kind, name, type, data, duration?}]}`: `data` in base64, `duration` in milliseconds.

    Several pictures are an album.
    """
    files = list(wish["files"])
    if not 1 <= len(files) <= MOST_FILES:
        raise ValueError("files")
    contents = [_content(file) for file in files]
    places = _album(sum(file["kind"] == "image" for file in files))
    sent = []
    for file, content in zip(files, contents, strict=True):
        event = _media_event(events, speaker, file, len(content.data), places)
        sent.append(Sending(event, _bubble(event, speaker), content))
    return sent


def _album(total: int) -> Iterator[Json]:
    """LINE's `imageSet` for one picture after the other; empty for one that comes alone."""
    album = secrets.token_hex(16).upper()
    for index in range(1, total + 1):
        yield {"id": album, "index": index, "total": total} if total > 1 else {}


def _media_event(events: Events, speaker: Speaker, file: Json, size: int, places: Iterator[Json]) -> Json:
    kind, duration = file["kind"], int(file.get("duration") or 0)
    if not 0 <= duration <= LONGEST_MS:
        raise ValueError("duration")
    if kind == "image":
        return events.image(speaker, image_set=next(places))
    if kind == "audio":
        return events.audio(speaker, duration)
    if kind == "video":
        return events.video(speaker, duration)
    return events.file(speaker, str(file["name"])[:LARGEST_NAME], size)


def _content(file: Json) -> Content:
    data, content_type = base64.b64decode(file["data"], validate=True), str(file["type"]).partition(";")[0].strip()
    kind = file["kind"]
    if not 0 < len(data) <= LARGEST_FILE:
        raise ValueError("data")
    fits = {"image": content_type in PICTURES, "file": True}
    if not fits.get(kind, kind in ("audio", "video") and content_type.startswith(f"{kind}/")):
        raise ValueError("kind")
    return Content(content_type or "application/octet-stream", data)


def _bubble(event: Json, speaker: Speaker, said: str = "", quoted: str = "") -> Bubble:
    message_id, message = event["message"]["id"], {} if said else event["message"]
    at = event["timestamp"]
    return Bubble(message_id, speaker.chat_id, speaker.user_id, said, at, quoted=quoted, message=message)
