"""Taps: a test's own code at a boundary, run when a certain call arrives or when it is done but not answered yet.

A tap that kills the function makes it die at exactly that point; one that sleeps delays the call.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.local.server import Dropped

Moment = Literal["before", "after"]
"""`before`: the call has arrived, nothing was done. `after`: the work is done, its answer is not on its way."""
Act = Callable[[], Awaitable[Any]]


class Cut(Exception):
    """Raised by what a tap runs: the caller is gone, and the call goes no further."""


@dataclass(slots=True)
class _Tap:
    name: str
    moment: Moment
    act: Act
    left: int


@dataclass(slots=True)
class Taps:
    """Those that wait for their call. Each runs once. `cleared`: how often they were."""

    cleared: int = 0
    _waiting: list[_Tap] = field(default_factory=list)
    _running: set[asyncio.Future[Any]] = field(default_factory=set)

    def on(self, name: str, moment: Moment, act: Act, nth: int = 1) -> None:
        """Run `act` at the `nth` call from now whose name ends with `name`."""
        self._waiting.append(_Tap(name, moment, act, nth))

    def clear(self) -> None:
        self.cleared += 1
        self._waiting.clear()

    async def run(self, name: str, moment: Moment) -> None:
        """The call of this name has come to this moment. Raises Cut."""
        meant = [tap for tap in self._waiting if tap.moment == moment and name.endswith(tap.name)]
        for tap in meant:
            tap.left -= 1
            if tap.left == 0:
                self._waiting.remove(tap)
                await self._to_its_end(tap.act)

    async def _to_its_end(self, act: Act) -> None:
        """Whoever is killed hangs up, and the call is cancelled: what the test does must not be."""
        running = asyncio.ensure_future(act())
        self._running.add(running)
        running.add_done_callback(self._ended)
        await asyncio.shield(running)

    def _ended(self, running: asyncio.Future[Any]) -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()  # seen: nobody may be left to raise it to


class Tapped:
    """An ASGI application with taps; the names are the paths of its requests."""

    def __init__(self, app: ASGIApp, taps: Taps) -> None:
        self._app = app
        self._taps = taps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, began = str(scope.get("path", "")), self._taps.cleared
        is_cut = False

        async def tapped(message: Message) -> None:
            nonlocal is_cut
            if is_cut:
                raise Cut  # the application took the first one for an error of its own, and answers with that
            # A slow call of an earlier test is not what a tap waits for.
            if message["type"] == "http.response.start" and began == self._taps.cleared:
                is_cut = True
                await self._taps.run(path, "after")
                is_cut = False
            await send(message)

        try:
            await self._taps.run(path, "before")
            await self._app(scope, receive, tapped)
        except Cut:
            await Dropped()(scope, receive, send)
