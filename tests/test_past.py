"""The past: only this generation, only what has not expired, never what was withdrawn."""

from bot.conversation import Batch, Conversation, Said, Turn
from bot.past import BATCHES, date, is_unsent, plain, read_batches, words_of
from bot.ports import Seen
from tests.fakes import FakeStore

NOW = 1_800_000_000_000
ID = "0" * 64


def turn(number: int) -> Turn:
    return Turn(f"t{number}", (Said(f"m{number}", f"Ｑ{number}", NOW), Said(f"n{number}", "or", NOW)), f"A{number}")


async def test_batches_are_read_newest_first() -> None:
    """Twenty at most; expired ones and those of another generation are left out, though they are still stored."""
    store = FakeStore()
    state = Conversation(generation=7, archived=25)
    batches = [Batch(7, number, (turn(number),), NOW + (number != 22)) for number in range(24)]
    await store.write(ID, Seen(Conversation(), None), state, [*batches, Batch(6, 24, (turn(24),), NOW + 1)])
    numbers, read = await read_batches(store, ID, state, state.archived, NOW)
    assert list(numbers) == list(range(24, 4, -1))
    assert len(numbers) == BATCHES
    assert [batch.number for batch in read] == [23, *range(21, 4, -1)]


async def test_no_archive_is_not_read() -> None:
    """Nothing is asked of the store where nothing can be."""
    store = FakeStore()
    assert await read_batches(store, ID, Conversation(), 0, NOW) == (range(-1, -1, -1), [])
    assert not store.log


def test_a_withdrawn_message_takes_its_turn_along() -> None:
    """Any of the turn's messages does."""
    assert is_unsent(Conversation(unsent={"n1": NOW}), turn(1))
    assert not is_unsent(Conversation(unsent={"m1": NOW}), turn(2))


def test_words_are_plain() -> None:
    """All that was said, by people and by the bot, without differences of width and case."""
    assert words_of(turn(1)) == "q1\nor\na1"
    assert plain("ﾎﾟﾁＡ") == "ポチa"


def test_dates_are_japanese() -> None:
    """LINE tells no time zone of its users."""
    assert date(NOW) == "2027-01-15 17:00"
