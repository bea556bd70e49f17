"""Looking back: every turn once and in order, words literal, and no page costs more than 20 batches."""

from dataclasses import replace

import pytest

from bot.bubbles import bubbles
from bot.conversation import Batch, Conversation, Said, Turn
from bot.history import history
from bot.ports import Seen
from bot.results import Result
from bot.texts import phrase
from tests.fakes import FakeStore

NOW = 1_800_000_000_000
ID = "0" * 64
FAR = NOW + 10**9


def turn(number: int, text: str = "", answer: str = "") -> Turn:
    return Turn(
        f"turn-{number}", (Said(f"m{number}", text or f"<{number}>", NOW + number),), answer or f"answer {number}"
    )


class Past:
    """A conversation with an archive, and what its pages show."""

    def __init__(self, batches: list[list[Turn]], window: list[Turn]) -> None:
        self.store = FakeStore()
        self.batches = [Batch(7, number, tuple(turns), FAR) for number, turns in enumerate(batches)]
        self.state = Conversation(
            generation=7, turns=tuple(window), archived=len(batches), language="en", expire_at=FAR
        )

    async def stored(self) -> "Past":
        await self.store.write(ID, Seen(Conversation(), None), self.state, self.batches)
        return self

    async def page(self, argument: str = "") -> Result:
        return await history(self.store, ID, self.state, argument, NOW)

    async def pages(self, words: str = "") -> list[list[int]]:
        """The turns' numbers, page by page, as buttons lead from one to the next."""
        seen, argument = [], words
        while True:
            result = await self.page(argument)
            seen.append(numbers(result))
            if not result.quick_replies:
                return seen
            argument = result.quick_replies[0].data.removeprefix("/history ")
            assert len(seen) < 100


def numbers(result: Result) -> list[int]:
    text = "\n".join(result.bubbles)
    return [int(part.split(">")[0]) for part in text.split("<")[1:]]


def in_order(pages: list[list[int]]) -> list[int]:
    return [number for page in reversed(pages) for number in page]


async def test_nothing_yet() -> None:
    """A new conversation says so, without a button."""
    result = await Past([], []).page()
    assert result == Result((phrase("no_history", "en"),))


async def test_the_newest_page_first() -> None:
    """Ten turns, the oldest of them first, with date, words and answer; a button for more."""
    past = await Past([], [turn(number) for number in range(12)]).stored()
    result = await past.page()
    assert numbers(result) == list(range(2, 12))
    assert "2027-01-15 17:00\nYou: <2>\nKaiwa: answer 2" in result.bubbles[0]
    assert [button.label for button in result.quick_replies] == ["Earlier"]
    assert not result.answer
    assert not result.remembered


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 45])
@pytest.mark.parametrize("window", [0, 1, 10, 20])
async def test_every_turn_once(count: int, window: int) -> None:
    """Through window and archive, each exactly once and in order, ten at a time."""
    turns = [turn(number) for number in range(count * 10 + window)]
    past = await Past([turns[at : at + 10] for at in range(0, count * 10, 10)], turns[count * 10 :]).stored()
    pages = await past.pages()
    assert in_order(pages) == list(range(len(turns)))
    assert all(len(page) <= 10 for page in pages)


async def test_at_most_twenty_batches_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words found only in the oldest batch take three pages of 20, 20 and 5 batches; a button leads on."""
    turns = [turn(number, answer="needle" if number == 3 else "hay") for number in range(450)]
    past = await Past([turns[at : at + 10] for at in range(0, 450, 10)], []).stored()
    asked: list[int] = []
    read = past.store.read_archive

    async def counted(conversation_id: str, generation: int, wanted: range) -> list[Batch]:
        asked.append(len(wanted))
        return await read(conversation_id, generation, wanted)

    monkeypatch.setattr(past.store, "read_archive", counted)
    assert await past.pages("needle") == [[], [], [3]]
    assert asked == [20, 20, 5]


async def test_a_late_message_hides_nothing() -> None:
    """A turn that stands where it found room, older than what stands before it, does not make others vanish."""
    old = [turn(number) for number in range(10)]
    late = replace(turn(10), said=(Said("late", "<10>", NOW - 5),))
    window = [late, *(turn(number) for number in range(11, 20))]
    past = await Past([old], window).stored()
    assert in_order(await past.pages()) == list(range(20))


async def test_equal_timestamps() -> None:
    """Turns of the same millisecond are told apart at the edge of a page."""
    turns = [replace(turn(number), said=(Said("m", f"<{number}>", NOW),)) for number in range(25)]
    past = await Past([turns[:10]], turns[10:]).stored()
    assert in_order(await past.pages()) == list(range(25))


async def test_paging_goes_on_after_a_roll_over() -> None:
    """Turns may have moved from the window to the archive: the second page still follows the first."""
    turns = [turn(number) for number in range(25)]
    past = await Past([], turns).stored()
    first = await past.page()
    rolled = Past([turns[:10]], [*turns[10:], turn(25)])
    second = await (await rolled.stored()).page(first.quick_replies[0].data.removeprefix("/history "))
    assert numbers(first) == list(range(15, 25))
    assert numbers(second) == list(range(5, 15))


async def test_the_cursors_turn_is_withdrawn() -> None:
    """When the turn that the button stands for is gone, turns are rather shown again than never."""
    turns = [turn(number) for number in range(15)]
    past = await Past([], turns).stored()
    first = await past.page()
    past.state = replace(past.state, turns=tuple(t for t in turns if t.id != "turn-5"))
    again = await past.page(first.quick_replies[0].data.removeprefix("/history "))
    assert numbers(again) == [4, *range(6, 15)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("東京タワーへ行く", "東京"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("ＡＢＣ", "abc"),
        ("Straße", "STRASSE"),
        ("привет мир", "ПРИВЕТ"),
        ("100% [sure]?", "[sure]?"),
        ("a.b", "."),
        ("first second", "second first"),
        ("한국어", "한국"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
    ],
)
async def test_words_are_literal(text: str, words: str) -> None:
    """In any script, whatever their width and case, all of them, in any order; no pattern characters."""
    past = await Past([], [turn(1, f"<1> {text}"), turn(2)]).stored()
    assert numbers(await past.page(words)) == [1]


async def test_words_in_answers() -> None:
    """What the bot said is found as well."""
    past = await Past([[turn(1, answer="Mount Fuji")]], [turn(2)]).stored()
    assert numbers(await past.page("fuji")) == [1]


async def test_words_go_on_with_the_button() -> None:
    """The next page looks for the same words."""
    turns = [turn(number, answer="tea" if number % 2 else "coffee") for number in range(60)]
    past = await Past([turns[:20], turns[20:40]], turns[40:]).stored()
    assert in_order(await past.pages("TEA")) == list(range(1, 60, 2))


async def test_no_match() -> None:
    """Nothing found is said; no button where nothing is left."""
    past = await Past([[turn(1)]], [turn(2)]).stored()
    assert await past.page("absent") == Result((phrase("no_match", "en"),))


async def test_a_search_too_long_for_a_button() -> None:
    """LINE takes 300 characters of data: beyond, the page comes without a button rather than not at all."""
    words = "あ" * 300
    past = await Past([], [turn(number, answer=words) for number in range(11)]).stored()
    result = await past.page(words)
    assert result.bubbles
    assert not result.quick_replies


async def test_expired_batches_are_left_out() -> None:
    """What should have been deleted by now is not shown, though the database still has it."""
    past = Past([[turn(1)], [turn(2)]], [turn(3)])
    past.batches[0] = replace(past.batches[0], expire_at=NOW)
    assert await (await past.stored()).pages() == [[2, 3]]


async def test_another_generation_stays_hidden() -> None:
    """Only the current one is read: what was erased but not yet deleted is not shown."""
    past = Past([[turn(1)]], [turn(2)])
    past.batches[0] = replace(past.batches[0], generation=6)
    assert await (await past.stored()).pages() == [[2]]


async def test_after_a_reset() -> None:
    """The window is empty, and the old conversation still readable."""
    past = await Past([[turn(1), turn(2)]], []).stored()
    assert await past.pages() == [[1, 2]]


@pytest.mark.parametrize(
    "argument", ["@", "@.", "@x.y", "@-1.", "@1", "@1.unknown", "@.turn", "@99999999999999999999.", "@²."]
)
async def test_odd_cursors(argument: str) -> None:
    """Whatever is typed in a cursor's place is a search or another page, never an error."""
    past = await Past([[turn(1)]], [turn(2)]).stored()
    assert (await past.page(argument)).bubbles


async def test_a_page_fits_one_delivery() -> None:
    """Long turns make shorter pages: all five bubbles go at once, and the button for more stays with them."""
    turns = [turn(number, answer="あ" * 4_900) for number in range(12)]
    past = await Past([], turns).stored()
    result = await past.page()
    assert len(result.bubbles) <= 5
    assert result.quick_replies
    assert in_order(await past.pages()) == list(range(12))


async def test_one_endless_turn() -> None:
    """A single turn longer than a delivery is shown whole; what LINE does not take at once waits as the rest."""
    past = await Past([], [turn(1, answer="あ" * 30_000)]).stored()
    result = await past.page()
    assert len(result.bubbles) > 5
    assert "".join(result.bubbles).count("あ") == 30_000


async def test_an_unanswered_turn() -> None:
    """A question that only got an apology says so."""
    past = await Past([], [Turn("t", (Said("a", "one", NOW), Said("b", "two", NOW)), "")]).stored()
    assert (await past.page()).bubbles == bubbles("2027-01-15 17:00\nYou: one\nYou: two\nKaiwa: (not answered)")
