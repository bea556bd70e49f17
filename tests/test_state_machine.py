"""Many instances, crashes, lost acknowledgements and unreliable neighbours against two conversations, in any order."""

import itertools
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.admin.dead_letters import Found
from bot.conversation import Conversation, Outgoing
from bot.document import decode_batch, size
from bot.errors import Conflict, KaiwaError, Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.events import Event, read_event, wake
from bot.gate import TASK, WEBHOOK
from bot.limits import DAY_MS, DONE_MS, MINUTE_MS, WAITING
from bot.ports import Sent, Task
from bot.segments import deliverable
from bot.signature import sign
from tests import webhooks
from tests.fakes import FakeClock
from tests.pipeline import conversation_id
from tests.stepping import (
    DEADLY,
    LONG,
    ODIOUS,
    NamedReplier,
)
from tests.unreliable import World, errand_of, ids_of, kept_ids
from tests.webhooks import BOT, GROUP, NOW, USER

PLACES = (USER, GROUP)
PER_MINUTE = 12
SMALL = {
    "bot.admission.PER_MINUTE": PER_MINUTE,
    "bot.admission.PENDING_EVENTS": 6,
    "bot.settling.WINDOW_TURNS": 1,
    "bot.window.ROLL_TURNS": 1,
    "bot.window.WINDOW_TURNS_AT_MOST": 3,
}
"""Bounds so low that a few dozen steps reach them."""
DOWN = Unavailable("down")
STORE_FAULTS: list[tuple[str, KaiwaError, bool]] = [
    *(("write", error, False) for error in (DOWN, DOWN, Conflict("lost"), Misconfigured("denied"))),
    *(("write", DOWN, True), ("write", DOWN, True), ("read", DOWN, False), ("read", Misconfigured("denied"), False)),
    *((method, DOWN, False) for method in ("read_archive", "find_in_archive", "erase_archive")),
]
"""The method, what it raises, and whether its work is done before: then only the acknowledgement is lost."""
QUIET = ("unsupported", "greeting", "refused")
"""Not worth a push: without a live token it waits, where not too much does already."""
WORDS = st.sampled_from(["", "", "", "", LONG, DEADLY, ODIOUS, "/history", "/help", "/reset", "sticker", "join"])
PLACE = st.sampled_from([USER, USER, USER, GROUP])
AGE = st.sampled_from([0, 0, 0, 1, 5, 70, 1_300])
"""In seconds; the tokens of the oldest are dead."""
SAYING = st.tuples(WORDS, PLACE, AGE)
FATE = st.tuples(
    st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 9, 99, 99, 99, 99]), st.sampled_from(["", "", "", "killed", "stopped"])
)
"""How many calls of ports it comes through, and what happens to the process then; nothing: it is frozen."""
Fate = tuple[int, str]


def _waiting(state: Conversation) -> list[Outgoing]:
    return [outgoing for outgoing in state.outbox if outgoing.way == "wait"]


class Conversations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.clock = FakeClock(NOW)
        self.patches = ExitStack()
        self.raws: dict[str, dict[str, Any]] = {}

    @initialize(has_queue=st.sampled_from([True, True, True, False]), past=st.lists(SAYING, max_size=4))
    def there_is_a_past(self, has_queue: bool, past: list[tuple[str, str, int]]) -> None:
        self.world = World(self.clock, has_queue=has_queue)
        replaced: dict[str, Any] = {
            "bot.app.now": self.clock,
            "bot.admin.dead_letters.now": self.clock,
            "bot.admin.sending.now": self.clock,
            "bot.wiring.Replier": partial(NamedReplier, asked=self.world.asked),
            "bot.turn.monotonic": lambda: self.clock.now / 1000,
            "bot.shutdown.Shutdown.listen": lambda _: None,
            "bot.log.event": self.world.log,
        }
        for name, value in (replaced | SMALL).items():
            self.patches.enter_context(mock.patch(name, value))
        for saying in past:
            self.say([saying], (99, ""))

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.everything_comes_to_rest()
        finally:
            for process in self.world.processes:
                process.kill()
            self.world.loop.close()
            self.patches.close()

    # --- what people do ---

    @rule(sayings=st.lists(SAYING, min_size=1, max_size=3), fate=FATE)
    def say(self, sayings: list[tuple[str, str, int]], fate: Fate) -> None:
        self._come([self._said(*saying) for saying in sayings], fate)

    def _come(self, raws: Sequence[dict[str, Any]], fate: Fate) -> None:
        for raw in raws:
            event = read_event(raw, BOT, self.clock.now)
            if event and event.id not in self.world.events:
                self.raws[event.id], self.world.events[event.id] = raw, event
        self.world.errands.append(errand_of(*raws))
        if fate[0]:
            self.world.go_on(self.world.start(self.world.errands[-1]), fate)

    def _said(self, word: str, place: str, age: int) -> dict[str, Any]:
        at, number = self.clock.now - age * 1000, f"e{next(self.numbers):04}"
        if word == "join":
            raw = webhooks.event("follow" if place == USER else "join", place, at)
        elif word == "sticker":
            raw = webhooks.event("message", place, at, message={"type": "sticker", "id": number})
        elif word.startswith("/"):
            raw = webhooks.said(word, place, at)
        else:
            raw = webhooks.said(f"@Kaiwa ({number} says) {word}", place, at, mention=webhooks.mention(0, 6))
        return raw | {"webhookEventId": number}

    @precondition(lambda self: any(delivery.quick_replies for delivery in self.world.line.shown))
    @rule(back=st.integers(0, 3), fate=FATE)
    def press(self, back: int, fate: Fate) -> None:
        """A button: more, retry, or an earlier page."""
        shown = [delivery for delivery in self.world.line.shown if delivery.quick_replies]
        delivery = shown[-1 - back % len(shown)]
        button = delivery.quick_replies[back % len(delivery.quick_replies)]
        place = next((e.source.id for e in self.world.events.values() if e.token == delivery.to), USER)
        raw = webhooks.event("postback", place, self.clock.now, postback={"data": button.data})
        self._come([raw], fate)

    @precondition(lambda self: self.world.events)
    @rule(back=st.sampled_from([1, 1, 2, 3, 8]), fate=FATE)
    def unsend(self, back: int, fate: Fate) -> None:
        event = list(self.world.events.values())[-back:][0]
        self._withdraw(webhooks.unsent(event.message_id or "unknown", event.source.id, self.clock.now), fate)

    @rule(place=PLACE, calls=st.integers(3, 8), which=st.integers(0, 1))
    def one_of_two_is_taken_back_during_their_turn(self, place: str, calls: int, which: int) -> None:
        raws = [self._said("", place, 0) for _ in range(2)]
        self._come(raws, (calls, ""))
        self._withdraw(webhooks.unsent(raws[which]["message"]["id"], place, self.clock.now), (99, ""))
        self._newest_goes_on()

    @rule(place=PLACE, by_command=st.booleans(), age=st.sampled_from([0, 0, 3, 90]), fate=FATE)
    def forget_or_go(self, place: str, by_command: bool, age: int, fate: Fate) -> None:
        at = self.clock.now - age * 1000
        kind = "unfollow" if place == USER else "leave"
        self._withdraw(webhooks.said("/forget", place, at) if by_command else webhooks.left(kind, place, at), fate)

    def _withdraw(self, raw: dict[str, Any], fate: Fate) -> None:
        self.world.is_calm = False
        self._come([raw], fate)

    # --- what goes wrong ---

    @precondition(lambda self: self.world.events)
    @rule(back=st.sampled_from([1, 1, 2, 3, 8]), fate=FATE)
    def comes_again(self, back: int, fate: Fate) -> None:
        event_id = list(self.world.events)[-back:][0]
        self._come([self.raws[event_id]], fate)

    @rule(saying=SAYING, calls=st.integers(3, 8), fate=FATE)
    def a_frozen_process_is_overtaken(self, saying: tuple[str, str, int], calls: int, fate: Fate) -> None:
        raws = [self._said(*saying)]
        self._come(raws, (calls, ""))
        self.clock.advance(21)
        self._come(raws, fate)
        self._newest_goes_on()

    @rule(place=PLACE, times=st.integers(3, 5))
    def every_attempt_dies(self, place: str, times: int) -> None:
        self.world.model.is_deadly = True
        raws = [self._said(DEADLY, place, 0)]
        for _ in range(times):
            self._come(raws, (99, ""))
            self.clock.advance(21)

    def _newest_goes_on(self) -> None:
        for process in list(self.world.processes)[-1:]:
            self.world.go_on(process, (99, ""))

    @rule(body=st.sampled_from([b"{}", webhooks.body(webhooks.said("forged"))]), path=st.sampled_from([WEBHOOK, TASK]))
    def forge(self, body: bytes, path: str) -> None:
        """I1: what is not signed is turned away before anything is called."""
        task = Task(body, sign("another secret", body))
        process = self.world.run(lambda app: self.world.post(app, path, task))
        self.world.finish(process)
        assert process.task.result() == 401

    @rule(fault=st.sampled_from(STORE_FAULTS), times=st.sampled_from([1, 1, 2, 5]))
    def store_fails(self, fault: tuple[str, KaiwaError, bool], times: int) -> None:
        self.world.is_calm = False
        method, error, after = fault
        for _ in range(times):
            self.world.store.fail_next(error, after, method)

    @rule(quota=st.booleans(), faults=st.lists(st.sampled_from(["request lost", "answer lost", "limited"]), max_size=5))
    def line_fails(self, quota: bool, faults: list[str]) -> None:
        self.world.line.has_quota = quota
        for fault in faults:
            sent = Sent.LIMITED if fault == "limited" else Sent.AMBIGUOUS
            self.world.line.fail_next(sent, shown=fault == "answer lost")

    @rule(faults=st.lists(st.sampled_from(["busy", "busy", "quota", "refused", "too_long", "empty"]), max_size=4))
    def model_fails(self, faults: list[ModelFault]) -> None:
        self.world.is_calm = False
        self.world.model.is_deadly = True
        for fault in faults:
            self.world.model.fail_next(ModelFailed(fault))

    @precondition(lambda self: self.world.queue)
    @rule(after=st.booleans())
    def queue_fails(self, after: bool) -> None:
        if self.world.queue:
            self.world.queue.fail_next(DOWN, after=after)

    @rule(seconds=st.sampled_from([1, 5, 11, 21, 21, 55, 70, 1_900]))
    def time_passes(self, seconds: int) -> None:
        self.world.is_calm &= not self.world.processes
        self.clock.advance(seconds)

    @precondition(lambda self: len(self.world.events) > 5)
    @rule()
    def a_long_time_passes(self) -> None:
        self.everything_comes_to_rest()
        self.clock.now += 4 * DAY_MS
        self.world.forget()
        self.say([("", USER, 0)], (99, ""))

    # --- what processes do ---

    @precondition(lambda self: self.world.due())
    @rule(index=st.integers(0, 2), fate=FATE)
    def a_process_starts(self, index: int, fate: Fate) -> None:
        due = self.world.due()
        self.world.go_on(self.world.start(due[index % len(due)]), fate)

    @precondition(lambda self: self.world.processes)
    @rule(index=st.integers(0, 3), fate=FATE)
    def a_process_goes_on(self, index: int, fate: Fate) -> None:
        processes = list(self.world.processes)
        self.world.go_on(processes[index % len(processes)], fate)

    @precondition(lambda self: any(len(process.parked) > 1 for process in self.world.processes))
    @rule()
    def a_process_renews_its_lease(self) -> None:
        for process in self.world.processes:
            if len(process.parked) > 1:
                process.go_on(-1)

    @precondition(lambda self: any(state.dead_letters for state in self._states()))
    @rule(fate=FATE)
    def an_operator_replays(self, fate: Fate) -> None:
        for place in PLACES:
            for letter in self.world.state(place).dead_letters[-1:]:
                found = Found(conversation_id(place), self.world.state(place), letter)
                self.world.go_on(self.world.run(partial(self.world.replay, found=found)), fate)
                if not self.world.queue and found.conversation.source:
                    # Nobody sends it again but the operator, and whatever comes next goes on with what was taken in.
                    self.world.errands.append(errand_of(wake(found.conversation.source, self.clock.now)))

    @rule()
    def everything_comes_to_rest(self) -> None:
        """I3, and the rest of I5 and I7: no process is left half-way, nothing is left to be sent."""
        world = self.world
        world.store.recover()
        world.line.recover()
        if world.queue:
            world.queue.recover()
        world.model.answers.clear()
        world.model.is_deadly = False
        for _ in range(500):
            if world.processes:
                process = next(iter(world.processes))
                world.go_on(process, (500, ""))
                assert process.task.done(), "it never ends"
            elif world.due():
                world.start(world.due()[0])
            elif world.errands:
                self.clock.now = min(errand.at for errand in world.errands)
            else:
                break
        assert not world.errands, "it never comes to rest"
        for state in self._states():
            assert not state.pending, f"nobody takes care of {state.pending}"
            assert not deliverable(state), "nobody takes care of the outbox"
        self._nothing_is_lost()
        kept = repr((world.store.documents, world.store.batches))
        for event_id in world.gone:
            assert f"({event_id} says)" not in kept, f"{event_id} was withdrawn, and is still stored"

    def _nothing_is_lost(self) -> None:
        world = self.world
        # What LINE refuses for its words looks, after a doubtful try, as if the token had been used.
        odious = [call.bubbles for call in world.line.calls if ODIOUS in str(call.bubbles)]
        told = ids_of(world.seen).union(world.excused, world.told, *map(ids_of, odious), *map(kept_ids, self._states()))
        for event in world.events.values():
            state, is_quiet = world.state(event.source.id), event.kind in QUIET or event.id in world.refused
            is_asking = event.action == "say" and event.addressed and not event.text.startswith(("/more", "/retry"))
            if event.id in told or is_quiet or not is_asking:
                continue
            assert event.id not in world.accepted, f"{event.id} is neither answered nor waiting"
            is_old = event.at < self.clock.now - DONE_MS and event.at <= max(state.floor, *state.done.values(), 0)
            assert is_old or event.at <= state.erased_at or world.refused, f"{event.id} was not taken in"
        assert not world.is_calm or set(world.asks.values()) <= {1}, "I4: asked twice for no reason"

    def _states(self) -> list[Conversation]:
        return [self.world.state(place) for place in PLACES]

    # --- what must hold ---

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        """I2: one answer or one apology an event, each shown once, or once more by 「続き」 where that was in doubt."""
        names: dict[str, set[str]] = {}
        for bubble, times in self.world.seen.items():
            if bubble.startswith("#"):
                assert times <= 1 + self.world.in_doubt[bubble], f"{bubble} was shown {times} times"
                for event_id in ids_of(bubble):
                    names.setdefault(event_id, set()).add(bubble.split()[0])
        assert all(len(numbers) == 1 for numbers in names.values()), names

    @invariant()
    def everything_is_remembered_once(self) -> None:
        """I5: every message and answer once, the window's turns in the order of their timestamps."""
        for place in PLACES:
            state, name = self.world.state(place), conversation_id(place)
            batches = self.world.store.batches.get(name, {})
            archived = [decode_batch(batch) for key, batch in batches.items() if key[0] == state.generation]
            turns = [*state.turns, *(turn for batch in archived for turn in batch.turns)]
            assert [turn.at for turn in state.turns] == sorted(turn.at for turn in state.turns)
            said = Counter(said.message_id for turn in turns for said in turn.said)
            answers = Counter(turn.answer for turn in turns if turn.answer)
            assert all(times == 1 for times in (said + answers).values()), (said, answers)
            for event_id in self.world.settled.keys() - self.world.gone.keys():
                event = self.world.events.get(event_id)
                if event and event.source.id == place and event.kind == "text" and self._is_kept(event):
                    assert said[event.message_id] == 1, f"{event_id} is not remembered"

    def _is_kept(self, event: Event) -> bool:
        return event.message_id not in self.world.unremembered and event.id not in self.world.refused

    @invariant()
    def nothing_withdrawn_comes_back(self) -> None:
        """I7, in the document itself; an archived message goes a step later, together with the summary made of it."""
        for _, document in self.world.store.documents.values():
            kept = str({name: value for name, value in document.items() if name != "summary"})
            for event_id in self.world.gone:
                assert f"({event_id} says)" not in kept, f"{event_id} was withdrawn"

    @invariant()
    def bounds_hold(self) -> None:
        """I9."""
        for state in self._states():
            assert size(state) < 700_000
            assert len(state.pending) <= 7
            assert len(_waiting(state)) <= WAITING
            assert len(state.outbox) - len(_waiting(state)) <= 1
            times = [*state.done.values(), *(pending.at for pending in state.pending)]
            assert sum(at > self.clock.now - MINUTE_MS for at in times) <= PER_MINUTE + 1


TestConversations = Conversations.TestCase
TestConversations.settings = settings(
    max_examples=int(os.environ.get("STATE_MACHINE_EXAMPLES", "130")),
    stateful_step_count=30,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
