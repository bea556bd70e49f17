"""The function's process, as far as LINE needs it: it answers HTTP and hands events to the queue.

LINE waits two seconds, also for a process that has just been started. So what answers people is put together in
`bot.wiring`, which is imported when it is first needed or by `preload`, whichever comes first; SDKs are, too.
main.py runs in the server's master process, which then forks: nothing is connected before the first request.
"""

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from bot import loading, log, spans, trace
from bot.dispatch import Delivery, Dispatcher
from bot.errors import Unavailable
from bot.gate import TASK, Gate, Request, Response
from bot.loading import Once, imported
from bot.ports import Clock, Ledger, Queue, SecretSource, Store, Task, Traces
from bot.secrets import Secret
from bot.settings import SECRETS, Settings
from bot.shutdown import Shutdown
from bot.trace import Trace
from bot.tracing import Tracing

if TYPE_CHECKING:
    from bot.wiring import Wiring


class Closable(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class App:
    """What one worker process has: its settings, secrets, queue and gate, and behind them the wiring."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.clock: Clock = now
        self._environment = environment
        self._has_answered = threading.Event()
        self._to_close: list[Callable[[], Awaitable[None]]] = []
        self._shutdown = Shutdown()
        self._secret_source = Once(self._make_secret_source)
        self._queue = Once(self._make_queue)
        self._wiring = Once(self._make_wiring)
        self.project = Once(self._find_project)
        self.channel_secret = self.secret("LINE_CHANNEL_SECRET")
        self.access_token = self.secret("LINE_CHANNEL_ACCESS_TOKEN")
        self._tracing = Tracing(Once(self._make_traces)) if settings.tracing else None
        webhook = self._hand_over if settings.tasks_queue else self._take
        self._gate = Gate(self.channel_secret, webhook, self._take, now, self._export)

    # --- requests ---

    async def respond(self, request: Request) -> Response:
        """The gate's answer; what nobody expected is a 500 with a log line that holds no data."""
        project = self.project.made or self.settings.project
        around = trace.incoming(request.headers, project)
        if self._tracing:
            return await self._traced(request, around or trace.begun(project), self._tracing)
        with trace.within(around):
            return await self._respond(request)

    async def _traced(self, request: Request, around: Trace, tracing: Tracing) -> Response:
        with trace.within(around), spans.recording() as finished, spans.span("request") as told:
            response = await self._respond(request)
            told["status"] = response.status
        tracing.keep(finished)
        if request.path == TASK or not self.settings.tasks_queue:  # else LINE waits, and two seconds are all it has
            await tracing.flush()
        return response

    async def _respond(self, request: Request) -> Response:
        try:
            self._shutdown.listen()
            with self._shutdown.working():
                try:
                    return await self._gate.answer(request)
                finally:
                    await self._shutdown.end_of_work()
        except Unavailable as stopped:
            log.event("request_refused", "WARNING", status=503, why=str(stopped))
            return Response(503, {"error": "try again later"})
        except Exception as unexpected:  # noqa: BLE001  # the framework would log the message, which may hold a user's text
            log.event("internal_error", "ERROR", type=type(unexpected).__name__, stack_trace=log.stack_of(unexpected))
            return Response(500, {"error": "internal error"})
        finally:
            self._has_answered.set()

    async def _hand_over(self, delivery: Delivery) -> None:
        await (await self.dispatcher()).hand_over(delivery)

    async def _take(self, delivery: Delivery) -> None:
        await (await (await self._wiring()).inbox()).take(delivery)

    async def _export(self, token: str) -> Response:
        return await (await self._wiring()).exports.answer(token)

    # --- for operators ---

    async def store(self) -> Store:
        """The conversations."""
        return await (await self._wiring()).store()

    async def ledger(self) -> Ledger:
        """The month's account."""
        return await (await self._wiring()).ledger()

    async def forget(self, conversation_id: str) -> None:
        """Erase a conversation, its archive and its pictures. Raises Unavailable or Misconfigured."""
        await (await (await self._wiring()).inbox()).forget(conversation_id)

    # --- beginning and end ---

    def preload(self) -> None:
        """Import what is needed beside the first request: what the 200 needs first, the rest after it."""
        first, rest = self._modules()
        loading.preload(first, rest, self._has_answered if self.settings.tasks_queue else None)

    def _modules(self) -> tuple[list[str], list[str]]:
        settings = self.settings
        is_given = all(self._environment.get(name) for name in SECRETS)
        first = [] if is_given else ["bot.adapters.secret_manager"]
        if settings.tasks_queue:
            first.append(f"bot.adapters.{'in_process' if settings.tasks_queue == 'inprocess' else 'cloud_tasks'}")
        if self._environment.get("K_SERVICE"):  # on Google Cloud: its services want a token
            first.append("bot.adapters.google_token")
        store = "bot.adapters.sqlite" if settings.sqlite_path else "bot.adapters.firestore"
        pictures = ["bot.adapters.cloud_storage"] if settings.media_bucket else []
        return first, ["bot.wiring", store, "bot.adapters.openai", "bot.adapters.line", "markdown_it", *pictures]

    async def close(self) -> None:
        """Close what was opened, for programs that end; the function lives until it is killed."""
        while self._to_close:
            await self._to_close.pop()()

    def closing(self, adapter: C) -> C:
        """The adapter, which will be closed."""
        self._to_close.append(adapter.close)
        return adapter

    def finally_do(self, last: Callable[[], Awaitable[None]]) -> None:
        """Await this, quick and never raising, when the process is told to stop or the program ends."""
        self._shutdown.finally_do(last)
        self._to_close.append(last)

    # --- what all of it is made of ---

    async def dispatcher(self) -> Dispatcher:
        """Needs a queue."""
        return Dispatcher(await self._queue(), self.channel_secret, now)

    def secret(self, name: str) -> Secret:
        """One of settings.SECRETS, from the environment or from Secret Manager."""

        async def version() -> str:
            given = self.settings.secret_versions.get(name)
            return given or f"projects/{await self.project()}/secrets/{SECRETS[name]}/versions/latest"

        value = (self._environment.get(name) or "").strip()
        return Secret(value or None, version, self._secret_source, now)

    async def _make_wiring(self) -> "Wiring":
        await imported("bot.wiring")
        from bot.wiring import Wiring

        return Wiring(self)

    async def _make_queue(self) -> Queue:
        settings = self.settings
        if settings.tasks_queue == "inprocess":
            from bot.adapters.in_process import InProcessQueue

            return self.closing(InProcessQueue(self._run_task))
        await imported("bot.adapters.cloud_tasks")
        from bot.adapters.cloud_tasks import CloudTasksQueue

        emulator = settings.tasks_emulator or None
        return self.closing(CloudTasksQueue(settings.tasks_queue, settings.service_url, emulator))

    async def _run_task(self, task: Task) -> int:
        async def body() -> AsyncIterator[bytes]:
            yield task.body

        headers = {"x-line-signature": task.signature, "traceparent": task.traceparent}
        response = await self.respond(Request("POST", TASK, headers, body()))
        return response.status

    async def _make_traces(self) -> Traces:
        await imported("bot.adapters.tracing")
        from bot.adapters.tracing import OtlpTraces

        return OtlpTraces(self.project.made or self.settings.project)

    async def _make_secret_source(self) -> SecretSource:
        await imported("bot.adapters.secret_manager")
        from bot.adapters.secret_manager import SecretManager

        return self.closing(SecretManager(self.settings.secret_manager_emulator or None))

    async def _find_project(self) -> str:
        if self.settings.project:
            return self.settings.project
        await imported("bot.adapters.secret_manager")
        from bot.adapters.secret_manager import project_id

        return await project_id()


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
