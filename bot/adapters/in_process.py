"""A queue inside the process, for local runs: behaves like Cloud Tasks, but forgets all when the process ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bot.ports import Task

NAME_SECONDS = 3600.0
"""So long a name stays taken."""


class InProcessQueue:
    """`ports.Queue`. `handle` answers an HTTP status; without a 2xx it is called again, after `min_backoff` seconds,
    then twice as many, and so on up to `max_backoff`, `max_attempts` times in all.
    """

    def __init__(
        self,
        handle: Callable[[Task], Awaitable[int]],
        *,
        min_backoff: float = 2.0,
        max_backoff: float = 30.0,
        max_attempts: int = 50,
    ) -> None:
        self._handle = handle
        self._min_backoff = min_backoff
        self._max_backoff = max_backoff
        self._max_attempts = max_attempts
        self._names: dict[str, float] = {}
        self._due: dict[asyncio.Task[None], float] = {}
        self._changed = asyncio.Event()

    async def put(self, task: Task) -> None:
        now = time.time()
        self._names = {name: at for name, at in self._names.items() if now - at < NAME_SECONDS}
        if task.name in self._names:
            return
        if task.name:
            self._names[task.name] = now
        job = asyncio.create_task(self._run(task))
        # The event loop holds its tasks weakly: without this reference one may vanish before it has run.
        self._due[job] = max(now, task.at / 1000)
        job.add_done_callback(self._forget)

    async def idle(self) -> None:
        """Wait until nothing is due now; what is scheduled for later, or waits for another try, is not waited for."""
        while any(due <= time.time() for due in self._due.values()):
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Stop; what has not been done is lost."""
        jobs = list(self._due)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def _run(self, task: Task) -> None:
        await self._sleep_until(task.at / 1000)
        backoff = self._min_backoff
        for attempt in range(1, self._max_attempts + 1):
            if await self._succeeds(task) or attempt == self._max_attempts:
                return
            await self._sleep_until(time.time() + backoff)
            backoff = min(backoff * 2, self._max_backoff)

    async def _succeeds(self, task: Task) -> bool:
        try:
            return 200 <= await self._handle(task) < 300
        except Exception:  # noqa: BLE001  # to Cloud Tasks a crash is a 500, and the handler has logged it
            return False

    async def _sleep_until(self, at: float) -> None:
        job = asyncio.current_task()
        if job is not None:
            self._due[job] = at
        self._changed.set()
        await asyncio.sleep(max(0.0, at - time.time()))

    def _forget(self, job: "asyncio.Task[None]") -> None:
        del self._due[job]
        self._changed.set()
