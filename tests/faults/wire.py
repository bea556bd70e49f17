"""HTTP/1.1 by hand: one connection that stays open, and sends what no client library would."""

import asyncio
from collections.abc import Sequence
from types import TracebackType

from bot.local.webhook import sign
from tests.world import CHANNEL_SECRET

CHUNKED = b"transfer-encoding: chunked"


class Wire:
    """`async with Wire(port) as wire`. Raises OSError or EOFError when the other side goes away."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_open = False

    async def __aenter__(self) -> "Wire":
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        self._is_open = False
        self._writer.close()

    async def post(self, body: bytes, *headers: bytes, path: str = "/") -> int:
        """The status for a body with these headers and a Content-Length of its own; connects again if need be."""
        if not self._is_open:
            await self._open()
        await self.send(head(*headers, length(body), path=path) + body)
        return await self.status()

    async def post_signed(self, body: bytes, *headers: bytes, path: str = "/") -> int:
        return await self.post(body, signed(body), *headers, path=path)

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()

    async def status(self) -> int:
        """Of the next answer, read whole."""
        lines = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 60)).lower().split(b"\r\n")
        lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        await self._reader.readexactly(lengths[0] if lengths else 0)
        if b"connection: close" in lines:
            await self.close()
        return int(lines[0].split()[1])

    async def _open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._is_open = True


def head(*headers: bytes, path: str = "/") -> bytes:
    return b"\r\n".join([f"POST {path} HTTP/1.1".encode(), b"host: kaiwa", *_lines(headers), b"", b""])


def length(body: bytes) -> bytes:
    return b"content-length: %d" % len(body)


def signed(body: bytes) -> bytes:
    return b"x-line-signature: " + sign(CHANNEL_SECRET, body).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _lines(headers: Sequence[bytes]) -> list[bytes]:
    return [header for header in headers if header]
