"""Shapes of bubbles: what is written as one is read back as the same, and anything else is text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ports import Link
from bot.shapes import Code, Picture, Sources, Table, plain, shape

words = st.text(st.sampled_from("aあ|`*\\ -[](){}\"'<>漢😀"), max_size=20).map(str.strip)
codes = st.builds(
    Code, st.sampled_from(["", "py", "c++", "sh title"]), st.text(st.sampled_from("a `|\n\t#あ"), min_size=1)
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[words] * width), min_size=1, max_size=5).map(lambda rows: Table(tuple(rows)))
)
links = st.builds(
    Link,
    words.filter(bool).map(lambda text: " ".join(text.split())),
    st.sampled_from(["https://a.jp/(x)", "http://b.jp?q=[1]"]),
)
sources = st.builds(Sources, st.sampled_from(["出典:", "Sources:"]), st.lists(links, min_size=1, max_size=4).map(tuple))


@given(codes | tables | sources)
def test_written_and_read_back(one: Code | Table | Sources) -> None:
    """Whatever is inside of it, fences, pipes and brackets too."""
    assert shape(str(one)) == one


def test_how_they_are_written() -> None:
    """As Markdown that stays readable where it is not drawn."""
    assert str(Code("py", "x = 1")) == "```py\nx = 1\n```"
    assert str(Code("", "```\na\n```")) == "````\n```\na\n```\n````"
    assert str(Table((("a", "b|c"), ("1", "")))) == "| a | b\\|c |\n| --- | --- |\n| 1 |  |"
    assert str(Sources("出典:", (Link("題", "https://a.jp"),))) == "出典:\n- [題](https://a.jp)"
    assert (
        str(Picture("海", "https://a.jp/1.png", "https://a.jp/2.png"))
        == '![海](https://a.jp/1.png "https://a.jp/2.png")'
    )


def test_a_source_without_a_title() -> None:
    """Its address stands for it."""
    assert str(Sources("Sources:", (Link(" ", "https://a.jp"),))) == "Sources:\n- [https://a.jp](https://a.jp)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "```\nopen",
        "a\n```\nb\n```",
        "```\na\n```\nb\n```\nc\n```",
        "| a |",
        "| a |\n| b |",
        "| a |\n| --- | --- |\n| 1 |",
        "| a | b |\n| --- | --- |\n| 1 |",
        "text\n| a |\n| --- |",
        "出典:",
        "出典:\n- [a](https://a.jp)\ntext",
        "別のもの:\n- [a](https://a.jp)",
        "![a](https://a.jp/1.png)",
        '![a](http://a.jp/1.png "https://a.jp/2.png")',
        '![a](https://a.jp/1.png "https://a.jp/2.png") text',
    ],
)
def test_all_else_is_text(text: str) -> None:
    """Only a bubble that is nothing but one shape is one."""
    assert shape(text) is None
    assert plain(text) == text


def test_as_text() -> None:
    """The same without markup."""
    assert plain("```py\nx\n```") == "[py]\nx"
    assert plain("```\nx\n```") == "x"
    assert plain("| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |") == "a | b\n1 | 2\n3 | 4"
    assert plain("| a |  |\n| --- | --- |\n| 1 | 2 |") == "a: 1\n2"
    assert plain("出典:\n- [題](https://a.jp)") == "出典:\n• 題 (https://a.jp)"
    assert plain('![海](https://a.jp/1.png "https://a.jp/2.png")') == "海\nhttps://a.jp/1.png"


@given(codes | tables | sources)
def test_text_is_never_longer(one: Code | Table | Sources) -> None:
    """What LINE takes as a shape it takes as text."""
    assert len(one.plain) <= len(str(one))
