"""Admission: whether one event joins what waits in its conversation. Pure: no clock, no I/O."""

from dataclasses import replace

from bot import commands, editing
from bot.conversation import Conversation, Kind, Language, Pending
from bot.document import size
from bot.events import Event
from bot.languages import spoken
from bot.limits import (
    DONE_BYTES,
    DONE_EVENTS,
    DONE_MS,
    MINUTE_MS,
    OVERHEARD,
    OVERHEARD_BYTES,
    PENDING_BYTES,
    PENDING_EVENTS,
    PER_MINUTE,
    REFUSAL_MS,
)
from bot.media import typed
from bot.pausing import is_paused
from bot.texts import language_of


def admit(state: Conversation, event: Event, now: int) -> Conversation:
    if any(pending.event_id == event.id for pending in state.pending):
        return _renew_token(state, event)
    if _is_replay(state, event, now) or event.message_id in state.unsent:
        return state
    if editing.is_superseded(state, event):
        return state
    if event.edited and editing.is_kept(state, event.message_id):
        return state if _is_full(state, event, now) else editing.edited(state, event)
    if not _is_addressed(state, event):
        return _overhear(state, event) if state.preferences.listening and not event.media else state
    state = replace(state, source=event.source, generation=state.generation or now)
    state = editing.forget_heard(state, event.message_id)
    if _is_full(state, event, now):
        return _refuse(state, event, now)
    written = language_of(typed(event.text, event.media)) if event.kind == "text" else _command_language(event)
    state = replace(state, language=spoken(state, written))
    # The typed word may be for the person who talks there in a pause.
    is_for_bot = event.kind == "text" and not is_paused(state, now)
    if is_for_bot and state.rest and commands.asks_for_more(event.text):
        event = replace(event, kind="command", text="/more")
    return replace(state, pending=(*state.pending, _pending(event, event.kind)))


def _pending(event: Event, kind: Kind) -> Pending:
    return Pending(
        event.id,
        event.at,
        kind,
        event.received_at,
        event.text,
        event.message_id,
        event.token,
        speaker=event.speaker,
        quoted_id=event.quoted_id,
        quote_token=event.quote_token,
        media=event.media,
        edited_at=event.at if event.edited else 0,
    )


def _is_replay(state: Conversation, event: Event, now: int) -> bool:
    is_old = event.at <= state.floor and event.at < now - DONE_MS
    return event.id in state.done or event.at <= state.erased_at or is_old


def _is_addressed(state: Conversation, event: Event) -> bool:
    return event.addressed or event.quoted_id in state.shown_ids


def _overhear(state: Conversation, event: Event) -> Conversation:
    """Kept as what an answer may refer to: never answered, the oldest leave first."""
    if any(heard.event_id == event.id for heard in state.overheard):
        return state
    if event.edited and any(heard.message_id == event.message_id for heard in state.overheard):
        return editing.edited(state, event)
    one = _pending(replace(event, token="", quote_token=""), event.kind)  # it will not be answered
    heard = sorted((*state.overheard, one), key=lambda one: one.at)[-OVERHEARD:]
    while size(tuple(heard)) > OVERHEARD_BYTES:
        heard.pop(0)
    return replace(state, overheard=tuple(heard))


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
