"""Forgetting: a whole conversation up to a moment, or one message with its answer. Pure: no clock, no I/O."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.conversation import Conversation, Outgoing, Part, Preferences, Said, Turn
from bot.document import size
from bot.events import Event
from bot.limits import DAY_MS, UNSENT_BYTES
from bot.texts import phrase


def erase(state: Conversation, event: Event, now: int) -> Conversation:
    """Leave a mark, and only what is newer than `event`; an answer in flight loses its lease and is discarded."""
    left = Conversation(
        generation=max(now, state.generation + 1),
        turns=_without(state.turns, lambda said: said.at <= event.at),
        pending=tuple(pending for pending in state.pending if pending.at > event.at),
        done={event_id: at for event_id, at in state.done.items() if at > event.at},
        floor=state.floor,
        unsent=state.unsent,
        outbox=_without_parts(state.outbox, lambda part: part.at <= event.at),
        rest=tuple(part for part in state.rest if part.at > event.at),
        language=state.language,
        spent=state.spent,  # numbers of a day: whoever erases does not get the day's limit anew
        erased_at=event.at,
        erased_by=event.id,
        expire_at=now + DAY_MS,
    )
    return replace(left, source=state.source) if left.pending or left.turns or left.outbox else left


def erases(state: Conversation, event: Event) -> bool:
    """Whether this event erases now: a replay, or one older than the last that did, does not."""
    return event.at > state.erased_at


def newest(state: Conversation) -> int:
    """When the newest message that is known of was written; 0 when there is none."""
    said = (one.at for turn in state.turns for one in turn.said)
    waiting = (pending.at for pending in (*state.pending, *state.overheard))
    return max([state.erased_at, *state.done.values(), *said, *waiting])


def unsend(state: Conversation, message_id: str, now: int) -> Conversation:
    """Without the message, and without every answer that was made from it; other messages of a merged turn stay."""
    withdrawn = [pending for pending in state.pending if pending.message_id == message_id]
    return replace(
        state,
        pending=tuple(pending for pending in state.pending if pending.message_id != message_id),
        done={**state.done, **{pending.event_id: pending.at for pending in withdrawn}},
        turns=withdraw(state.turns, message_id),
        overheard=tuple(heard for heard in state.overheard if heard.message_id != message_id),
        outbox=_without_parts(_apologised(state, message_id), lambda part: message_id in part.message_ids),
        rest=tuple(part for part in state.rest if message_id not in part.message_ids),
        dead_letters=tuple(
            replace(letter, said=tuple(said for said in letter.said if said.message_id != message_id))
            for letter in state.dead_letters
            if tuple(said.message_id for said in letter.said) != (message_id,)
        ),
        preferences=_without_persona(state.preferences, message_id),
        unsent=_newest_within({**state.unsent, message_id: now}, UNSENT_BYTES),
    )


def withdraw(turns: tuple[Turn, ...], message_id: str) -> tuple[Turn, ...]:
    """The turns without the message and its answer; a turn without messages goes."""
    return _without(turns, lambda said: said.message_id == message_id)


def _without(turns: tuple[Turn, ...], unwanted: Callable[[Said], bool]) -> tuple[Turn, ...]:
    """An answer goes with any of the messages that it was made from."""
    left = ((turn, tuple(said for said in turn.said if not unwanted(said))) for turn in turns)
    kept = [
        turn if said == turn.said else replace(turn, said=said, answer="", sent_ids=()) for turn, said in left if said
    ]
    return tuple(sorted(kept, key=lambda turn: turn.at))  # one that lost its first message begins later


def _without_parts(outbox: tuple[Outgoing, ...], unwanted: Callable[[Part], bool]) -> tuple[Outgoing, ...]:
    kept = ((outgoing, tuple(part for part in outgoing.parts if not unwanted(part))) for outgoing in outbox)
    # The buttons may repeat what was searched for.
    return tuple(
        outgoing if parts == outgoing.parts else replace(outgoing, parts=parts, quick_replies=())
        for outgoing, parts in kept
        if parts
    )


def _apologised(state: Conversation, message_id: str) -> tuple[Outgoing, ...]:
    """The answer goes, but whoever else was to be answered by it is told so; a button runs their messages again."""
    sentence = (phrase("busy", state.language),)

    def told(part: Part) -> Part:
        others = tuple(other for other in part.message_ids if other != message_id)
        return part if others in (part.message_ids, ()) else replace(part, message_ids=others, bubbles=sentence)

    changed = (replace(outgoing, parts=tuple(map(told, outgoing.parts))) for outgoing in state.outbox)
    # The buttons may repeat what was withdrawn.
    return tuple(o if o in state.outbox else replace(o, quick_replies=()) for o in changed)


def _without_persona(preferences: Preferences, message_id: str) -> Preferences:
    is_from_it = message_id and preferences.persona_id == message_id
    return replace(preferences, persona="", persona_id="") if is_from_it else preferences


def _newest_within(ids: Mapping[str, int], room: int) -> Mapping[str, int]:
    newest = dict(ids)
    while size(newest) > room:
        del newest[next(iter(newest))]
    return newest
