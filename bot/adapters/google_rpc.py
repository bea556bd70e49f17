"""Google's gRPC services, called with no more than the messages that Kaiwa needs.

On a cold start secrets are read and tasks are created before LINE gets its 200, and LINE waits two seconds; and every
message reads and writes documents. Google's client libraries for these services take longer to load than all the rest;
grpc and protobuf, on which they stand, a tenth of that.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import google.auth
import grpc
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from bot.errors import KaiwaError, Misconfigured, Unavailable
from bot.loading import imported

SECONDS = 5.0
"""For one call, instead of the minute that the libraries allow."""

KEEPALIVE = ("grpc.keepalive_time_ms", 30_000)
"""As Google's library for Firestore sets it. A connection that died while the instance slept is given up sooner."""

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

USELESS_TO_REPEAT = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)


class Refused(Exception):
    """The service, or the way to it, answered with this status; `details` are its words, for operators alone."""

    def __init__(self, code: grpc.StatusCode, details: str = "") -> None:
        super().__init__(code.name)
        self.code = code
        self.details = details


FAILURES = (Refused, GoogleAuthError, TimeoutError)
"""Everything that a call raises when the other side, or the way to it, is at fault."""


class Service:
    """One service at `host`, which is `host:port`; at `emulator_host` is a plaintext stand-in without credentials.

    `headers` go with every call, besides the one by which Google finds the place: `routed`, the field that names it.
    """

    def __init__(
        self, name: str, host: str, emulator_host: str | None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._name = name
        self._host = host
        self._emulator_host = emulator_host
        self._headers = headers
        self._channel: Any = None
        self._lock = asyncio.Lock()

    async def call(self, method: str, request: Any, answer: type[Any], **routed: str) -> Any:
        """One try. Raises one of FAILURES."""
        call = self._method((await self._connected()).unary_unary, method, request, answer)
        with _refused():
            return await call(request, timeout=SECONDS, metadata=self._metadata(routed))

    async def stream(self, method: str, request: Any, answer: type[Any], **routed: str) -> list[Any]:
        """One try of a method that answers more than once: all its answers. Raises one of FAILURES."""
        call = self._method((await self._connected()).unary_stream, method, request, answer)
        with _refused():
            return [one async for one in call(request, timeout=SECONDS, metadata=self._metadata(routed))]

    def _method(self, kind: Any, method: str, request: Any, answer: type[Any]) -> Any:
        return kind(
            f"/{self._name}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )

    def _metadata(self, routed: dict[str, str]) -> tuple[tuple[str, str], ...]:
        return (*self._headers, ("x-goog-request-params", urlencode(routed, safe="/")))

    async def close(self) -> None:
        """Connects again if it is used again."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def _connected(self) -> Any:
        async with self._lock:  # many first calls at once make one channel
            if self._channel is None:
                self._channel = await self._connect()
            return self._channel

    async def _connect(self) -> Any:
        if self._emulator_host:
            # An emulator that is started again is found again within a second.
            options = [("grpc.max_reconnect_backoff_ms", 1000)]
            return grpc.aio.insecure_channel(self._emulator_host, options=options)
        credentials, _ = await default_credentials()
        await imported("bot.adapters.google_token")
        from bot.adapters.google_token import with_token

        return grpc.aio.secure_channel(self._host, with_token(credentials), options=[KEEPALIVE])


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise Refused(error.code(), error.details() or "") from None


async def default_credentials() -> tuple[Credentials, str | None]:
    """The credentials that this process runs with, and the project they belong to. Raises one of FAILURES."""
    # Files and the metadata server are read with blocking calls.
    found = asyncio.to_thread(google.auth.default, scopes=SCOPES)
    credentials, project = await asyncio.wait_for(found, SECONDS)
    return credentials, project


def failure(error: Exception, what: str, remedy: str) -> KaiwaError:
    """The error for the pipeline: `what` could not be done; `remedy` is for the operator."""
    if isinstance(error, Refused):
        kind, is_useless = error.code.name, error.code in USELESS_TO_REPEAT
    else:
        kind, is_useless = type(error).__name__, isinstance(error, DefaultCredentialsError)
    return Misconfigured(f"{what}: {kind}; {remedy}") if is_useless else Unavailable(f"{what}: {kind}; try again")
