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


async def test_last_words_before_the_server_hears(server: list[int]) -> None:
    """An idle server ends at once: what is to be said in the end is said before it hears of the signal."""
    shutdown, said = Shutdown(), list[str]()
    heard = asyncio.Event()

    async def last_words() -> None:
        await asyncio.sleep(0)
        said.append(f"said, {len(server)} heard")
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, heard.set)

    shutdown.finally_do(last_words)
    shutdown.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(heard.wait(), 5)
    assert said == ["said, 0 heard"]
    assert server == [signal.SIGTERM]


async def test_last_words_after_the_last_work(server: list[int]) -> None:
    """The server waits for the work in flight; the last piece of it says them, once."""
    shutdown, said = Shutdown(grace=5), list[str]()

    async def last_words() -> None:
        said.append("said")

    async def one(seconds: float) -> None:
        with shutdown.working():
            await asyncio.sleep(seconds)
            await shutdown.end_of_work()

    shutdown.finally_do(last_words)
    shutdown.listen()
    short, long = asyncio.create_task(one(0.02)), asyncio.create_task(one(0.1))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await short
    assert said == []
    await long
    assert said == ["said"]
    assert server == [signal.SIGTERM]


async def test_last_words_are_short(server: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs does not keep the process."""
    monkeypatch.setattr("bot.shutdown.LAST_WORDS_SECONDS", 0.01)
    shutdown = Shutdown()

    async def never() -> None:
        await asyncio.Event().wait()

    shutdown.finally_do(never)
    shutdown.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        while not server:  # noqa: ASYNC110  # a signal's handler sets no event
            await asyncio.sleep(0.005)


async def test_another_cancellation_stays_one() -> None:
    """Who cancels the work for another reason gets a cancelled task."""
    task = asyncio.create_task(work(Shutdown(), 60, []))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
