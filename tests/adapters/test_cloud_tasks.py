"""CloudTasksQueue through Google's own client, against a stand-in that takes tasks by gRPC and delivers by HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest

from bot.adapters.cloud_tasks import CloudTasksQueue
from bot.errors import Misconfigured, Unavailable
from bot.ports import Task
from tests.adapters.grpc_errors import MEANINGS
from tests.servers.cloud_tasks import CloudTasksServer
from tests.servers.http import Answer, HttpServer

QUEUE = "projects/p/locations/asia-northeast1/queues/kaiwa"
BODY = '{"events": ["😀"]}'.encode()
TASK = Task(BODY, "c2lnbmF0dXJl")


@pytest.fixture
async def function() -> AsyncIterator[HttpServer]:
    async with HttpServer(Answer(200)) as server:
        yield server


@pytest.fixture
async def server() -> AsyncIterator[CloudTasksServer]:
    async with CloudTasksServer(queues=frozenset({QUEUE})) as server:
        yield server


@pytest.fixture
async def queue(server: CloudTasksServer, function: HttpServer) -> AsyncIterator[CloudTasksQueue]:
    queue = CloudTasksQueue(QUEUE, f"{function.url}/kaiwa/", server.host)
    yield queue
    await queue.close()


async def test_a_task_comes_back_as_it_was_put(
    queue: CloudTasksQueue, server: CloudTasksServer, function: HttpServer
) -> None:
    """The function receives the very bytes, with their signature, at /tasks/turn under its own address."""
    await queue.put(TASK)
    await server.settled(5)
    [request] = function.requests
    assert (request.method, request.path, request.body) == ("POST", "/kaiwa/tasks/turn", BODY)
    assert request.headers["x-line-signature"] == "c2lnbmF0dXJl"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-cloudtasks-queuename"] == "kaiwa"
    assert request.headers["x-cloudtasks-taskretrycount"] == "0"


async def test_a_task_carries_its_trace(queue: CloudTasksQueue, server: CloudTasksServer, function: HttpServer) -> None:
    """The header comes with the task's request; where there was no trace, there is no header."""
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    await queue.put(replace(TASK, traceparent=parent))
    await queue.put(TASK)
    await server.settled(5)
    assert {request.headers.get("traceparent") for request in function.requests} == {parent, None}


async def test_a_task_without_a_name_may_come_twice(queue: CloudTasksQueue, server: CloudTasksServer) -> None:
    """Equal tasks are different ones unless they are named; only then are they of use as wakers."""
    await asyncio.gather(*(queue.put(TASK) for _ in range(20)))
    assert len(server.created) == 20
    assert not any(task.named for task in server.created)


async def test_a_named_task_comes_once(queue: CloudTasksQueue, server: CloudTasksServer, function: HttpServer) -> None:
    """A name that the queue knows already is success, and the first task is the one that runs."""
    for _ in range(3):
        await queue.put(Task(BODY, "s", name="wake-abc_1"))
    await server.settled(5)
    assert [task.id for task in server.created] == ["wake-abc_1"]
    assert function.requests[0].headers["x-cloudtasks-taskname"] == "wake-abc_1"
    assert len(function.requests) == 1


async def test_not_before_its_time(queue: CloudTasksQueue, server: CloudTasksServer, function: HttpServer) -> None:
    """`at` is kept to the millisecond, and the queue waits for it."""
    at = round(time.time() * 1000) + 400
    await queue.put(Task(BODY, "s", at=at))
    assert round(server.created[0].at * 1000) == at
    await server.settled(5)
    assert function.requests == []
    await server.settled(5, ahead=1)
    assert server.attempts[0].at * 1000 >= at


@pytest.mark.parametrize(("code", "error"), MEANINGS)
async def test_what_an_error_means(
    queue: CloudTasksQueue, server: CloudTasksServer, code: grpc.StatusCode, error: type[Exception]
) -> None:
    """Every failure is named after what to do, names the queue, and is not tried again here."""
    server.fail_next(code)
    with pytest.raises(error, match=QUEUE):
        await queue.put(TASK)
    assert server.created == []
    await queue.put(TASK)
    assert len(server.created) == 1


async def test_a_lost_acknowledgement_of_a_waker(queue: CloudTasksQueue, server: CloudTasksServer) -> None:
    """A named task that was taken although the answer got lost is met again as success."""
    server.fail_next(grpc.StatusCode.UNAVAILABLE, taken=True)
    with pytest.raises(Unavailable):
        await queue.put(Task(BODY, "s", name="wake-1"))
    await queue.put(Task(BODY, "s", name="wake-1"))
    assert len(server.created) == 1


@pytest.mark.parametrize(
    "task", [Task(b"x" * 102_401, "s"), Task(BODY, "s", name="a/b"), Task(BODY, "s", at=4_000_000_000_000)]
)
async def test_what_the_queue_will_never_take(queue: CloudTasksQueue, server: CloudTasksServer, task: Task) -> None:
    """A task that is too large, badly named or a century away is refused for good, not to be tried again."""
    with pytest.raises(Misconfigured):
        await queue.put(task)
    assert server.created == []


async def test_a_missing_queue_is_the_operators(server: CloudTasksServer, function: HttpServer) -> None:
    """A queue that does not exist says so."""
    queue = CloudTasksQueue(QUEUE + "-2", function.url, server.host)
    with pytest.raises(Misconfigured, match="create the queue"):
        await queue.put(TASK)
    await queue.close()


async def test_nobody_listening_is_unavailable(function: HttpServer) -> None:
    """A Cloud Tasks that is down is reported at once: the webhook's sender tries again."""
    async with CloudTasksServer() as server:
        queue = CloudTasksQueue(QUEUE, function.url, server.host)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(queue.put(TASK), 5)
    await queue.close()


async def test_without_credentials(function: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of Google Cloud, without an emulator, the operator is told what to set up."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    with pytest.raises(Misconfigured, match="DefaultCredentialsError"):
        await CloudTasksQueue(QUEUE, function.url, None).put(TASK)


async def test_the_stand_in_tries_again(queue: CloudTasksQueue, server: CloudTasksServer, function: HttpServer) -> None:
    """Like the real queue, the stand-in repeats a task until it gets a 2xx, and counts."""
    function.script(Answer(503), Answer(drop="after_reading"))
    await queue.put(TASK)
    await server.settled(5)
    assert [attempt.status for attempt in server.attempts] == [503, 0, 200]
    counts = [request.headers["x-cloudtasks-taskretrycount"] for request in function.requests]
    assert counts == ["0", "1", "2"]
    assert len({request.headers["x-cloudtasks-taskname"] for request in function.requests}) == 1


async def test_a_paused_stand_in_keeps_its_tasks(
    queue: CloudTasksQueue, server: CloudTasksServer, function: HttpServer
) -> None:
    """Paused, tasks are taken and kept; resumed, they are delivered."""
    server.paused = True
    await queue.put(TASK)
    with pytest.raises(TimeoutError):
        await server.settled(0.1)
    assert function.requests == []
    server.paused = False
    await server.settled(5)
    assert len(function.requests) == 1
