"""Handing spans over, so that nobody waits long for it and nothing ever fails of it.

After the answer the processor is taken away: what is not sent before it may never be. Only LINE, which waits two
seconds, is not kept waiting: those spans go with the next request's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from bot import log
from bot.ports import Traces
from bot.spans import Span

SECONDS = 2.0
"""So long an answer may be held back."""
MOST_WAITING = 1000
REMEDY = "install what requirements-tracing.txt names, or take ENABLE_TRACING away"


class Tracing:
    """`make` connects to whoever collects the traces; it is called at the first use."""

    def __init__(self, make: Callable[[], Awaitable[Traces]], seconds: float = SECONDS) -> None:
        self._make = make
        self._seconds = seconds
        self._waiting: deque[Span] = deque(maxlen=MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None
        self._is_off = False

    def keep(self, spans: Sequence[Span]) -> None:
        """To be sent with the next ones. A request of which only its own span is left did nothing worth telling."""
        if len(spans) > 1 and not self._is_off:
            self._waiting.extend(spans)

    async def flush(self) -> None:
        """Send what waits. Returns after two seconds at the latest, and never raises."""
        until = asyncio.get_running_loop().time() + self._seconds
        while sending := self._begun():
            await asyncio.wait([sending], timeout=until - asyncio.get_running_loop().time())
            if not sending.done():
                return

    def _begun(self) -> "asyncio.Task[None] | None":
        """One sending at a time, others' too; what comes meanwhile waits for the next."""
        if self._sending is None and self._waiting:
            spans = list(self._waiting)
            self._waiting.clear()
            self._sending = asyncio.create_task(self._send(spans))
        return self._sending

    async def _send(self, spans: Sequence[Span]) -> None:
        try:
            await (await self._make()).send(spans)
        except ImportError:
            self._is_off = True
            log.event("tracing_failed", "ERROR", remedy=REMEDY)
        except Exception as error:  # noqa: BLE001  # what collects traces must not harm an answer, however it fails
            log.event("tracing_failed", "WARNING", spans=len(spans), type=type(error).__name__)
        finally:
            self._sending = None
