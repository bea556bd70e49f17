"""The whole program on fakes, moved by hand from one call of a port to the next.

Between any two calls a process can be overtaken, frozen, killed or told to stop. Nobody waits: the time is the fake
clock's, and it passes only when it is made to.
"""

import asyncio
import itertools
import selectors
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from bot.app import App
from bot.conversation import Batch, Conversation, Pending
from bot.document import decode
from bot.errors import Misconfigured
from bot.fetching import Fetcher
from bot.limits import DAY_MS, Policy
from bot.ports import Completion, Prompt, Seen, Sent, Task
from bot.replying import Replier
from bot.results import Result
from bot.settings import Settings
from bot.wiring import Wiring
from tests.fakes import (
    Delivery,
    FakeClock,
    FakeContent,
    FakeMessenger,
    FakeModel,
    FakeProfiles,
    FakeQueue,
    FakeStore,
    FakeTranscriber,
)
from tests.pipeline import SECRET

POLICY = Policy(lease_ms=20_000, retention_ms=3 * DAY_MS)
LINE_TOKEN_MS, LINE_EVENT_MS = 60_000, 20 * 60_000
DEADLY, LONG, ODIOUS = "deadly", "long", "odious"
"""Words with which the model's caller dies, the answer does not fit, and LINE refuses the answer."""


class Killed(BaseException):
    """The process is gone: nothing that it does from now on reaches anybody."""


class SteppedLoop(asyncio.SelectorEventLoop):
    """Stops where it would wait; `wait` is for how long, in seconds, or None for ever."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self._began = clock, clock.now
        self.wait: float | None = None
        super().__init__(_Idle(self))
        self.set_exception_handler(lambda *_: None)  # loose ends of killed processes

    def time(self) -> float:
        return (self.clock.now - self._began) / 1000  # since 1970 it would be too long for a float to tell nanoseconds

    def pass_time(self) -> None:
        """Move the clock to where the next one wakes up."""
        assert self.wait is not None, "it waits for nothing"
        self.clock.now += max(1, ceil(self.wait * 1000))
        self.run_forever()


class _Idle(selectors.SelectSelector):
    def __init__(self, loop: SteppedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0:
            self._loop.wait = timeout
            self._loop.stop()
        return []


class Process:
    """An instance at work on one request.

    `knows`: how new the states are that it saw, in writes of the store. `trying`: the events that it last asked for.
    """

    def __init__(self, loop: SteppedLoop, app: App, work: Coroutine[Any, Any, int]) -> None:
        self.app = app
        self.parked: list[asyncio.Future[None]] = []
        self.knows: dict[str, int] = {}
        self.trying: list[str] = []
        self.is_dead = self.is_troubled = self.is_denied = False
        self._loop = loop
        self.task = loop.create_task(self._run(work))
        loop.run_forever()

    async def _run(self, work: Coroutine[Any, Any, int]) -> int:
        PROCESS.set(self)
        return await work

    async def turn(self) -> None:
        """Park until it is this call's turn."""
        if not self.is_dead:
            self.parked.append(self._loop.create_future())
            call = self.parked[-1]
            try:
                await call
            finally:
                self.parked.remove(call)
        if self.is_dead:
            raise Killed

    def go_on(self, index: int = 0) -> None:
        """With the call that waits longest; without one, until the next sleeper wakes up."""
        if not self.parked:
            return self._loop.pass_time()
        self.parked[index].set_result(None)
        self._loop.run_forever()

    def kill(self) -> None:
        self.is_dead = True
        for call in self.parked:
            call.set_result(None)
        if not self.task.done():
            self.task.cancel()  # it may sleep
        self._loop.run_forever()

    def stop(self) -> None:
        """As SIGTERM does when the time of grace is over."""
        self.is_troubled = True
        self.app._shutdown._cancel()
        self._loop.run_forever()


PROCESS: ContextVar[Process] = ContextVar("PROCESS")


async def call() -> Process:
    """At the head of every call of a port."""
    process = PROCESS.get()
    await process.turn()
    return process


class SteppedStore(FakeStore):
    """`watch` is told of every write: the conversation before and after."""

    def __init__(self, watch: Callable[[str, Conversation, Conversation], None]) -> None:
        super().__init__()
        self._watch = watch
        self.states: dict[str, Conversation] = {}
        self.writes = 0

    def state(self, conversation_id: str) -> Conversation:
        return self.states.get(conversation_id, Conversation())

    async def _called(self, method: str, conversation_id: str) -> Exception | None:
        process = await call()
        if failures := self._failures.get(method):
            process.is_troubled = True
            process.is_denied |= isinstance(failures[0][0], Misconfigured)
        if method == "read":
            process.knows[conversation_id] = self.writes
        return await super()._called(method, conversation_id)

    async def write(
        self, conversation_id: str, seen: Seen, conversation: Conversation, archive: Sequence[Batch] = ()
    ) -> Seen:
        try:
            return await super().write(conversation_id, seen, conversation, archive)
        finally:
            if self._versions > self.writes:  # nobody else writes before this line
                self.writes = self._versions
                PROCESS.get().knows[conversation_id] = self.writes
                before = self.state(conversation_id)
                self.states[conversation_id] = decode(self.documents[conversation_id][1])
                self._watch(conversation_id, before, self.states[conversation_id])


class SteppedLine(FakeMessenger):
    """Keeps LINE's rules. `tokens`: when each was sent out, and its event's time. `show` is told what people see."""

    def __init__(self, clock: FakeClock, show: Callable[[Process, Delivery], None]) -> None:
        super().__init__()
        self._clock, self._show = clock, show
        self.tokens: dict[str, tuple[int, int]] = {}
        self.has_quota = True

    async def _deliver(self, delivery: Delivery) -> Any:
        process, shown = await call(), len(self.shown)
        receipt = await super()._deliver(delivery)
        process.is_troubled |= receipt.sent is not Sent.ACCEPTED
        if len(self.shown) > shown:
            self._show(process, delivery)
        return receipt

    def _not_shown(self, delivery: Delivery) -> Sent | None:
        if super()._not_shown(delivery) or any(ODIOUS in bubble for bubble in delivery.bubbles):
            return super()._not_shown(delivery) or Sent.REFUSED
        if delivery.retry_key:
            return None if self.has_quota else Sent.QUOTA
        sent_at, event_at = self.tokens[delivery.to]
        is_dead = self._clock.now - sent_at >= LINE_TOKEN_MS or self._clock.now - event_at >= LINE_EVENT_MS
        return Sent.REFUSED if is_dead else None


class SteppedModel(FakeModel):
    """Repeats what it is asked, with a number; a summary repeats everything."""

    is_deadly = False

    async def complete(self, prompt: Prompt) -> Completion:
        process = await call()
        if self.is_deadly and DEADLY in prompt.lines[-1].text:
            process.is_dead = True
            raise Killed
        if not self.answers:
            lines = prompt.lines if prompt.lines[-1].role == "developer" else prompt.lines[-1:]
            self.answers.append(" ".join([f"{len(self.prompts)}:", *(line.text for line in lines)]))
        completion = await super().complete(prompt)
        await call()
        return completion


class SteppedQueue(FakeQueue):
    async def put(self, task: Task) -> None:
        process = await call()
        process.is_troubled |= bool(self._failures)
        await super().put(task)


@dataclass(frozen=True, kw_only=True)
class NamedReplier(Replier):
    """Every bubble begins with its question: `#number <event ids>`."""

    asked: Callable[[str, Conversation, Sequence[Pending]], None]

    async def reply(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Result:
        self.asked(conversation_id, state, segment)
        name = f"#{next(NUMBERS)} <{','.join(pending.event_id for pending in segment)}>"
        result = await super().reply(conversation_id, state, segment)
        bubbles = result.bubbles * (7 if LONG in segment[0].text else 1)
        return replace(result, bubbles=tuple(f"{name} {number} {bubble}" for number, bubble in enumerate(bubbles)))


NUMBERS = itertools.count(1)


class Unlimited:
    """A channel that may push as often as it likes."""

    async def quota(self) -> None:
        return None

    async def consumption(self) -> int:
        return 0


class SteppedApp(App):
    """The real one, on the ports given."""

    def __init__(self, store: SteppedStore, model: SteppedModel, line: SteppedLine, queue: SteppedQueue | None) -> None:
        queue_name = "projects/p/locations/l/queues/q" if queue else ""
        super().__init__(Settings(tasks_queue=queue_name, policy=POLICY), {"LINE_CHANNEL_SECRET": SECRET})
        self._stepped = SteppedWiring(self, store, model, line)
        self._stepped_queue: Any = queue

    async def _make_wiring(self) -> Wiring:
        return self._stepped

    async def _make_queue(self) -> Any:
        return self._stepped_queue


class SteppedWiring(Wiring):
    def __init__(self, app: App, *ports: Any) -> None:
        super().__init__(app)
        self._ports = ports

    async def _make_store(self) -> Any:
        return self._ports[0]

    async def _make_model(self) -> Any:
        return self._ports[1]

    async def _make_fetcher(self, _model: Any) -> Fetcher:
        return Fetcher(FakeContent(), FakeTranscriber())

    async def _make_messenger(self) -> Any:
        return self._ports[2]

    async def _make_profiles(self) -> Any:
        return FakeProfiles(FakeClock())

    async def _make_channel(self) -> Any:
        return Unlimited()
