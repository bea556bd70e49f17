"""Editing: a message that its writer changes afterwards. Of several versions the newest counts. Pure.

What is not answered yet is answered as edited; what is answered stays so, and its text is replaced. An edited message
is never a command.
Source: https://developers.line.biz/en/reference/messaging-api/#edit-event
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from bot.conversation import Conversation, Pending, Said, Turn
from bot.document import size
from bot.events import Event
from bot.limits import DEAD_LETTER_BYTES, OVERHEARD_BYTES, PENDING_BYTES, WINDOW_BYTES

M = TypeVar("M", Pending, Said)


def is_kept(state: Conversation, message_id: str) -> bool:
    """Whether the message is here, and more than overheard."""
    return any(message.message_id == message_id for message in _messages(state))


def is_superseded(state: Conversation, event: Event) -> bool:
    """Whether a newer version of this message has come before it."""
    kept = (*_messages(state), *state.overheard)
    return any(one.message_id == event.message_id and one.edited_at >= event.at for one in kept if event.message_id)


def edited(state: Conversation, event: Event) -> Conversation:
    """With the new text wherever the message is kept, unless there would be no room for it."""
    changed = replace(
        state,
        pending=tuple(_waiting(pending, event) for pending in state.pending),
        overheard=tuple(_worded(heard, event) for heard in state.overheard),
        turns=tuple(_turn(turn, event) for turn in state.turns),
        dead_letters=tuple(
            replace(letter, said=tuple(_worded(said, event) for said in letter.said)) for letter in state.dead_letters
        ),
    )
    if changed == state or not _has_room(state, changed):
        return state
    return replace(changed, done={**state.done, event.id: event.at})


def forget_heard(state: Conversation, message_id: str) -> Conversation:
    """Without the message among what was overheard: now it is for the bot."""
    return replace(state, overheard=tuple(heard for heard in state.overheard if heard.message_id != message_id))


def _messages(state: Conversation) -> Iterator[Pending | Said]:
    yield from state.pending
    for turn in state.turns:
        yield from turn.said
    for letter in state.dead_letters:
        yield from letter.said


def _concerns(message: Pending | Said, event: Event) -> bool:
    is_older = message.at <= event.at and message.edited_at < event.at
    return message.message_id == event.message_id and is_older and message.media is None


def _worded(message: M, event: Event) -> M:
    return replace(message, text=event.text, edited_at=event.at) if _concerns(message, event) else message


def _waiting(pending: Pending, event: Event) -> Pending:
    """The answer goes by the edit's own tokens, which are younger."""
    if pending.kind != "text" or not _concerns(pending, event):
        return pending
    quote_token = event.quote_token or pending.quote_token
    pending = replace(_worded(pending, event), quote_token=quote_token)
    return replace(pending, token=event.token, received_at=event.received_at) if event.token else pending


def _turn(turn: Turn, event: Event) -> Turn:
    return replace(turn, said=tuple(_worded(said, event) for said in turn.said))


def _has_room(before: Conversation, after: Conversation) -> bool:
    bounds = (PENDING_BYTES, OVERHEARD_BYTES, WINDOW_BYTES, DEAD_LETTER_BYTES)
    old = (before.pending, before.overheard, before.turns, before.dead_letters)
    new = (after.pending, after.overheard, after.turns, after.dead_letters)
    sizes = zip(map(size, old), map(size, new), bounds, strict=True)
    return all(grown <= max(was, bound) for was, grown, bound in sizes)
