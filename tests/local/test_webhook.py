"""Webhooks as LINE makes them, judged by the bot's own reading of them."""

import json
import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot import signature
from bot.events import read_event
from bot.local.chats import line_id
from bot.local.line import LineStandIn
from bot.local.webhook import Speaker, encode, sign, standby, ulid
from tests.servers.uvicorn import serving

NOW = 1_800_000_000_000
LINE = LineStandIn("token", "secret", clock=lambda: NOW)
ALICE = Speaker(LINE.chats.add_user("Alice").id)
IN_GROUP = Speaker(ALICE.user_id, group_id=line_id("C", "group"))
IN_ROOM = Speaker(ALICE.user_id, room_id=line_id("R", "room"))


def test_text_event() -> None:
    """A text message carries everything that LINE's does, and a token that is good for its chat."""
    event = LINE.events.text(ALICE, "こんにちは", quoted="1")
    assert set(event) == {
        *("type", "webhookEventId", "deliveryContext", "timestamp", "source", "mode", "replyToken", "message"),
    }
    assert event["source"] == {"type": "user", "userId": ALICE.user_id}
    assert event["deliveryContext"] == {"isRedelivery": False}
    assert (event["timestamp"], event["mode"]) == (NOW, "active")
    assert re.fullmatch(r"\d{18}", event["message"]["id"])
    assert set(event["message"]) == {"type", "id", "quoteToken", "text", "quotedMessageId"}
    assert LINE.chats.chat_of(event["replyToken"]) == ALICE.user_id


@pytest.mark.parametrize(
    ("speaker", "source"),
    [
        (IN_GROUP, {"type": "group", "groupId": IN_GROUP.group_id, "userId": ALICE.user_id}),
        (IN_ROOM, {"type": "room", "roomId": IN_ROOM.room_id, "userId": ALICE.user_id}),
        (Speaker(group_id="C1"), {"type": "group", "groupId": "C1"}),
    ],
)
def test_sources(speaker: Speaker, source: dict[str, Any]) -> None:
    """Groups and rooms name themselves, and the speaker where he is known."""
    event = LINE.events.text(speaker, "hello")
    assert event["source"] == source
    assert LINE.chats.chat_of(event["replyToken"]) == speaker.chat_id


def test_mention_counts_utf16_units() -> None:
    """A mention's place is given in UTF-16 units, and the bot reads it as one of itself."""
    event = LINE.events.text(IN_GROUP, "👨‍👩‍👧 @Kaiwa 元気？")
    assert event["message"]["mention"]["mentionees"] == [
        {"index": 9, "length": 6, "type": "user", "userId": LINE.bot_id, "isSelf": True}
    ]
    read = read_event(event, LINE.bot_id, NOW)
    assert read is not None
    assert (read.addressed, "@Kaiwa" in read.text) == (True, False)


def test_no_mention() -> None:
    """The bot's name is no mention in a one-to-one chat, nor where it was only typed."""
    assert "mention" not in LINE.events.text(ALICE, "@Kaiwa hello")["message"]
    assert "mention" not in LINE.events.text(IN_GROUP, "@Kaiwa hello", mention=False)["message"]


def test_events_without_token() -> None:
    """What cannot be answered carries no reply token."""
    silent = [LINE.events.unsend(ALICE, "1"), LINE.events.unfollow(ALICE.user_id), LINE.events.leave("C1")]
    assert all("replyToken" not in event for event in silent)
    held = standby(LINE.events.text(ALICE, "hello"))
    assert (held["mode"], "replyToken" in held) == ("standby", False)


def test_events_with_token() -> None:
    """Postback, follow and join can be answered."""
    events = [LINE.events.postback(ALICE, "x"), LINE.events.follow(ALICE.user_id), LINE.events.join("C1")]
    assert all(LINE.chats.chat_of(event["replyToken"]) for event in events)
    assert events[0]["postback"] == {"data": "x"}
    assert events[1]["follow"] == {"isUnblocked": False}


@pytest.mark.parametrize(
    "event",
    [
        LINE.events.text(ALICE, "hello"),
        LINE.events.text(IN_GROUP, "@Kaiwa hello"),
        LINE.events.postback(ALICE, "/history"),
        LINE.events.unsend(ALICE, "1"),
        LINE.events.follow(ALICE.user_id),
        LINE.events.unfollow(ALICE.user_id),
        LINE.events.leave(IN_GROUP.group_id),
        LINE.events.message(ALICE, {"type": "sticker", "id": "1"}),
    ],
)
def test_the_bot_understands(event: dict[str, Any]) -> None:
    """Every event made here is one that the bot takes up."""
    assert read_event(event, LINE.bot_id, NOW) is not None


def test_backdated() -> None:
    """An event may have happened earlier."""
    event = LINE.events.text(ALICE, "old", at=NOW - 5000)
    assert event["timestamp"] == NOW - 5000
    assert event["webhookEventId"][:10] == ulid(NOW - 5000)[:10]


def test_ulids() -> None:
    """Event ids have 26 characters, sort by time, and never repeat."""
    made = [ulid(NOW) for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", one) for one in made)
    assert ulid(NOW + 1) > max(made)


def test_body_and_signature() -> None:
    """The body is compact UTF-8, and its signature is the one that the bot accepts."""
    body, made = LINE.signed(LINE.events.text(ALICE, "日本語"))
    assert "日本語".encode() in body
    assert b'", "' not in body
    assert json.loads(body)["destination"] == LINE.bot_id
    assert signature.verify("secret", body, made)
    assert not signature.verify("other", body, made)
    assert not signature.verify("secret", body + b" ", made)


def test_lone_surrogate() -> None:
    """A text that is no valid Unicode still makes a body: as an escape."""
    assert b"\\ud800" in encode("U1", [{"text": "\ud800"}])


async def test_deliver() -> None:
    """The POST carries LINE's headers over exactly the signed bytes, and its answer comes back."""
    received: list[tuple[dict[str, str], bytes]] = []

    async def take(request: Request) -> Response:
        received.append((dict(request.headers), await request.body()))
        return JSONResponse({"ok": True}, 418)

    async with serving(Starlette(routes=[Route("/", take, methods=["POST"])])) as base:
        answered = await LINE.deliver(base, LINE.events.text(ALICE, "hello"))
    headers, body = received[0]
    assert (answered.status, json.loads(answered.body)) == (418, {"ok": True})
    assert headers["x-line-signature"] == sign("secret", body)
    assert headers["content-type"] == "application/json; charset=utf-8"
