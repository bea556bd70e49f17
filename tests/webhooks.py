"""Webhook events and bodies as LINE sends them, for tests."""

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from bot.gate import WEBHOOK, Request
from bot.signature import sign

NOW = 1_800_000_000_000
BOT = "U" + "b" * 32
USER = "U" + "1" * 32
GROUP = "C" + "2" * 32
ROOM = "R" + "3" * 32
KEYS = {"U": ("user", "userId"), "C": ("group", "groupId"), "R": ("room", "roomId")}

_numbers = itertools.count(1)


def event(kind: str, source_id: str = USER, at: int = NOW, **fields: Any) -> dict[str, Any]:
    """Any event; unless given, its id and its reply token are new."""
    number = next(_numbers)
    source_type, key = KEYS[source_id[0]]
    return {
        "type": kind,
        "mode": "active",
        "timestamp": at,
        "source": {"type": source_type, key: source_id},
        "webhookEventId": f"01EVENT{number:019}",
        "deliveryContext": {"isRedelivery": False},
        "replyToken": f"token-{number}",
        **fields,
    }


def said(text: str, source_id: str = USER, at: int = NOW, **message: Any) -> dict[str, Any]:
    """A text message; `message` overrides or adds fields of its message object."""
    number = next(_numbers)
    content = {"type": "text", "id": f"5{number:017}", "quoteToken": "q", "text": text, **message}
    return event("message", source_id, at, message=content)


def mention(index: int, length: int, **fields: Any) -> dict[str, Any]:
    """A `mention` of the bot, counted in UTF-16 units."""
    me = {"type": "user", "index": index, "length": length, "userId": BOT, "isSelf": True, **fields}
    return {"mentionees": [me]}


def unsent(message_id: str, source_id: str = USER, at: int = NOW) -> dict[str, Any]:
    return _without_token(event("unsend", source_id, at, unsend={"messageId": message_id}))


def left(kind: str, source_id: str = USER, at: int = NOW) -> dict[str, Any]:
    """`unfollow` or `leave`."""
    return _without_token(event(kind, source_id, at))


def body(*events: Any, **fields: Any) -> bytes:
    return json.dumps({"destination": BOT, "events": list(events), **fields}).encode()


def signed(content: bytes, secret: str, path: str = WEBHOOK, **headers: str) -> Request:
    """A POST with LINE's signature of `content`."""
    return Request("POST", path, {"x-line-signature": sign(secret, content), **headers}, pieces(content))


async def pieces(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


def _without_token(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != "replyToken"}
