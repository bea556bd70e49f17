"""The API behind the chat page: what goes out as webhooks, and who may ask."""

import json
from base64 import b64encode
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
        self.group, self.club, self.room = self.line.chats.groups
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


async def test_people_are_mentioned(page: Page) -> None:
    """Members and everybody can be mentioned, too; who is not there cannot."""
    await page.act("send", page.ken, page.club, text="@さくら @All @Mei")
    mentionees = page.events[0]["message"]["mention"]["mentionees"]
    assert mentionees == [
        {"index": 0, "length": 4, "type": "user", "userId": page.sakura},
        {"index": 5, "length": 4, "type": "all"},
    ]


async def test_send_in_a_room(page: Page) -> None:
    """A room is told from a group, and only its members write there."""
    await page.act("send", page.sakura, page.room, text="hi")
    assert page.events[0]["source"] == {"type": "room", "roomId": page.room, "userId": page.sakura}
    assert await page.act("send", page.ken, page.room, text="hi") == 400
    await page.act("presence", page.sakura, page.room, present=False)
    assert page.events[1]["source"] == {"type": "room", "roomId": page.room}


def given(kind: str, content_type: str, data: bytes = b"bytes", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": "name", "type": content_type, "data": b64encode(data).decode()} | more


async def test_album(page: Page) -> None:
    """Pictures sent together are one set, each with its place in it and its own webhook; the bytes are at LINE."""
    files = [given("image", "image/png", b"one"), given("image", "image/png", b"one"), given("image", "image/jpeg")]
    assert await page.act("media", page.sakura, page.sakura, files=files) == 200
    sets = sorted((event["message"]["imageSet"] for event in page.events), key=lambda one: one["index"])
    assert [(one["index"], one["total"]) for one in sets] == [(1, 3), (2, 3), (3, 3)]
    assert len({one["id"] for one in sets}) == 1
    assert all(event["message"]["contentProvider"] == {"type": "line"} for event in page.events)
    content = [page.line.chats.contents[event["message"]["id"]] for event in page.events]
    assert sorted(one.data for one in content) == [b"bytes", b"one", b"one"]


async def test_media(page: Page) -> None:
    """One picture is no set; sound and video tell how long they are, a file its name and size."""
    files = [
        given("image", "image/png"),
        given("audio", "audio/webm", duration=1500),
        given("video", "video/mp4", duration=2500),
        given("file", "application/pdf", name="a.pdf"),
    ]
    await page.act("media", page.ken, page.ken, files=files)
    by_type = {event["message"]["type"]: event["message"] for event in page.events}
    assert "imageSet" not in by_type["image"]
    assert (by_type["audio"]["duration"], by_type["video"]["duration"]) == (1500, 2500)
    assert (by_type["file"]["fileName"], by_type["file"]["fileSize"]) == ("a.pdf", 5)
    assert {name for name, message in by_type.items() if "quoteToken" in message} == {"image", "video"}


@pytest.mark.parametrize(
    "files",
    [
        [],
        [given("file", "text/plain")] * 21,
        [given("image", "image/svg+xml")],
        [given("audio", "video/mp4")],
        [given("hologram", "image/png")],
        [given("file", "text/plain", b"")],
        [given("audio", "audio/webm", duration=-1)],
        [given("file", "text/plain") | {"data": "not base64!"}],
        [{}],
        [None],
        None,
    ],
)
async def test_wrong_media(page: Page, files: Any) -> None:
    """What is no file of its kind is refused whole, and nothing is sent."""
    assert await page.act("media", page.sakura, page.sakura, files=files) == 400
    assert page.events == []


async def test_content_is_harmless(page: Page) -> None:
    """What somebody sent is shown as what it is only when no browser would run it, and is gone once taken back."""
    await page.act("media", page.ken, page.ken, files=[given("file", "text/html"), given("image", "image/png")])
    for bubble, kind, way in zip(
        page.line.chats.in_chat(page.ken), ("application/octet-stream", "image/png"), ("attachment", None), strict=True
    ):
        async with page.http.get(f"{page.base}/content/{bubble.id}") as response:
            assert (response.content_type, response.headers.get("Content-Disposition")) == (kind, way)
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        await page.act("unsend", page.ken, page.ken, message_id=bubble.id)
        async with page.http.get(f"{page.base}/content/{bubble.id}") as response:
            assert response.status == 404


async def test_sticker(page: Page) -> None:
    """A sticker has LINE's ids and its keywords, and may quote; one that does not exist is refused."""
    assert await page.act("sticker", page.sakura, page.sakura, sticker="1009", quoted="7") == 200
    message = page.events[0]["message"]
    assert (message["packageId"], message["stickerId"], message["quotedMessageId"]) == ("1000", "1009", "7")
    assert "party" in message["keywords"]
    assert await page.act("sticker", page.sakura, page.sakura, sticker="1") == 400


@pytest.mark.parametrize("latitude", ["north", "91", "nan", None])
async def test_location(page: Page, latitude: Any) -> None:
    """A place has coordinates on this planet; title and address only when they are given."""
    assert await page.act("location", page.ken, page.ken, latitude="35.0", longitude="135.7", title="京都") == 200
    message = page.events[0]["message"]
    assert (message["latitude"], message["longitude"], message["title"]) == (35.0, 135.7, "京都")
    assert "address" not in message
    assert await page.act("location", page.ken, page.ken, latitude=latitude, longitude="0") == 400


async def test_edit(page: Page) -> None:
    """In a group the writer alone can change a text: same id, new words, a reply token; never what is no text."""
    await page.act("send", page.ken, page.group, text="@Kaiwa ten")
    await page.act("sticker", page.ken, page.group, sticker="1001")
    text, sticker = page.line.chats.in_chat(page.group)
    assert await page.act("edit", page.sakura, page.group, message_id=text.id, text="no") == 400
    assert await page.act("edit", page.ken, page.group, message_id=sticker.id, text="no") == 400
    assert await page.act("edit", page.ken, page.group, message_id=text.id, text="@Kaiwa eleven") == 200
    event = page.events[-1]
    assert (event["type"], event["message"]["id"], event["message"]["text"]) == (
        "messageEdited",
        text.id,
        "@Kaiwa eleven",
    )
    assert page.line.chats.chat_of(event["replyToken"]) == page.group
    shown = page.line.chats.bubbles[page.group][text.id]
    assert (shown.text, shown.edited) == ("@Kaiwa eleven", True)


async def test_no_edit_in_private(page: Page) -> None:
    """LINE lets nobody edit a message to an official account."""
    await page.act("send", page.ken, page.ken, text="ten")
    assert await page.act("edit", page.ken, page.ken, message_id=page.last(page.ken).id, text="eleven") == 400


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
    for path in ("/", "/page.css", "/page.js", "/flex.js", "/stickers.svg"):
        async with page.http.get(page.base + path) as response:
            assert response.status == 200
            assert "script-src 'self'" in response.headers["Content-Security-Policy"]
