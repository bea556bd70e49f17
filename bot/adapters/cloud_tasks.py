"""Cloud Tasks: signed webhook bodies sent back to this function. Source: https://docs.cloud.google.com/tasks/docs"""

from typing import Any

import grpc

from bot.adapters.google_messages import messages
from bot.adapters.google_rpc import FAILURES, Refused, Service, failure
from bot.ports import Task

REMEDY = "create the queue, give the function's service account roles/cloudtasks.enqueuer, and check SERVICE_URL"
POST = 1
MESSAGES = messages(
    "google.cloud.tasks.v2",
    {
        "CreateTaskRequest": {"parent": (1, "string"), "task": (2, "Task")},
        "Task": {"name": (1, "string"), "http_request": (3, "HttpRequest"), "schedule_time": (4, "Time")},
        "HttpRequest": {
            "url": (1, "string"),
            "http_method": (2, "int32"),
            "headers": (3, "*Header"),
            "body": (4, "bytes"),
        },
        "Header": {"key": (1, "string"), "value": (2, "string")},
        "Time": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    },
)
"""Source: https://github.com/googleapis/googleapis/tree/master/google/cloud/tasks/v2"""


class CloudTasksQueue:
    """`ports.Queue`. `queue` is `projects/P/locations/L/queues/Q`; tasks go to `/tasks/turn` under `service_url`."""

    def __init__(self, queue: str, service_url: str, emulator_host: str | None) -> None:
        self._queue = queue
        self._url = service_url.rstrip("/") + "/tasks/turn"
        self._service = Service("google.cloud.tasks.v2.CloudTasks", "cloudtasks.googleapis.com:443", emulator_host)

    async def put(self, task: Task) -> None:
        try:
            await self._service.call("CreateTask", self._request(task), MESSAGES["Task"], parent=self._queue)
        except FAILURES as error:
            if isinstance(error, Refused) and error.code is grpc.StatusCode.ALREADY_EXISTS:
                return  # only a named task can exist, and the first of its name does the work
            raise failure(error, f"the queue {self._queue} takes no task", REMEDY) from error

    async def close(self) -> None:
        await self._service.close()

    def _request(self, task: Task) -> Any:
        headers = {"Content-Type": "application/json", "X-Line-Signature": task.signature}
        headers |= {"traceparent": task.traceparent} if task.traceparent else {}
        request = MESSAGES["CreateTaskRequest"](parent=self._queue)
        request.task.http_request.url = self._url
        request.task.http_request.http_method = POST
        request.task.http_request.body = task.body
        for key, value in headers.items():
            request.task.http_request.headers.add(key=key, value=value)
        if task.name:
            request.task.name = f"{self._queue}/tasks/{task.name}"
        if task.at:
            request.task.schedule_time.seconds = task.at // 1000
            request.task.schedule_time.nanos = task.at % 1000 * 1_000_000
        return request
