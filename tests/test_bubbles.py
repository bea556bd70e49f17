"""Bubbles: what LINE takes, cut where a reader would, and nothing lost."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.bubbles import bubbles, printable, units

FAMILY, FLAG, WAVE, KEYCAP = "👨‍👩‍👧‍👦", "🇯🇵", "👋🏽", "1️⃣"
ACCENT, VOICED, HANGUL = "e\u0301", "ｶ\uff9e", "\u1112\u1161\u11ab"
WHOLE = (FAMILY, FLAG, WAVE, KEYCAP, ACCENT, VOICED, HANGUL, "か\u3099", "क्\u200c", "!\u0301")

prose = st.lists(
    st.sampled_from([*WHOLE, "あ", "b", "。", "!", ". ", "、", " ", "\n", "\n\n", "😀", "\u3000"]), max_size=120
)


def without_blanks(text: str) -> str:
    return "".join(text.split())


@given(st.text(st.characters()), st.integers(4, 40))
def test_any_text(text: str, limit: int) -> None:
    """Every piece has 1 to `limit` UTF-16 units, and together they are the text but for blanks and unprintables."""
    pieces = bubbles(text, limit)
    assert all(0 < len(piece.encode("utf-16-le")) // 2 <= limit for piece in pieces)
    assert all(piece == piece.strip() for piece in pieces)
    if pieces:
        assert without_blanks("".join(pieces)) == without_blanks(printable(text))


def assert_whole(parts: list[str], limit: int) -> None:
    rest = [part for part in parts if part.strip()]
    for piece in bubbles("".join(parts), limit):
        taken = ""
        while taken != without_blanks(piece):
            taken += without_blanks(rest.pop(0))
            assert without_blanks(piece).startswith(taken)


@given(prose, st.integers(25, 60))
def test_no_character_is_torn(parts: list[str], limit: int) -> None:
    """Families, flags, skin tones, keycaps, accents and voicing marks stay whole: each piece is made of whole ones."""
    assert_whole(parts, limit)


@given(st.lists(st.sampled_from(WHOLE), min_size=20, max_size=60), st.integers(25, 60))
def test_no_character_is_torn_without_a_break(parts: list[str], limit: int) -> None:
    """Nor where no sentence ends near."""
    assert_whole(parts, limit)


@pytest.mark.parametrize("mark", ["!\u0301", "?\ufe0f", " \u0301", "。\u200d"])
def test_an_end_that_goes_on(mark: str) -> None:
    """A mark that ends a sentence may itself carry an accent or a variation."""
    parts = [*"あ" * 60, mark, *"い" * 60]
    assert_whole(parts, 100)


@pytest.mark.parametrize("before", ["", "a", "ab", FLAG + "a"])
def test_flags_in_a_row(before: str) -> None:
    """Regional indicators are pairs: a row of flags is cut between two of them."""
    assert_whole([*before, *[FLAG] * 3000], 4_999)


def test_emoji_count_twice() -> None:
    """LINE counts UTF-16 units: 2,500 emoji fill a bubble."""
    assert units("a😀あ") == 4
    assert [len(piece) for piece in bubbles("😀" * 2501)] == [2500, 1]


@pytest.mark.parametrize("end", ["\n\n", "\n", "。", "\uff01", "\uff1f", "!", "?", ". ", "、", " "])
def test_cut_where_a_reader_would(end: str) -> None:
    """The last end of a sentence (else a comma, else a blank) before the limit ends the bubble."""
    first, second = bubbles("あ" * 60 + end + "い" * 60, 100)
    assert first == ("あ" * 60 + end).strip()
    assert second == "い" * 60


def test_paragraphs_before_sentences() -> None:
    """A paragraph's end is preferred to a later sentence's, a sentence's to a later comma's."""
    assert bubbles("あ" * 60 + "\n\n" + "い" * 20 + "。" + "う" * 60, 100)[0] == "あ" * 60
    assert bubbles("あ" * 60 + "。" + "い" * 20 + "、" + "う" * 60, 100)[0] == "あ" * 60 + "。"


def test_no_tiny_bubbles() -> None:
    """An end of a sentence in the first half is no reason to waste the rest of the bubble."""
    assert len(bubbles("はい。" + "あ" * 150, 100)[0]) == 100


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "\x00\x07", "\u200b", "\u200d \ufeff", "\U000e0041", "\ud83d"])
def test_nothing_to_see(text: str) -> None:
    """LINE refuses empty text, and invisible text would be silence."""
    assert bubbles(text) == ()


def test_what_phones_cannot_show() -> None:
    """Control characters, hidden tag text and lone surrogates go; line breaks and tabs stay."""
    assert printable("a\x00b\r\nc\td\ud83de\U000e0041f\x1b[31m") == "ab\nc\tdef[31m"


def test_dollars_and_markdown_are_plain() -> None:
    """What means something elsewhere passes unchanged."""
    assert bubbles("$ **bold** {a} `x`") == ("$ **bold** {a} `x`",)


def test_a_pile_of_accents_ends() -> None:
    """A character of thousands of marks has to be cut somewhere."""
    pieces = bubbles("a" + "\u0301" * 12_000)
    assert sum(map(len, pieces)) == 12_001
    assert max(map(units, pieces)) <= 5_000


@pytest.mark.parametrize("text", ["あ" * 30_000, FLAG * 15_000, FAMILY * 3_000, "文です。" * 7_500, "\u0301" * 30_000])
def test_speed(text: str) -> None:
    """30,000 characters take no noticeable time, whatever they are."""
    began = time.process_time()
    pieces = bubbles(text)
    assert time.process_time() - began < 1.0
    assert unicodedata.normalize("NFC", "".join(pieces)) == unicodedata.normalize("NFC", text)
