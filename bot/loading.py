"""What is made or imported late: a process that has just been started has two seconds for its first answer."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Generic, TypeVar

from bot import log

T = TypeVar("T")

PRELOAD_WAIT_SECONDS = 2.0


class Once(Generic[T]):
    """Something made at its first use, by whoever comes first; one that could not be made is tried again."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = asyncio.Lock()

    @property
    def made(self) -> T | None:
        """What there is of it so far."""
        return self._made[0] if self._made else None

    async def __call__(self) -> T:
        if not self._made:
            async with self._lock:
                if not self._made:
                    self._made.append(await self._make())
        return self._made[0]


async def imported(name: str) -> None:
    """Import in a thread: the event loop goes on answering meanwhile."""
    await asyncio.to_thread(import_module, name)


def preload(first: Sequence[str], rest: Sequence[str], answered: threading.Event | None) -> None:
    """Import modules in this thread: `first`, then the `rest`, once something was `answered` or after two seconds."""
    try:
        with _nothing_collected():
            for name in first:
                import_module(name)
            if answered:
                answered.wait(PRELOAD_WAIT_SECONDS)
            for name in rest:
                import_module(name)
    except ImportError as missing:
        log.event("preload_failed", "ERROR", module=missing.name)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """No look for garbage while modules are imported, and never again at what is there then: it stays anyway.

    Such looks would take a sixth of the imports' time, and later stop every answer for a moment. What requests, at
    work meanwhile, leave in cycles stays too: once, and little.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
