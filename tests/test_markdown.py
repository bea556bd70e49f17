"""Markdown on a phone: readable as text, nothing of the words lost, and what was no Markdown as it was written."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import markdown_rules
from bot.markdown import Prose, blocks, closed, plain
from bot.shapes import Code, Table

WORDS = ["東京", "は", "晴れ", "です", "hello", "World", "カレー", "３時", "😀", "é", "👨‍👩‍👧", "ok"]
MARKS = [
    *("**", "*", "_", "`", "```", "~", "~~", "# ", "#", "- ", "* ", "1. ", "> ", ">", "|", "---", "[", "](", ")", "("),
    *("![", "\\", "<", "!", "$", "\n", "\n\n", " ", "  ", "\t", "\u3000", "[ ] ", "https://a.b/c", "。", "、"),
]
written = st.lists(st.sampled_from([*WORDS, *MARKS]), max_size=60).map("".join)
prose = st.lists(
    st.sampled_from([*WORDS, "2 * 3 * 4", "2*3*4", "snake_case", "#1", "~", "$", "{a}", "(*^_^*)", "(´・ω・`)", ">_<"]),
    min_size=1,
    max_size=12,
).map(lambda words: " ".join(words))
paragraphs = st.lists(prose, min_size=1, max_size=6).map("\n".join)


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


@given(written)
def test_no_word_is_lost(text: str) -> None:
    """Whatever stands around them, all letters are still there, in their order."""
    assert letters(plain(text)) == letters(text)


@given(paragraphs)
def test_prose_stays_as_it_is(text: str) -> None:
    """Sums, names of variables, faces, hashtags, placeholders and line breaks are no Markdown."""
    assert plain(text) == text
    assert blocks(text) == (Prose(text),)


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"], blacklist_characters="*_`#>|~[]()<!\\-+&.0123456789=")))
def test_text_without_marks_stays_as_it_is(text: str) -> None:
    """Any script, any blanks within."""
    assert plain(text).split() == text.split()


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4 = 24、2*3*4 と a**b**c、f(*args, **kwargs)",
        "snake_case と __init__ と _private",
        "#1 と #タグ と C#",
        "~10~20度~、~~~お知らせ~~~、~~100円~~80円",
        "$ は $10 です {user} ${x}",
        "(*^_^*) と (*´ω`*) と (*ﾉ▽ﾉ*) と (´・ω・`) と (´・ω・`) と ^_^ ^_^ と >_<",
        ">_<\n>ω<",
        "¯\\_(ツ)_/¯",
        "C:\\Users\\.config\\new と \\n",
        "配列[0](初期値) と f[i](x)",
        "AT&T と <b>太字</b> と a < b > c",
        "\u3000字下げした段落。\n\u3000もう一つ。",
        "    四つ空けた行\n  二つ空けた行",
        "一行目\n二行目\n\n\n三行目",
        "2026. それは年",
        "-5度、−5、— と言った",
        "題名\n=====",
        "[1]: https://example.com/ 注",
        "a | b\nc | d",
        "#",
        "※*注1*2",
        "___",
    ],
)
def test_what_is_no_markdown(text: str) -> None:
    """It is shown as written, to the last blank."""
    assert plain(text) == text.rstrip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# 題\n本文", "■ 題\n本文"),
        ("### 小さな **題** ###", "◆ 小さな 題"),
        ("**太字**と*斜体*と***両方***と _こう_ も", "太字と斜体と両方と こう も"),
        ("**「強調」**です。**注意:**これは**(重要)**です", "「強調」です。注意:これは(重要)です"),
        ("`npm i` と ``a`b``", "npm i と a`b"),
        ("- 一\n- 二\n  - 三\n    - 四\n* 五", "• 一\n• 二\n  ◦ 三\n    ▪ 四\n• 五"),
        ("1. 一\n2. 二\n   続き\n10) 十", "1. 一\n2. 二\n  続き\n10) 十"),
        ("1. 一\n1. 二\n1. 三", "1. 一\n2. 二\n3. 三"),
        ("1. 一\n   - 二\n\n   段落\n2. 三", "1. 一\n  ◦ 二\n\n  段落\n2. 三"),
        ("- [ ] 買う\n- [x] 払う", "☐ 買う\n☑ 払う"),
        (
            "[名](https://a.jp) と [https://a.jp](https://a.jp) と <https://b.jp>",
            "名 (https://a.jp) と https://a.jp と https://b.jp",
        ),
        ('[名](https://a.jp/日本 "題") [書く](mailto:a@b.jp)', '名 (https://a.jp/日本 "題") 書く (mailto:a@b.jp)'),
        (
            "![海](https://a.jp/x.png) [![海](https://a.jp/x.png)](https://a.jp)",
            "海 (https://a.jp/x.png) 海 (https://a.jp/x.png) (https://a.jp)",
        ),
        ("> 引用の **一**\n> 二\n>\n> 三", "> 引用の 一\n> 二\n>\n> 三"),
        ("> - 一\n> - 二", "> • 一\n> • 二"),
        ("一\n\n---\n\n二\n***\n三", "一\n\n──────────\n\n二\n──────────\n三"),
        ("A &amp; B &lt;c&gt; &copy;", "A & B <c> ©"),
        ("一<br>二<br/>\n三", "一\n二\n三"),
        ("\\*星\\* と 1\\. と \\#", "*星* と 1\\. と #"),
        ("1\\. 一", "1. 一"),
        ("\u3000字下げ**強**。\n\u3000次。", "\u3000字下げ強。\n\u3000次。"),
        ("文。\n- 一\n- 二\n\n文。", "文。\n• 一\n• 二\n\n文。"),
    ],
)
def test_what_becomes_of_markdown(text: str, shown: str) -> None:
    """Each construct as a reader of plain text would write it."""
    assert plain(text) == shown


def test_code_and_tables_are_blocks() -> None:
    """In their place between the prose, the code to the last blank, a table's cells as text."""
    text = "前\n```python title=x\n  a = `1`\n\n**b**\n```\n後\n\n| **A** | B |\n|:--|--:|\n| `x|y` | z |\n終"
    assert blocks("前\n```py\n  a\n\n\tb **c**\n```\n後") == (Prose("前"), Code("py", "  a\n\n\tb **c**"), Prose("後"))
    assert blocks("前\n| **A** | B |\n|:--|--:|\n| `x\\|y` | z<br>w |\n\n後") == (
        Prose("前"),
        Table((("A", "B"), ("x|y", "z / w"))),
        Prose("後"),
    )
    assert isinstance(blocks(text)[1], Code)


def test_no_cell_is_lost() -> None:
    """Rows that are longer than the heading are shown whole, shorter ones are filled up."""
    (table,) = blocks("| A |\n|---|\n| 1 | 2 | 3 |\n| |")
    assert table == Table((("A", "", ""), ("1", "2", "3"), ("", "", "")))


def test_blocks_inside_of_lists() -> None:
    """Code and tables in a list stand for themselves; the list goes on after them."""
    code, table = "   ```sh\n   pip install x\n   ```", "   | a | b |\n   |---|---|\n   | 1 | 2 |"
    found = blocks(f"1. 入れる:\n\n{code}\n\n2. 動かす\n{table}\n3. 終わり")
    assert [type(block) for block in found] == [Prose, Code, Prose, Table, Prose]
    assert found[1] == Code("sh", "pip install x")
    assert found[4] == Prose("3. 終わり")


def test_a_block_that_begins_an_item() -> None:
    """Its number stays with the text before it."""
    assert blocks("1. ```\n   a\n   ```\n2. b") == (Prose("1."), Code("", "a"), Prose("2. b"))


def test_quoted_code_stays_in_its_quotation() -> None:
    """It is part of what is quoted."""
    assert plain("> ```\n> a\n> ```") == "> a"


def test_code_as_text() -> None:
    """With its language, and a table with its cells apart."""
    assert (
        plain("a\n```py\nx\n```\n| A | B |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |") == "a\n\n[py]\nx\n\nA | B\n1 | 2\n3 | 4"
    )


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("a\n```py\nx = 1", "a\n```py\nx = 1\n```"),
        ("```", "```\n```"),
        ("a\n````\n```\nb", "a\n````\n```\nb\n````"),
        ("a\n```py\nx = 1\n```", "a\n```py\nx = 1\n```"),
        ("a\n```\n```", "a\n```\n```"),
        ("a", "a"),
        ("", ""),
    ],
)
def test_an_answer_that_was_cut(text: str, whole: str) -> None:
    """What is added behind it is no part of its code."""
    assert closed(text) == whole


def test_unprintable_characters_go() -> None:
    """As everywhere."""
    assert plain("a\x00b\r\nc") == "ab\nc"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        "*a " * 10_000,
        "**a" * 10_000,
        "> " * 10_000,
        "`" * 9_999,
        "- " * 5_000,
        "![](" * 7_000,
        "|a" * 9_000,
        "_a_ *b* " * 4_000,
        "a\n" * 15_000,
        "あ" * 30_000,
        "<" * 30_000,
        "\\" * 30_000,
        "&" * 30_000,
        "".join(" " * number + "- a\n" for number in range(0, 240, 2)),
    ],
)
def test_speed(text: str) -> None:
    """30,000 characters of anything take less than it would take to notice, and nothing breaks."""
    began = time.process_time()
    assert plain(text)
    assert time.process_time() - began < 3.0


@pytest.mark.parametrize("blank", [" ", "\t"])
def test_speed_of_blanks(blank: str) -> None:
    """A token of the model may be a hundred blanks: a long answer of them holds nobody up."""
    began = time.process_time()
    assert plain("a" + blank * 100_000 + "b")
    assert time.process_time() - began < 3.0


def test_a_parser_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is shown as it is written rather than not at all."""
    monkeypatch.setattr(markdown_rules.parser(), "parse", lambda _text: 1 / 0)
    assert plain("**a**") == "**a**"
