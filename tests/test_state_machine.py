"""Many workers, crashes, lost acknowledgements and an unreliable LINE against one conversation, in any order.

The workers are the pipeline in small: the real transitions and the real courier, stepped by hand from one
await to the next, so that any of them can be overtaken, frozen or killed in between.
"""

import itertools
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from types import coroutine
from typing import Any, TypeVar
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot import claiming, erasing, settling, window
from bot.claiming import claim
from bot.conversation import Batch, Conversation, Outgoing, Pending, QuickReply, Source
from bot.delivery import Courier, Delivered
from bot.document import decode, encode, size
from bot.events import Event
from bot.lease import Transition
from bot.limits import DAY_MS, DONE_MS, TOKEN_EVENT_MS, WAITING, Policy
from bot.ports import Change, Receipt, Sent
from bot.results import Result
from bot.segments import deliverable, is_exhausted, next_segment
from bot.settling import Hold, Step
from bot.texts import phrase

T = TypeVar("T")

SOURCE = Source("user", "U" + "1" * 32)
POLICY = Policy(lease_ms=20_000, retention_ms=3 * DAY_MS)
LINE_TOKEN_MS = 60_000
QUIET = ("unsupported", "greeting")
"""Not worth a push: without a live token it waits, where not too much does already."""
NOTICE = phrase("dropped", "en")
SMALL = {
    "bot.admission.PENDING_EVENTS": 6,
    "bot.settling.WINDOW_TURNS": 1,
    "bot.window.ROLL_TURNS": 1,
    "bot.window.WINDOW_TURNS_AT_MOST": 3,
}
"""Bounds so low that a few dozen steps reach them."""


@coroutine
def pause() -> Generator[None, None, None]:
    """Where a worker can be overtaken, frozen or killed."""
    yield


class LineStandIn:
    """LINE: a reply token works once and for a minute, a retry key makes one message; calls fail on demand."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.received: dict[str, Event] = {}
        self.used: set[str] = set()
        self.keys: set[str] = set()
        self.quota = True
        self.faults: list[str] = []
        self.shown: Counter[str] = Counter()

    async def reply(
        self, token: str, bubbles: Sequence[str], _quick_replies: Sequence[QuickReply] = (), _quote: str = ""
    ) -> Receipt:
        await pause()
        event, now = self.received[token], self.world.now
        dead = now - event.received_at >= LINE_TOKEN_MS or now - event.at >= TOKEN_EVENT_MS
        return self._take(token in self.used or dead, Sent.REFUSED, self.used, token, bubbles)

    async def push(
        self, _to: str, bubbles: Sequence[str], key: str, _quick: Sequence[QuickReply] = (), _quote: str = ""
    ) -> Receipt:
        await pause()
        refused = key in self.keys or not self.quota
        return self._take(refused, Sent.ACCEPTED if key in self.keys else Sent.QUOTA, self.keys, key, bubbles)

    async def show_loading(self, user_id: str, seconds: int) -> None:
        raise NotImplementedError

    def _take(self, refused: bool, refusal: Sent, spent: set[str], key: str, bubbles: Sequence[str]) -> Receipt:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "limited":
            return Receipt(Sent.LIMITED)
        if fault != "request lost" and not refused:
            assert 1 <= len(bubbles) <= 5
            assert all(bubbles)
            spent.add(key)
            self.shown.update(bubbles)
            self.world.was_shown(bubbles)
        if fault:
            return Receipt(Sent.AMBIGUOUS)
        return Receipt(refusal) if refused else Receipt(Sent.ACCEPTED, tuple(f"s{len(self.shown)}" for _ in bubbles))


@dataclass
class Task:
    """What the queue holds: it comes again until a worker has finished it."""

    events: tuple[Event, ...]
    at: int = 0


@dataclass
class Worker:
    """One request. `sees_since`: how new the state is that it knows, counted in writes."""

    task: Task
    owner: str
    sees_since: int = 0
    run: Coroutine[Any, Any, None] = field(init=False)


class HeldStandIn:
    """`bot.lease.Held` without an event loop."""

    def __init__(self, world: "World", worker: Worker, seen: Conversation) -> None:
        self.world, self.worker, self.state = world, worker, seen
        self.owner, self.policy, self.conversation_id = worker.owner, POLICY, SOURCE.conversation_id

    async def apply(self, transition: Transition) -> Step:
        self.state, step = await self.world.write(lambda s, now: transition(s, Hold(self.owner, now, POLICY)))
        return step

    async def is_still_mine(self) -> bool:
        lease = self.state.lease
        if lease and lease.owner == self.owner and lease.until > self.world.now:
            return True
        return await self.apply(settling.renew) is not Step.LOST


class Later(Exception):
    """LINE did not take the answer; the queue tries again."""


@dataclass
class World:
    """The database, LINE and the model, with a memory of all that has happened, to judge it by."""

    now: int = 1_800_000_000_000
    document: dict[str, Any] = field(default_factory=dict)
    archive: dict[tuple[int, int], Batch] = field(default_factory=dict)
    lose_ack: bool = False
    model_fails: bool = False
    summary_fails: bool = False
    writes: int = 0
    asks: int = 0
    tasks: list[Task] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    settled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unremembered: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)
    unsure: Counter[str] = field(default_factory=Counter)
    gone: dict[str, int] = field(default_factory=dict)
    worker: Worker | None = None
    _read: object = None
    _state: Conversation = field(default_factory=Conversation)

    def __post_init__(self) -> None:
        self.line = LineStandIn(self)

    @property
    def state(self) -> Conversation:
        if self._read is not self.document:
            self._read, self._state = self.document, decode(self.document)
        return self._state

    async def write(self, transition: Callable[[Conversation, int], Change[T]]) -> tuple[Conversation, T]:
        """One update; where its acknowledgement is lost it is decided anew on what is there by then."""
        await pause()
        state, outcome = self.write_once(transition)
        if self.lose_ack:
            self.lose_ack = False
            await pause()
            state, outcome = self.write_once(transition)
        if self.worker:
            self.worker.sees_since = self.writes
        return state, outcome

    def write_once(self, transition: Callable[[Conversation, int], Change[T]]) -> tuple[Conversation, T]:
        before = self.state
        change = transition(before, self.now)
        if change.conversation != before or change.archive:
            self.writes += 1
            self.document = encode(change.conversation)
            for batch in change.archive:
                assert (batch.generation, batch.number) not in self.archive
                self.archive[batch.generation, batch.number] = batch
            self._remember(before, self.state)
        return self.state, change.outcome

    def _remember(self, before: Conversation, after: Conversation) -> None:
        self.accepted |= {pending.event_id for pending in after.pending}
        self.refused |= {pending.event_id for pending in after.pending if pending.kind == "refused"}
        left = {p.event_id for p in before.pending} - {p.event_id for p in after.pending}
        if left and after.erased_by == before.erased_by and after.unsent.keys() <= before.unsent.keys():
            self.settled |= dict.fromkeys(left, tuple(left))
        if after.erased_by != before.erased_by:
            erased = [event for event in self.events.values() if event.at <= after.erased_at]
            self._lost(event.id for event in erased)
            # A late /forget takes the archive whole.
            self.unremembered |= {said for batch in self.archive.values() for said in batch.message_ids}
        for message_id in after.unsent:
            self._lost(event.id for event in self.events.values() if event.message_id == message_id)
        if NOTICE in str(after.outbox):
            self.excused |= _ids(str(before.outbox)) - _ids(str(after.outbox))

    def _lost(self, event_ids: Any) -> None:
        """Withdrawn or erased: the text may not come back, and what was answered together with it may be unanswered."""
        for event_id in event_ids:
            self.gone.setdefault(event_id, self.writes)
            self.excused |= {event_id, *self.settled.get(event_id, ())}

    def was_shown(self, bubbles: Sequence[str]) -> None:
        """I7: nothing withdrawn is shown by a worker that could have known."""
        assert self.worker
        for event_id, writes in self.gone.items():
            if writes <= self.worker.sees_since:
                assert _text(event_id) not in "\n".join(bubbles), f"{event_id} was shown after it was withdrawn"

    def wake(self, at: int) -> None:
        task = Task((Event("wake", self.now, SOURCE, "wake", self.now),), at)
        if not at or all(known.at != at for known in self.tasks):
            self.tasks.append(task)

    # --- the pipeline in small ---

    async def handle(self, worker: Worker) -> None:
        """`bot.inbox.Inbox._until_safe` with a queue."""
        while True:
            seen, claimed = await self.write(lambda s, now: claim(s, worker.task.events, worker.owner, now, POLICY))
            await self._erase(seen, claimed)
            if claimed.held:
                held = HeldStandIn(self, worker, seen)
                step = await self._turns(held)
                if step is Step.RELEASED:
                    return self.wake(0) if held.state.pending else None
            elif not claimed.busy_until:
                return None
            else:
                return self.wake(claimed.busy_until + 500)

    async def _erase(self, seen: Conversation, claimed: claiming.Claim) -> None:
        for message_id in claimed.unsent:
            await pause()
            for key, batch in list(self.archive.items()):
                if message_id in batch.message_ids and batch.generation == seen.generation:
                    await self.write(lambda s, now: Change(settling.redacted(s, now, POLICY), None))
                    left = erasing.withdraw(batch.turns, message_id)
                    self.archive[key] = replace(batch, turns=left)
        if claimed.erased:
            await pause()
            self.archive = {key: batch for key, batch in self.archive.items() if key[0] == seen.generation}

    async def _turns(self, held: HeldStandIn) -> Step:
        """`bot.turn.Turns.run`."""
        rounds, step = 1, Step.GO_ON
        try:
            while step in (Step.GO_ON, Step.SUMMARISE):
                step = await (self._round(held, rounds) if step is Step.GO_ON else self._summarise(held, rounds))
                rounds += 1
        except Later:
            await held.apply(settling.release)
            raise
        return step

    async def _round(self, held: HeldStandIn, rounds: int) -> Step:
        waiting = deliverable(held.state)
        if waiting:
            return await self._deliver(held, waiting, rounds, tried_before=True)
        segment = next_segment(held.state)
        if not segment:
            return await held.apply(settling.release)
        result = await self._reply(held, segment)
        turn_id = "turn " + " ".join(pending.event_id for pending in segment)
        step = await held.apply(lambda s, hold: settling.settle(s, hold, turn_id, segment, result))
        if step is Step.GO_ON:
            return await self._deliver(held, deliverable(held.state), rounds, tried_before=False)
        return Step.GO_ON if step is Step.AGAIN else step

    async def _deliver(self, held: HeldStandIn, outgoing: Outgoing | None, rounds: int, *, tried_before: bool) -> Step:
        sent = Delivered("shown")
        if outgoing:
            courier = Courier(self.line, lambda: self.now, (0.0, 0.0, 0.0))
            real: Any = held
            sent = await courier.deliver(real, outgoing, tried_before=tried_before)
        disposition = sent.disposition
        if disposition == "lost" or disposition == "dead_token":
            return Step.LOST
        if outgoing and disposition == "unsure":
            self.unsure.update(outgoing.bubbles)
        outgoing_id = outgoing.id if outgoing else ""
        step = await held.apply(
            lambda s, hold: settling.delivered(s, hold, outgoing_id, disposition, sent.sent_ids, rounds)
        )
        if disposition == "later":
            raise Later
        return step

    async def _summarise(self, held: HeldStandIn, rounds: int) -> Step:
        turns, based_on = window.roll_out(held.state), held.state.summary
        summary = based_on + "".join(said.text for turn in turns for said in turn.said)
        await pause()
        summary = "" if self.summary_fails else summary
        return await held.apply(lambda s, hold: settling.rolled(s, hold, turns, based_on, summary, rounds))

    async def _reply(self, held: HeldStandIn, segment: Sequence[Pending]) -> Result:
        """`bot.replying.Replier.reply`; every bubble names the events that it answers and the texts that it repeats."""
        self.asks += 1
        ids = ",".join(pending.event_id for pending in segment)
        first, seen = segment[0], held.state
        name = f"#{self.asks} <{ids}>"
        if is_exhausted(first):
            return Result((f"given up {name}",), remembered=first.kind == "text", dead="tries")
        if first.kind == "text":
            return await self._ask(segment, name, held.owner)
        await pause()
        if first.text == "/more":
            return Result((f"nothing more {name}",), serves_rest=True)
        if first.text == "/history":
            texts = " ".join(said.text for turn in seen.turns for said in turn.said)
            return Result(tuple(f"history {n} {name} {texts}" for n in range(6)), quotes=seen.turns)
        return Result((f"fixed {name}",), reset=first.text == "/reset", quiet=first.kind != "command")

    async def _ask(self, segment: Sequence[Pending], name: str, owner: str) -> Result:
        mine = self.state.lease and self.state.lease.owner == owner
        assert not mine or not any(p.event_id in self.settled for p in segment), "I4: asked again after it was settled"
        fails, texts = self.model_fails, " ".join(pending.text for pending in segment)
        await pause()
        if fails:
            return Result((f"sorry {name}",), remembered=True)
        count = 7 if "long" in texts else 1
        return Result(
            tuple(f"answer {n} {name} {texts}" for n in range(count)), answer=f"{name} {texts}", remembered=True
        )


def _ids(text: str) -> set[str]:
    """The events that the bubbles in `text` answer."""
    return {event_id for ids in re.findall(r"<([^>]*)>", text) for event_id in ids.split(",")}


def _waiting(state: Conversation) -> list[Outgoing]:
    return [outgoing for outgoing in state.outbox if outgoing.way == "wait"]


def _text(event_id: str) -> str:
    return f"({event_id} says)"


TEXTS = st.sampled_from(["", "", "", "", "long", "/more", "/history", "/help", "/reset", "sticker"])
Fate = tuple[int, bool]
FATES = st.tuples(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 40, 40, 40, 40]), st.sampled_from([False, False, True]))
"""After how many awaits the worker stops, and whether it dies there or is only overtaken."""


class Conversations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patches = [mock.patch(name, value) for name, value in SMALL.items()]
        for patch in self.patches:
            patch.start()
        self.world = World()
        self.workers: list[Worker] = []
        self.numbers = itertools.count(1)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.everything_comes_to_rest()
        finally:
            for worker in self.workers:
                worker.run.close()
            for patch in self.patches:
                patch.stop()

    # --- what people do ---

    @initialize(past=st.lists(st.tuples(TEXTS, st.sampled_from([0, 0, 70]), st.booleans()), max_size=4))
    def there_is_a_past(self, past: list[tuple[str, int, bool]]) -> None:
        for text, age, quota in past:
            self.world.line.quota = quota
            self._come(self._said(text, age), (40, False))

    @rule(text=TEXTS, age=st.sampled_from([0, 0, 0, 1, 5, 70, 1_000]), fate=FATES)
    def say(self, text: str, age: int, fate: Fate) -> None:
        self._come(self._said(text, age), fate)

    @rule(texts=st.lists(TEXTS, min_size=2, max_size=3), fate=FATES)
    def say_much(self, texts: list[str], fate: Fate) -> None:
        *more, last = [self._said(text, 0) for text in texts]
        for event in more:
            self._come(event, (0, False))
        self._come(last, fate, *[self.world.tasks.pop() for _ in more])

    def _said(self, text: str, age: int) -> Event:
        event = self._event(age, "say")
        if text.startswith("/"):
            event = replace(event, kind="command", text=text)
        elif text == "sticker":
            event = replace(event, kind="unsupported")
        else:
            event = replace(event, text=f"{_text(event.id)} {text}")
        return event

    @precondition(lambda self: self.world.events)
    @rule(back=st.sampled_from([1, 1, 2, 3, 8]), fate=FATES)
    def unsend(self, back: int, fate: Fate) -> None:
        self._take_back(list(self.world.events.values())[-back:][0].message_id, fate)

    @precondition(lambda self: self.workers and self.world.state.pending)
    @rule(index=st.integers(0, 3), goes_on=st.booleans())
    def unsend_during_the_turn(self, index: int, goes_on: bool) -> None:
        state = self.world.state
        known = [p.message_id for p in state.pending] + [said.message_id for t in state.turns for said in t.said]
        self._take_back(known[index % len(known)], (40, False))
        if goes_on and self.workers:
            self._go_on(self.workers[-1], 40, False)

    def _take_back(self, message_id: str, fate: Fate) -> None:
        self._come(replace(self._event(0, "unsend"), message_id=message_id or "unknown"), fate)

    @rule(action=st.sampled_from(["forget", "left"]), age=st.sampled_from([0, 0, 3, 90]), fate=FATES)
    def forget_or_go(self, action: Any, age: int, fate: Fate) -> None:
        self._come(replace(self._event(age, action), message_id=""), fate)

    @rule(fate=FATES)
    def follow(self, fate: Fate) -> None:
        self._come(replace(self._event(0, "say"), kind="greeting", message_id=""), fate)

    # --- what goes wrong ---

    @precondition(lambda self: self.world.events)
    @rule(back=st.sampled_from([1, 1, 2, 3, 8]), fate=FATES)
    def comes_again(self, back: int, fate: Fate) -> None:
        event = list(self.world.events.values())[-back:][0]
        self._come(replace(event, received_at=self.world.now), fate)

    @rule(quota=st.booleans(), faults=st.lists(st.sampled_from(["request lost", "answer lost", "limited"]), max_size=5))
    def line_is_in_trouble(self, quota: bool, faults: list[str]) -> None:
        self.world.line.quota, self.world.line.faults = quota, faults

    @rule(model=st.booleans(), summary=st.booleans(), acknowledgement=st.booleans())
    def others_are_in_trouble(self, model: bool, summary: bool, acknowledgement: bool) -> None:
        self.world.model_fails, self.world.summary_fails, self.world.lose_ack = model, summary, acknowledgement

    @rule(seconds=st.sampled_from([1, 5, 11, 21, 21, 55, 70, 1_900]))
    def time_passes(self, seconds: int) -> None:
        self.world.now += seconds * 1000

    @precondition(lambda self: len(self.world.events) > 5)
    @rule()
    def a_long_time_passes(self) -> None:
        self.everything_comes_to_rest()
        forgotten = World(self.world.now + 4 * DAY_MS, document=self.world.document)
        self.world = forgotten
        self._come(replace(self._event(0, "say"), text="hello again"), (0, False))

    # --- what workers do ---

    @precondition(lambda self: self._due())
    @rule(fate=FATES)
    def a_worker_starts(self, fate: Fate) -> None:
        self._go_on(self._start(self._due()[0]), *fate)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), fate=FATES)
    def a_worker_goes_on(self, data: st.DataObject, fate: Fate) -> None:
        self._go_on(data.draw(st.sampled_from(self.workers)), *fate)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def a_worker_renews_its_lease(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(self.workers)).owner
        self.world.write_once(lambda s, now: settling.renew(s, Hold(owner, now, POLICY)))

    @rule()
    def everything_comes_to_rest(self) -> None:
        """I3, and the rest of I5 and I7: no worker is left half-way, no task is left."""
        world = self.world
        world.line.faults, world.lose_ack = [], False
        for _ in range(500):
            if self.workers:
                self._go_on(self.workers[0], 1_000, False)
            elif self._due():
                self._start(self._due()[0])
            elif world.tasks:
                world.now = min(task.at for task in world.tasks)
            else:
                break
        assert not world.tasks, "it never comes to rest"
        state = world.state
        if state.expire_at > world.now:
            assert not state.pending, "nobody takes care of what is pending"
            assert not deliverable(state), "nobody takes care of the outbox"
        self._nothing_is_lost(state)
        kept = str(world.document) + str(list(world.archive.values()))
        for event_id in world.gone:
            assert _text(event_id) not in kept, f"{event_id} was withdrawn, and is still stored"

    # --- what must hold ---

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        """I2: one answer or one apology an event, each shown once, or once more by 「続き」 where that was in doubt."""
        names: dict[str, set[str]] = {}
        for bubble, times in self.world.line.shown.items():
            assert bubble == NOTICE or times <= 1 + self.world.unsure[bubble], bubble
            for event_id in _ids(bubble):
                names.setdefault(event_id, set()).update(re.findall("#[0-9]+", bubble))
        assert all(len(numbers) == 1 for numbers in names.values()), names

    @invariant()
    def everything_is_remembered_once(self) -> None:
        """I5: every message once, its turns in the order of their timestamps."""
        state = self.world.state
        assert [turn.at for turn in state.turns] == sorted(turn.at for turn in state.turns)
        archived = [b for key, b in self.world.archive.items() if key[0] == state.generation]
        said = Counter(s.message_id for b in archived for turn in b.turns for s in turn.said)
        said.update(s.message_id for turn in state.turns for s in turn.said)
        answers = Counter(t.answer for t in [*state.turns, *(t for b in archived for t in b.turns)] if t.answer)
        assert all(times == 1 for times in (said + answers).values()), (said, answers)
        if state.expire_at > self.world.now:
            for event_id in self.world.settled:
                event = self.world.events[event_id]
                is_excused = event_id in self.world.gone.keys() | self.world.refused
                is_excused = is_excused or event.message_id in self.world.unremembered
                if event.text and event.kind == "text" and not is_excused:
                    assert said[event.message_id] == 1, f"{event_id} is not remembered"

    @invariant()
    def nothing_withdrawn_comes_back(self) -> None:
        """I7, in the document itself; an archived message goes a step later, together with the summary made of it."""
        kept = str({name: value for name, value in self.world.document.items() if name != "summary"})
        for event_id in self.world.gone:
            assert _text(event_id) not in kept, f"{event_id} was withdrawn"

    @invariant()
    def bounds_hold(self) -> None:
        state = self.world.state
        assert size(state) < 700_000
        assert len(state.pending) <= 7
        assert len(_waiting(state)) <= WAITING
        assert len(state.outbox) - len(_waiting(state)) <= 1

    # --- how ---

    def _event(self, age: int, action: Any) -> Event:
        event_id = f"e{next(self.numbers)}"
        token = "" if action in ("unsend", "left") else f"token {event_id}"
        at = self.world.now - age * 1000
        return Event(event_id, at, SOURCE, action, self.world.now, message_id=f"m-{event_id}-", token=token)

    def _come(self, event: Event, fate: Fate, *together: Task) -> None:
        self.world.events[event.id] = event
        if event.token:
            self.world.line.received[event.token] = event
        task = Task((event, *(other for one in together for other in one.events)))
        self.world.tasks.append(task)
        if fate[0]:
            self._go_on(self._start(task), *fate)

    def _due(self) -> list[Task]:
        return [task for task in self.world.tasks if task.at <= self.world.now]

    def _start(self, task: Task) -> Worker:
        self.world.tasks.remove(task)
        worker = Worker(task, f"owner {next(self.numbers)}")
        worker.run = self.world.handle(worker)
        self.workers.append(worker)
        return worker

    def _go_on(self, worker: Worker, steps: int, dies: bool) -> None:
        self.world.worker = worker
        try:
            for _ in range(steps):
                worker.run.send(None)
        except StopIteration:
            return self.workers.remove(worker)
        except Later:
            dies = True
        if dies:
            worker.run.close()
            self.workers.remove(worker)
            self.world.tasks.append(worker.task)

    def _nothing_is_lost(self, state: Conversation) -> None:
        world = self.world
        told = _ids("\n".join(world.line.shown) + str(state.outbox) + str(state.rest))
        for event in (event for event in world.events.values() if event.action == "say"):
            if event.id not in world.accepted:
                is_replay = event.at < world.now - DONE_MS and event.at <= max(state.floor, *state.done.values(), 0)
                is_dropped = is_replay or event.at <= state.erased_at or event.id in world.gone
                assert is_dropped or world.refused, f"{event.id} was not taken in"
            elif event.id not in world.excused and event.text != "/more":
                is_quiet = event.kind in QUIET or event.id in world.refused
                assert is_quiet or event.id in told, f"{event.id} is neither answered nor waiting"


TestConversations = Conversations.TestCase
TestConversations.settings = settings(
    max_examples=int(os.environ.get("STATE_MACHINE_EXAMPLES", "500")),
    stateful_step_count=40,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
