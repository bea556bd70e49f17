"""Claim: take events into the conversation exactly once, and the lease if it is free. Pure: no clock, no I/O.

first request        ──claim────────────settle──delivered──▶   one answer
second, meanwhile    ────────claim                             its event joins `pending`, the holder takes it up
the same event again ────────────────────────────claim         it is in `done`: nothing to do
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import erasing
from bot.admission import admit
from bot.conversation import Conversation, Language
from bot.events import Event
from bot.limits import DAY_MS, DONE_MS, LEASE_MS_AT_MOST, Policy
from bot.ports import Change
from bot.segments import deliverable, next_round


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim came to.

    `held`: the lease is mine and there is something to do. `busy_until`: my events wait under a lease that is not
    mine. `erased`: the event that emptied the conversation. `unsent`: messages to look for in the archive.
    `language`: the conversation's, before it was emptied. `dropped`: how many asked in vain, as replays or too many.
    `duplicates`: how many were done before.
    """

    held: bool = False
    busy_until: int = 0
    erased: Event | None = None
    unsent: tuple[str, ...] = ()
    language: Language = "ja"
    dropped: int = 0
    duplicates: int = 0


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
    asking = _asking(events)
    dropped, duplicates = len(asking - _known(living) - _known(state)), len(asking & living.done.keys())
    return Change(state, Claim(held, busy_until, erased, tuple(unknown), living.language, dropped, duplicates))


def _asking(events: Sequence[Event]) -> set[str]:
    return {event.id for event in events if event.action == "say" and event.addressed}


def _known(state: Conversation) -> set[str]:
    return {*state.done, *(pending.event_id for pending in state.pending)}


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
            return admit(state, event, now)
