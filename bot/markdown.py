"""What a model writes, as Markdown, made into what a phone shows: plain text, code and tables.

LINE shows text as it is. Words are never lost, and what only looks like Markdown (`2 * 3 * 4`, `snake_case`, kaomoji)
stays as it is written. Source: https://spec.commonmark.org/, and GitHub's tables.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.bubbles import printable
from bot.markdown_rules import parser
from bot.shapes import Code, Table

HEADINGS = {"h1": "■ ", "h2": "■ "}
SMALL_HEADING = "◆ "
RULE = "──────────"
BULLETS = ("• ", "◦ ", "▪ ")
DEEP = re.compile(r"^(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])){40}", re.MULTILINE)
"""Nested so deep that the parser would leave out what is inside."""
MOST = {"[": 1_000, "*": 4_000}
"""More would take the parser seconds, in which nobody else is answered."""
BREAK = re.compile(r"(?<![ \t])[ \t]*<br\s*/?>[ \t]*\n?", re.IGNORECASE)
TASK = re.compile(r"\[([ xX])\][ \u00a0]+(?=\S)")
KAOMOJI = re.compile(r"\*?[)）]")
"""What no code begins with, but the second half of (´・ω・`) does."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Text without any markup."""

    text: str

    @property
    def plain(self) -> str:
        return self.text


Block = Prose | Code | Table


def blocks(text: str) -> tuple[Block, ...]:
    """The text in the order of reading; two pieces of prose are never neighbours."""
    text = printable(text)
    if DEEP.search(text) or any(text.count(mark) > most for mark, most in MOST.items()):
        return (Prose(text),)
    try:
        return _Reader(text).read()
    except Exception:  # noqa: BLE001  # whatever the parser stumbles over must not cost the answer: it is shown as written
        return (Prose(text),)


def plain(text: str) -> str:
    """All of it as text: code as it is, a table's rows as lines."""
    return "\n\n".join(filter(None, (block.plain.strip("\n") for block in blocks(text)))) or printable(text)


def closed(text: str) -> str:
    """Text that ends inside a code block, with the block ended: what is added to it is no code."""
    last = parser().parse(text)[-1:]
    if not last or last[0].type != "fence":
        return text
    start, end = last[0].map or (0, 0)
    code = last[0].content
    is_ended = end - start == code.count("\n") + (bool(code) and not code.endswith("\n")) + 2
    return text if is_ended else f"{text.rstrip()}\n{last[0].markup}"


@dataclass(slots=True)
class _Prefix:
    """What stands before the lines of a list item or a quotation: `first` before the first of them, then `rest`."""

    first: str
    rest: str
    is_used: bool = False


class _Reader:
    """Reads one text, block by block; the lines between two blocks are those of the source."""

    def __init__(self, text: str) -> None:
        self.source = text.split("\n")
        self.tokens = parser().parse(text)
        self.found: list[Block] = []
        self.lines: list[str] = []
        self.prefixes: list[_Prefix] = []
        self.lists: list[Any] = []
        self.end = 0

    def read(self) -> tuple[Block, ...]:
        for at, token in enumerate(self.tokens):
            reader = getattr(self, f"_{token.type}", None)
            if reader:
                reader(at, token)
        self._end_prose()
        return tuple(self.found)

    def _inline(self, at: int, token: Any) -> None:
        kind, text = self.tokens[at - 1], inline(token.children)
        source = "\n".join(self.source[token.map[0] : token.map[1]])
        if kind.type == "heading_open":
            text = HEADINGS.get(kind.tag, SMALL_HEADING) + text if text else source.strip()
        elif not self.prefixes:
            text = source if _visible(source) == _visible(text) else _indented(text, source)
        elif self.prefixes[-1].first.strip() and not self.prefixes[-1].is_used:
            text = self._as_task(text)
        self._write(text, token.map)

    def _as_task(self, text: str) -> str:
        task = TASK.match(text) if self.lists else None
        if task is None:
            return text
        self.prefixes[-1].first = "☐ " if task[1] == " " else "☑ "
        return text[task.end() :]

    def _hr(self, _at: int, token: Any) -> None:
        source = self.source[token.map[0]].strip()
        # A gap to be filled in is no rule.
        self._write(source if "_" in source else RULE, token.map)

    def _fence(self, _at: int, token: Any) -> None:
        if any(prefix.first.startswith(">") for prefix in self.prefixes):
            return self._write(Code(token.info.strip(), token.content.rstrip("\n")).plain, token.map)
        if any(not prefix.is_used for prefix in self.prefixes):
            self._write("", token.map)
        if token.content.strip() or token.info.strip():
            self._end_prose()
            self.found.append(Code(token.info.strip(), token.content.strip("\n")))
        self.end = token.map[1]

    def _table_open(self, at: int, token: Any) -> None:
        lines = [line for line in self.source[token.map[0] : token.map[1]] if line.strip()]
        rows = [_cells(line) for number, line in enumerate(lines) if number != 1]
        table = Table(_even(rows))
        if any(prefix.first.startswith(">") for prefix in self.prefixes):
            self._write(table.plain, token.map)
        else:
            if any(not prefix.is_used for prefix in self.prefixes):
                self._write("", token.map)
            self._end_prose()
            self.found.append(table)
            self.end = token.map[1]
        self._skip(at, "table_close")

    def _skip(self, at: int, until: str) -> None:
        """Cells were read from the source, where none is missing; their tokens say nothing more."""
        while self.tokens[at].type != until:
            self.tokens[at].type = "read"
            at += 1

    def _bullet_list_open(self, at: int, token: Any) -> None:
        self._ordered_list_open(at, token)

    def _ordered_list_open(self, at: int, token: Any) -> None:
        self.lists.append(_Numbers(self.tokens[at:], token.level))

    def _bullet_list_close(self, _at: int, _token: Any) -> None:
        self.lists.pop()

    _ordered_list_close = _bullet_list_close

    def _list_item_open(self, _at: int, token: Any) -> None:
        depth = sum(prefix.rest == "  " for prefix in self.prefixes)
        bullet = "+ " if token.markup == "+" else BULLETS[min(depth, len(BULLETS) - 1)]
        number = self.lists[-1].next(token.info)
        self.prefixes.append(_Prefix(f"{number}{token.markup} " if token.info else bullet, "  "))

    def _list_item_close(self, _at: int, token: Any) -> None:
        if not self.prefixes[-1].is_used:
            self._write("", None)
        self.prefixes.pop()

    def _blockquote_open(self, _at: int, _token: Any) -> None:
        self.prefixes.append(_Prefix("> ", "> "))

    def _blockquote_close(self, _at: int, _token: Any) -> None:
        self.prefixes.pop()

    def _write(self, text: str, lines: Sequence[int] | None) -> None:
        start, end = (lines[0], lines[1]) if lines else (self.end, self.end + 1)
        quoted = "".join(prefix.rest for prefix in self.prefixes if prefix.is_used).rstrip()
        self.lines += [quoted] * (start - self.end)
        for line in text.split("\n"):
            self.lines.append(("".join(prefix.first for prefix in self.prefixes) + line).rstrip(" "))
            for prefix in self.prefixes:
                prefix.first, prefix.is_used = prefix.rest, True
        self.end = end

    def _end_prose(self) -> None:
        text = "\n".join(self.lines).strip("\n")
        if text.strip():
            self.found.append(Prose(text))
        self.lines = []


class _Numbers:
    """The numbers of a list: as written, or counted where the writer has left the counting to others (1. 1. 1.)."""

    def __init__(self, tokens: Sequence[Any], level: int) -> None:
        self.count = 0
        written = []
        for token in tokens[1:]:
            if token.level == level and token.type.endswith("list_close"):
                break
            if token.level == level + 1 and token.type == "list_item_open":
                written.append(token.info)
        self.counts = len(written) > 1 and set(written) == {"1"}

    def next(self, written: str) -> str:
        self.count += 1
        return str(self.count) if self.counts else written


def inline(tokens: Sequence[Any]) -> str:
    """The words of one paragraph, with the addresses of its links."""
    written = ""
    links: list[tuple[Any, int]] = []
    for token in tokens:
        if token.type == "link_open":
            links.append((token, len(written)))
        elif token.type == "softbreak" and written.endswith("\n"):
            continue
        elif token.type == "link_close":
            link, at = links.pop()
            written = written[:at] + _linked(written[at:], link)
        else:
            written += _word(token)
    return written


def _word(token: Any) -> str:
    match token.type:
        case "softbreak" | "hardbreak":
            return "\n"
        case "code_inline":
            return token.markup + token.content + token.markup if KAOMOJI.match(token.content) else str(token.content)
        case "image":
            return _linked(inline(token.children), token)
        case "text":
            return BREAK.sub("\n", token.content)
        case _:
            return ""


def _linked(text: str, token: Any) -> str:
    """`text (address)`; the address alone where the text is the same."""
    address = str(token.attrs.get("href") or token.attrs.get("src") or "")
    title = str(token.attrs.get("title") or "")
    where = f'{address} "{title}"' if title else address
    is_same = token.markup == "autolink" or text.strip() in ("", address, address.removeprefix("mailto:"))
    return (text if token.markup == "autolink" else where) if is_same else f"{text} ({where})"


def _indented(text: str, source: str) -> str:
    """Each line as far to the right as it is written: Japanese paragraphs begin with a blank."""
    lines, written = text.split("\n"), source.split("\n")
    if len(lines) != len(written):
        return text
    return "\n".join(
        one[: len(one) - len(one.lstrip())] + line.lstrip() for line, one in zip(lines, written, strict=True)
    )


def _visible(text: str) -> str:
    return "".join(text.split())


def _cells(line: str) -> list[str]:
    from markdown_it.rules_block.table import escapedSplit

    cells = escapedSplit(line.strip())
    cells = cells[1:] if cells and not cells[0].strip() else cells
    cells = cells[:-1] if cells and not cells[-1].strip() else cells
    return [_cell(cell) for cell in cells]


def _cell(text: str) -> str:
    (token,) = parser().parseInline(text.strip())
    return " / ".join(filter(None, (line.strip() for line in inline(token.children or []).split("\n"))))


def _even(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Rows may be shorter than the heading, or longer: nothing is cut off."""
    width = max(map(len, rows))
    return tuple((*row, *[""] * (width - len(row))) for row in rows)
