"""Looking back: a page of past turns, from the window and then the archive, newest page first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot import markdown
from bot.bubbles import bubbles
from bot.conversation import Batch, Conversation, QuickReply, Said, Turn
from bot.limits import BUBBLES, POSTBACK_CHARACTERS
from bot.past import date, is_unsent, plain, read_batches, words_of
from bot.ports import Store
from bot.results import Result
from bot.texts import phrase

PAGE_TURNS = 10

Found = tuple[int | None, Turn]
"""A turn with the number of its batch; None: it is in the window."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins: in batches before `number` (None: in the window), behind the turn `after`.

    By its id: timestamps may be equal, and a late message stands where it found room.
    """

    number: int | None = None
    after: str = ""

    def __str__(self) -> str:
        return f"@{'' if self.number is None else self.number}.{self.after}"


async def history(store: Store, conversation_id: str, state: Conversation, argument: str, now: int) -> Result:
    """What `/history [@cursor] [words]` shows: at most ten turns, oldest first, of at most 20 archive batches."""
    cursor, words = _parse(argument)
    last = state.archived if cursor.number is None else min(cursor.number, state.archived)
    numbers, batches = await read_batches(store, conversation_id, state, last, now)
    window = state.turns if cursor.number is None else ()
    behind = _behind(cursor, list(_newest_first(window, batches)))
    found = [(number, turn) for number, turn in behind if _has(turn, words) and not is_unsent(state, turn)]
    page = _readable(state, found[:PAGE_TURNS])
    return _result(state, page, words, _next(page, len(found) > len(page), numbers))


def _newest_first(window: Sequence[Turn], batches: Sequence[Batch]) -> Iterator[Found]:
    for turn in reversed(window):
        yield None, turn
    for batch in batches:
        for turn in reversed(batch.turns):
            yield batch.number, turn


def _behind(cursor: Cursor, found: Sequence[Found]) -> Sequence[Found]:
    """What follows the cursor's turn; everything when that turn is gone, rather again than never."""
    at = next((index for index, (_, turn) in enumerate(found) if turn.id == cursor.after), -1)
    return found[at + 1 :]


def _readable(state: Conversation, page: Sequence[Found]) -> Sequence[Found]:
    """So many turns, but at least one, as LINE takes at once."""
    while len(page) > 1 and len(bubbles(_text(state, page))) > BUBBLES:
        page = page[:-1]
    return page


def _next(page: Sequence[Found], more_here: bool, numbers: Sequence[int]) -> Cursor | None:
    if more_here:
        number, turn = page[-1]
        return Cursor(None if number is None else number + 1, turn.id)
    return Cursor(numbers[-1]) if numbers and numbers[-1] > 0 else None


def _parse(argument: str) -> tuple[Cursor, tuple[str, ...]]:
    words = argument.replace("\u3000", " ").split()
    if not words or not words[0].startswith("@"):
        return Cursor(), tuple(words)
    number, dot, after = words[0][1:].partition(".")
    if not dot or (number and not (number.isascii() and number.isdigit())):
        return Cursor(), tuple(words)
    return Cursor(int(number[:9]) if number else None, after), tuple(words[1:])


def _has(turn: Turn, words: Sequence[str]) -> bool:
    """Whether all words stand in the turn, in any script; width and case do not matter."""
    text = words_of(turn)
    return all(plain(word) in text for word in words)


def _result(state: Conversation, page: Sequence[Found], words: Sequence[str], cursor: Cursor | None) -> Result:
    text = _text(state, page) or phrase("no_match" if words or cursor else "no_history", state.language)
    quotes = tuple(turn for _, turn in page)
    return Result(bubbles(text), quick_replies=_earlier(state, words, cursor), quotes=quotes)


def _text(state: Conversation, page: Sequence[Found]) -> str:
    return "\n\n".join(_entry(state, turn) for _, turn in reversed(page))


def _earlier(state: Conversation, words: Sequence[str], cursor: Cursor | None) -> tuple[QuickReply, ...]:
    data = " ".join(["/history", str(cursor), *words])
    # LINE takes 300 characters of data: a longer search can only be typed again.
    if cursor is None or len(data) > POSTBACK_CHARACTERS:
        return ()
    return (QuickReply(phrase("earlier_label", state.language), data),)


def _entry(state: Conversation, turn: Turn) -> str:
    bot = phrase("bot", state.language)
    said = "\n".join(f"{_speaker(state, said)}: {said.text}" for said in turn.said)
    answer = markdown.plain(turn.answer) or phrase("unanswered", state.language)
    return f"{date(turn.at)}\n{said}\n{bot}: {answer}"


def _speaker(state: Conversation, said: Said) -> str:
    is_private = state.source is None or state.source.is_private
    return phrase("you", state.language) if is_private else said.speaker or phrase("somebody", state.language)
