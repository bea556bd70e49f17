"""An answer in bubbles: as few as possible, cards where they read better, never more than there is room for."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.answering import answer_bubbles
from bot.bubbles import bubbles, units
from bot.cards import message
from bot.ports import Link
from bot.shapes import Code, Picture, Sources, Table, shape

CODE = "```py\nprint('やあ')\n```"
TABLE = "| 名 | 数 |\n| --- | --- |\n| 一 | 1 |\n| 二 | 2 |"
LINKS = (Link("題", "https://a.jp/x"), Link("Other", "https://b.jp"))


def shown(text: str, links: tuple[Link, ...] = ()) -> list[str]:
    return list(answer_bubbles(text, links, "ja"))


def test_prose_is_one_bubble() -> None:
    """Paragraphs, lists and headings stay together."""
    assert shown("# 題\n\n一。\n\n- 二\n- 三\n\n四。") == ["■ 題\n\n一。\n\n• 二\n• 三\n\n四。"]


def test_code_and_tables_stand_alone() -> None:
    """Each in a bubble that is nothing else, in its place between the prose."""
    assert shown(f"前\n{CODE}\n間\n\n{TABLE}\n\n後") == ["前", CODE, "間", TABLE, "後"]


def test_sources_come_last() -> None:
    """Each once, in the person's language."""
    assert shown("答え。", (*LINKS, LINKS[0])) == ["答え。", "出典:\n- [題](https://a.jp/x)\n- [Other](https://b.jp)"]
    assert answer_bubbles("Answer.", LINKS[:1], "en")[1].startswith("Sources:\n")


def test_a_small_table_is_text() -> None:
    """One row reads better as lines, and a heading alone is no table."""
    assert shown("前\n\n| 名 | 数 |\n|---|---|\n| 一 | 1 |\n\n後") == ["前\n\n名: 一\n数: 1\n\n後"]
    assert shown("| 名 | 数 |\n|---|---|") == ["名 | 数"]


def test_no_more_than_five() -> None:
    """Where cards would be too many, the smallest become text first, and their neighbours join them."""
    large = "\n".join(f"line {number}" for number in range(50))
    text = f"a\n```\n1\n```\nb\n```\n{large}\n```\nc\n```\n22\n```\nd"
    assert shown(text) == ["a\n\n1\n\nb", f"```\n{large}\n```", "c", "```\n22\n```", "d"]
    assert shown(text, LINKS) == ["a\n\n1\n\nb", f"```\n{large}\n```", "c\n\n22\n\nd", str(Sources("出典:", LINKS))]


def test_cards_stay_where_text_would_not_fit_either() -> None:
    """More than five bubbles of text: the rest is served later, and nothing is gained by losing the cards."""
    long = "文です。" * 6_500
    pieces = shown(f"{long}\n\n{CODE}\n\n{TABLE}")
    assert len(pieces) > 5
    assert pieces[-2:] == [CODE, TABLE]
    assert "".join(pieces[:-2]) == long


def test_long_code_is_cut_between_lines() -> None:
    """Each piece is code of the same language, and indentation is kept."""
    lines = [f"    あ = {number}" for number in range(1_000)]
    pieces = [shape(bubble) for bubble in shown("```py\n" + "\n".join(lines) + "\n```")]
    assert len(pieces) > 1
    assert all(isinstance(piece, Code) and piece.language == "py" for piece in pieces)
    assert "\n".join(piece.text for piece in pieces if isinstance(piece, Code)).split("\n") == lines


def test_one_endless_line_of_code() -> None:
    """It is cut where it must be."""
    pieces = shown("```\n" + "x" * 10_000 + "\n```")
    assert sum(piece.count("x") for piece in pieces) == 10_000
    assert all(isinstance(shape(piece), Code) for piece in pieces)


def test_a_long_table_is_cut_between_rows() -> None:
    """Each piece has the heading again."""
    rows = [f"| 項目{number} | 値{number} |" for number in range(300)]
    tables = [shape(bubble) for bubble in shown("\n".join(["| 名 | 数 |", "|---|---|", *rows]))]
    assert len(tables) > 1
    assert all(isinstance(table, Table) and table.rows[0] == ("名", "数") for table in tables)
    assert [row for table in tables if isinstance(table, Table) for row in table.rows[1:]][299] == ("項目299", "値299")


def test_a_row_that_no_card_holds() -> None:
    """It is text."""
    pieces = shown("| 名 | 数 |\n|---|---|\n| a | " + "長い" * 3_000 + " |\n| b | 1 |")
    assert sum(piece.count("長い") for piece in pieces) == 3_000
    assert all(units(piece) <= 5_000 for piece in pieces)


@pytest.mark.parametrize(
    "text",
    [
        '`![a](https://e.example/x?words "https://e.example/y")`',
        r'\!\[a\]\(https://e.example/x?words "https://e.example/y"\)',
    ],
)
def test_no_picture_from_words(text: str) -> None:
    """What only spells a picture is not fetched by anybody's phone."""
    assert not any(isinstance(shape(piece), Picture) for piece in shown(text))


def test_a_strange_language() -> None:
    """A sentence behind the fence is no label."""
    assert shown("```" + "word " * 30 + "\nx\n```") == [("word " * 30).strip(), "```\nx\n```"]


@pytest.mark.parametrize("text", ["```\n```", "> ", "|"])
def test_nothing_but_marks(text: str) -> None:
    """Better they than silence."""
    assert shown(text) == [text.strip()]


@pytest.mark.parametrize("text", ["", " \n", "\u200b"])
def test_nothing_at_all(text: str) -> None:
    """An answer of which nothing can be seen has no bubble."""
    assert shown(text) == []


pieces = st.sampled_from(
    ["文です。" * 300, "word " * 500, CODE, TABLE, "```\n" + "x = 1\n" * 700 + "```", "- a\n- b", "😀" * 900]
)


@settings(max_examples=40)
@given(st.lists(pieces, max_size=9).map("\n\n".join), st.booleans())
def test_line_takes_every_bubble(text: str, with_links: bool) -> None:
    """Each is 1 to 5,000 units and within a card's size; text that is short enough is five bubbles at most."""
    found = answer_bubbles(text, LINKS if with_links else (), "ja")
    assert all(0 < units(bubble) <= 5_000 for bubble in found)
    assert all(len(json.dumps(message(bubble).get("contents", {}))) <= 30_000 for bubble in found)
    if len(bubbles(text)) <= 3:
        assert len(found) <= 5
