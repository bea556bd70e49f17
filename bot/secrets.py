"""Secrets: from the environment, else from Secret Manager, cached and read again when they turn out to be stale."""

import asyncio
from collections.abc import Awaitable, Callable

from bot.errors import KaiwaError
from bot.ports import Clock, SecretSource

CACHE_MS = 10 * 60_000
REFRESH_MS = 60_000


class Secret:
    """One secret, shared by everybody in the process who needs it.

    `value` reads Secret Manager at most once in ten minutes; while that is down, the last good value stays.
    Raises Unavailable or Misconfigured when there never was one.
    """

    def __init__(
        self,
        given: str | None,
        version: Callable[[], Awaitable[str]],
        source: Callable[[], Awaitable[SecretSource]],
        clock: Clock,
    ) -> None:
        self._value = given
        self._given = given is not None
        self._version = version
        self._source = source
        self._clock = clock
        self._read_at = 0
        self._lock = asyncio.Lock()

    async def value(self) -> str:
        """The secret, stripped of surrounding white space."""
        if self._given and self._value is not None:
            return self._value
        async with self._lock:
            if self._value is None or self._clock() - self._read_at >= CACHE_MS:
                await self._read()
            if self._value is None:
                raise AssertionError("_read either sets the value or raises")
            return self._value

    async def refresh(self, stale: str) -> str:
        """The value after the other side refused `stale`: read again, but at most once a minute."""
        if self._given:
            return stale
        async with self._lock:
            if self._value == stale and self._clock() - self._read_at >= REFRESH_MS:
                await self._read()
            return self._value or stale

    async def _read(self) -> None:
        self._read_at = self._clock()
        try:
            source = await self._source()
            self._value = (await source.read(await self._version())).strip()
        except KaiwaError:
            if self._value is None:
                self._read_at = 0
                raise
