"""What people sent beside text, downloaded from LINE, or from where a message says that it lies.

Source: https://developers.line.biz/en/reference/messaging-api/#get-content
"""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.adapters.line_api import bearer
from bot.errors import ContentFailed, Unavailable
from bot.ports import Attachment
from bot.secrets import Secret

CHUNK_BYTES = 64 * 1024
REDIRECTS = 3
GONE = (400, 403, 404, 410)
TYPE_CHARACTERS = 100


class LineContent:
    """`ports.Content`. `total` and `read` in seconds: for a whole download, and for each wait within it."""

    def __init__(self, base_url: str, token: Secret, total: float = 15.0, read: float = 5.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._timeout = aiohttp.ClientTimeout(total=total, connect=3.0, sock_read=read)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def fetch(self, message_id: str, url: str, most: int) -> Attachment:
        if url:
            return await self._bounded(url, {}, most)
        where = f"{self._base_url}/v2/bot/message/{quote(message_id, safe='')}/content"
        token = await self._token.value()
        try:
            return await self._bounded(where, bearer(token), most)
        except _Unauthorized:
            fresh = await self._token.refresh(token)
            if fresh == token:
                raise
        return await self._bounded(where, bearer(fresh), most)

    async def close(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def _bounded(self, url: str, headers: Mapping[str, str], most: int) -> Attachment:
        try:
            return await self._download(url, headers, most)
        except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
            failed = Unavailable(f"content cannot be downloaded now ({type(trouble).__name__})")
        # Outside of the handler: aiohttp's errors quote addresses, and must not travel along as a cause.
        raise failed

    async def _download(self, url: str, headers: Mapping[str, str], most: int) -> Attachment:
        for _ in range(1 + REDIRECTS):
            is_ours = _origin(url) == _origin(self._base_url)
            if not (is_ours or _is_public(url)):
                raise ContentFailed("gone")
            # The access token is for LINE's host alone.
            sent = {"Accept-Encoding": "identity", **(headers if is_ours else {})}
            async with self._session(is_ours).get(url, headers=sent, allow_redirects=False) as response:
                if not 300 <= response.status < 400:
                    return await _content(response, most)
                url = urljoin(url, response.headers.get("location", ""))
        raise ContentFailed("gone")

    def _session(self, is_ours: bool) -> aiohttp.ClientSession:
        """Made inside the running loop, once; what lies elsewhere is reached by public addresses only."""
        if is_ours not in self._sessions:
            connector = aiohttp.TCPConnector(resolver=None if is_ours else PublicResolver())
            self._sessions[is_ours] = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._sessions[is_ours]


class PublicResolver(AbstractResolver):
    """Names of the public internet: one that leads into a private network is as good as unknown."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if is_public_address(one["host"])]
        if not public:
            raise OSError("no public address")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def is_public_address(host: str) -> bool:
    """Whether it is a literal address of the public internet."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_global and not inner.is_multicast)


class _Unauthorized(Unavailable):
    """LINE does not accept the access token."""


def _is_public(url: str) -> bool:
    """Whether it may be asked at all: by https, and not at a literal address of a private network.

    aiohttp gives literal addresses to no resolver; shorthand ones (127.1) are names to it, and go to PublicResolver.
    """
    try:
        # As aiohttp itself reads it: IDNA makes 127\u30020\u30020\u30021 an address.
        parts = URL(url)
        host = parts.raw_host or ""
        is_literal = ":" in host or host.replace(".", "").isdigit()
        return parts.scheme == "https" and bool(host) and (is_public_address(host) if is_literal else True)
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.netloc
    except ValueError:
        return "", ""


async def _content(response: aiohttp.ClientResponse, most: int) -> Attachment:
    """The body of a 200, read no further than `most`; any other status by what it means."""
    if response.status == 202:
        raise ContentFailed("not_ready")
    if response.status == 401:
        raise _Unauthorized("LINE does not accept the access token")
    if response.status in GONE:
        raise ContentFailed("gone")
    if response.status != 200:
        raise Unavailable(f"content cannot be downloaded now ({response.status})")
    if (response.content_length or 0) > most:
        raise ContentFailed("too_large")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Attachment(kind[:TYPE_CHARACTERS], await _read(response, most))


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(CHUNK_BYTES):
        size += len(piece)
        if size > most:
            raise ContentFailed("too_large")
        pieces.append(piece)
    return b"".join(pieces)
