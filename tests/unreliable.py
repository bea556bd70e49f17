"""A small world around the program: who sends what again, and a memory of all that has happened, to judge it by."""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from bot.admin.dead_letters import Found
from bot.admin.replay import replay
from bot.app import App
from bot.claiming import alive
from bot.conversation import Conversation, Outgoing, Part, Pending
from bot.document import decode_batch
from bot.errors import KaiwaError
from bot.events import Event
from bot.gate import TASK, WEBHOOK, Request
from bot.limits import TRIES
from bot.ports import Task
from bot.segments import is_exhausted
from bot.signature import sign
from bot.texts import phrases
from tests import webhooks
from tests.fakes import Delivery, FakeClock
from tests.pipeline import SECRET, conversation_id
from tests.stepping import (
    PROCESS,
    Process,
    SteppedApp,
    SteppedLine,
    SteppedLoop,
    SteppedModel,
    SteppedQueue,
    SteppedStore,
)
from tests.webhooks import GROUP, USER


@dataclass(eq=False)
class Errand:
    """A body that is sent until it is answered with a 2xx: by LINE, or by the queue."""

    path: str
    task: Task
    at: int = 0

    @property
    def raws(self) -> list[dict[str, Any]]:
        raws: list[dict[str, Any]] = json.loads(self.task.body)["events"]
        return raws


def errand_of(*raws: Mapping[str, Any]) -> Errand:
    """A webhook of LINE with these events."""
    body = webhooks.body(*raws)
    return Errand(WEBHOOK, Task(body, sign(SECRET, body)))


class World:
    """The fakes, and a memory of all that has happened, to judge it by."""

    def __init__(self, clock: FakeClock, *, has_queue: bool) -> None:
        self.clock = clock
        self.loop = SteppedLoop(clock)
        self.store, self.line, self.model = SteppedStore(self.written), SteppedLine(clock, self.shown), SteppedModel()
        self.queue = SteppedQueue() if has_queue else None
        self.errands: list[Errand] = []
        self.processes: dict[Process, Errand | None] = {}
        self.fetched = 0
        self.forget()

    def forget(self) -> None:
        """After the time that conversations are kept, nothing of them may be seen."""
        self.events: dict[str, Event] = {}
        self.accepted: set[str] = set()
        self.refused: set[str] = set()
        self.asks: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.settled: dict[str, int] = {}
        self.gone: dict[str, int] = {}
        self.excused: set[str] = set()
        self.unremembered: set[str] = set()
        self.told: set[str] = set()
        self.in_doubt: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.is_calm = True

    # --- requests ---

    def start(self, errand: Errand) -> Process:
        self.errands.remove(errand)
        for raw in errand.raws if errand.path == WEBHOOK else ():  # a token lives a minute from a redelivery, too
            self.line.tokens[raw.get("replyToken", "")] = (self.clock.now, raw["timestamp"])
        return self.run(lambda app: self.post(app, errand.path, errand.task), errand)

    def run(self, work: Callable[[App], Coroutine[Any, Any, int]], errand: Errand | None = None) -> Process:
        """One request, by an instance of its own."""
        app = SteppedApp(self.store, self.model, self.line, self.queue)
        process = Process(self.loop, app, work(app))
        self.processes[process] = errand
        return process

    async def post(self, app: App, path: str, task: Task) -> int:
        headers = {"x-line-signature": task.signature}
        return (await app.respond(Request("POST", path, headers, webhooks.pieces(task.body)))).status

    async def replay(self, app: App, found: Found) -> int:
        with suppress(KaiwaError):  # the operator sees it
            await replay(app, found)
        return 200

    def go_on(self, process: Process, fate: tuple[int, str]) -> None:
        """What it hands to the queue is run as well, as far as its fate allows."""
        steps, end = fate
        while steps and not process.task.done():
            steps -= 1
            process.go_on()
        if process.task.done():
            tasks = self.finish(process)
            if tasks and steps:
                self.go_on(self.start(tasks[0]), (steps, end))
            return
        self.is_calm = False
        if end:
            (process.kill if end == "killed" else process.stop)()
        if process.task.done():
            self.finish(process)

    def finish(self, process: Process) -> list[Errand]:
        """I8: a 2xx is the last of it, nobody sends it again; anything else needs a reason."""
        errand = self.processes.pop(process)
        handed_over = self.fetch()
        if process.is_dead:
            self.is_calm = False
            self.deaths.update(event_id for event_id in process.trying if event_id not in self.settled)
            assert all(deaths <= TRIES for deaths in self.deaths.values()), "it is tried for ever"
        if errand is None:
            return []
        status = 0 if process.is_dead else process.task.result()
        if status == 200:
            self.told |= self.apologised_for(errand) if process.is_denied else set()
            return handed_over
        assert process.is_dead or (status == 503 and process.is_troubled), "an error without a reason"
        self.errands.append(replace(errand, at=self.clock.now + 2_000))
        return []

    def fetch(self) -> list[Errand]:
        """What the queue has taken since, as far as it is due."""
        tasks = self.queue.tasks[self.fetched :] if self.queue else []
        self.fetched += len(tasks)
        errands = [Errand(TASK, task, task.at) for task in tasks]
        self.errands += errands
        return [errand for errand in errands if errand.at <= self.clock.now]

    def apologised_for(self, errand: Errand) -> set[str]:
        """A store that will never work: one sentence by token, and no more of it."""
        lost = [event for event in self.events.values() if event.id in str(errand.task.body)]
        tokens = {event.token for event in lost if event.action == "say" and event.addressed and event.token}
        assert not tokens or tokens & {tried.to for tried in self.line.calls}
        return {event.id for event in lost}

    def due(self) -> list[Errand]:
        return [errand for errand in self.errands if errand.at <= self.clock.now]

    # --- the judge ---

    def state(self, place: str) -> Conversation:
        return alive(self.store.state(conversation_id(place)), self.clock.now)

    def written(self, name: str, before: Conversation, after: Conversation) -> None:
        if before.lease and after.lease and after.erased_by == before.erased_by:
            is_over = before.lease.until <= self.clock.now
            assert is_over or after.lease.owner == before.lease.owner, "a lease was taken away"
        mine = [event for event in self.events.values() if event.source.conversation_id == name]
        self.accepted |= {pending.event_id for pending in after.pending}
        self.refused |= {pending.event_id for pending in after.pending if pending.kind == "refused"}
        left = {pending.event_id for pending in before.pending} - {pending.event_id for pending in after.pending}
        withdrawn = {event.id for event in mine if event.message_id in after.unsent}
        if after.erased_by != before.erased_by:
            withdrawn |= {event.id for event in mine if event.at <= after.erased_at}
            batches = map(decode_batch, self.store.batches.get(name, {}).values())
            # A late /forget takes the archive whole.
            self.unremembered |= {message_id for batch in batches for message_id in batch.message_ids}
        vanished = kept_ids(before) - kept_ids(after)
        if withdrawn - self.gone.keys() or bubbles_of(after.outbox) & {*phrases("dropped")}:
            self.excused |= vanished
        self.gone = dict.fromkeys(withdrawn, self.store.writes) | self.gone
        self.excused |= withdrawn
        self.settled = dict.fromkeys(left - withdrawn, self.store.writes) | self.settled
        self.in_doubt.update((bubbles_of(before.outbox) & bubbles_of(after.rest)) - bubbles_of(before.rest))

    def asked(self, name: str, state: Conversation, segment: Sequence[Pending]) -> None:
        """I4, I5: nothing is asked again by a process that could know that it is settled; the oldest comes first."""
        knows = PROCESS.get().knows[name]
        assert all(self.settled.get(pending.event_id, sys.maxsize) > knows for pending in segment), segment
        times = [pending.at for pending in segment]
        assert times == sorted(times)
        assert times[0] == min(pending.at for pending in state.pending)
        PROCESS.get().trying = [] if is_exhausted(segment[0]) else [pending.event_id for pending in segment]
        self.asks.update(pending.event_id for pending in segment)

    def shown(self, process: Process, delivery: Delivery) -> None:
        """I7: nothing withdrawn is shown by a process that could have known."""
        assert 1 <= len(delivery.bubbles) <= 5
        text = "\n".join(delivery.bubbles)
        self.seen.update(delivery.bubbles)
        for marker in re.findall(r"\((\w+) says\)", text):
            assert marker in self.events, f"{marker} is expired"
            name = self.events[marker].source.conversation_id
            assert self.gone.get(marker, sys.maxsize) > process.knows.get(name, 0), f"{marker} was withdrawn"

    def log(self, name: str, _severity: str = "INFO", **fields: Any) -> None:
        """I6: not a word of what people write, no token, no id of LINE."""
        line = json.dumps(fields, default=str)
        if name == "internal_error":
            raise  # as it was
        assert not re.search(rf"says|token-|{USER}|{GROUP}|{SECRET}", line), line


def bubbles_of(items: Sequence[Outgoing | Part]) -> set[str]:
    return {bubble for item in items for bubble in item.bubbles}


def kept_ids(state: Conversation) -> set[str]:
    """The events whose answers are kept, to be sent or served."""
    return ids_of(bubbles_of(state.outbox) | bubbles_of(state.rest))


def ids_of(bubbles: Iterable[str]) -> set[str]:
    """The events that these bubbles answer."""
    names = filter(None, (re.match("#[0-9]+ <([^>]*)>", bubble) for bubble in bubbles))
    return {event_id for name in names for event_id in name[1].split(",")}
