"""Segments: what of the waiting is answered next, as one, and how often that was tried. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import replace

from bot.conversation import Conversation, Lease, Outgoing, Pending
from bot.document import size
from bot.limits import SEGMENT_BYTES, TRIES, Policy


def next_segment(state: Conversation) -> tuple[Pending, ...]:
    """What is to be answered next, as one: neighbouring messages of one kind, or a single command, oldest first.

    Messages that failed too often stay apart, so that they cannot take others down with them.
    """
    ordered = sorted(state.pending, key=lambda pending: (pending.at, pending.event_id))
    segment = ordered[:1]
    for pending in ordered[1:]:
        if not _belongs(pending, segment):
            break
        segment.append(pending)
    return tuple(segment)


def _belongs(pending: Pending, segment: Sequence[Pending]) -> bool:
    first = segment[0]
    is_alike = pending.kind == first.kind != "command" and is_exhausted(pending) == is_exhausted(first)
    return is_alike and size((*segment, pending)) <= SEGMENT_BYTES


def is_exhausted(pending: Pending) -> bool:
    return pending.tries > TRIES


def deliverable(state: Conversation) -> Outgoing | None:
    """The oldest settled answer that is not known to be delivered and need not wait for the user's next message."""
    return next((outgoing for outgoing in state.outbox if outgoing.way != "wait"), None)


def next_round(state: Conversation, owner: str, now: int, policy: Policy) -> Conversation | None:
    """The state with the lease mine and the try counted; None when there is nothing to do."""
    if not state.pending and deliverable(state) is None:
        return None
    if deliverable(state) is None:
        state = _tried(state)
    return replace(state, lease=Lease(owner, now + policy.lease_ms))


def _tried(state: Conversation) -> Conversation:
    """With the try of the next segment counted. What failed as often as it may is exhausted first, and stays apart."""
    pending = tuple(replace(p, tries=TRIES + 1) if p.tries == TRIES else p for p in state.pending)
    tried = [p.event_id for p in next_segment(replace(state, pending=pending)) if not is_exhausted(p)]
    return replace(state, pending=tuple(replace(p, tries=p.tries + 1) if p.event_id in tried else p for p in pending))


def untried(state: Conversation) -> Conversation:
    """With the try of the segment in work not counted; what is exhausted stays so."""
    if deliverable(state) is not None:
        return state
    tried = [p.event_id for p in next_segment(state) if 0 < p.tries <= TRIES]
    pending = tuple(replace(p, tries=p.tries - 1) if p.event_id in tried else p for p in state.pending)
    return replace(state, pending=pending)
