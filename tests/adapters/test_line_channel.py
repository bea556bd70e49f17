"""LineChannel against a server that plays LINE: what it asks, and what every answer is taken for."""

import socket
from collections.abc import AsyncIterator

import pytest

from bot.adapters.line_api import LineApi
from bot.adapters.line_channel import Bot, LineChannel, LineRefused, Webhook, WebhookTest
from bot.errors import Misconfigured, Unavailable
from tests.adapters.secret_of import VERSION, rotating, unreadable
from tests.servers.http import Answer, HttpServer, Received

URL = "https://kaiwa.example"


class Line:
    """A channel with the server it is asked of."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.secret, self.source = rotating("token-1")
        self.api = LineApi(server.url + "/", self.secret)
        self.channel = LineChannel(self.api)

    def requests(self) -> list[Received]:
        return self.server.requests


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with HttpServer() as server:
        line = Line(server)
        yield line
        await line.api.close()


async def test_quota(line: Line) -> None:
    """The month's limit, or none, and what is used of it."""
    line.server.script(
        Answer(200, {"type": "limited", "value": 200}), Answer(200, {"type": "none"}), Answer(200, {"totalUsage": 57})
    )
    assert [await line.channel.quota(), await line.channel.quota()] == [200, None]
    assert await line.channel.consumption() == 57
    asked = [(one.method, one.path, one.headers["authorization"]) for one in line.requests()]
    quota = ("GET", "/v2/bot/message/quota", "Bearer token-1")
    assert asked == [quota, quota, ("GET", "/v2/bot/message/quota/consumption", "Bearer token-1")]


async def test_bot(line: Line) -> None:
    """Who the bot is; modes that nobody knew are told as they are."""
    told = {"userId": "U1", "basicId": "@kaiwa", "displayName": "Kaiwa", "chatMode": "new", "markAsReadMode": "auto"}
    line.server.script(Answer(200, told))
    assert await line.channel.bot() == Bot("U1", "@kaiwa", "Kaiwa", "new", "auto")
    assert (line.requests()[0].method, line.requests()[0].path) == ("GET", "/v2/bot/info")


async def test_webhook(line: Line) -> None:
    """What is registered, and whether it is used; a channel without any has none."""
    line.server.script(Answer(200, {"endpoint": URL, "active": True}), Answer(404, {"message": "Not found"}))
    assert await line.channel.webhook() == Webhook(URL, active=True)
    assert await line.channel.webhook() is None
    assert {(one.method, one.path) for one in line.requests()} == {("GET", "/v2/bot/channel/webhook/endpoint")}


async def test_registering(line: Line) -> None:
    """The address goes to LINE as it is."""
    line.server.script(Answer(200, {}))
    await line.channel.register(URL)
    [request] = line.requests()
    assert (request.method, request.path) == ("PUT", "/v2/bot/channel/webhook/endpoint")
    assert request.json == {"endpoint": URL}
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("url", "sent"), [("", {}), (URL, {"endpoint": URL})])
async def test_the_test(line: Line, url: str, sent: dict[str, str]) -> None:
    """What came back from the webhook is told as LINE tells it."""
    told = {"success": False, "statusCode": 0, "reason": "COULD_NOT_CONNECT", "detail": "TLS handshake failure"}
    line.server.script(Answer(200, told))
    assert await line.channel.test_webhook(url) == WebhookTest(False, 0, "COULD_NOT_CONNECT", "TLS handshake failure")
    assert (line.requests()[0].path, line.requests()[0].json) == ("/v2/bot/channel/webhook/test", sent)


async def test_an_odd_test_is_no_success(line: Line) -> None:
    """Nothing is taken for a success but the word."""
    line.server.script(Answer(200, {"success": 1, "statusCode": "200"}))
    assert await line.channel.test_webhook() == WebhookTest(False, 0, "", "")


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_refusals(line: Line, status: int) -> None:
    """A definite no names its status and LINE's words."""
    line.server.script(*[Answer(status, {"message": "not like this"})] * 2)
    with pytest.raises(LineRefused, match=f"LINE answered {status}: not like this") as refused:
        await line.channel.quota()
    assert refused.value.status == status


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, {"message": "slower"}),
        Answer(500, b"\xff<html>"),
        Answer(200, b"<html>"),
        Answer(200, {"type": "limited", "value": "many"}),
        Answer(drop="after_reading"),
        Answer(drop="in_body", body={"type": "limited", "value": 1}),
        Answer(delay=30),
    ],
    ids=["limited", "down", "html", "odd", "cut", "half", "hang"],
)
async def test_troubles(line: Line, answer: Answer) -> None:
    """Whatever else goes wrong may pass; the token is not told."""
    line.channel = LineChannel(line.api, timeout=0.3)
    line.server.script(answer)
    with pytest.raises(Unavailable) as trouble:
        await line.channel.quota()
    assert "token-1" not in repr(trouble.value.__context__) + str(trouble.value)


@pytest.mark.parametrize("answer", [Answer(302, {}), Answer(429, {}), Answer(500, {}), Answer(200, drop="in_body")])
async def test_what_may_pass_is_no_success(line: Line, answer: Answer) -> None:
    """Also where no value of the answer is needed."""
    line.server.script(answer, answer)
    with pytest.raises(Unavailable):
        await line.channel.webhook()
    with pytest.raises(Unavailable):
        await line.channel.register(URL)


async def test_nobody_listens(line: Line) -> None:
    """A refused connection may pass, too."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = LineApi(f"http://127.0.0.1:{unused.getsockname()[1]}", line.secret)
        with pytest.raises(Unavailable):
            await LineChannel(api).consumption()
        await api.close()


async def test_a_new_token_is_read(line: Line) -> None:
    """401: a rotated access token is picked up at once."""
    await line.secret.value()
    line.source.values[VERSION] = "token-2"
    line.server.script(Answer(401, {"message": "no"}), Answer(200, {"totalUsage": 3}))
    assert await line.channel.consumption() == 3
    assert [one.headers["authorization"] for one in line.requests()] == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("denied")])
async def test_without_a_token(error: Unavailable | Misconfigured) -> None:
    """When the access token cannot be read LINE is not asked."""
    async with HttpServer() as server:
        with pytest.raises(type(error)):
            await LineChannel(LineApi(server.url, unreadable(error))).quota()
        assert server.connections == 0
