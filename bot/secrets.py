"""Secrets: from the environment, else from Secret Manager, cached and read again when they turn out to be stale."""

import asyncio
from collections.abc import Awaitable, Callable

from bot import log
from bot.errors import KaiwaError, Misconfigured, Unavailable
from bot.ports import Clock, SecretSource

CACHE_MS = 10 * 60_000
REFRESH_MS = 60_000
BACKOFF_MS = 30_000
"""So long the last good value is not read again after that failed."""
FAILURE_MS = 1_000
"""So long a failure answers for all who ask, when there is no value: they must not wait one after the other."""
PATIENCE_SECONDS = 1.0
"""So long the renewal of a value that is still good may hold up its caller: LINE waits two seconds in all."""


class Secret:
    """One secret, shared by everybody in the process who needs it.

    `value` reads Secret Manager at most once in ten minutes; while that is down, the last good value stays.
    Raises Unavailable or Misconfigured when there never was one. `given` wins; blank means not given.
    """

    def __init__(
        self,
        given: str | None,
        version: Callable[[], Awaitable[str]],
        source: Callable[[], Awaitable[SecretSource]],
        clock: Clock,
    ) -> None:
        self._value = (given or "").strip()
        self._given = bool(self._value)
        self._version = version
        self._source = source
        self._clock = clock
        self._read_again_at = 0
        self._refresh_again_at = 0
        self._failure: KaiwaError | None = None
        self._lock = asyncio.Lock()

    async def value(self) -> str:
        """The secret, stripped of surrounding white space; never empty."""
        # Whoever comes while somebody else renews a good value takes that value.
        if self._given or (self._value and (self._is_fresh() or self._lock.locked())):
            return self._value
        async with self._lock:
            if not self._is_fresh():
                await (self._renew() if self._value else self._read())
            if self._failure and not self._value:
                raise type(self._failure)(*self._failure.args)
            return self._value

    async def refresh(self, stale: str) -> str:
        """The value after the other side refused `stale`, read again at most once a minute; `stale` when that fails."""
        if self._given:
            return stale
        async with self._lock:
            if self._value in ("", stale) and self._clock() >= self._refresh_again_at:
                self._refresh_again_at = self._clock() + REFRESH_MS
                await self._read()
            return self._value or stale

    def _is_fresh(self) -> bool:
        return self._clock() < self._read_again_at

    async def _renew(self) -> None:
        try:
            await asyncio.wait_for(self._read(), PATIENCE_SECONDS)
        except TimeoutError:
            self._fail(Unavailable("Secret Manager is slow; the last good value stays"))

    async def _read(self) -> None:
        try:
            source = await self._source()
            version = await self._version()
            self._value = _checked(await source.read(version), version)
            self._failure = None
            self._read_again_at = self._clock() + CACHE_MS
        except KaiwaError as error:
            self._fail(error)

    def _fail(self, error: KaiwaError) -> None:
        log.event("secret_unreadable", "WARNING" if self._value else "ERROR", reason=str(error))
        self._failure = error
        self._read_again_at = self._clock() + (BACKOFF_MS if self._value else FAILURE_MS)


def _checked(value: str, version: str) -> str:
    # An empty channel secret would let anybody sign.
    if not value.strip():
        raise Misconfigured(f"the secret {version} is empty; add a version that is not")
    return value.strip()
