"""What tests of the matrix do again and again."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bot.local.chats import Json
from bot.local.webhook import Speaker
from tests.faults.wire import Wire
from tests.world import World

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def account(kaiwa: World, *people: Speaker) -> str:
    shown = sum(len(kaiwa.shown(person)) for person in people)
    asked = len(kaiwa.model.requests)
    return f"{shown} answer{'' if shown == 1 else 's'}, {asked} model call{'' if asked == 1 else 's'}"


def costs(kaiwa: World) -> str:
    writes = kaiwa.firestore.counts.writes
    return f"{len(kaiwa.model.requests)} model calls, {len(kaiwa.line.calls)} calls to LINE, {writes} writes"


NO_COSTS = "0 model calls, 0 calls to LINE, 0 writes"


def count_anew(kaiwa: World) -> None:
    kaiwa.model.calls.clear()
    kaiwa.line.calls.clear()
    kaiwa.firestore.reset()


def last_line(request: Json) -> str:
    """What a request asked the model to answer."""
    return str(request["input"][-1]["content"])


def times_asked(kaiwa: World, texts: list[str]) -> list[int]:
    """How often each text was given to the model to be answered."""
    asked = [last_line(request) for request in kaiwa.model.requests]
    return [sum(text in said for said in asked) for text in texts]


async def post_apart(kaiwa: World, *events: Json) -> int:
    """The webhook's status, on a connection of its own: any number of these are under way at once."""
    async with Wire(kaiwa.port) as wire:
        return await wire.post_signed(kaiwa.line.signed(*events)[0])


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.05)
