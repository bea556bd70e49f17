"""What a message brings beside text: what has to be fetched, and what its own fields tell.

Source: https://developers.line.biz/en/reference/messaging-api/#message-event
"""

import re

from bot.conversation import Media
from bot.lenient import Json, identifier, mapping, number, text, texts, whole
from bot.limits import FILE_BYTES

NAME_CHARACTERS = 100
PLACE_CHARACTERS = 200
KEYWORDS = 15
KEYWORD_CHARACTERS = 100
URL_CHARACTERS = 2_000
ALBUM_AT_MOST = 100
LARGEST_FILE = 10**15
NUMBER = re.compile(r"(?<=^\[image) \d+")
UNREAD = "could not be opened"
TOLD = ("[location]", "[sticker]")
BRACKETS = str.maketrans("[]<>", "()()")


def media_of(message: Json) -> Media | None:
    """What is to be fetched; None for a message that has nothing of the kind."""
    match message.get("type"):
        case "image":
            album = mapping(message.get("imageSet"))
            size = whole(album, "total", ALBUM_AT_MOST)
            return Media("image", url=_url(message), album=identifier(album, "id"), album_size=size)
        case "audio":
            return Media("audio", url=_url(message))
        case "video":
            return Media("video")
        case "file":
            # What LINE itself says is too large need not be asked for.
            too_large = whole(message, "fileSize", LARGEST_FILE) > FILE_BYTES
            return Media("file", name=one_line(text(message, "fileName"), NAME_CHARACTERS), too_large=too_large)
    return None


def label(media: Media, number: int = 0, note: str = "") -> str:
    """How it stands in a text; `number` tells one of several images, `note` what is known of it."""
    name = {"image": "image", "file": "file", "audio": "voice message", "video": "video"}[media.kind]
    counted = f"{name} {number}" if number else name
    return f"[{': '.join(filter(None, (counted, media.name, note)))}]"


def is_plain(media: Media, words: str) -> bool:
    """Whether its text tells nothing but that it was there."""
    return NUMBER.sub("", words) in (label(media), label(media, note=UNREAD))


def told_by(message: Json) -> str:
    """A location or a sticker in words; empty for any other message."""
    match message.get("type"):
        case "location":
            return _told("location", [*_place(message), _position(message)])
        case "sticker":
            keywords = [one_line(word, KEYWORD_CHARACTERS) for word in texts(message, "keywords")[:KEYWORDS]]
            words = one_line(text(message, "text"), KEYWORD_CHARACTERS)
            return _told("sticker", [f"\u201c{words}\u201d" if words else "", ", ".join(filter(None, keywords))])
    return ""


def typed(words: str, media: Media | None) -> str:
    """The text, if somebody wrote it: what a sticker or a place says tells nothing of the person's language."""
    return "" if media or words.startswith(TOLD) else words


def one_line(words: str, most: int) -> str:
    """Without line breaks, control characters and brackets, which could pass for something of ours; cut at `most`."""
    kept = "".join(character if character.isprintable() else " " for character in words)
    return " ".join(kept.translate(BRACKETS).split())[:most]


def _told(kind: str, parts: list[str]) -> str:
    return " ".join([f"[{kind}]", *filter(None, parts)])


def _place(message: Json) -> list[str]:
    return [one_line(text(message, name), PLACE_CHARACTERS) for name in ("title", "address")]


def _position(message: Json) -> str:
    latitude, longitude = number(message, "latitude"), number(message, "longitude")
    return "" if latitude is None or longitude is None else f"({latitude:.6g}, {longitude:.7g})"


def _url(message: Json) -> str:
    """Where it lies when not at LINE: by https or nowhere."""
    provider = mapping(message.get("contentProvider"))
    url = text(provider, "originalContentUrl") if provider.get("type") == "external" else ""
    return url if url.startswith("https://") and len(url) <= URL_CHARACTERS and url.isprintable() else ""
