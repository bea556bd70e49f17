"""The API behind the chat page: what goes out as webhooks, and who may ask."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.local.chats import NOTICE, Bubble
from bot.local.line import LineStandIn
from bot.local.page import About, ChatPage
from tests.servers.uvicorn import serving


class Page:
    """The page's server, and a function behind it that keeps the events it is sent."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.line = LineStandIn("token", "secret")
        self.page = ChatPage(self.line, About("a-model", stand_in=False, store="SQLite"))
        self.sakura, self.ken, _ = self.line.chats.users
        self.group = next(iter(self.line.chats.groups))
        self.events: list[Any] = []
        self.status = 200
        self.base = ""

    async def take(self, request: Request) -> Response:
        self.events += (await request.json())["events"]
        return JSONResponse({}, self.status)

    async def act(self, action: str, me: str, chat: str, headers: dict[str, str] | None = None, **wish: Any) -> int:
        body = {"me": me, "chat": chat} | wish
        async with self.http.post(f"{self.base}/api/{action}", json=body, headers=headers) as response:
            return response.status

    def last(self, chat: str) -> Bubble:
        return self.line.chats.in_chat(chat)[-1]


@pytest.fixture
async def page(http: aiohttp.ClientSession) -> AsyncIterator[Page]:
    page = Page(http)
    function = Starlette(routes=[Route("/", page.take, methods=["POST"])])
    async with serving(function) as page.page.function_url, serving(page.page.app()) as page.base:
        yield page


async def test_send(page: Page) -> None:
    """A message goes to the function as an event of its writer, and is read when the function took it."""
    assert await page.act("send", page.sakura, page.sakura, text="こんにちは") == 200
    assert page.events[0]["message"]["text"] == "こんにちは"
    assert page.events[0]["source"] == {"type": "user", "userId": page.sakura}
    assert (page.last(page.sakura).id, page.last(page.sakura).read) == (page.events[0]["message"]["id"], True)


async def test_send_in_a_group(page: Page) -> None:
    """In the group the event names group and writer, and the bot's name becomes a real mention."""
    await page.act("send", page.ken, page.group, text="@Kaiwa hi", quoted="7")
    assert page.events[0]["source"] == {"type": "group", "groupId": page.group, "userId": page.ken}
    assert page.events[0]["message"]["mention"]["mentionees"][0]["isSelf"]
    assert page.events[0]["message"]["quotedMessageId"] == "7"


async def test_postback(page: Page) -> None:
    """A tapped button sends its data, and shows its words as the person's own."""
    await page.act("postback", page.sakura, page.sakura, data="/more", display_text="続き")
    assert page.events[0]["postback"] == {"data": "/more"}
    assert (page.last(page.sakura).by, page.last(page.sakura).text) == (page.sakura, "続き")


async def test_unsend(page: Page) -> None:
    """Who wrote a message can take it back, nobody else can; its text is gone from the page."""
    await page.act("send", page.ken, page.group, text="oops")
    written = page.last(page.group).id
    assert await page.act("unsend", page.sakura, page.group, message_id=written) == 400
    assert await page.act("unsend", page.ken, page.group, message_id=written) == 200
    assert page.events[1]["unsend"] == {"messageId": written}
    assert (page.last(page.group).text, page.last(page.group).unsent) == ("", True)


async def test_block(page: Page) -> None:
    """Blocking unfollows and unblocking follows; nothing is sent to the function in between."""
    for present in (False, True):
        await page.act("presence", page.sakura, page.sakura, present=present)
        await page.act("send", page.sakura, page.sakura, text="hello")
    assert [event["type"] for event in page.events] == ["unfollow", "follow", "message"]


async def test_leave_and_join(page: Page) -> None:
    """The bot can be removed from the group and invited again."""
    for present in (False, True):
        await page.act("presence", page.ken, page.group, present=present)
    assert [event["type"] for event in page.events] == ["leave", "join"]


@pytest.mark.parametrize("status", [401, 503])
async def test_function_refuses(page: Page, status: int) -> None:
    """A message that the function did not take stays unread, and a notice tells the status."""
    page.status = status
    await page.act("send", page.sakura, page.sakura, text="hello")
    message, notice = page.line.chats.in_chat(page.sakura)
    assert (message.read, notice.by) == (False, NOTICE)
    assert json.loads(notice.text)["status"] == status


async def test_function_is_gone(page: Page) -> None:
    """A function that does not answer at all is a notice too."""
    page.page.function_url = "http://127.0.0.1:1"
    assert await page.act("send", page.sakura, page.sakura, text="hello") == 200
    assert json.loads(page.last(page.sakura).text)["code"] == "unreachable"


async def test_changes(page: Page) -> None:
    """The stream begins with everything, status included, and goes on with each change."""
    async with page.http.get(page.base + "/api/changes") as stream:
        first = json.loads((await stream.content.readuntil(b"\n\n"))[len("data: ") :])
        assert (first["type"], first["about"]["model"], len(first["users"])) == ("snapshot", "a-model", 3)
        await page.act("send", page.sakura, page.sakura, text="hello")
        change = json.loads((await stream.content.readuntil(b"\n\n"))[len("data: ") :])
    assert (change["type"], change["bubble"]["text"]) == ("bubble", "hello")


@pytest.mark.parametrize(
    "wish", [{}, {"text": " "}, {"text": "x" * 10_001}, {"me": "nobody", "text": "x"}, {"chat": "U1", "text": "x"}]
)
async def test_wrong_wishes(page: Page, wish: dict[str, Any]) -> None:
    """A wish that makes no sense is refused and sends nothing; nobody writes in another one's chat."""
    assert await page.act("send", **({"me": page.sakura, "chat": page.sakura} | wish)) == 400
    assert await page.act("send", page.sakura, page.ken, text="x") == 400
    assert page.events == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "127.0.0.1.evil.example"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
async def test_foreign_pages(page: Page, headers: dict[str, str], status: int) -> None:
    """Other web pages in the same browser can neither read here nor write: not by a name that points here either."""
    assert await page.act("send", page.sakura, page.sakura, headers, text="hello") == status
    assert page.events == []


async def test_page_files(page: Page) -> None:
    """The page comes with a policy that lets no script run but its own."""
    for path in ("/", "/page.css", "/page.js"):
        async with page.http.get(page.base + path) as response:
            assert response.status == 200
            assert "script-src 'self'" in response.headers["Content-Security-Policy"]
