"""Settle and delivered: from an answer in hand to an answer known to be shown. Pure: no clock, no I/O.

Each is idempotent for its owner: found already done, it answers as the first time. Whoever lost the lease,
or finds the conversation erased, gets LOST and sends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import accumulate
from typing import Literal, TypeVar

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
    Way,
)
from bot.document import size
from bot.limits import (
    ANSWER_BYTES,
    BUBBLES,
    DEAD_LETTER_BYTES,
    DEAD_LETTERS,
    ROLL_TURNS,
    ROUNDS,
    STORED_BYTES,
    TOKEN_EVENT_MS,
    TOKEN_MS,
    WAITING,
    WAITING_BYTES,
    WINDOW_BYTES,
    WINDOW_TURNS,
    WINDOW_TURNS_AT_MOST,
    Policy,
)
from bot.ports import Change

T = TypeVar("T")


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
    `quiet`: not worth a push, it waits for the next token. `serves_rest`: the stored rest is shown, the bubbles only
    where there is none. `quotes`: turns that the bubbles repeat. `reset`: the window moves to the archive.
    """

    bubbles: tuple[str, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()
    answer: str = ""
    remembered: bool = False
    quiet: bool = False
    serves_rest: bool = False
    quotes: tuple[Turn, ...] = ()
    reset: bool = False
    dead: str = ""
    usage: Usage = field(default_factory=Usage)


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
    ids = {pending.event_id for pending in segment}
    # As they are now: a redelivery may have given a token new life.
    taken = sorted((p for p in before.pending if p.event_id in ids), key=lambda p: (p.at, p.event_id))
    if not taken:  # settled before, and the acknowledgement was lost; or all of it was withdrawn
        return Change(before, Step.GO_ON)
    if len(taken) < len(ids) or any(quoted in before.unsent for quoted in _message_ids(result.quotes)):
        return Change(before, Step.AGAIN)
    state = replace(
        before,
        pending=tuple(pending for pending in before.pending if pending.event_id not in ids),
        done={**before.done, **{pending.event_id: pending.at for pending in taken}},
        lease=Lease(owner, now + policy.lease_ms),
        usage=before.usage + result.usage,
    )
    state = _remember(state, turn_id, taken, result)
    state = _send_out(state, turn_id, taken, result, now)
    state, archive = _trim(state, now, policy, everything=result.reset)
    return Change(touched(state, now, policy), Step.GO_ON, archive)


def change_way(
    before: Conversation, owner: str, outgoing_id: str, dead: Token, now: int, policy: Policy
) -> Change[Step]:
    """The named token turned out dead: name the next live one, else push."""
    if not _is_mine(before, owner):
        return Change(before, Step.LOST)
    outbox = tuple(_next_way(o, dead, now) if o.id == outgoing_id else o for o in before.outbox)
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
    """Record what became of an answer, then release the lease or begin another round.

    `notice`: for an answer that has waited for too many others.
    """
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


def redacted(before: Conversation, now: int, policy: Policy) -> Conversation:
    """The conversation whose archive loses a message: without the summary, which may have been made from it.

    The count makes the document differ, so that of two who rewrite a batch the second meets a conflict.
    """
    return touched(replace(before, summary="", redactions=before.redactions + 1), now, policy)


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
        letter = DeadLetter(turn_id, _fitting(said, DEAD_LETTER_BYTES - 1_000), result.dead)
        newest_first = (letter, *reversed(state.dead_letters))[:DEAD_LETTERS]
        state = replace(state, dead_letters=_fitting(newest_first, DEAD_LETTER_BYTES)[::-1])
    if not result.remembered:
        return state
    answer = result.answer.encode()[:ANSWER_BYTES].decode(errors="ignore")
    # A message older than what is already answered takes its place in the window.
    turns = sorted((*state.turns, Turn(turn_id, said, answer)), key=lambda turn: turn.at)
    return replace(state, turns=tuple(turns))


def _send_out(state: Conversation, turn_id: str, segment: Sequence[Pending], result: Result, now: int) -> Conversation:
    tokens = _live_tokens(segment, now)
    waiting = tuple(outgoing for outgoing in state.outbox if outgoing.way == "wait")
    riding = waiting if tokens else ()
    own = state.rest if result.serves_rest and state.rest else _parts(turn_id, segment, result)
    parts = (*(part for outgoing in riding for part in outgoing.parts), *own)
    way: Way = "reply" if tokens else "wait" if result.quiet else "push"
    if not parts or (way == "wait" and len(waiting) >= WAITING):
        return state
    first, left = _split(parts, BUBBLES)
    outgoing = Outgoing(turn_id, first, way, tokens, result.quick_replies)
    outbox = (*(outgoing for outgoing in state.outbox if outgoing not in riding), outgoing)
    older = () if result.serves_rest else state.rest
    return _bounded(replace(state, outbox=outbox, rest=(*left, *older)))


def _parts(turn_id: str, segment: Sequence[Pending], result: Result) -> tuple[Part, ...]:
    """The result as a part, dated so that erasing finds it by whatever it repeats."""
    message_ids = tuple(pending.message_id for pending in segment if pending.message_id)
    at = min([segment[0].at, *(turn.at for turn in result.quotes)])
    part = Part(turn_id, at, (*message_ids, *_message_ids(result.quotes)), result.bubbles)
    return (part,) if result.bubbles else ()


def _message_ids(turns: Sequence[Turn]) -> tuple[str, ...]:
    return tuple(message_id for turn in turns for message_id in turn.message_ids)


def _live_tokens(segment: Sequence[Pending], now: int) -> tuple[Token, ...]:
    tokens = [Token(p.token, p.received_at, p.at) for p in segment if p.token]
    return tuple(token for token in sorted(tokens, key=lambda t: -t.received_at) if is_live(token, now))


def is_live(token: Token, now: int) -> bool:
    return now - token.received_at < TOKEN_MS and now - token.event_at < TOKEN_EVENT_MS


def _next_way(outgoing: Outgoing, dead: Token, now: int) -> Outgoing:
    tokens = tuple(token for token in outgoing.tokens if token != dead and is_live(token, now))
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


def _bounded(state: Conversation) -> Conversation:
    """The rest cut at what a document can hold; history keeps the answers whole."""
    room, kept = STORED_BYTES - size(state.outbox), []
    for part in state.rest:
        bubbles = _fitting(part.bubbles, room - size(replace(part, bubbles=())))
        kept += [replace(part, bubbles=bubbles)] if bubbles else []
        room -= size(replace(part, bubbles=bubbles))
        if bubbles != part.bubbles:
            break
    return replace(state, rest=tuple(kept))


def _fitting(items: tuple[T, ...], room: int) -> tuple[T, ...]:
    """The first of them, as many as have room."""
    ends = accumulate(map(size, items))
    return tuple(item for item, end in zip(items, ends, strict=True) if end <= room)


def _dispose(
    state: Conversation, outgoing: Outgoing, disposition: Disposition, sent_ids: Sequence[str], notice: str
) -> Conversation:
    others = tuple(o for o in state.outbox if o.id != outgoing.id)
    match disposition:
        case "shown":
            return replace(state, outbox=others, turns=_shown(state.turns, outgoing, sent_ids))
        case "unsure":
            return _bounded(replace(state, outbox=others, rest=(*outgoing.parts, *state.rest)))
        case "wait":
            waiting = replace(outgoing, way="wait", tokens=())
            return _bounded(replace(state, outbox=_waiting((*others, waiting), notice)))
        case "later":
            return state


def _waiting(outbox: tuple[Outgoing, ...], notice: str) -> tuple[Outgoing, ...]:
    """Three answers wait at most: the oldest leaves, and a notice takes its place in front of the next."""
    waiting = [outgoing for outgoing in outbox if outgoing.way == "wait"]
    if len(waiting) <= 1 or (len(waiting) <= WAITING and size(tuple(waiting)) <= WAITING_BYTES):
        return outbox
    oldest, second = waiting[0], waiting[1]
    told = replace(second.parts[0], bubbles=(notice, *(b for b in second.parts[0].bubbles if b != notice)))
    second_told = replace(second, parts=(told, *second.parts[1:]))
    return _waiting(tuple(second_told if o is second else o for o in outbox if o is not oldest), notice)


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
    sizes = [size(turn) for turn in state.turns]
    while sum(sizes[count:]) > WINDOW_BYTES:
        count += 1
    return _archive(state, count, now, policy)


def _archive(state: Conversation, count: int, now: int, policy: Policy) -> tuple[Conversation, tuple[Batch, ...]]:
    if not count:
        return state, ()
    batch = Batch(state.generation, state.archived, state.turns[:count], now + policy.retention_ms)
    return replace(state, turns=state.turns[count:], archived=state.archived + 1), (batch,)


def roll_out(state: Conversation) -> tuple[Turn, ...]:
    """The turns that a summary is due for."""
    return state.turns[:ROLL_TURNS]
