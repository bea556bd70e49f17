"""A circuit breaker: when the model is down, people hear so at once instead of after the whole deadline."""

from bot import log
from bot.ports import Clock

FAILURES = 5
OPEN_MS = 15_000


class Breaker:
    """Opens after five failed turns in a row; every 15 s one turn tries whether the model is back.

    Of this process alone: each instance finds out for itself, nothing is shared.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0

    def allows(self) -> bool:
        """Whether to ask; when the time is up, the one that is told yes is the one that tries."""
        if self._failures < FAILURES:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + OPEN_MS
        return True

    def succeeded(self) -> None:
        if self._failures >= FAILURES:
            log.event("breaker_closed")
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            log.event("breaker_opened", "ERROR", failures=FAILURES, retry_ms=OPEN_MS)
        self._open_until = self._clock() + OPEN_MS
