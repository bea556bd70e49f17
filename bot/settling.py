"""Settle and delivered: from an answer in hand to an answer known to be shown. Pure: no clock, no I/O.

Each is idempotent for its owner: found already done, it answers as the first time. Whoever lost the lease,
or finds the conversation erased, gets LOST and sends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from bot.claiming import touched
from bot.conversation import Conversation, Lease, Pending, Token, Turn, Usage
from bot.languages import spoken
from bot.limits import PROFILES, ROUNDS, WINDOW_TURNS, Policy
from bot.outbox import Disposition, dispose, message_ids_of, next_way, send_out
from bot.pausing import is_paused
from bot.ports import Change
from bot.results import Result
from bot.segments import next_round, untried
from bot.spending import spend
from bot.window import archive, remember, trim


class Step(Enum):
    """What the holder of the lease does next."""

    LOST = auto()
    """The lease is somebody else's, or the conversation is erased: stop, send nothing."""
    AGAIN = auto()
    """A message was withdrawn or edited meanwhile: nothing was settled, look at the state anew."""
    GO_ON = auto()
    """The lease is still mine and there is more to do."""
    SUMMARISE = auto()
    """The lease is still mine; the window is full."""
    RELEASED = auto()
    """Done. What is pending beyond the rounds has to be woken."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who writes, when, and by which policy."""

    owner: str
    now: int
    policy: Policy

    @property
    def lease(self) -> Lease:
        return Lease(self.owner, self.now + self.policy.lease_ms)

    def has(self, state: Conversation) -> bool:
        """Whether the lease is still the writer's; expired but not taken over counts."""
        return state.lease is not None and state.lease.owner == self.owner


def settle(before: Conversation, hold: Hold, turn_id: str, segment: Sequence[Pending], result: Result) -> Change[Step]:
    """Move the segment to `done` and its result to the outbox, in one write."""
    if not hold.has(before):
        return Change(before, Step.LOST)
    ids = {pending.event_id for pending in segment}
    # As they are now: a redelivery may have given a token new life.
    taken = sorted((p for p in before.pending if p.event_id in ids), key=lambda p: (p.at, p.event_id))
    if not taken:  # settled before, and the acknowledgement was lost; or all of it was withdrawn
        return Change(before, Step.GO_ON)
    # Whatever is set, the persona is set with it, and must not come back by it.
    persona = (result.preferences.persona_id,) if result.preferences else ()
    read = (*message_ids_of(result.quotes), *result.read, *persona)
    is_edited = _is_edited(taken, segment) or _is_reworded(before, result)
    if len(taken) < len(ids) or is_edited or any(one in before.unsent for one in read):
        return Change(before, Step.AGAIN)
    state = replace(
        before,
        pending=tuple(pending for pending in before.pending if pending.event_id not in ids),
        done={**before.done, **{pending.event_id: pending.at for pending in taken}},
        lease=hold.lease,
        usage=before.usage + result.usage,
        spent=spend(before, result.usage, hold.now),
    )
    state = remember(_learned(state, result), turn_id, taken, result)
    state = send_out(state, turn_id, taken, result, hold.now)
    state, batches = trim(state, hold.now, hold.policy, everything=result.reset)
    return Change(touched(state, hold.now, hold.policy), Step.GO_ON, batches)


def change_way(before: Conversation, hold: Hold, outgoing_id: str, dead: Token) -> Change[Step]:
    """The named token turned out dead: name the next live one, else push."""
    if not hold.has(before):
        return Change(before, Step.LOST)
    outbox = tuple(next_way(o, dead, hold.now) if o.id == outgoing_id else o for o in before.outbox)
    lease = hold.lease
    return Change(replace(before, outbox=outbox, lease=lease), Step.GO_ON)


def delivered(
    before: Conversation,
    hold: Hold,
    outgoing_id: str,
    disposition: Disposition,
    sent_ids: Sequence[str],
    rounds: int,
) -> Change[Step]:
    """Record what became of an answer, then release the lease or begin another round."""
    if not hold.has(before):
        return Change(before, Step.LOST)
    outgoing = next((o for o in before.outbox if o.id == outgoing_id), None)
    state = before if outgoing is None else dispose(before, outgoing, disposition, sent_ids)
    if disposition == "later":
        return Change(touched(replace(state, lease=None), hold.now, hold.policy), Step.RELEASED)
    return _next(state, hold, rounds)


def rolled(
    before: Conversation,
    hold: Hold,
    turns: tuple[Turn, ...],
    based_on: str,
    summary: str,
    rounds: int,
    usage: Usage | None = None,
) -> Change[Step]:
    """Move summarised turns to the archive, if they are still what was summarised; without a summary they stay.

    `usage`: what the summary took; it counts with the summary, so that it counts once.
    """
    if not hold.has(before):
        return Change(before, Step.LOST)
    is_current = before.turns[: len(turns)] == turns and before.summary == based_on
    if not summary or not is_current:
        return _next(before, hold, rounds, may_summarise=False)
    usage = usage or Usage()
    state = replace(before, summary=summary, usage=before.usage + usage, spent=spend(before, usage, hold.now))
    state, batches = archive(state, len(turns), hold.now, hold.policy)
    return replace(_next(state, hold, rounds, may_summarise=False), archive=batches)


def release(before: Conversation, hold: Hold) -> Change[Step]:
    """Give the lease back without having finished, so that another may go on at once.

    The try is given back too: only what ends without a word, lease and all, counts against a message.
    """
    if not hold.has(before):
        return Change(before, Step.LOST)
    return Change(touched(replace(untried(before), lease=None), hold.now, hold.policy), Step.RELEASED)


def renew(before: Conversation, hold: Hold) -> Change[Step]:
    """Keep the lease for longer work."""
    if not hold.has(before):
        return Change(before, Step.LOST)
    return Change(replace(before, lease=hold.lease), Step.GO_ON)


def redacted(before: Conversation, now: int, policy: Policy) -> Conversation:
    """The conversation whose archive loses a message: without the summary, which may have been made from it.

    The count makes the document differ, so that of two who rewrite a batch the second meets a conflict.
    """
    return touched(replace(before, summary="", redactions=before.redactions + 1), now, policy)


def _is_edited(taken: Sequence[Pending], segment: Sequence[Pending]) -> bool:
    texts = {pending.event_id: pending.text for pending in segment}
    return any(pending.text != texts[pending.event_id] for pending in taken)


def _is_reworded(state: Conversation, result: Result) -> bool:
    """Whether a message that is answered anew was edited meanwhile: its old words must not come back."""
    kept = (said for turn in state.turns if turn.id == result.retries for said in turn.said)
    edited_at = {said.message_id: said.edited_at for said in kept}
    asked = (said for turn in result.quotes for said in turn.said) if result.retries else ()
    return any(edited_at.get(said.message_id, 0) > said.edited_at for said in asked)


def _learned(state: Conversation, result: Result) -> Conversation:
    """With the people that were looked up, and what the person has set."""
    known = {profile.user_id: profile for profile in (*state.profiles, *result.profiles)}
    newest = sorted(known.values(), key=lambda profile: profile.at)[-PROFILES:]
    state = replace(state, profiles=tuple(newest), preferences=result.preferences or state.preferences)
    # What was overheard is of the conversation that ends, or of a time when the bot was to listen.
    overheard = state.overheard if state.preferences.listening and not result.reset else ()
    return replace(state, overheard=overheard, language=spoken(state))


def _next(state: Conversation, hold: Hold, rounds: int, *, may_summarise: bool = True) -> Change[Step]:
    more = next_round(state, hold.owner, hold.now, hold.policy) if rounds < ROUNDS else None
    if more:
        return Change(touched(more, hold.now, hold.policy), Step.GO_ON)
    if may_summarise and len(state.turns) > WINDOW_TURNS and not is_paused(state, hold.now):
        return Change(touched(replace(state, lease=hold.lease), hold.now, hold.policy), Step.SUMMARISE)
    return Change(touched(replace(state, lease=None), hold.now, hold.policy), Step.RELEASED)
