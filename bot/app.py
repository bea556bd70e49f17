"""Wiring: the only module that knows which adapter stands behind which port.

main.py runs in the server's master process, which then forks: nothing is connected before the first request.
SDKs are imported in threads, when they are first needed or by `preload`, whichever comes first.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from bot import log, spans, trace
from bot.asking import Asker
from bot.breaker import Breaker
from bot.budget import Budget
from bot.delivery import Courier
from bot.dispatch import Delivery, Dispatcher
from bot.drawing import Studio
from bot.errors import Unavailable
from bot.export import Exports
from bot.fetching import Fetcher
from bot.gate import TASK, Gate, Request, Response
from bot.inbox import Inbox
from bot.introducing import Introducer
from bot.links import Links
from bot.metering import Meter, MeteredModel, MeteredPainter, MeteredTranscriber
from bot.moderating import Moderation
from bot.ports import Ledger, Messenger, Pictures, Profiles, Queue, SecretSource, Store, Task, Traces
from bot.preferences import Offered
from bot.prices import Prices
from bot.purse import Purse
from bot.quota import Channel, Quota
from bot.reading import Reader
from bot.replying import Replier
from bot.searching import Search
from bot.secrets import Secret
from bot.settings import SECRETS, Settings
from bot.shutdown import Shutdown
from bot.spending import Limit, Limits
from bot.trace import Trace
from bot.tracing import Tracing
from bot.turn import Turns

if TYPE_CHECKING:
    from bot.adapters.openai import OpenAIModel

T = TypeVar("T")


class Closable(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)

PRELOAD_WAIT_SECONDS = 2.0
MOST_LOADING_SECONDS = 60


class Once(Generic[T]):
    """Something made at its first use, by whoever comes first; one that could not be made is tried again."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = asyncio.Lock()

    @property
    def made(self) -> T | None:
        """What there is of it so far."""
        return self._made[0] if self._made else None

    async def __call__(self) -> T:
        if not self._made:
            async with self._lock:
                if not self._made:
                    self._made.append(await self._make())
        return self._made[0]


class App:
    """Everything one worker process needs, put together."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self._environment = environment
        self._has_answered = threading.Event()
        self._to_close: list[Callable[[], Awaitable[None]]] = []
        self._shutdown = Shutdown()
        self._secret_source = Once(self._make_secret_source)
        self._queue = Once(self._make_queue)
        self.store = Once(self._make_store)
        self._inbox = Once(self._make_inbox)
        self._channel = Once(self._make_channel)
        self._project = Once(self._find_project)
        self.channel_secret = self._secret("LINE_CHANNEL_SECRET")
        self.access_token = self._secret("LINE_CHANNEL_ACCESS_TOKEN")
        self._tracing = Tracing(Once(self._make_traces)) if settings.tracing else None
        self._links = Links(self.channel_secret, settings.service_url, now)
        webhook = self._hand_over if settings.tasks_queue else self._take
        self._gate = Gate(self.channel_secret, webhook, self._take, now, Exports(self._links, self.store, now).answer)

    async def respond(self, request: Request) -> Response:
        """The gate's answer; what nobody expected is a 500 with a log line that holds no data."""
        project = self._project.made or self.settings.project
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

    async def forget(self, conversation_id: str) -> None:
        """Erase a conversation, its archive and its pictures. Raises Unavailable or Misconfigured."""
        await (await self._inbox()).forget(conversation_id)

    async def close(self) -> None:
        """Close what was opened, for programs that end; the function lives until it is killed."""
        while self._to_close:
            await self._to_close.pop()()

    def _closing(self, adapter: C) -> C:
        self._to_close.append(adapter.close)
        return adapter

    def preload(self) -> None:
        """Import the SDKs beside the first request: what the 200 needs first, the rest after it."""
        first, rest = self._modules()
        try:
            for name in first:
                import_module(name)
            if self.settings.tasks_queue:
                self._has_answered.wait(PRELOAD_WAIT_SECONDS)
            for name in rest:
                import_module(name)
        except ImportError as missing:
            log.event("preload_failed", "ERROR", module=missing.name)

    def _modules(self) -> tuple[list[str], list[str]]:
        settings = self.settings
        is_given = all(self._environment.get(name) for name in SECRETS)
        first = [] if is_given else ["bot.adapters.secret_manager"]
        if settings.tasks_queue:
            first.append(f"bot.adapters.{'in_process' if settings.tasks_queue == 'inprocess' else 'cloud_tasks'}")
        store = "bot.adapters.sqlite" if settings.sqlite_path else "bot.adapters.firestore"
        pictures = ["bot.adapters.cloud_storage"] if settings.media_bucket else []
        return first, [store, "bot.adapters.openai", "bot.adapters.line", "markdown_it", *pictures]

    async def _hand_over(self, delivery: Delivery) -> None:
        await (await self._dispatcher()).hand_over(delivery)

    async def _take(self, delivery: Delivery) -> None:
        await (await self._inbox()).take(delivery)

    async def _dispatcher(self) -> Dispatcher:
        return Dispatcher(await self._queue(), self.channel_secret, now)

    async def _make_inbox(self) -> Inbox:
        settings = self.settings
        store, model, messenger = await self.store(), await self._make_model(), await self._make_messenger()
        meter = await self._make_meter()
        metered = MeteredModel(model, meter, settings.model, self._others())
        asker = Asker(
            metered,
            settings.system_prompt,
            settings.model_deadline_ms,
            now,
            Breaker(now),
            Search(store, now),
            await self._make_moderation(model),
            settings.web_search,
            lost=metered.lost,
        )
        fetcher = await self._make_fetcher(model)
        listener = MeteredTranscriber(fetcher.transcriber, meter, settings.transcription_model)
        people = Introducer(await self._make_profiles(), now)
        reader = Reader(replace(fetcher, transcriber=listener), store, people)
        pictures = await self._make_pictures()
        studio = await self._make_studio(model, pictures, asker, meter) if pictures else None
        offered = Offered(settings.models, settings.policy.retention_ms, studio is not None)
        budget = Budget(now, settings.limits, meter.prices, meter.purse, settings.models, settings.cheaper_model)
        replier = Replier(store, reader, asker, now, offered, self._links, studio, budget)
        courier = Courier(messenger, now, quota=Quota(self._channel, settings.push_reserve, now))
        turns = Turns(replier, courier, messenger, now, _loading(settings.model_deadline_ms))
        dispatcher = await self._dispatcher() if settings.tasks_queue else None
        return Inbox(store, turns, messenger, dispatcher, now, settings.policy, pictures)

    async def _make_store(self) -> Store:
        if self.settings.sqlite_path:
            from bot.adapters.sqlite import SqliteStore

            return self._closing(SqliteStore(self.settings.sqlite_path))
        await _imported("bot.adapters.firestore")
        from bot.adapters.firestore import FirestoreStore

        project = await self._project()
        return self._closing(FirestoreStore(project, self.settings.firestore_database))

    async def _make_meter(self) -> Meter:
        """With a purse where the month has a limit; what is left in it is given back at the end."""
        prices, monthly = Prices(self.settings.prices), self.settings.limits.monthly
        if monthly == Limit():
            return Meter(prices)
        purse = Purse(await self.ledger(), monthly, now)
        self._shutdown.finally_do(purse.give_back)
        self._to_close.append(purse.give_back)
        return Meter(prices, purse)

    async def ledger(self) -> Ledger:
        """The month's account, which lies where the conversations do."""
        store = await self.store()
        return cast(Ledger, store)

    def _others(self) -> dict[str, str]:
        """The models that may answer beside the operator's, with their efforts."""
        settings = self.settings
        cheaper = {settings.cheaper_model: settings.cheaper_effort} if settings.limits != Limits() else {}
        return {**cheaper, **settings.other_models}

    async def _make_channel(self) -> Channel:
        await _imported("bot.adapters.line_channel")
        from bot.adapters.line_channel import LineChannel

        return self._closing(LineChannel(self.settings.line_api_base_url, self.access_token))

    async def _make_model(self) -> "OpenAIModel":
        await _imported("bot.adapters.openai")
        from bot.adapters.openai import OpenAIModel

        key = self._secret("OPENAI_API_KEY")
        settings = self.settings
        effort = settings.reasoning_effort or None
        return self._closing(OpenAIModel(settings.model, key, effort=effort, others=self._others()))

    async def _make_fetcher(self, model: "OpenAIModel") -> Fetcher:
        await _imported("bot.adapters.line_content")
        from bot.adapters.line_content import LineContent
        from bot.adapters.transcription import OpenAITranscriber

        content = self._closing(LineContent(self.settings.line_data_api_base_url, self.access_token))
        return Fetcher(content, OpenAITranscriber(model, self.settings.transcription_model))

    async def _make_moderation(self, model: "OpenAIModel") -> Moderation | None:
        if not self.settings.moderation:
            return None
        await _imported("bot.adapters.moderation")
        from bot.adapters.moderation import OpenAIModerator

        return Moderation(OpenAIModerator(model))

    async def _make_pictures(self) -> Pictures | None:
        if not self.settings.media_bucket:
            return None
        await _imported("bot.adapters.cloud_storage")
        from bot.adapters.cloud_storage import CloudStoragePictures

        return self._closing(CloudStoragePictures(self.settings.media_bucket))

    async def _make_studio(self, model: "OpenAIModel", pictures: Pictures, asker: Asker, meter: Meter) -> Studio:
        await _imported("bot.adapters.painting")
        from bot.adapters.painting import OpenAIPainter

        image_model = self.settings.image_model
        painter = MeteredPainter(OpenAIPainter(model, image_model), meter, image_model)
        return Studio(
            painter, pictures, await self.store(), self.settings.model_deadline_ms, asker.moderation, painter.lost
        )

    async def _make_profiles(self) -> Profiles:
        await _imported("bot.adapters.line_profiles")
        from bot.adapters.line_profiles import LineProfiles

        return self._closing(LineProfiles(self.settings.line_api_base_url, self.access_token, now))

    async def _make_messenger(self) -> Messenger:
        await _imported("bot.adapters.line")
        from bot.adapters.line import LineMessenger

        return self._closing(LineMessenger(self.settings.line_api_base_url, self.access_token))

    async def _make_queue(self) -> Queue:
        settings = self.settings
        if settings.tasks_queue == "inprocess":
            from bot.adapters.in_process import InProcessQueue

            return self._closing(InProcessQueue(self._run_task))
        await _imported("bot.adapters.cloud_tasks")
        from bot.adapters.cloud_tasks import CloudTasksQueue

        emulator = settings.tasks_emulator or None
        return self._closing(CloudTasksQueue(settings.tasks_queue, settings.service_url, emulator))

    async def _run_task(self, task: Task) -> int:
        async def body() -> AsyncIterator[bytes]:
            yield task.body

        headers = {"x-line-signature": task.signature, "traceparent": task.traceparent}
        response = await self.respond(Request("POST", TASK, headers, body()))
        return response.status

    async def _make_traces(self) -> Traces:
        await _imported("bot.adapters.tracing")
        from bot.adapters.tracing import OtlpTraces

        return OtlpTraces(self._project.made or self.settings.project)

    async def _make_secret_source(self) -> SecretSource:
        await _imported("bot.adapters.secret_manager")
        from bot.adapters.secret_manager import SecretManager

        return self._closing(SecretManager(self.settings.secret_manager_emulator or None))

    def _secret(self, name: str) -> Secret:
        async def version() -> str:
            given = self.settings.secret_versions.get(name)
            return given or f"projects/{await self._project()}/secrets/{SECRETS[name]}/versions/latest"

        value = (self._environment.get(name) or "").strip()
        return Secret(value or None, version, self._secret_source, now)

    async def _find_project(self) -> str:
        if self.settings.project:
            return self.settings.project
        await _imported("bot.adapters.secret_manager")
        from bot.adapters.secret_manager import project_id

        return await project_id()


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def _imported(name: str) -> None:
    """Import in a thread: the event loop goes on answering meanwhile."""
    await asyncio.to_thread(import_module, name)


def _loading(deadline_ms: int) -> int:
    """LINE takes 5 to 60 seconds, in steps of 5: enough for the longest answer."""
    return min(-(-deadline_ms // 5000) * 5, MOST_LOADING_SECONDS)
