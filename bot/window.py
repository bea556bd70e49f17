"""The window: what the model reads word for word, and how it stays inside its bounds. Pure: no clock, no I/O."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TypeVar

from bot.conversation import Batch, Conversation, DeadLetter, Pending, Said, Turn
from bot.document import size
from bot.limits import (
    ANSWER_BYTES,
    DEAD_LETTER_BYTES,
    DEAD_LETTERS,
    ROLL_TURNS,
    SHOWN_IDS,
    WINDOW_BYTES,
    WINDOW_TURNS_AT_MOST,
    Policy,
)
from bot.results import Result

T = TypeVar("T")

WITHHELD = "[withheld]"
"""What is kept of a message that moderation refused: its words would be read with every later question."""


def remember(state: Conversation, turn_id: str, segment: Sequence[Pending], result: Result) -> Conversation:
    said = result.said or tuple(map(_said, segment))
    if result.dead:
        letter = DeadLetter(turn_id, fitting(said, DEAD_LETTER_BYTES - 1_000), result.dead)
        newest_first = (letter, *reversed(state.dead_letters))[:DEAD_LETTERS]
        state = replace(state, dead_letters=fitting(newest_first, DEAD_LETTER_BYTES)[::-1])
    if result.retries and result.answer:
        state = _without(state, result.retries)
    if not result.remembered:
        return state
    sent_ids: tuple[str, ...] = ()
    if result.retries:
        # The old answer's bubbles are still there to be quoted.
        turn = result.quotes[0]
        turn_id, said, sent_ids = turn.id, _reread(turn, said), turn.sent_ids[-SHOWN_IDS:]
    answer = result.answer.encode()[:ANSWER_BYTES].decode(errors="ignore")
    # A message older than what is already answered takes its place in the window.
    others = (turn for turn in state.turns if turn.id != turn_id)
    turns = sorted((*others, Turn(turn_id, said, answer, sent_ids)), key=lambda turn: turn.at)
    return replace(state, turns=tuple(turns))


def _said(one: Pending) -> Said:
    """What is kept of a message that nobody has read."""
    return Said(one.message_id, one.text, one.at, media=one.media, edited_at=one.edited_at, quoted_id=one.quoted_id)


def _reread(turn: Turn, again: Sequence[Said]) -> tuple[Said, ...]:
    """What was said, with what is understood of it now."""
    texts = {said.message_id: said.text for said in again if said.media}
    return tuple(replace(said, text=texts.get(said.message_id, said.text)) for said in turn.said)


def unanswered(state: Conversation, turn_id: str) -> Turn | None:
    """The turn of this id that the bot could only apologise for: in the window, or kept as a dead letter."""
    turns = [turn for turn in state.turns if turn.id == turn_id]
    if turns:
        is_over = turns[0].answer or all(said.text == WITHHELD for said in turns[0].said)
        return None if is_over else turns[0]
    letters = [letter for letter in state.dead_letters if letter.turn_id == turn_id and letter.said]
    return Turn(turn_id, letters[0].said, "") if letters else None


def answered(state: Conversation, turn_id: str) -> Turn | None:
    """The turn of this id in the window, if it has an answer."""
    return next((turn for turn in state.turns if turn.id == turn_id and turn.answer), None)


def _without(state: Conversation, turn_id: str) -> Conversation:
    """The conversation without the dead letter of a turn that got its answer after all."""
    return replace(state, dead_letters=tuple(letter for letter in state.dead_letters if letter.turn_id != turn_id))


def trim(state: Conversation, now: int, policy: Policy, *, everything: bool) -> tuple[Conversation, tuple[Batch, ...]]:
    """Keep the window inside its bounds even where no summary could be made; a reset empties it."""
    if everything:
        return archive(replace(state, summary=""), len(state.turns), now, policy)
    count = ROLL_TURNS if len(state.turns) > WINDOW_TURNS_AT_MOST else 0
    sizes = [size(turn) for turn in state.turns]
    while sum(sizes[count:]) > WINDOW_BYTES:
        count += 1
    return archive(state, count, now, policy)


def archive(state: Conversation, count: int, now: int, policy: Policy) -> tuple[Conversation, tuple[Batch, ...]]:
    if not count:
        return state, ()
    batch = Batch(state.generation, state.archived, state.turns[:count], now + policy.retention_ms)
    return replace(state, turns=state.turns[count:], archived=state.archived + 1), (batch,)


def roll_out(state: Conversation) -> tuple[Turn, ...]:
    """The turns that a summary is due for."""
    return state.turns[:ROLL_TURNS]


def fitting(items: tuple[T, ...], room: int) -> tuple[T, ...]:
    """The first of them, as many as have room."""
    ends = accumulate(map(size, items))
    return tuple(item for item, end in zip(items, ends, strict=True) if end <= room)
