"""Reading LINE's webhook events leniently: what is odd is left out, alone; what is new does not break the old.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from bot import commands
from bot.conversation import Kind, Media, Source
from bot.lenient import LARGEST_ID, Json
from bot.lenient import identifier as _id
from bot.lenient import mapping as _mapping
from bot.lenient import text as _text
from bot.media import label, media_of, told_by

Action = Literal["say", "unsend", "forget", "left", "wake"]

SOURCE_IDS: dict[str, Any] = {"user": "userId", "group": "groupId", "room": "roomId"}
CLOCK_SKEW_MS = 5 * 60_000
DEEPEST = 50
ERASING = frozenset({"unsend", "unfollow", "leave"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event that matters. `at`: when it happened, `received_at`: when its webhook came (both in milliseconds).

    `action` is what it does to the conversation: `say` asks for an outcome (of which `kind`), `wake` only continues
    what waits. `addressed` is False for a group's message that may still quote the bot. `edited`: a new version of a
    message that came before.
    """

    id: str
    at: int
    source: Source
    action: Action
    received_at: int
    kind: Kind = "text"
    text: str = ""
    message_id: str = ""
    quoted_id: str = ""
    token: str = ""
    addressed: bool = True
    speaker: str = ""
    quote_token: str = ""
    media: Media | None = None
    edited: bool = False


def read_event(raw: Any, destination: str, received_at: int) -> Event | None:
    """The event, or None when it is odd, not for us (standby), or of no concern to the bot."""
    source = _source(_mapping(raw).get("source"))
    if source is None or not _is_for_us(raw) or _is_deep(raw):
        return None
    event_id, at = _text(raw, "webhookEventId"), raw.get("timestamp")
    if not 0 < len(event_id) <= LARGEST_ID or type(at) is not int or at <= 0:
        return None
    # A timestamp from the future would make everything that follows look like a replay.
    base = Event(
        event_id, min(at, received_at + CLOCK_SKEW_MS), source, "say", received_at, token=_text(raw, "replyToken")
    )
    base = replace(base, speaker="" if source.is_private else _id(raw.get("source"), "userId"))
    return _READERS.get(_text(raw, "type"), _ignored)(base, raw, destination)


def wake(source: Source, at: int) -> dict[str, Any]:
    """An event of our own: the queue brings it to continue a conversation after a lease ends."""
    raw_source = {"type": source.type, SOURCE_IDS[source.type]: source.id}
    return {"type": "kaiwa.wake", "mode": "active", "webhookEventId": "wake", "timestamp": at, "source": raw_source}


def _is_for_us(raw: Json) -> bool:
    """Not in standby, where another speaks; but who takes something back or goes wants it gone at all times."""
    return raw.get("mode") == "active" or (raw.get("mode") == "standby" and _text(raw, "type") in ERASING)


def _is_deep(value: Any, left: int = DEEPEST) -> bool:
    """Whether it is nested deeper than LINE ever does; the queue must be able to write it down again."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left == 0 or any(_is_deep(one, left - 1) for one in inner)


def _ignored(_base: Event, _raw: Json, _destination: str) -> Event | None:
    return None


def _message(base: Event, raw: Json, destination: str) -> Event | None:
    message = _mapping(raw.get("message"))
    message_id = _text(message, "id")
    if not 0 < len(message_id) <= LARGEST_ID:
        return None
    base = replace(base, quote_token=_id(message, "quoteToken"))
    if message.get("type") == "text" and isinstance(message.get("text"), str):
        return _said(replace(base, message_id=message_id), message, destination)
    if _text(message, "type") in ("", "text"):
        return None
    return _shown(replace(base, message_id=message_id), message)


def _shown(base: Event, message: Json) -> Event | None:
    """What is not words. In a group it can call the bot only by quoting it, and only stickers do."""
    base = replace(base, addressed=base.source.is_private, quoted_id=_id(message, "quotedMessageId"))
    media, told = media_of(message), told_by(message)
    if told and (base.addressed or message.get("type") == "sticker"):
        return replace(base, text=told)
    if media and (base.addressed or base.quoted_id):
        return replace(base, text=label(media), media=media)
    return replace(base, kind="unsupported") if base.addressed else None


def _said(base: Event, message: Json, destination: str) -> Event | None:
    text, mentioned = _without_mentions(_text(message, "text"), message, destination)
    if not text:
        return replace(base, kind="unsupported") if base.source.is_private else None
    command = commands.parse(text)
    quoted = _text(message, "quotedMessageId")
    addressed = base.source.is_private or mentioned or command is not None
    return _commanded(replace(base, text=text, quoted_id=quoted, addressed=addressed), command)


def _edited(base: Event, raw: Json, destination: str) -> Event | None:
    """A text's new version. It is words, never a command: nobody expects an old message to begin to act."""
    event = _message(base, raw, destination)
    if event is None or not event.text or event.media:
        return None
    addressed = event.addressed and (event.source.is_private or event.kind != "command")
    return replace(event, action="say", kind="text", addressed=addressed, edited=True)


def _postback(base: Event, raw: Json, _destination: str) -> Event | None:
    data = _text(_mapping(raw.get("postback")), "data")
    command = commands.parse(data)
    return _commanded(replace(base, text=data), command) if command else None


def _commanded(event: Event, command: commands.Command | None) -> Event:
    if command is None:
        return event
    return replace(event, action="forget" if command.name == "forget" else "say", kind="command")


def _unsend(base: Event, raw: Json, _destination: str) -> Event | None:
    message_id = _text(_mapping(raw.get("unsend")), "messageId")
    return replace(base, action="unsend", message_id=message_id) if 0 < len(message_id) <= LARGEST_ID else None


def _left(base: Event, _raw: Json, _destination: str) -> Event:
    return replace(base, action="left")


def _greeting(base: Event, _raw: Json, _destination: str) -> Event:
    return replace(base, kind="greeting")


def _wake(base: Event, _raw: Json, _destination: str) -> Event:
    return replace(base, action="wake")


_READERS = {
    "message": _message,
    "messageEdited": _edited,
    "postback": _postback,
    "unsend": _unsend,
    "unfollow": _left,
    "leave": _left,
    "follow": _greeting,
    "join": _greeting,
    "kaiwa.wake": _wake,
}
IGNORED = frozenset(
    (
        *("memberJoined", "memberLeft"),  # who comes and goes is not the bot's business; names are looked up
        *("videoPlayComplete", "beacon", "accountLink", "membership", "delivery"),  # of features it does not use
        *("module", "activated", "deactivated", "botSuspended", "botResumed"),  # of accounts that share a chat
    )
)
"""What LINE is known to send and the bot has nothing to say to. Whatever LINE invents is ignored as these are."""


def _source(raw: Any) -> Source | None:
    kind = _text(_mapping(raw), "type")
    source_id = _text(raw, SOURCE_IDS[kind]) if kind in SOURCE_IDS else ""
    # `kind in SOURCE_IDS` is what makes it one of the three.
    return Source(kind, source_id) if 0 < len(source_id) <= LARGEST_ID else None  # type: ignore[arg-type]


def _without_mentions(text: str, message: Json, destination: str) -> tuple[str, bool]:
    """The text without the mentions of the bot itself, and whether there were any. Positions count UTF-16 units.

    A bare mention keeps its words: something has to be answered.
    """
    mentionees = _mapping(message.get("mention")).get("mentionees")
    mine = [m for m in mentionees if _is_self(m, destination)] if isinstance(mentionees, list) else []
    units, kept, end = text.encode("utf-16-le"), b"", 0
    for start, length in sorted(map(_span, mine)):
        kept += units[end * 2 : start * 2]
        end = max(end, start + length)
    kept += units[end * 2 :]
    return kept.decode("utf-16-le", errors="replace").strip() or text.strip(), bool(mine)


def _span(mention: Json) -> tuple[int, int]:
    """Where the mention begins and how long it is; nothing at all when that is odd."""
    start, length = mention.get("index"), mention.get("length")
    if type(start) is not int or type(length) is not int or start < 0 or length < 0:
        return 0, 0
    return start, length


def _is_self(mention: Any, destination: str) -> bool:
    mention = _mapping(mention)
    return mention.get("isSelf") is True or (bool(destination) and mention.get("userId") == destination)
