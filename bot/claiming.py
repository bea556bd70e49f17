"""Claim: take events into the conversation exactly once, and the lease if it is free. Pure: no clock, no I/O.

first request        ──claim────────────settle──delivered──▶   one answer
second, meanwhile    ────────claim                             its event joins `pending`, the holder takes it up
the same event again ────────────────────────────claim         it is in `done`: nothing to do
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import commands, erasing
from bot.conversation import Conversation, Kind, Language, Lease, Outgoing, Pending
from bot.events import Event
from bot.limits import DAY_MS, DONE_EVENTS, DONE_MS, PENDING_BYTES, PENDING_EVENTS, REFUSAL_MS, TRIES, Policy
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
    state = living = alive(before, now)
    erased: Event | None = None
    unknown: list[str] = []
    for event in sorted(events, key=lambda event: (event.at, event.id)):
        if event.action == "unsend" and not erasing.knows(state, event.message_id) and state.archived:
            unknown.append(event.message_id)
        if event.action in ("forget", "left"):
            erased = event if erasing.erases(state, event) or event.id == state.erased_by else erased
        state = _take(state, event, now)
    state, held = _lease(state, owner, now, policy)
    if state == living:
        state = before
    elif state.source:
        state = touched(state, now, policy)
    busy_until = state.lease.until if state.lease and not held and _is_waiting(state, events) else 0
    return Change(state, Claim(held, busy_until, erased, tuple(unknown), living.language))


def _is_waiting(state: Conversation, events: Sequence[Event]) -> bool:
    """Whether what this request came for is still pending; a wake-up came for all of it."""
    ids = {event.id for event in events}
    woken = any(event.action == "wake" for event in events)
    return any(woken or pending.event_id in ids for pending in state.pending)


def alive(state: Conversation, now: int) -> Conversation:
    """Expired is absent: the database's own clean-up lags behind by a day."""
    return state if state.expire_at > now else Conversation()


def touched(state: Conversation, now: int, policy: Policy) -> Conversation:
    """With old ids let go of, and the time to live counted anew from this write."""
    old = {event_id: at for event_id, at in state.done.items() if at < now - DONE_MS}
    return replace(
        state,
        done={event_id: at for event_id, at in state.done.items() if event_id not in old},
        floor=max([state.floor, *old.values()]),
        unsent={message_id: at for message_id, at in state.unsent.items() if at > now - DAY_MS},
        expire_at=now + policy.retention_ms,
    )


def next_segment(state: Conversation) -> tuple[Pending, ...]:
    """What is to be answered next, as one: neighbouring messages of one kind, or a single command, oldest first.

    Messages that failed too often stay apart, so that they cannot take others down with them.
    """
    ordered = sorted(state.pending, key=lambda pending: (pending.at, pending.event_id))
    segment = ordered[:1]
    for pending in ordered[1:]:
        first = segment[0]
        if first.kind == "command" or pending.kind != first.kind or is_exhausted(pending) != is_exhausted(first):
            break
        segment.append(pending)
    return tuple(segment)


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
        tried = {pending.event_id for pending in next_segment(state)}
        pending = tuple(replace(p, tries=p.tries + 1) if p.event_id in tried else p for p in state.pending)
        state = replace(state, pending=pending)
    return replace(state, lease=Lease(owner, now + policy.lease_ms))


def _lease(state: Conversation, owner: str, now: int, policy: Policy) -> tuple[Conversation, bool]:
    if state.lease and state.lease.owner == owner:
        return state, True
    if state.lease and state.lease.until > now:
        return state, False
    taken = next_round(state, owner, now, policy)
    return (taken, True) if taken else (state, False)


def _take(state: Conversation, event: Event, now: int) -> Conversation:
    if event.at <= now - DAY_MS:
        return state
    match event.action:
        case "forget" | "left":
            return erasing.erase(state, event, now) if erasing.erases(state, event) else state
        case "unsend":
            return _unsend(state, event, now)
        case "wake":
            return state
        case _:
            return _append(state, event, now)


def _unsend(state: Conversation, event: Event, now: int) -> Conversation:
    if event.message_id in state.unsent:
        return state
    return erasing.unsend(_begun(state, event, now), event.message_id, now)


def _append(state: Conversation, event: Event, now: int) -> Conversation:
    if _is_replay(state, event, now) or not _is_addressed(state, event):
        return state
    if any(pending.event_id == event.id for pending in state.pending):
        return _renew_token(state, event)
    state = _begun(state, event, now)
    if event.message_id and event.message_id in state.unsent:
        return replace(state, done={**state.done, event.id: event.at})
    if _is_full(state, event):
        return _refuse(state, event, now)
    language = language_of(event.text) if event.kind == "text" else _command_language(event)
    return _pend(replace(state, language=language or state.language), event, event.kind)


def _pend(state: Conversation, event: Event, kind: Kind) -> Conversation:
    command = event.kind == "text" and state.rest and commands.asks_for_more(event.text)
    pending = Pending(
        event.id,
        event.at,
        "command" if command else kind,
        event.received_at,
        "/more" if command else event.text,
        event.message_id,
        event.token,
    )
    return replace(state, pending=(*state.pending, pending))


def _begun(state: Conversation, event: Event, now: int) -> Conversation:
    return replace(state, source=event.source, generation=state.generation or now)


def _is_replay(state: Conversation, event: Event, now: int) -> bool:
    is_old = event.at <= state.floor and event.at < now - DONE_MS
    is_pending = any(pending.event_id == event.id for pending in state.pending)
    return event.id in state.done or event.at <= state.erased_at or (is_old and not is_pending)


def _is_addressed(state: Conversation, event: Event) -> bool:
    return event.addressed or any(event.quoted_id in turn.sent_ids for turn in state.turns)


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


def _is_full(state: Conversation, event: Event) -> bool:
    size = sum(len(pending.text.encode()) for pending in state.pending) + len(event.text.encode())
    waiting = len(state.pending)
    return waiting >= PENDING_EVENTS or size > PENDING_BYTES or len(state.done) + waiting >= DONE_EVENTS


def _refuse(state: Conversation, event: Event, now: int) -> Conversation:
    if state.refused_at > now - REFUSAL_MS:
        return state
    notice = replace(event, text="")
    return _pend(replace(state, refused_at=now), notice, "refused")


def _command_language(event: Event) -> Language | None:
    command = commands.parse(event.text)
    return command.language if command else None
