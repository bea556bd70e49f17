"""A turn: take the next segment, say something to it, settle that, deliver it; three rounds at most."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from uuid import NAMESPACE_URL, uuid5

from bot import log, settling, spans
from bot.conversation import Conversation, Outgoing, Pending
from bot.delivery import Courier, Delivered
from bot.errors import KaiwaError, Unavailable
from bot.gathering import Sleep, gathered
from bot.lease import Held, Transition
from bot.limits import ROUND_SECONDS, ROUNDS
from bot.outbox import Disposition
from bot.pausing import asks_model, is_paused
from bot.ports import Clock, Messenger
from bot.replying import Replier
from bot.results import Result
from bot.segments import deliverable, next_segment
from bot.settling import Step
from bot.spans import Fields, span
from bot.window import roll_out


@dataclass(slots=True)
class Rounds:
    """How far one request has gone: three rounds at most, and none begun late."""

    begun: int = 1
    since: float = field(default_factory=monotonic)

    def counted(self) -> int:
        return self.begun if monotonic() - self.since < ROUND_SECONDS else max(self.begun, ROUNDS)


@dataclass(frozen=True, slots=True)
class Turns:
    """Runs the turns of conversations whose lease is held. `loading_seconds`: 5 to 60 in steps of 5."""

    replier: Replier
    courier: Courier
    messenger: Messenger
    clock: Clock
    loading_seconds: int = 60
    sleep: Sleep = asyncio.sleep
    _background: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, held: Held) -> Step:
        """Work until nothing is left, the rounds are used up or the lease is lost; tells which (RELEASED or LOST).

        Raises Unavailable when it has to be tried again, Misconfigured when that would be useless.
        """
        async with held.kept_alive():
            rounds, step = Rounds(), Step.GO_ON
            try:
                while step in (Step.GO_ON, Step.SUMMARISE):
                    step = await (self._round(held, rounds) if step is Step.GO_ON else self._summarise(held, rounds))
                    rounds.begun += 1
            except (KaiwaError, asyncio.CancelledError):
                with suppress(KaiwaError):
                    await self._release(held)
                raise
            return step

    async def _round(self, held: Held, rounds: Rounds) -> Step:
        waiting = deliverable(held.state)
        if waiting:
            return await self._deliver(held, waiting, rounds, tried_before=True)
        began = self.clock()
        self._show_loading(held.state)
        with span("read"):
            segment = await gathered(held, self.clock, self.sleep)
        if not segment:
            return await self._release(held)
        with span("turn") as told:
            step = await self._turn(held, segment, rounds, _waited(segment, began), told)
        return Step.GO_ON if step is Step.AGAIN else step

    async def _turn(self, held: Held, segment: Sequence[Pending], rounds: Rounds, wait_ms: int, told: Fields) -> Step:
        """`told`: what the log tells of it."""
        result, outcome = await self.replier.reply(held.conversation_id, held.state, segment), "failed"
        try:
            step = await self._settle(held, segment, result)
            if step is Step.GO_ON:
                step = await self._deliver(held, deliverable(held.state), rounds, tried_before=False)
            outcome = step.name.lower()
        finally:
            told |= _told(held, segment, result) | {"wait_ms": wait_ms, "outcome": outcome}
            log.event("turn", **told)
        if result.dead and step is not Step.LOST:
            log.event("dead_letter", "ERROR", conversation=log.anonymous(held.conversation_id), why=result.dead)
        return step

    def _show_loading(self, state: Conversation) -> None:
        if is_paused(state, self.clock()):
            return
        source, segment = state.source, next_segment(state)
        if segment and source and source.is_private and asks_model(segment[0]):
            loading = asyncio.create_task(self.messenger.show_loading(source.id, self.loading_seconds))
            self._background.add(loading)
            loading.add_done_callback(self._background.discard)

    async def _settle(self, held: Held, segment: Sequence[Pending], result: Result) -> Step:
        turn_id = uuid5(NAMESPACE_URL, " ".join(pending.event_id for pending in segment)).hex
        with span("settle"):
            return await held.apply(lambda state, hold: settling.settle(state, hold, turn_id, segment, result))

    async def _deliver(self, held: Held, outgoing: Outgoing | None, rounds: Rounds, *, tried_before: bool) -> Step:
        with span("send"):
            if outgoing is None:
                sent = Delivered("shown")
            else:
                sent = await self.courier.deliver(held, outgoing, tried_before=tried_before)
            if sent.disposition == "lost" or sent.disposition == "dead_token":
                return Step.LOST
            step = await held.apply(_delivered(outgoing.id if outgoing else "", sent.disposition, sent, rounds))
        if sent.disposition == "later":
            raise Unavailable("LINE did not take the answer; it waits in the outbox")
        return step

    async def _summarise(self, held: Held, rounds: Rounds) -> Step:
        turns, based_on = roll_out(held.state), held.state.summary
        with span("summary"):
            summary, usage = await self.replier.summary(held.state)
            step = await held.apply(
                lambda state, hold: settling.rolled(state, hold, turns, based_on, summary, rounds.counted(), usage)
            )
        spans.begin()  # what comes after it is another turn, and has not taken this time
        return step

    async def _release(self, held: Held) -> Step:
        return await held.apply(settling.release)


def _delivered(outgoing_id: str, disposition: Disposition, sent: Delivered, rounds: Rounds) -> Transition:
    return lambda state, hold: settling.delivered(
        state, hold, outgoing_id, disposition, sent.sent_ids, rounds.counted()
    )


def _waited(segment: Sequence[Pending], until: int) -> int:
    return max(0, until - min(pending.received_at for pending in segment))


def _told(held: Held, segment: Sequence[Pending], result: Result) -> Fields:
    """The turn in numbers and short words, with what was measured since the last one."""
    tally, usage = spans.lap(), result.usage
    return {
        "conversation": log.anonymous(held.conversation_id),
        "kind": segment[0].kind,
        "messages": len(segment),
        "tries": max(pending.tries for pending in segment),
        "answered": bool(result.answer),
        "paused": result.paused,
        "bubbles": len(result.bubbles),
        "claim_ms": tally.ms("claim"),
        "read_ms": tally.ms("read"),
        "model_ms": tally.ms("model"),
        "settle_ms": tally.ms("settle"),
        "send_ms": tally.ms("send"),
        "total_ms": tally.total_ms(),
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "cost_yen": usage.micro_yen / 1_000_000,
        "model": tally.model,
        "model_calls": tally.count("ask"),
        "retries": tally.count("retries"),
        "searches": result.searches,
        "web_searches": result.web_searches,
        "pictures": result.pictures,
        "duplicates": tally.count("duplicates"),
    }
