"""LineContent against a server that plays LINE: what is asked for, what every answer means, and what is never asked."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.adapters.line_content import LineContent, PublicResolver, is_public_address
from bot.errors import ContentFailed, ContentFault, Unavailable
from bot.ports import Attachment
from tests.adapters.secret_of import VERSION, rotating
from tests.servers.http import Answer, HttpServer

JPEG = b"\xff\xd8\xff" + b"x" * 1_000
FOUND = Answer(200, JPEG, {"content-type": "image/jpeg"})


class Line:
    """The adapter with the server it talks to."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.secret, self.source = rotating("token-1")
        self.content = LineContent(server.url, self.secret, total=2.0, read=0.5)

    async def fetch(self, *answers: Answer, url: str = "", most: int = 10_000, message_id: str = "123") -> Attachment:
        self.server.script(*answers)
        return await self.content.fetch(message_id, url, most)

    async def fails(self, *answers: Answer, **how: Any) -> ContentFault:
        with pytest.raises(ContentFailed) as raised:
            await self.fetch(*answers, **how)
        return raised.value.fault


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with HttpServer() as server:
        made = Line(server)
        yield made
        await made.content.close()


async def test_the_bytes(line: Line) -> None:
    """By the message's id, with the channel's token; the type without its parameters."""
    found = await line.fetch(Answer(200, JPEG, {"content-type": "Image/JPEG; charset=x"}))
    assert found == Attachment("image/jpeg", JPEG)
    [request] = line.server.requests
    assert (request.method, request.path) == ("GET", "/v2/bot/message/123/content")
    assert request.headers["authorization"] == "Bearer token-1"


async def test_an_odd_message_id(line: Line) -> None:
    """It stays one piece of the path."""
    await line.fetch(FOUND, message_id="../../x?y")
    assert line.server.requests[0].path == "/v2/bot/message/..%2F..%2Fx%3Fy/content"


@pytest.mark.parametrize(
    ("status", "fault"), [(202, "not_ready"), (400, "gone"), (403, "gone"), (404, "gone"), (410, "gone")]
)
async def test_what_line_does_not_give(line: Line, status: int, fault: ContentFault) -> None:
    """Still being prepared, unknown, taken back: each by its name."""
    assert await line.fails(Answer(status, b"{}")) == fault


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_at_line(line: Line, status: int) -> None:
    """May pass: the caller tries again."""
    with pytest.raises(Unavailable):
        await line.fetch(Answer(status, b"{}"))


async def test_a_rotated_token(line: Line) -> None:
    """401 reads the secret again, once, and the download goes on with the new one."""
    await line.secret.value()
    line.source.values[VERSION] = "token-2"
    assert (await line.fetch(Answer(401, b"{}"), FOUND)).data == JPEG
    assert [request.headers["authorization"] for request in line.server.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_a_refused_token(line: Line) -> None:
    """When there is no other, it is ours to mend: not the person's fault."""
    with pytest.raises(Unavailable):
        await line.fetch(Answer(401, b"{}"))


async def test_too_large_by_its_length(line: Line) -> None:
    """Refused before the first byte is read."""
    assert await line.fails(Answer(200, b"x" * 10_001)) == "too_large"


@pytest.mark.parametrize("size", [10_000, 10_001])
async def test_the_cap_holds_while_reading(size: int) -> None:
    """A body that does not tell its length is read to the cap and no further."""
    async with _raw(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n" + b"x" * size) as url:
        content = LineContent(url, rotating("t")[0])
        fetching = content.fetch("1", "", 10_000)
        [found] = await asyncio.gather(fetching, return_exceptions=True)
        await content.close()
    assert isinstance(found, Attachment if size == 10_000 else ContentFailed)
    if isinstance(found, Attachment):
        assert len(found.data) == size


async def test_an_endless_body() -> None:
    """It ends at the cap, however much is still coming."""
    async with _raw(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"x" * 65_536) as url:
        content = LineContent(url, rotating("t")[0])
        with pytest.raises(ContentFailed, match="too_large"):
            await content.fetch("1", "", 1_000_000)
        await content.close()


async def test_a_dripping_body(line: Line) -> None:
    """Never silent for long and never done: the total time ends it."""
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await line.fetch(Answer(200, b"x" * 1_000, drip=0.05))
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("answer", [Answer(delay=5.0), Answer(drop="after_reading"), Answer(200, JPEG, drop="in_body")])
async def test_a_broken_connection(line: Line, answer: Answer) -> None:
    """Silent, cut before or within the body: may pass."""
    with pytest.raises(Unavailable):
        await line.fetch(answer)


async def test_nobody_there() -> None:
    """A host that cannot be reached may come back; the error names no address."""
    content = LineContent("http://127.0.0.1:9", rotating("t")[0])
    with pytest.raises(Unavailable) as raised:
        await content.fetch("1", "", 10)
    assert "127.0.0.1" not in str(raised.value)
    assert raised.value.__cause__ is None
    await content.close()


async def test_redirects_stay_at_home(line: Line) -> None:
    """Followed on the same host, a few times; anywhere else only to public addresses, by https."""
    assert (await line.fetch(Answer(302, b"", {"location": "/there"}), FOUND)).data == JPEG
    for elsewhere in ("http://127.0.0.1:1/x", "http://example.com/x", "https://127.0.0.1/x", "file:///etc/passwd", ""):
        redirect = Answer(302, b"", {"location": elsewhere})
        assert await line.fails(*[redirect] * (1 if elsewhere else 4)) == "gone"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/computeMetadata/v1/",
        "https://[::ffff:10.0.0.1]/x",
        "https://127\u30020\u30020\u30021/x",
        "https://\uff11\uff12\uff17.0.0.1/x",
        "http://example.com/x",
        "https:///x",
        "https://[/x",
    ],
)
async def test_private_addresses_are_not_asked(line: Line, url: str) -> None:
    """A message cannot make the bot look into its own network."""
    assert await line.fails(url=url) == "gone"


async def test_names_that_lead_into_a_private_network(line: Line) -> None:
    """Whatever a name resolves to when it is asked counts, not what it looks like."""
    with pytest.raises(Unavailable):
        await line.fetch(url=f"https://localhost:{line.server.port}/x")
    assert line.server.connections == 0


async def test_elsewhere_gets_no_token(line: Line) -> None:
    """Only LINE's host may see the channel's access token."""
    assert (await line.fetch(FOUND, url=f"{line.server.url}/picture.jpg")).data == JPEG
    assert "authorization" not in line.server.requests[0].headers


class Book(AbstractResolver):
    def __init__(self, names: Mapping[str, list[str]]) -> None:
        self.names = names

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[Any]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.names[host]
        ]

    async def close(self) -> None:
        return


async def test_only_public_addresses_of_a_name_count() -> None:
    """One of its addresses may be public; the private ones are left out."""
    resolver = PublicResolver(Book({"mixed": ["10.0.0.1", "8.8.8.8"], "inside": ["192.168.1.1", "::1"]}))
    assert [one["host"] for one in await resolver.resolve("mixed")] == ["8.8.8.8"]
    with pytest.raises(OSError, match="no public address"):
        await resolver.resolve("inside")
    await resolver.close()


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        *[("8.8.8.8", True), ("2001:4860:4860::8888", True)],
        *[
            ("127.0.0.1", False),
            ("0.0.0.0", False),
            ("100.64.0.1", False),
            ("224.0.0.1", False),
            ("fe80::1%eth0", False),
        ],
        *[("::ffff:8.8.8.8", True), ("::ffff:127.0.0.1", False), ("localhost", False), ("", False)],
    ],
)
def test_public_addresses(address: str, is_public: bool) -> None:
    """Loopback, private, shared, link-local and multicast ones are not, in whatever dress."""
    assert is_public_address(address) == is_public


class _raw:  # noqa: N801  # a context manager that reads like the function it stands for
    """A server that sends these bytes to whoever connects, then `endless` again and again, then hangs up."""

    def __init__(self, begin: bytes, endless: bytes = b"") -> None:
        self.begin, self.endless = begin, endless

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.begin)
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()
