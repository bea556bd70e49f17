"""Cards: what LINE gets for each kind of bubble, always something that it takes and that can be read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from bot.bubbles import units
from bot.cards import ALT_UNITS, CARD_BYTES, fits, message, text_message
from bot.local.messages import problems
from bot.ports import Link
from bot.shapes import Code, Picture, Sources, Table
from tests.test_shapes import codes, sources, tables


def parts(component: Any) -> Iterator[dict[str, Any]]:
    """Every component of a card, in the order of reading."""
    if isinstance(component, dict):
        yield component
        for value in component.values():
            yield from parts(value)
    elif isinstance(component, list):
        for value in component:
            yield from parts(value)


def texts(card: dict[str, Any]) -> list[str]:
    return [part["text"] for part in parts(card["contents"]) if part.get("type") == "text"]


def actions(card: dict[str, Any]) -> list[dict[str, Any]]:
    return [part["action"] for part in parts(card["contents"]) if "action" in part]


def is_taken(content: dict[str, Any]) -> bool:
    return not problems({"messages": [content]})


@pytest.mark.parametrize("text", ["hello", "**as** `is`", "{braces} $", "```\nopen", " blank "])
def test_text_is_text(text: str) -> None:
    """Nothing of it is touched."""
    assert message(text) == text_message(text) == {"type": "text", "text": text}


@settings(max_examples=60)
@given(codes.filter(lambda code: bool(code.text.strip())) | tables | sources)
def test_line_takes_it(one: Code | Table | Sources) -> None:
    """As a card and as text, whatever is in it."""
    if not one.plain.strip(" |\n"):
        return
    card = message(str(one))
    assert is_taken(card), problems({"messages": [card]})
    assert is_taken(text_message(str(one)))


def test_code() -> None:
    """Light on dark, wrapped, with its language and a button that copies it; its indentation is kept."""
    card = message(str(Code("py", "if x:\n    y()\n\tz")))
    assert (card["type"], card["altText"]) == ("flex", "[py]\nif x:\n    y()\n\tz")
    assert texts(card) == ["py", "📋", "if x:\n\u00a0\u00a0\u00a0\u00a0y()\n\u00a0\u00a0\u00a0\u00a0z"]
    assert actions(card) == [{"type": "clipboard", "label": "📋", "clipboardText": "if x:\n    y()\n\tz"}]


def test_long_code_is_copied_in_parts() -> None:
    """LINE's clipboard takes 1,000 characters at a time: numbered buttons, cut between lines."""
    code = "\n".join(f"line {number:04}" for number in range(250))
    copied = [action["clipboardText"] for action in actions(message(str(Code("", code))))]
    assert len(copied) == 3
    assert "\n".join(copied) == code
    assert all(len(part) <= 1_000 for part in copied)


def test_code_that_cannot_be_copied() -> None:
    """Where a line is longer than the clipboard, or the card would be too large, there is no button."""
    assert actions(message(str(Code("", "x" * 1_001)))) == []
    card = message(str(Code("", "\n".join(["あ" * 80] * 50))))
    assert card["type"] == "flex"
    assert actions(card) == []


def test_a_narrow_table_is_a_grid() -> None:
    """Its rows as rows, its columns as wide as what is in them; an empty cell is left empty."""
    card = message(str(Table((("品", "値段"), ("りんご", "100円"), ("", "80円")))))
    rows = [part for part in card["contents"]["body"]["contents"] if part["type"] == "box"]
    assert [[cell.get("text", "") for cell in row["contents"]] for row in rows] == [
        ["品", "値段"],
        ["りんご", "100円"],
        ["", "80円"],
    ]
    assert [cell["flex"] for cell in rows[1]["contents"]] == [6, 5]
    assert card["altText"] == "品 | 値段\nりんご | 100円\n | 80円"


@pytest.mark.parametrize("columns", [3, 5, 12])
def test_a_wide_table_is_a_list_of_records(columns: int) -> None:
    """Each row for itself: its first cell as the title, the others behind the names of their columns."""
    head = tuple(f"列の名前{number}" for number in range(columns))
    row = tuple(f"とても長い中身{number}" for number in range(columns))
    shown = texts(message(str(Table((head, row, ("a", *[""] * (columns - 1)))))))
    fields = [text for name, cell in zip(head[1:], row[1:], strict=True) for text in (name, cell)]
    assert shown == [head[0], row[0], *fields, "a"]


def test_sources() -> None:
    """Numbered titles that open their page, with the host under each."""
    card = message(str(Sources("出典:", (Link("題", "https://a.jp/日本?q=1#x"), Link("B", "http://b.jp")))))
    assert texts(card) == ["出典:", "1. 題", "a.jp", "2. B", "b.jp"]
    assert [action["uri"] for action in actions(card)] == ["https://a.jp/%E6%97%A5%E6%9C%AC?q=1#x", "http://b.jp"]
    assert card["altText"] == "出典:\n• 題 (https://a.jp/日本?q=1#x)\n• B (http://b.jp)"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "line://x", "ftp://a.jp", "https://a.jp/" + "x" * 1_000])
def test_an_address_that_is_not_opened(url: str) -> None:
    """Only web addresses that LINE takes can be tapped; others are only read."""
    card = message(str(Sources("Sources:", (Link("t", url),))))
    assert actions(card) == []
    assert url in texts(card)


def test_a_picture() -> None:
    """It is shown, its addresses as LINE wants them written."""
    bubble = str(Picture("海", "https://a.jp/海.png?a=1&b=%20", "https://a.jp/s.png"))
    assert message(bubble) == {
        "type": "image",
        "originalContentUrl": "https://a.jp/%E6%B5%B7.png?a=1&b=%20",
        "previewImageUrl": "https://a.jp/s.png",
    }
    assert text_message(bubble)["text"].startswith("海\nhttps://a.jp/")
    assert message(str(Picture("a", "https://a.jp/" + "x" * 2_000, "https://a.jp/s.png")))["type"] == "text"


def test_too_large_for_a_card() -> None:
    """What LINE would refuse goes as text, which says the same."""
    code = Code("", "あ" * 4_990)
    assert message(str(code)) == {"type": "text", "text": code.text}
    assert not fits(str(code))


def test_the_longest_code_that_fits() -> None:
    """Four and a half thousand units of whatever they are."""
    for letter in ("あ", "x", "😀", '"'):
        bubble = str(Code("py", letter * (4_500 // units(letter))))
        assert fits(bubble)
        assert len(json.dumps(message(bubble)["contents"])) <= CARD_BYTES


def test_a_long_alternative_is_shortened() -> None:
    """LINE takes 1,500 units of it."""
    alternative = message(str(Code("", "😀" * 2_000)))["altText"]
    assert ALT_UNITS - 2 <= units(alternative) <= ALT_UNITS
    assert alternative.endswith("…")


@pytest.mark.parametrize(
    "bubble", ["```py\nx\n```", "| a | b |\n| --- | --- |\n| 1 | 2 |", "出典:\n- [a](https://a.jp)"]
)
def test_light_and_dark(bubble: str) -> None:
    """Every text has a colour that stands out from the ground of its own card, whatever the app's is."""
    card = message(bubble)
    ground = card["contents"]["styles"]["body"]["backgroundColor"]
    for box in parts(card["contents"]["body"]):
        for part in box.get("contents", []):
            if part.get("type") == "text":
                assert _contrast(part["color"], box.get("backgroundColor", ground)) >= 4.5


def _contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
