"""A stand-in for Cloud Tasks: real gRPC in, real HTTP out, as strict as the real one about what it takes.

Source: https://docs.cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import grpc
from google.cloud.tasks_v2.types import CreateTaskRequest, HttpMethod, Task

from tests.servers.rpc import RpcServer, service
from tests.servers.taps import Cut, Moment, Taps

SERVICE = "google.cloud.tasks.v2.CloudTasks"
QUEUE = re.compile(r"projects/[^/]+/locations/[^/]+/queues/[A-Za-z0-9-]{1,100}")
TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
BODY_BYTES = 100 * 1024
AHEAD_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Created:
    """A task that the queue took. `id` is the last part of its name, `at` its schedule time in seconds since 1970."""

    id: str
    named: bool
    url: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery. `status` is 0 when there was no answer; `at` in seconds since 1970."""

    id: str
    retry: int
    status: int
    at: float


class CloudTasksServer(RpcServer):
    """`created` and `attempts` are the log. Backoffs are in seconds, much shorter than real.

    `route` says for a task's URL where an attempt really goes: a load balancer in front of several instances.
    `taps` run at "CreateTask".
    """

    def __init__(
        self,
        *,
        queues: frozenset[str] | None = None,
        min_backoff: float = 0.05,
        max_backoff: float = 1.0,
        max_attempts: int = 50,
        dispatch_deadline: float = 60.0,
        max_concurrent: int = 100,
    ) -> None:
        self.created: list[Created] = []
        self.attempts: list[Attempt] = []
        self.route: Callable[[str], str] = lambda url: url
        self.taps = Taps()
        self._queues = queues
        self._min_backoff = min_backoff
        self._max_backoff = max_backoff
        self._max_attempts = max_attempts
        self._deadline = aiohttp.ClientTimeout(total=dispatch_deadline)
        self._slots = asyncio.Semaphore(max_concurrent)
        self._going = asyncio.Event()
        self._going.set()
        self._failures: deque[tuple[grpc.StatusCode, bool]] = deque()
        self._names: set[str] = set()
        self._jobs: dict[asyncio.Task[None], Created] = {}

    @property
    def paused(self) -> bool:
        """A paused queue takes tasks and delivers none."""
        return not self._going.is_set()

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused:
            self._going.clear()
        else:
            self._going.set()

    def fail_next(self, code: grpc.StatusCode, times: int = 1, *, taken: bool = False) -> None:
        """Refuse the next tasks; with `taken` the task is kept all the same, only the acknowledgement is lost."""
        self._failures.extend([(code, taken)] * times)

    async def settled(self, timeout: float, ahead: float = 0.0) -> None:
        """Wait until every task scheduled up to `ahead` seconds from now is done or given up. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while jobs := [job for job, task in self._jobs.items() if task.at <= time.time() + ahead]:
                await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)

    def purge(self) -> None:
        """Forget every task that waits or is under way, as `gcloud tasks queues purge` does."""
        for job in list(self._jobs):
            job.cancel()

    def abandon(self, text: str) -> None:
        """Give up the tasks with this text in their body, as after the last attempt."""
        for job, task in list(self._jobs.items()):
            if text.encode() in task.body:
                job.cancel()

    def heal(self) -> None:
        """Forget the failures and taps that have not happened yet, and the route."""
        self._failures.clear()
        self.taps.clear()
        self.route = lambda url: url
        self.paused = False

    def services(self) -> Sequence[grpc.GenericRpcHandler]:
        return [service(SERVICE, CreateTask=(CreateTaskRequest, Task, self._create))]

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._deadline)
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._session.close()

    async def _create(self, request: CreateTaskRequest, context: grpc.aio.ServicerContext) -> Task:
        await self._tap("before", context)
        code, taken = self._failures.popleft() if self._failures else (None, True)
        if taken:
            await self._take(request, context)
        await self._tap("after", context)
        if code is not None:
            await context.abort(code, "scripted failure")
        return request.task

    async def _tap(self, moment: Moment, context: grpc.aio.ServicerContext) -> None:
        try:
            await self.taps.run("CreateTask", moment)
        except Cut:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "cut by the test")

    async def _take(self, request: CreateTaskRequest, context: grpc.aio.ServicerContext) -> None:
        if fault := _fault(request):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, fault)
        if self._queues is not None and request.parent not in self._queues:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Requested entity was not found.")
        if request.task.name in self._names:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "Requested entity already exists")
        if request.task.name:
            self._names.add(request.task.name)
        self._keep(_created(request.task, len(self.created)), request.parent)

    def _keep(self, task: Created, queue: str) -> None:
        self.created.append(task)
        job = asyncio.create_task(self._deliver(task, queue.rpartition("/")[2]))
        self._jobs[job] = task
        job.add_done_callback(self._jobs.pop)

    async def _deliver(self, task: Created, queue: str) -> None:
        await asyncio.sleep(max(0.0, task.at - time.time()))
        backoff = self._min_backoff
        for retry in range(self._max_attempts):
            await self._going.wait()
            async with self._slots:
                status = await self._post(task, queue, retry)
            self.attempts.append(Attempt(task.id, retry, status, time.time()))
            if 200 <= status < 300:
                return
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, self._max_backoff)

    async def _post(self, task: Created, queue: str, retry: int) -> int:
        headers = {
            **task.headers,
            "User-Agent": "Google-Cloud-Tasks",
            "X-CloudTasks-QueueName": queue,
            "X-CloudTasks-TaskName": task.id,
            "X-CloudTasks-TaskRetryCount": str(retry),
            "X-CloudTasks-TaskExecutionCount": str(retry),
            "X-CloudTasks-TaskETA": f"{task.at:.6f}",
        }
        try:
            async with self._session.post(self.route(task.url), data=task.body, headers=headers) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


def _created(task: Task, number: int) -> Created:
    request = task.http_request
    at = _scheduled(task) or time.time()
    task_id = task.name.rpartition("/")[2] or str(10**18 + number)
    return Created(task_id, bool(task.name), request.url, dict(request.headers), request.body, at)


def _scheduled(task: Task) -> float:
    """Seconds since 1970; 0 when the task has no schedule time."""
    return float(Task.pb(task).schedule_time.ToNanoseconds() / 1e9)


def _fault(request: CreateTaskRequest) -> str:
    """Why the real one would refuse this request; empty when it would not."""
    task, http = request.task, request.task.http_request
    parent, _, task_id = task.name.rpartition("/tasks/")
    faults = {
        "Queue name is malformed": not QUEUE.fullmatch(request.parent),
        "Task name is malformed": bool(task.name) and not (parent == request.parent and TASK_ID.fullmatch(task_id)),
        "HttpRequest.url is invalid": not re.match(r"https?://[^/]+", http.url),
        "HttpRequest.http_method must be POST here": http.http_method != HttpMethod.POST,
        "Task size too large": len(http.body) > BODY_BYTES,
        "ScheduleTime is too far ahead": _scheduled(task) > time.time() + AHEAD_SECONDS,
    }
    return next((fault for fault, found in faults.items() if found), "")
