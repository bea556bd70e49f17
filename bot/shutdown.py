"""Stopping in time: Cloud Run sends SIGTERM and kills ten seconds later, while the server alone would wait for thirty.

Source: https://docs.cloud.google.com/run/docs/container-contract
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from bot import log
from bot.errors import Unavailable

GRACE_SECONDS = 7.5
LAST_WORDS_SECONDS = 1.5


class Shutdown:
    """Work in flight has `grace` seconds after SIGTERM to finish; then it is cancelled, and gives its lease back."""

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self._grace = grace
        self._working: set[asyncio.Task[object]] = set()
        self._cancelled: set[asyncio.Task[object]] = set()
        self._is_listening = False
        self._is_stopping = False
        self._last_words: list[Callable[[], Awaitable[None]]] = []
        self._ending: asyncio.Future[None] | None = None

    def listen(self) -> None:
        """Hear SIGTERM before the server does. Called inside the running loop; again, it does nothing."""
        server = signal.getsignal(signal.SIGTERM)
        if self._is_listening or not callable(server) or threading.current_thread() is not threading.main_thread():
            return
        self._is_listening = True
        loop = asyncio.get_running_loop()

        def heard(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(loop.call_later, self._grace, self._cancel)
            loop.call_soon_threadsafe(self._begin, lambda: server(number, frame))

        signal.signal(signal.SIGTERM, heard)

    def finally_do(self, last: Callable[[], Awaitable[None]]) -> None:
        """Await this, quick and never raising, once the process is told to stop and nothing is worked on any more."""
        self._last_words.append(last)

    async def end_of_work(self) -> None:
        """At the end of each piece of work, inside of it: the last one of a process that stops says the last words."""
        if self._is_stopping and len(self._working) <= 1:
            await self._say_last_words()

    def _begin(self, server: Callable[[], None]) -> None:
        """The server ends at once when it has nothing to do: it hears of the signal after the last words."""
        self._is_stopping = True
        if self._working or not self._last_words:
            server()
            return
        self._ending = asyncio.ensure_future(self._say_last_words())
        self._ending.add_done_callback(lambda _: server())

    async def _say_last_words(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                for last in self._last_words:
                    await last()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around one request. Raises Unavailable when it was cancelled for lack of time."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a request is handled in a task")
        self._working.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._cancelled:
                raise
            task.uncancel()
            raise Unavailable("the process stops; try again") from None
        finally:
            self._working.discard(task)
            self._cancelled.discard(task)

    def _cancel(self) -> None:
        log.event("stopping", "WARNING", cancelled=len(self._working))
        for task in self._working:
            self._cancelled.add(task)
            task.cancel()
