"""Forgetting: a whole conversation up to a moment, or one message with its answer. Pure: no clock, no I/O."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.conversation import Conversation, Outgoing, Part, Said, Turn
from bot.document import size
from bot.events import Event
from bot.limits import DAY_MS, UNSENT_BYTES


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
        erased_at=event.at,
        erased_by=event.id,
        expire_at=now + DAY_MS,
    )
    return replace(left, source=state.source) if left.pending or left.turns or left.outbox else left


def erases(state: Conversation, event: Event) -> bool:
    """Whether this event erases now: a replay does not, nor a farewell older than what has been seen since."""
    if event.action == "left":
        return event.at > newest(state)
    return event.at > state.erased_at


def newest(state: Conversation) -> int:
    """The timestamp of the newest event that the conversation knows of."""
    known = [state.floor, state.erased_at, *state.done.values(), *(pending.at for pending in state.pending)]
    return max(known)


def unsend(state: Conversation, message_id: str, now: int) -> Conversation:
    """Without the message, and without every answer that was made from it; other messages of a merged turn stay."""
    withdrawn = [pending for pending in state.pending if pending.message_id == message_id]
    return replace(
        state,
        pending=tuple(pending for pending in state.pending if pending.message_id != message_id),
        done={**state.done, **{pending.event_id: pending.at for pending in withdrawn}},
        turns=withdraw(state.turns, message_id),
        outbox=_without_parts(state.outbox, lambda part: message_id in part.message_ids),
        rest=tuple(part for part in state.rest if message_id not in part.message_ids),
        dead_letters=tuple(
            replace(letter, said=tuple(said for said in letter.said if said.message_id != message_id))
            for letter in state.dead_letters
            if tuple(said.message_id for said in letter.said) != (message_id,)
        ),
        unsent=_newest_within({**state.unsent, message_id: now}, UNSENT_BYTES),
    )


def knows(state: Conversation, message_id: str) -> bool:
    """Whether the message is in the document itself, not in the archive."""
    return any(pending.message_id == message_id for pending in state.pending) or any(
        message_id in turn.message_ids for turn in state.turns
    )


def withdraw(turns: tuple[Turn, ...], message_id: str) -> tuple[Turn, ...]:
    """The turns without the message and its answer; a turn without messages goes."""
    return _without(turns, lambda said: said.message_id == message_id)


def _without(turns: tuple[Turn, ...], unwanted: Callable[[Said], bool]) -> tuple[Turn, ...]:
    """An answer goes with any of the messages that it was made from."""
    left = ((turn, tuple(said for said in turn.said if not unwanted(said))) for turn in turns)
    return tuple(
        turn if said == turn.said else replace(turn, said=said, answer="", sent_ids=()) for turn, said in left if said
    )


def _without_parts(outbox: tuple[Outgoing, ...], unwanted: Callable[[Part], bool]) -> tuple[Outgoing, ...]:
    kept = ((outgoing, tuple(part for part in outgoing.parts if not unwanted(part))) for outgoing in outbox)
    # The buttons may repeat what was searched for.
    return tuple(
        outgoing if parts == outgoing.parts else replace(outgoing, parts=parts, quick_replies=())
        for outgoing, parts in kept
        if parts
    )


def _newest_within(ids: Mapping[str, int], room: int) -> Mapping[str, int]:
    newest = dict(ids)
    while size(newest) > room:
        del newest[next(iter(newest))]
    return newest
