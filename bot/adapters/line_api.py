"""One call to LINE's Messaging API: JSON out, JSON in, with the channel's access token.

Without line-bot-sdk, whose import alone takes as long as the rest of a cold start; it judges what we send where the
project is tested. Source: https://developers.line.biz/en/reference/messaging-api/#common-specifications
"""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from bot.errors import Unavailable
from bot.secrets import Secret

IDLE_SECONDS = 30.0
"""So long an unused connection is kept: from the loading animation to most answers. LINE does not say when it hangs up;
such servers wait 60 seconds or more, and a message sent into a connection that is just being closed is a doubtful one.
"""
MOST_BYTES = 64 * 1024
"""More than all that LINE has to say here; nobody reads on."""


class NotConnected(Unavailable):
    """LINE cannot be reached: nothing was sent."""


class NotAnswered(Unavailable):
    """Something may have been sent, but no answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is None when it did not come whole: cut, too slow or too long. `request_id`: for LINE's support."""

    status: int
    body: bytes | None
    request_id: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def told(self) -> dict[str, Any]:
        """The object in the body; an empty one where there is none."""
        try:
            told = json.loads(self.body or b"")
        except (ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}


class LineApi:
    """One for the process, so that its connections are shared; close it at the end."""

    def __init__(self, base_url: str, token: Secret) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Answer:
        """LINE's answer, whatever it is; `timeout` in seconds.

        An access token that LINE refuses (401) is read again, and the call is tried once more where there is another.
        Raises NotConnected, NotAnswered, or a KaiwaError when the access token cannot be read.
        """
        token = await self._token.value()
        # While it connects nothing has been sent: that has half of the time, so that it can be told apart.
        within = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        ask = partial(
            self._connected().request,
            method,
            self._base_url + path,
            json=body,
            timeout=within,
            allow_redirects=False,
        )
        given = {"Accept-Encoding": "identity", **(headers or {})}
        answer = await _answer(ask(headers=given | bearer(token)))
        if answer.status != 401 or (fresh := await self._token.refresh(token)) == token:
            return answer
        return await _answer(ask(headers=given | bearer(fresh)))

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        """Made inside the running loop, at the first call."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                json_serialize=json.dumps,  # in ASCII: half of a surrogate pair, which a person can send, is no UTF-8
                auto_decompress=False,
            )
        return self._session


def bearer(token: str) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {token}"}


async def _answer(asked: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> Answer:
    try:
        async with asked as response:
            request_id = response.headers.get("x-line-request-id", "")
            return Answer(response.status, await _whole(response), request_id)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as trouble:
        failed: Unavailable = NotConnected(f"LINE cannot be reached ({type(trouble).__name__}); try again")
    except Exception as trouble:  # noqa: BLE001  # whatever aiohttp says: it may have been sent, and no answer came
        failed = NotAnswered(f"LINE gave no answer ({type(trouble).__name__}); try again")
    # Outside of the handler: aiohttp's errors quote headers, and must not travel along as a cause.
    raise failed


async def _whole(response: aiohttp.ClientResponse) -> bytes | None:
    """LINE has answered once its status is there: trouble with the rest takes nothing of that back."""
    body = bytearray()
    try:
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MOST_BYTES:
                return None
    except Exception:  # noqa: BLE001  # cut, too slow or garbled: all the same here
        return None
    return bytes(body)
