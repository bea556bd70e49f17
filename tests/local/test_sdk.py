"""line-bot-sdk as a judge: what the bot really sends passes, what LINE's description of its API lacks does not."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings

from bot import cards
from bot.adapters.line import PUSH, REPLY, _messages
from bot.conversation import QuickReply
from bot.local import sdk
from bot.local.line import LineStandIn
from bot.local.sdk import problems
from tests.servers.uvicorn import serving
from tests.test_shapes import codes, sources, tables

CODE = "```py\nprint('はい')\n```"
TABLE = "| 名前 | b |\n| --- | --- |\n| 1 | 2 |"
WIDE = "| a | b | c | d | e |\n| - | - | - | - | - |\n" + "| とても長いことば | 2 | 3 | 4 | 5 |\n" * 3
SOURCES = "Sources:\n- [京都](https://a.jp/京都)\n- [b](https://b.jp)"
PICTURE = '![海](https://a.jp/1.png "https://a.jp/2.png")'
BUTTONS = [QuickReply(f"続き{number}", f"/more {number}") for number in range(20)]
VALIDATE = "/v2/bot/message/validate/reply"


def reply(*messages: Any) -> dict[str, Any]:
    return {"replyToken": "token", "messages": list(messages)}


def card() -> Any:
    return cards.message(CODE)


@pytest.mark.parametrize("bubble", ["text\ud83d", CODE, TABLE, WIDE, SOURCES, PICTURE])
def test_what_the_bot_sends(bubble: str) -> None:
    """Every kind of message, with a quotation and buttons, by each way."""
    messages = _messages([cards.message("first"), cards.message(bubble)], BUTTONS, "quote")
    assert problems(REPLY, reply(*messages)) == []
    assert problems(PUSH, {"to": "U1", "messages": messages}) == []
    assert problems(VALIDATE, {"messages": messages}) == []


@settings(max_examples=50, deadline=None)
@given(bubble=(codes | tables | sources).map(str))
def test_any_card(bubble: str) -> None:
    """Whatever the model may write: its card is one that LINE knows."""
    assert problems(REPLY, reply(cards.message(bubble))) == []


def _in_bubble(name: str, value: Any) -> Any:
    return card() | {"contents": card()["contents"] | {name: value}}


def _in_body(name: str, value: Any) -> Any:
    message = card()
    message["contents"]["body"][name] = value
    return message


WRONG: list[tuple[str, Any, str]] = [
    (REPLY, {"token": "t", "messages": [{"type": "text", "text": "a"}]}, "replyToken"),
    (REPLY, {"replyToken": "t"}, "messages"),
    (REPLY, {"replyToken": 5, "messages": [{"type": "text", "text": "a"}]}, "replyToken"),
    (REPLY, reply({"type": "text", "text": "a"}) | {"silent": True}, "silent"),
    (REPLY, reply({"type": "text", "text": 5}), "text"),
    (REPLY, reply({"type": "text", "text": "a", "quotetoken": "q"}), "messages[0].quotetoken"),
    (REPLY, reply({"type": "hologram"}), ""),
    (REPLY, reply("text"), ""),
    (REPLY, reply({"type": "text", "text": "a"}, _in_bubble("colour", "red")), "messages[1].contents.colour"),
    (REPLY, reply(_in_bubble("size", 5)), "size"),
    (REPLY, reply(_in_bubble("size", "huge")), "size"),
    (REPLY, reply(_in_body("contents", [{"type": "blob"}])), ""),
    (REPLY, reply(_in_body("flexx", 1)), "messages[0].contents.body.flexx"),
    (REPLY, reply(_in_body("flex", "1")), "flex"),
    (REPLY, reply(_in_body("flex", True)), "flex"),
    (PUSH, {"messages": [{"type": "text", "text": "a"}]}, "to"),
    (PUSH, {"to": "U1", "messages": [{"type": "text", "text": "a"}], "replyToken": "t"}, "replyToken"),
]


@pytest.mark.parametrize(("path", "body", "where"), WRONG)
def test_what_line_does_not_know(path: str, body: Any, where: str) -> None:
    """A wrong name, a wrong type, something new: each is refused, and its place is told as far as the SDK does."""
    assert [one["property"] for one in problems(path, body)] == [where]


def test_null_is_nothing() -> None:
    """What is null need not be known."""
    assert problems(REPLY, reply({"type": "text", "text": "a", "quoteToken": None, "emojis": None})) == []


def test_other_calls_are_not_judged() -> None:
    """Only what carries messages, and the animation."""
    assert problems("/v2/bot/channel/webhook/test", {"x": 1}) == []


class Careless:
    """A model that reads everything and writes what it likes."""

    def __init__(self, written: Any) -> None:
        self.written = written

    def from_dict(self, _: Any) -> "Careless":
        return self

    def to_dict(self) -> Any:
        return self.written


@pytest.mark.parametrize(
    ("sent", "written", "where"),
    [
        ({"a": 1}, {"a": 1, "more": None}, None),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "a[1].b"),
        ({"a": 1}, {"a": "1"}, "a"),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": [1, 2]}, {"a": [1]}, "a"),
        ({"a": {"b": 1}}, {"a": None}, "a"),
    ],
)
def test_what_comes_back_changed(sent: Any, written: Any, where: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was understood in another way than it was meant."""
    monkeypatch.setattr(sdk, "MODELS", {"/x": Careless(written)})
    assert [one["property"] for one in problems("/x", sent)] == ([where] if where else [])


Post = Callable[[LineStandIn, str, Any], Awaitable[tuple[int, Any]]]


@pytest.fixture
def post(http: aiohttp.ClientSession) -> Post:
    async def posted(line: LineStandIn, path: str, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer token"}
        async with serving(line.app) as url, http.post(url + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    return posted


@pytest.mark.parametrize("message", [_in_bubble("colour", "red"), _in_body("cornerRadius", 5), _in_body("flexx", 1)])
async def test_the_stand_in_asks_the_judge(post: Post, message: Any) -> None:
    """What the SDK does not know is refused in LINE's manner: nothing is shown, and the token stays good."""
    line = LineStandIn("token", "secret")
    user = line.chats.add_user("さくら")
    token = line.chats.issue_token(user.id, line.chats.clock())
    status, answer = await post(line, REPLY, {"replyToken": token, "messages": [message]})
    assert (status, answer["message"]) == (400, "The request body has 1 error(s)")
    assert answer["details"][0]["message"].startswith("line-bot-sdk: ")
    assert line.sent(user.id) == []
    assert (await post(line, REPLY, {"replyToken": token, "messages": [card()]}))[0] == 200


async def test_the_judge_never_waits_for_a_webhook(post: Post) -> None:
    """However many threads of asyncio's wait for an answer that cannot come before the judge has spoken."""
    line, spoken = LineStandIn("token", "secret"), threading.Event()
    waiting = [asyncio.to_thread(spoken.wait, 30) for _ in range(40)]
    blocked = asyncio.gather(*waiting)
    try:
        async with asyncio.timeout(20):
            assert (await post(line, VALIDATE, {"messages": [card()]}))[0] == 200
    finally:
        spoken.set()
        await blocked


async def test_the_judge_can_stay_away(post: Post) -> None:
    """Where time is measured nobody judges but the stand-in itself."""
    line = LineStandIn("token", "secret", judged=False)
    user = line.chats.add_user("さくら")
    token = line.chats.issue_token(user.id, line.chats.clock())
    message = {"type": "text", "text": "a", "unknown": 1}
    assert (await post(line, REPLY, {"replyToken": token, "messages": [message]}))[0] == 200
