"""LineApi against servers that answer well, badly, too much or not at all."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from bot.adapters import line_api
from bot.adapters.line import LineMessenger
from bot.adapters.line_api import MOST_BYTES, Answer, LineApi, NotAnswered, NotConnected
from bot.adapters.line_channel import LineChannel
from bot.adapters.line_profiles import LineProfiles
from bot.conversation import Source
from bot.ports import Sent
from tests.adapters.secret_of import rotating
from tests.fakes import FakeClock
from tests.servers import http
from tests.servers.http import HttpServer

PATH = "/v2/bot/message/reply"
FINE = http.Answer(200, {"message": "fine"}, {"x-line-request-id": "request-1"})


def api_at(url: str) -> LineApi:
    return LineApi(url, rotating("token-1")[0])


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with HttpServer(FINE) as server:
        yield server


@pytest.fixture
async def api(server: HttpServer) -> AsyncIterator[LineApi]:
    api = api_at(server.url)
    yield api
    await api.close()


async def test_on_the_wire(api: LineApi, server: HttpServer) -> None:
    """JSON with the token, and half of a surrogate pair does not stop it; a call without a body has none."""
    answer = await api.call("POST", PATH, {"text": "\ud83d 字"}, headers={"x-more": "1"}, timeout=5.0)
    assert answer == Answer(200, b'{"message": "fine"}', "request-1")
    assert (answer.is_success, answer.told) == (True, {"message": "fine"})
    await api.call("GET", PATH, timeout=5.0)
    posted, got = server.requests
    assert (posted.method, posted.path, posted.body) == ("POST", PATH, b'{"text": "\\ud83d \\u5b57"}')
    names = ("authorization", "content-type", "x-more", "accept-encoding")
    assert [posted.headers.get(name) for name in names] == ["Bearer token-1", "application/json", "1", "identity"]
    assert (got.method, got.body, "content-type" in got.headers) == ("GET", b"", False)


async def test_one_connection_for_everybody(api: LineApi, server: HttpServer) -> None:
    """Messages, profiles and the channel in a row need but one handshake."""
    await LineMessenger(api).reply("token", ["hello"])
    await LineProfiles(api, FakeClock(1)).profile(Source("user", "U1"), "U1")
    await LineChannel(api).bot()
    assert (len(server.requests), server.connections) == (3, 1)


async def test_a_connection_that_was_closed_meanwhile(server: HttpServer, api: LineApi) -> None:
    """It is noticed and not used: the reply goes over a new one and is no doubtful one."""
    server.script(FINE, http.Answer(drop="before_reading"))
    assert (await LineMessenger(api).reply("token-a", ["hello"])).sent is Sent.ACCEPTED
    async with asyncio.timeout(10):
        await server.hung_up()
    for _ in range(10):
        await asyncio.sleep(0)  # this side has to notice
    assert (await LineMessenger(api).reply("token-b", ["hello"])).sent is Sent.ACCEPTED
    assert server.connections == 2


async def test_an_old_connection_is_not_used(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """LINE may be about to close it."""
    monkeypatch.setattr(line_api, "IDLE_SECONDS", 0.0)
    api = api_at(server.url)
    for _ in range(3):
        await api.call("GET", PATH, timeout=5.0)
    await api.close()
    assert server.connections == 3


@pytest.mark.parametrize("length", [b"", b"content-length: 1000000000\r\n", b"transfer-encoding: chunked\r\n"])
async def test_an_endless_body(length: bytes) -> None:
    """It is read to a bound; what LINE has said before it counts."""
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in length else b"x" * 65536
    async with _raw(b"HTTP/1.1 200 OK\r\nx-line-request-id: r\r\n" + length + b"\r\n", piece) as url:
        api = api_at(url)
        assert await api.call("GET", PATH, timeout=30.0) == Answer(200, None, "r")
        await api.close()


@pytest.mark.parametrize("length", [MOST_BYTES, MOST_BYTES + 1])
async def test_the_bound(api: LineApi, server: HttpServer, length: int) -> None:
    """All of it or nothing; the next call goes well."""
    server.script(http.Answer(200, b"x" * length))
    answer = await api.call("GET", PATH, timeout=5.0)
    assert answer.body == (b"x" * length if length == MOST_BYTES else None)
    assert (await api.call("GET", PATH, timeout=5.0)).told == {"message": "fine"}


async def test_a_dripping_body(api: LineApi, server: HttpServer) -> None:
    """Never silent for long and never done: the time limit holds for all of it."""
    server.script(http.Answer(200, b"x" * 10_000, drip=0.05))
    async with asyncio.timeout(60):  # dripping takes 500 seconds
        assert (await api.call("GET", PATH, timeout=0.5)).body is None


async def test_a_packed_body(api: LineApi, server: HttpServer) -> None:
    """It is not unpacked: a megabyte of nothing fits into a thousand bytes."""
    packed = gzip.compress(b"0" * 1_000_000)
    server.script(http.Answer(200, packed, {"content-encoding": "gzip"}))
    answer = await api.call("GET", PATH, timeout=5.0)
    assert (answer.body, answer.told) == (packed, {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(api: LineApi, server: HttpServer, status: int) -> None:
    """Nobody but LINE's host gets the token or a message."""
    async with HttpServer(FINE) as elsewhere:
        server.script(http.Answer(status, b"", {"location": elsewhere.url}))
        assert (await api.call("POST", PATH, {}, timeout=5.0)).status == status
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00\xff\xfe",
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header token-1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
    ids=["nothing", "bytes", "another protocol", "status", "length", "header", "long header", "two lengths"],
)
async def test_garbage_is_no_answer(garbage: bytes) -> None:
    """Whatever cannot be understood leaves it open whether LINE did it; the error tells nothing of what was sent."""
    async with _raw(garbage) as url:
        api = api_at(url)
        with pytest.raises(NotAnswered) as raised:
            await api.call("POST", PATH, {"text": "ないしょ"}, timeout=5.0)
        await api.close()
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    assert "token-1" not in str(raised.value)


async def test_interim_answers() -> None:
    """They are none."""
    async with _raw(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as url:
        api = api_at(url)
        assert (await api.call("POST", PATH, {}, timeout=5.0)).status == 200
        await api.close()


async def test_nobody_listens() -> None:
    """Nothing was sent, and the error tells nothing of what would have been."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = api_at(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(NotConnected) as raised:
            await api.call("POST", PATH, {}, timeout=5.0)
        await api.close()
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


async def test_nobody_picks_up() -> None:
    """A connection that does not come about in half of the time: nothing was sent."""
    with _busy() as url:
        api = api_at(url)
        with pytest.raises(NotConnected):
            await api.call("POST", PATH, {}, timeout=1.0)
        await api.close()


async def test_an_unknown_host() -> None:
    """As if nobody listened."""
    api = api_at("http://kaiwa.invalid")
    with pytest.raises(NotConnected):
        await api.call("POST", PATH, {}, timeout=30.0)
    await api.close()


@contextlib.contextmanager
def _busy() -> Iterator[str]:
    """A socket whose queue of callers is full: the next hears nothing."""
    with socket.socket() as listening, contextlib.ExitStack() as callers:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.asynccontextmanager
async def _raw(begin: bytes, endless: bytes = b"") -> AsyncIterator[str]:
    """A server that sends these bytes to whoever asks, then `endless` again and again, then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(begin)
            while endless:
                writer.write(endless)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
