"""Cloud Tasks: signed webhook bodies sent back to this function. Source: https://docs.cloud.google.com/tasks/docs"""

import asyncio

from google.api_core.exceptions import AlreadyExists
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from google.protobuf.timestamp_pb2 import Timestamp

from bot.adapters.google_cloud import FAILURES, SECONDS, default_credentials, emulator_channel, failure
from bot.ports import Task

REMEDY = "create the queue, give the function's service account roles/cloudtasks.enqueuer, and check SERVICE_URL"


class CloudTasksQueue:
    """`ports.Queue`. `queue` is `projects/P/locations/L/queues/Q`; tasks go to `/tasks/turn` under `service_url`."""

    def __init__(self, queue: str, service_url: str, emulator_host: str | None) -> None:
        self._queue = queue
        self._url = service_url.rstrip("/") + "/tasks/turn"
        self._emulator_host = emulator_host
        self._client: tasks_v2.CloudTasksAsyncClient | None = None
        self._lock = asyncio.Lock()

    async def put(self, task: Task) -> None:
        try:
            client = await self._connected()
            await client.create_task(parent=self._queue, task=self._message(task), retry=None, timeout=SECONDS)
        except AlreadyExists:
            return  # only a named task can exist, and the first of its name does the work
        except FAILURES as error:
            raise failure(error, f"the queue {self._queue} takes no task", REMEDY) from error

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.transport.close()  # type: ignore[no-untyped-call]

    def _message(self, task: Task) -> tasks_v2.Task:
        request = tasks_v2.HttpRequest(
            url=self._url,
            http_method=tasks_v2.HttpMethod.POST,
            headers={"Content-Type": "application/json", "X-Line-Signature": task.signature},
            body=task.body,
        )
        message = tasks_v2.Task(http_request=request)
        if task.name:
            message.name = f"{self._queue}/tasks/{task.name}"
        if task.at:
            message.schedule_time = Timestamp(seconds=task.at // 1000, nanos=task.at % 1000 * 1_000_000)
        return message

    async def _connected(self) -> tasks_v2.CloudTasksAsyncClient:
        async with self._lock:  # many first calls at once make one client
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> tasks_v2.CloudTasksAsyncClient:
        if self._emulator_host:
            transport = CloudTasksGrpcAsyncIOTransport(channel=emulator_channel(self._emulator_host))
            return tasks_v2.CloudTasksAsyncClient(transport=transport)
        credentials, _ = await default_credentials()
        return tasks_v2.CloudTasksAsyncClient(credentials=credentials)
