"""The outbox: which way an answer goes, what waits, and what is left for 「続き」. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from bot.conversation import Conversation, Outgoing, Part, Pending, Token, Turn, Way
from bot.document import size
from bot.limits import BUBBLES, REFUSALS, SHOWN_IDS, STORED_BYTES, TOKEN_EVENT_MS, TOKEN_MS, WAITING, WAITING_BYTES
from bot.pausing import is_paused
from bot.results import Result
from bot.texts import phrase
from bot.window import fitting

Disposition = Literal["shown", "unsure", "wait", "refused", "later"]
"""What became of it: seen, taken for seen, no pushes left, refused by token and push, or to be tried again."""


def send_out(state: Conversation, turn_id: str, segment: Sequence[Pending], result: Result, now: int) -> Conversation:
    tokens = _live_tokens(segment, now)
    waiting = tuple(outgoing for outgoing in state.outbox if outgoing.way == "wait")
    # In a pause only what was asked for is said.
    riding = waiting if tokens and not is_paused(state, now) else ()
    own = state.rest if result.serves_rest and state.rest else _parts(turn_id, segment, result)
    parts = (*(part for outgoing in riding for part in _riding(state, outgoing)), *own)
    refused = max((outgoing.refused for outgoing in riding if outgoing.refused < REFUSALS), default=0)
    way: Way = "reply" if tokens else "wait" if result.quiet else "push"
    if not parts or (way == "wait" and len(waiting) >= WAITING):
        return state
    first, left = _split(parts, BUBBLES)
    outgoing = Outgoing(turn_id, first, way, tokens, result.quick_replies, settled_at=now, refused=refused)
    # The first bubble quotes: it must not be of an earlier answer.
    outgoing = replace(outgoing, quote_token="" if riding else _quote_token(state, segment))
    outbox = (*(outgoing for outgoing in state.outbox if outgoing not in riding), outgoing)
    older = () if result.serves_rest else _without_replaced(state.rest, result)
    return _bounded(replace(state, outbox=outbox, rest=(*left, *older)))


def _without_replaced(rest: tuple[Part, ...], result: Result) -> tuple[Part, ...]:
    """Where an answer takes the place of another, nothing is left of that one to go on with."""
    replaced = result.retries if result.answer else ""
    return tuple(part for part in rest if not replaced or part.turn_id != replaced)


def _quote_token(state: Conversation, segment: Sequence[Pending]) -> str:
    """In a group the answer quotes the newest message that it answers."""
    is_group = state.source is not None and not state.source.is_private
    tokens = [pending.quote_token for pending in segment if pending.quote_token]
    return tokens[-1] if tokens and is_group else ""


def _riding(state: Conversation, outgoing: Outgoing) -> tuple[Part, ...]:
    """What waited, or a notice in place of what LINE will not take."""
    if outgoing.refused < REFUSALS:
        return outgoing.parts
    return (replace(outgoing.parts[0], bubbles=(phrase("dropped", state.language),)),)


def _parts(turn_id: str, segment: Sequence[Pending], result: Result) -> tuple[Part, ...]:
    """The result as a part, dated so that erasing finds it by whatever it repeats."""
    message_ids = tuple(pending.message_id for pending in segment if pending.message_id)
    at = min([segment[0].at, *(turn.at for turn in result.quotes)])
    part = Part(result.retries or turn_id, at, (*message_ids, *message_ids_of(result.quotes)), result.bubbles)
    return (part,) if result.bubbles else ()


def message_ids_of(turns: Sequence[Turn]) -> tuple[str, ...]:
    return tuple(message_id for turn in turns for message_id in turn.message_ids)


def _live_tokens(segment: Sequence[Pending], now: int) -> tuple[Token, ...]:
    tokens = [Token(p.token, p.received_at, p.at) for p in segment if p.token]
    return tuple(token for token in sorted(tokens, key=lambda t: -t.received_at) if is_live(token, now))


def is_live(token: Token, now: int) -> bool:
    return now - token.received_at < TOKEN_MS and now - token.event_at < TOKEN_EVENT_MS


def next_way(outgoing: Outgoing, dead: Token, now: int) -> Outgoing:
    tokens = tuple(token for token in outgoing.tokens if token != dead and is_live(token, now))
    # It may have been the quotation that LINE refused.
    return replace(outgoing, tokens=tokens, way="reply" if tokens else "push", quote_token="")


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
        bubbles = fitting(part.bubbles, room - size(replace(part, bubbles=())))
        kept += [replace(part, bubbles=bubbles)] if bubbles else []
        room -= size(replace(part, bubbles=bubbles))
        if bubbles != part.bubbles:
            break
    return replace(state, rest=tuple(kept))


def dispose(state: Conversation, outgoing: Outgoing, disposition: Disposition, sent_ids: Sequence[str]) -> Conversation:
    others = tuple(o for o in state.outbox if o.id != outgoing.id)
    match disposition:
        case "shown":
            shown_ids = () if state.source and state.source.is_private else (*state.shown_ids, *sent_ids)[-SHOWN_IDS:]
            turns = _shown(state.turns, outgoing, sent_ids)
            return replace(state, outbox=others, turns=turns, shown_ids=shown_ids)
        case "unsure":
            return _bounded(replace(state, outbox=others, rest=(*outgoing.parts, *state.rest)))
        case "wait" | "refused":
            refused = outgoing.refused + (disposition == "refused")
            waiting = replace(outgoing, way="wait", tokens=(), refused=refused)
            notice = phrase("dropped", state.language)
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
    return tuple(replace(turn, sent_ids=turn.sent_ids + ids[turn.id]) if turn.id in ids else turn for turn in turns)
