"""Settle and delivered: from an answer in hand to an answer known to be shown. Pure: no clock, no I/O.

Each is idempotent for its owner: found already done, it answers as the first time. Whoever lost the lease,
or finds the conversation erased, gets LOST and sends nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Literal

from bot.claiming import next_round, touched
from bot.conversation import (
    Batch,
    Conversation,
    DeadLetter,
    Lease,
    Outgoing,
    Part,
    Pending,
    QuickReply,
    Said,
    Token,
    Turn,
    Usage,
)
from bot.limits import (
    BUBBLES,
    DEAD_LETTER_BYTES,
    DEAD_LETTERS,
    ROLL_TURNS,
    ROUNDS,
    STORED_BYTES,
    TOKEN_EVENT_MS,
    TOKEN_MS,
    WAITING,
    WINDOW_BYTES,
    WINDOW_TURNS,
    WINDOW_TURNS_AT_MOST,
    Policy,
)
from bot.ports import Change


class Step(Enum):
    """What the holder of the lease does next."""

    LOST = auto()
    """The lease is somebody else's, or the conversation is erased: stop, send nothing."""
    AGAIN = auto()
    """A message was withdrawn meanwhile: nothing was settled, look at the state anew."""
    GO_ON = auto()
    """The lease is still mine and there is more to do."""
    SUMMARISE = auto()
    """The lease is still mine; the window is full."""
    RELEASED = auto()
    """Done. What is pending beyond the rounds has to be woken."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a segment: all that the person is to see, and what the conversation keeps of it.

    `answer` is what history keeps; a fixed sentence keeps none. `remembered`: the messages become a turn of the window.
    `quiet`: not worth a push. `serves_rest`: the stored rest is shown. `reset`: the window moves to the archive.
    """

    bubbles: tuple[str, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()
    answer: str = ""
    remembered: bool = False
    quiet: bool = False
    serves_rest: bool = False
    reset: bool = False
    dead: str = ""
    usage: Usage = Usage()


Disposition = Literal["shown", "unsure", "wait", "later"]


def settle(
    before: Conversation,
    owner: str,
    turn_id: str,
    segment: Sequence[Pending],
    result: Result,
    now: int,
    policy: Policy,
) -> Change[Step]:
    """Move the segment to `done` and its result to the outbox, in one write."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    if any(outgoing.id == turn_id for outgoing in before.outbox):
        return Change(before, Step.GO_ON)
    ids = {pending.event_id for pending in segment}
    if len([pending for pending in before.pending if pending.event_id in ids]) < len(ids):
        return Change(before, Step.AGAIN)
    state = replace(
        before,
        pending=tuple(pending for pending in before.pending if pending.event_id not in ids),
        done={**before.done, **{pending.event_id: pending.at for pending in segment}},
        lease=Lease(owner, now + policy.lease_ms),
        usage=before.usage + result.usage,
    )
    state = _remember(state, turn_id, segment, result)
    state = _send_out(state, turn_id, segment, result, now)
    state, archive = _trim(state, now, policy, everything=result.reset)
    return Change(touched(state, now, policy), Step.GO_ON, archive)


def change_way(before: Conversation, owner: str, outgoing_id: str, now: int, policy: Policy) -> Change[Step]:
    """The named token is dead: name the next live one, else push."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    outbox = tuple(_next_way(o, now) if o.id == outgoing_id else o for o in before.outbox)
    lease = Lease(owner, now + policy.lease_ms)
    return Change(replace(before, outbox=outbox, lease=lease), Step.GO_ON)


def delivered(
    before: Conversation,
    owner: str,
    outgoing_id: str,
    disposition: Disposition,
    sent_ids: Sequence[str],
    rounds: int,
    now: int,
    policy: Policy,
    notice: str = "",
) -> Change[Step]:
    """Record what became of an answer, then release the lease or begin another round. `notice`: for an answer given up."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    outgoing = next((o for o in before.outbox if o.id == outgoing_id), None)
    state = before if outgoing is None else _dispose(before, outgoing, disposition, sent_ids, notice)
    if disposition == "later":
        return Change(touched(replace(state, lease=None), now, policy), Step.RELEASED)
    return _next(state, owner, rounds, now, policy)


def rolled(
    before: Conversation,
    owner: str,
    turns: tuple[Turn, ...],
    based_on: str,
    summary: str,
    rounds: int,
    now: int,
    policy: Policy,
) -> Change[Step]:
    """Move summarised turns to the archive, if they are still what was summarised; without a summary they stay."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    is_current = before.turns[: len(turns)] == turns and before.summary == based_on
    if not summary or not is_current:
        return _next(before, owner, rounds, now, policy, may_summarise=False)
    state, archive = _archive(replace(before, summary=summary), len(turns), now, policy)
    return replace(_next(state, owner, rounds, now, policy, may_summarise=False), archive=archive)


def release(before: Conversation, owner: str, now: int, policy: Policy) -> Change[Step]:
    """Give the lease back without having finished, so that another may go on at once."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    return Change(touched(replace(before, lease=None), now, policy), Step.RELEASED)


def renew(before: Conversation, owner: str, now: int, policy: Policy) -> Change[Step]:
    """Keep the lease for longer work."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    return Change(replace(before, lease=Lease(owner, now + policy.lease_ms)), Step.GO_ON)


def forget_summary(before: Conversation, now: int, policy: Policy) -> Change[None]:
    """A message that it was made from is withdrawn."""
    return Change(touched(replace(before, summary=""), now, policy) if before.summary else before, None)


def _is_mine(state: Conversation, owner: str) -> bool:
    return state.lease is not None and state.lease.owner == owner


def _next(
    state: Conversation, owner: str, rounds: int, now: int, policy: Policy, *, may_summarise: bool = True
) -> Change[Step]:
    more = next_round(state, owner, now, policy) if rounds < ROUNDS else None
    if more:
        return Change(touched(more, now, policy), Step.GO_ON)
    if may_summarise and len(state.turns) > WINDOW_TURNS:
        return Change(touched(replace(state, lease=Lease(owner, now + policy.lease_ms)), now, policy), Step.SUMMARISE)
    return Change(touched(replace(state, lease=None), now, policy), Step.RELEASED)


def _remember(state: Conversation, turn_id: str, segment: Sequence[Pending], result: Result) -> Conversation:
    said = tuple(Said(pending.message_id, pending.text, pending.at) for pending in segment)
    if result.dead:
        letters = (*state.dead_letters, DeadLetter(turn_id, said, result.dead))[-DEAD_LETTERS:]
        while len(letters) > 1 and sum(_bytes(s.text for s in letter.said) for letter in letters) > DEAD_LETTER_BYTES:
            letters = letters[1:]
        state = replace(state, dead_letters=letters)
    if not result.remembered:
        return state
    # A message older than what is already answered takes its place in the window.
    turns = sorted((*state.turns, Turn(turn_id, said, result.answer)), key=lambda turn: turn.at)
    return replace(state, turns=tuple(turns))


def _send_out(state: Conversation, turn_id: str, segment: Sequence[Pending], result: Result, now: int) -> Conversation:
    message_ids = tuple(pending.message_id for pending in segment if pending.message_id)
    part = Part(turn_id, segment[0].at, message_ids, result.bubbles)
    tokens = _live_tokens(segment, now)
    waiting = tuple(outgoing for outgoing in state.outbox if outgoing.way == "wait")
    parts = state.rest if result.serves_rest else (part,) if result.bubbles else ()
    if tokens:
        parts = (*(part for outgoing in waiting for part in outgoing.parts), *parts)
        state = replace(state, outbox=tuple(outgoing for outgoing in state.outbox if outgoing not in waiting))
    if not parts or (result.quiet and not tokens):
        return state
    now_parts, rest = _split(parts, BUBBLES)
    outgoing = Outgoing(turn_id, now_parts, "reply" if tokens else "push", tokens, result.quick_replies)
    kept = () if result.serves_rest else state.rest
    return replace(state, outbox=(*state.outbox, outgoing), rest=_bounded(rest or kept, state.outbox))


def _live_tokens(segment: Sequence[Pending], now: int) -> tuple[Token, ...]:
    tokens = [Token(p.token, p.received_at, p.at) for p in segment if p.token]
    return tuple(token for token in sorted(tokens, key=lambda t: -t.received_at) if is_live(token, now))


def is_live(token: Token, now: int) -> bool:
    return now - token.received_at < TOKEN_MS and now - token.event_at < TOKEN_EVENT_MS


def _next_way(outgoing: Outgoing, now: int) -> Outgoing:
    tokens = tuple(token for token in outgoing.tokens[1:] if is_live(token, now))
    return replace(outgoing, tokens=tokens, way="reply" if tokens else "push")


def _split(parts: tuple[Part, ...], count: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The first `count` bubbles, and what is left."""
    first: list[Part] = []
    rest: list[Part] = []
    for part in parts:
        head, tail = part.bubbles[:count], part.bubbles[count:]
        count -= len(head)
        first += [replace(part, bubbles=head)] if head else []
        rest += [replace(part, bubbles=tail)] if tail else []
    return tuple(first), tuple(rest)


def _bounded(rest: tuple[Part, ...], outbox: tuple[Outgoing, ...]) -> tuple[Part, ...]:
    """Cut at what a document can hold; history keeps the answers whole."""
    room, kept = STORED_BYTES - sum(_bytes(outgoing.bubbles) for outgoing in outbox), []
    for part in rest:
        room -= _bytes(part.bubbles)
        if room < 0:
            break
        kept.append(part)
    return tuple(kept)


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _dispose(
    state: Conversation, outgoing: Outgoing, disposition: Disposition, sent_ids: Sequence[str], notice: str
) -> Conversation:
    others = tuple(o for o in state.outbox if o.id != outgoing.id)
    match disposition:
        case "shown":
            return replace(state, outbox=others, turns=_shown(state.turns, outgoing, sent_ids))
        case "unsure":
            return replace(state, outbox=others, rest=_bounded((*outgoing.parts, *state.rest), others))
        case "wait":
            return replace(state, outbox=_waiting((*others, replace(outgoing, way="wait", tokens=())), notice))
        case "later":
            return state


def _waiting(outbox: tuple[Outgoing, ...], notice: str) -> tuple[Outgoing, ...]:
    """Three answers wait at most: the oldest leaves, and a notice takes its place in front of the next."""
    waiting = [outgoing for outgoing in outbox if outgoing.way == "wait"]
    if len(waiting) <= WAITING:
        return outbox
    oldest, second = waiting[0], waiting[1]
    told = replace(second.parts[0], bubbles=(notice, *(b for b in second.parts[0].bubbles if b != notice)))
    second_told = replace(second, parts=(told, *second.parts[1:]))
    return tuple(second_told if o is second else o for o in outbox if o is not oldest)


def _shown(turns: tuple[Turn, ...], outgoing: Outgoing, sent_ids: Sequence[str]) -> tuple[Turn, ...]:
    """LINE's ids of the bubbles, in their order, so that a quotation of one is recognised."""
    ids: dict[str, tuple[str, ...]] = {}
    remaining = list(sent_ids)
    for part in outgoing.parts:
        ids[part.turn_id] = (*ids.get(part.turn_id, ()), *remaining[: len(part.bubbles)])
        del remaining[: len(part.bubbles)]
    return tuple(replace(turn, sent_ids=turn.sent_ids + ids.get(turn.id, ())) for turn in turns)


def _trim(state: Conversation, now: int, policy: Policy, *, everything: bool) -> tuple[Conversation, tuple[Batch, ...]]:
    """Keep the window inside its bounds even where no summary could be made; a reset empties it."""
    if everything:
        return _archive(replace(state, summary=""), len(state.turns), now, policy)
    count = ROLL_TURNS if len(state.turns) > WINDOW_TURNS_AT_MOST else 0
    while _window_bytes(state.turns[count:]) > WINDOW_BYTES and count < len(state.turns) - 1:
        count += 1
    return _archive(state, count, now, policy)


def _window_bytes(turns: Sequence[Turn]) -> int:
    return sum(_bytes((turn.answer, *(said.text for said in turn.said))) for turn in turns)


def _archive(state: Conversation, count: int, now: int, policy: Policy) -> tuple[Conversation, tuple[Batch, ...]]:
    if not count:
        return state, ()
    batch = Batch(state.generation, state.archived, state.turns[:count], now + policy.retention_ms)
    return replace(state, turns=state.turns[count:], archived=state.archived + 1), (batch,)


def roll_out(state: Conversation) -> tuple[Turn, ...]:
    """The turns that a summary is due for."""
    return state.turns[:ROLL_TURNS]
