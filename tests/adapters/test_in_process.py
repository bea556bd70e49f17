"""InProcessQueue keeps the promises that Cloud Tasks keeps, as far as one process can."""

import asyncio
import gc
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest

from bot.adapters import in_process
from bot.adapters.in_process import InProcessQueue
from bot.ports import Task


class Handler:
    """Answers with `statuses`, then with 200; an exception among them is raised."""

    def __init__(self, *statuses: int | Exception) -> None:
        self.statuses = list(statuses)
        self.calls: list[tuple[Task, float]] = []

    async def __call__(self, task: Task) -> int:
        self.calls.append((task, time.time()))
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, Exception):
            raise status
        return status

    @property
    def gaps(self) -> list[float]:
        times = [at for _, at in self.calls]
        return [later - earlier for earlier, later in pairwise(times)]


Make = Callable[..., InProcessQueue]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    queues: list[InProcessQueue] = []

    def build(
        handle: Callable[[Task], Awaitable[int]],
        min_backoff: float = 2.0,
        max_backoff: float = 30.0,
        attempts: int = 50,
    ) -> InProcessQueue:
        queue = InProcessQueue(handle, min_backoff=min_backoff, max_backoff=max_backoff, max_attempts=attempts)
        queues.append(queue)
        return queue

    yield build
    for queue in queues:
        await queue.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # the queue tells nobody when a task for later has run
            await asyncio.sleep(0.005)


async def test_put_returns_before_the_work_is_done(make: Make) -> None:
    """Putting a task does not wait for it; `idle` does."""
    released = asyncio.Event()
    done: list[Task] = []

    async def handle(task: Task) -> int:
        await released.wait()
        done.append(task)
        return 200

    queue = make(handle)
    task = Task(b"{}", "s")
    await asyncio.wait_for(queue.put(task), 1)
    assert done == []
    released.set()
    await asyncio.wait_for(queue.idle(), 5)
    assert done == [task]


async def test_idle_without_tasks_returns_at_once(make: Make) -> None:
    """Nothing to do is idle."""
    await asyncio.wait_for(make(Handler()).idle(), 1)


async def test_idle_waits_for_tasks_that_tasks_make(make: Make) -> None:
    """A task put by a running one is waited for as well."""
    handler = Handler()

    async def handle(task: Task) -> int:
        if task.body == b"first":
            await queue.put(Task(b"second", "s"))
        return await handler(task)

    queue = make(handle)
    await queue.put(Task(b"first", "s"))
    await asyncio.wait_for(queue.idle(), 5)
    assert [task.body for task, _ in handler.calls] == [b"first", b"second"]


async def test_not_before_its_time(make: Make) -> None:
    """A task runs at `at`, and what is due later does not keep the queue from being idle."""
    handler = Handler()
    queue = make(handler)
    at = round(time.time() * 1000) + 200
    await queue.put(Task(b"{}", "s", at=at))
    await asyncio.wait_for(queue.idle(), 5)
    assert handler.calls == []
    await until(lambda: len(handler.calls) == 1)
    assert handler.calls[0][1] * 1000 >= at


@pytest.mark.parametrize("trouble", [500, 503, 404, RuntimeError("crash")])
async def test_tried_again_until_it_works(make: Make, trouble: int | Exception) -> None:
    """Anything but a 2xx, a crash too, is tried again."""
    handler = Handler(trouble, trouble)
    queue = make(handler, min_backoff=0.01)
    await queue.put(Task(b"{}", "s"))
    await until(lambda: len(handler.calls) == 3)
    await asyncio.wait_for(queue.idle(), 5)
    assert len(handler.calls) == 3


async def test_waits_double_up_to_the_limit(make: Make) -> None:
    """Each wait is twice the one before, but not longer than the limit."""
    handler = Handler(*[500] * 9)
    queue = make(handler, min_backoff=0.01, max_backoff=0.04)
    await queue.put(Task(b"{}", "s"))
    await until(lambda: len(handler.calls) == 10)
    assert all(gap >= least for gap, least in zip(handler.gaps, [0.01, 0.02] + [0.04] * 7, strict=True))
    assert handler.gaps[8] < 2.0  # without the limit it would be 2.56


async def test_given_up_after_the_last_attempt(make: Make) -> None:
    """A task that never works ends."""
    handler = Handler(*[500] * 10)
    queue = make(handler, min_backoff=0.001, attempts=3)
    await queue.put(Task(b"{}", "s"))
    await until(lambda: not queue._due)
    assert len(handler.calls) == 3


async def test_one_bad_task_does_not_hold_up_others(make: Make) -> None:
    """While one waits for its next try the others run."""
    handler = Handler(500)
    queue = make(handler, min_backoff=30)
    await queue.put(Task(b"bad", "s"))
    await queue.put(Task(b"good", "s"))
    await asyncio.wait_for(queue.idle(), 5)
    assert [task.body for task, _ in handler.calls] == [b"bad", b"good"]


async def test_a_name_is_taken_for_an_hour(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second task of the same name is dropped, also after the first has run; later the name is free again."""
    handler = Handler()
    queue = make(handler)
    for name in ("wake-1", "wake-1", "wake-2", "", ""):
        await queue.put(Task(b"{}", "s", name=name))
    await asyncio.wait_for(queue.idle(), 5)
    await queue.put(Task(b"{}", "s", name="wake-1"))
    await asyncio.wait_for(queue.idle(), 5)
    assert [task.name for task, _ in handler.calls] == ["wake-1", "wake-2", "", ""]
    monkeypatch.setattr(in_process, "NAME_SECONDS", 0.0)
    await queue.put(Task(b"{}", "s", name="wake-1"))
    await asyncio.wait_for(queue.idle(), 5)
    assert len(handler.calls) == 5


async def test_tasks_survive_the_garbage_collector(make: Make) -> None:
    """Work under way is held by the queue: the event loop holds it weakly, and so may what it waits for."""
    waited_for: weakref.WeakSet[asyncio.Future[int]] = weakref.WeakSet()

    async def handle(_: Task) -> int:
        status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waited_for.add(status)
        return await status

    queue = make(handle)
    await queue.put(Task(b"{}", "s"))
    await until(lambda: len(waited_for) == 1)
    gc.collect()
    [status] = waited_for
    status.set_result(200)
    await asyncio.wait_for(queue.idle(), 5)


async def test_close_stops_what_runs(make: Make) -> None:
    """Closing cancels the work under way and what waits, and returns when it has ended."""
    ended: list[str] = []
    started = asyncio.Event()

    async def handle(task: Task) -> int:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("cancelled")
        return 200

    queue = make(handle)
    await queue.put(Task(b"{}", "s"))
    await queue.put(Task(b"{}", "s", at=round(time.time() * 1000) + 60_000))
    await started.wait()
    await asyncio.wait_for(queue.close(), 5)
    assert ended == ["cancelled"]
    assert not queue._due
