"""Stopping in time, with real signals in this process."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from bot.errors import Unavailable
from bot.shutdown import Shutdown


@pytest.fixture
def server() -> Iterator[list[int]]:
    """What the server's own handler heard; the process's real handler is put back afterwards."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    yield heard
    signal.signal(signal.SIGTERM, before)


async def work(shutdown: Shutdown, seconds: float, left: list[str]) -> str:
    with shutdown.working():
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            left.append("gave back")
            raise
    return "finished"


async def test_short_work_finishes(server: list[int]) -> None:
    """Work that ends within the grace is not disturbed, and the server hears of the signal too."""
    shutdown = Shutdown(grace=5)
    shutdown.listen()
    shutdown.listen()
    task = asyncio.create_task(work(shutdown, 0.05, []))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await task == "finished"
    assert server == [signal.SIGTERM]


async def test_long_work_is_given_back(server: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    """Work that is still going on after the grace is cancelled, cleans up, and ends as Unavailable: try again."""
    shutdown, left = Shutdown(grace=0.05), list[str]()
    shutdown.listen()
    task = asyncio.create_task(work(shutdown, 60, left))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Unavailable):
        await task
    assert left == ["gave back"]
    assert '"stopping", "cancelled": 1' in capsys.readouterr().out


async def test_another_cancellation_stays_one() -> None:
    """Who cancels the work for another reason gets a cancelled task."""
    task = asyncio.create_task(work(Shutdown(), 60, []))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
