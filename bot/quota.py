"""LINE's pushes of the month: counted only when one is about to be made, the last of them kept for the operator."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from bot import log
from bot.errors import KaiwaError
from bot.ports import Clock

KEPT_MS = 5 * 60_000
UNKNOWN_MS = 60_000
"""After LINE did not tell, it is not waited for again so soon."""


class Channel(Protocol):
    """Both methods raise Unavailable or Misconfigured."""

    async def quota(self) -> int | None:
        """How many messages may be pushed this month; None: no limit."""

    async def consumption(self) -> int:
        """How many of them are used up, about."""


class Quota:
    """Of this process; what others push is seen some minutes later.

    `reserve`: so many messages are kept. 0: LINE is never asked.
    """

    def __init__(self, channel: Callable[[], Awaitable[Channel]], reserve: int, clock: Clock) -> None:
        self._channel = channel
        self._reserve = reserve
        self._clock = clock
        self._left: int | None = None
        self._known_until = 0

    async def allows(self) -> bool:
        """Whether one person may be pushed to. Yes, where it is not known how many are left. Never raises.

        A group counts its members, whose number is not known: the push that leads below the reserve is still made.
        """
        if not self._reserve:
            return True
        if self._clock() >= self._known_until:
            await self._ask()
        if self._left is None:
            return True
        if self._left <= self._reserve:
            log.event("push_held", "WARNING", left=self._left, reserve=self._reserve)
            return False
        self._left -= 1
        return True

    def forget(self) -> None:
        """After a push to a group: only LINE knows how many it has cost."""
        self._known_until = 0

    async def _ask(self) -> None:
        try:
            channel = await self._channel()
            quota, used = await asyncio.gather(channel.quota(), channel.consumption())
        except KaiwaError as failed:
            log.event("quota_unknown", "WARNING", why=type(failed).__name__)
            self._left, self._known_until = None, self._clock() + UNKNOWN_MS
            return
        self._left = None if quota is None else max(0, quota - used)
        self._known_until = self._clock() + KEPT_MS
