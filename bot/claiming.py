"""Claim: take events into the conversation exactly once, and the lease if it is free. Pure: no clock, no I/O.

first request        ──claim────────────settle──delivered──▶   one answer
second, meanwhile    ────────claim                             its event joins `pending`, the holder takes it up
the same event again ────────────────────────────claim         it is in `done`: nothing to do
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import commands, erasing
from bot.conversation import Conversation, Kind, Language, Lease, Outgoing, Pending
from bot.document import size
from bot.events import Event
from bot.limits import (
    DAY_MS,
    DONE_BYTES,
    DONE_EVENTS,
    DONE_MS,
    LEASE_MS_AT_MOST,
    MINUTE_MS,
    PENDING_BYTES,
    PENDING_EVENTS,
    PER_MINUTE,
    REFUSAL_MS,
    SEGMENT_BYTES,
    TRIES,
    Policy,
)
from bot.ports import Change
from bot.texts import language_of


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim came to.

    `held`: the lease is mine and there is something to do. `busy_until`: my events wait under a lease that is not
    mine. `erased`: the event that emptied the conversation. `unsent`: messages to look for in the archive.
    `language`: the conversation's, before it was emptied.
    """

    held: bool = False
    busy_until: int = 0
    erased: Event | None = None
    unsent: tuple[str, ...] = ()
    language: Language = "ja"


def claim(before: Conversation, events: Sequence[Event], owner: str, now: int, policy: Policy) -> Change[Claim]:
    """Drop what is done or too old, append the rest, take the lease if it is free, expired or already mine."""
    state = living = _swept(alive(before, now), now)
    erased: Event | None = None
    unknown: list[str] = []
    recent = (event for event in events if event.at > now - DAY_MS)
    for event in sorted(recent, key=lambda event: (event.at, event.id)):
        if event.action == "unsend" and state.archived:
            unknown.append(event.message_id)
        if event.action in ("forget", "left"):
            erased = event if erasing.erases(state, event) or event.id == state.erased_by else erased
        state = _take(state, event, now)
    state, held = _lease(state, owner, now, policy)
    state = before if state == living else touched(state, now, policy)
    busy_until = state.lease.until if state.lease and not held and _is_waiting(state, events) else 0
    return Change(state, Claim(held, busy_until, erased, tuple(unknown), living.language))


def _is_waiting(state: Conversation, events: Sequence[Event]) -> bool:
    """Whether what this request came for is not known to be done; a wake-up came for all of it.

    An answer in the outbox may be for these very events, and the lease its dead holder's.
    """
    ids = {event.id for event in events}
    woken = any(event.action == "wake" for event in events)
    return deliverable(state) is not None or any(woken or pending.event_id in ids for pending in state.pending)


def alive(state: Conversation, now: int) -> Conversation:
    """Expired is absent: the database's own clean-up lags behind by a day."""
    return state if state.expire_at > now else Conversation()


def touched(state: Conversation, now: int, policy: Policy) -> Conversation:
    """With old ids let go of, and the time to live counted anew from this write; marks without a source live a day."""
    return replace(_swept(state, now), expire_at=now + (policy.retention_ms if state.source else DAY_MS))


def _swept(state: Conversation, now: int) -> Conversation:
    old = [at for at in state.done.values() if at < now - DONE_MS]
    return replace(
        state,
        done={event_id: at for event_id, at in state.done.items() if at >= now - DONE_MS},
        floor=max([state.floor, *old]),
        unsent={message_id: at for message_id, at in state.unsent.items() if at > now - DAY_MS},
    )


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


def _lease(state: Conversation, owner: str, now: int, policy: Policy) -> tuple[Conversation, bool]:
    if state.lease and state.lease.owner == owner:
        return state, True
    # One that ends in a far future is damaged: nobody may wait for it.
    if state.lease and now < state.lease.until <= now + LEASE_MS_AT_MOST:
        return state, False
    taken = next_round(state, owner, now, policy)
    return (taken, True) if taken else (state, False)


def _take(state: Conversation, event: Event, now: int) -> Conversation:
    match event.action:
        case "forget" | "left":
            return erasing.erase(state, event, now) if erasing.erases(state, event) else state
        case "unsend":
            return state if event.message_id in state.unsent else erasing.unsend(state, event.message_id, now)
        case "wake":
            return state
        case _:
            return _append(state, event, now)


def _append(state: Conversation, event: Event, now: int) -> Conversation:
    if any(pending.event_id == event.id for pending in state.pending):
        return _renew_token(state, event)
    if _is_replay(state, event, now) or event.message_id in state.unsent or not _is_addressed(state, event):
        return state
    state = replace(state, source=event.source, generation=state.generation or now)
    if _is_full(state, event, now):
        return _refuse(state, event, now)
    language = language_of(event.text) if event.kind == "text" else _command_language(event)
    state = replace(state, language=language or state.language)
    if event.kind == "text" and state.rest and commands.asks_for_more(event.text):
        event = replace(event, kind="command", text="/more")
    return replace(state, pending=(*state.pending, _pending(event, event.kind)))


def _pending(event: Event, kind: Kind) -> Pending:
    return Pending(event.id, event.at, kind, event.received_at, event.text, event.message_id, event.token)


def _is_replay(state: Conversation, event: Event, now: int) -> bool:
    is_old = event.at <= state.floor and event.at < now - DONE_MS
    return event.id in state.done or event.at <= state.erased_at or is_old


def _is_addressed(state: Conversation, event: Event) -> bool:
    return event.addressed or event.quoted_id in state.shown_ids


def _renew_token(state: Conversation, event: Event) -> Conversation:
    """LINE: a redelivered event's token lives a minute from the redelivery."""
    return replace(
        state,
        pending=tuple(
            replace(pending, received_at=max(pending.received_at, event.received_at))
            if pending.event_id == event.id
            else pending
            for pending in state.pending
        ),
    )


def _is_full(state: Conversation, event: Event, now: int) -> bool:
    waiting = (*state.pending, _pending(event, event.kind))
    times = (*state.done.values(), *(pending.at for pending in waiting))
    too_fast = sum(at > now - MINUTE_MS for at in times) > PER_MINUTE
    too_many = len(waiting) > PENDING_EVENTS or len(times) > DONE_EVENTS
    return too_fast or too_many or size(waiting) > PENDING_BYTES or size(state.done) > DONE_BYTES


def _refuse(state: Conversation, event: Event, now: int) -> Conversation:
    is_told = state.refused_at > now - REFUSAL_MS or any(pending.kind == "refused" for pending in state.pending)
    if is_told:
        return state
    notice = _pending(replace(event, text=""), "refused")
    return replace(state, pending=(*state.pending, notice), refused_at=now)


def _command_language(event: Event) -> Language | None:
    command = commands.parse(event.text)
    return command.language if command else None
