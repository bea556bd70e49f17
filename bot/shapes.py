"""What a bubble can be beside text, and how it is written as one: it stays readable Markdown wherever it turns up.

A bubble that is nothing but one of these is shown as such; any other is text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.ports import Link
from bot.texts import phrases

FENCED = re.compile(r"(`{3,})([^\n`]*)\n(.*)\n\1", re.DOTALL)
RULER = re.compile(r"\|(?: --- \|)+")
SOURCE = re.compile(r"- \[(.*)\]\((\S+)\)")
PICTURE = re.compile(r'!\[([^\n]*)\]\((https://[^\s")]+) "(https://[^\s"]+)"\)')
BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Code:
    """A code block; `language`: what stands behind the fence, often nothing."""

    language: str
    text: str

    def __str__(self) -> str:
        longest = max(map(len, re.findall("`+", self.text)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"{fence}{self.language.replace('`', '')}\n{self.text}\n{fence}"

    @property
    def plain(self) -> str:
        return f"[{self.language}]\n{self.text}" if self.language else self.text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, the first one the heading, all equally long."""

    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        escaped = ([cell.replace("|", r"\|") for cell in row] for row in self.rows)
        head, *rows = (f"| {' | '.join(row)} |" for row in escaped)
        return "\n".join([head, "|" + " --- |" * len(self.rows[0]), *rows])

    @property
    def plain(self) -> str:
        head, *rows = self.rows
        if len(rows) == 1:
            return "\n".join(f"{name}: {cell}" if name else cell for name, cell in zip(head, rows[0], strict=True))
        return "\n".join(" | ".join(row) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Sources:
    """What an answer was read from; `heading` in the person's language."""

    heading: str
    links: tuple[Link, ...]

    def __str__(self) -> str:
        return "\n".join([self.heading, *(f"- [{_title(link)}]({link.url})" for link in self.links)])

    @property
    def plain(self) -> str:
        return "\n".join([self.heading, *(f"• {_title(link)} ({link.url})" for link in self.links)])


@dataclass(frozen=True, slots=True)
class Picture:
    """An image by its https address, a small one of it, and what it shows."""

    alt: str
    url: str
    preview_url: str

    def __str__(self) -> str:
        return f'![{self.alt}]({self.url} "{self.preview_url}")'

    @property
    def plain(self) -> str:
        return f"{self.alt}\n{self.url}".strip()


Shape = Code | Table | Sources | Picture


def shape(bubble: str) -> Shape | None:
    """What the bubble is nothing but; None: text."""
    if fenced := FENCED.fullmatch(bubble):
        return None if fenced[1] in fenced[3] else Code(fenced[2], fenced[3])
    if picture := PICTURE.fullmatch(bubble):
        return Picture(picture[1], picture[2], picture[3])
    lines = bubble.split("\n")
    return _table(lines) or _sources(lines)


def plain(bubble: str) -> str:
    """The bubble as text without any markup."""
    found = shape(bubble)
    return found.plain if found else bubble


def _table(lines: Sequence[str]) -> Table | None:
    if len(lines) < 2 or not RULER.fullmatch(lines[1]) or not all(line[:2] == "| " == line[:-3:-1] for line in lines):
        return None
    rows = [_cells(line) for number, line in enumerate(lines) if number != 1]
    return Table(tuple(rows)) if len({lines[1].count("-") // 3, *map(len, rows)}) == 1 else None


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("\\|", "|") for cell in BETWEEN_CELLS.split(line[1:-1]))


def _sources(lines: Sequence[str]) -> Sources | None:
    links = [SOURCE.fullmatch(line) for line in lines[1:]]
    if lines[0] not in phrases("sources") or not links:
        return None
    found = [Link(link[1], link[2]) for link in links if link]
    return Sources(lines[0], tuple(found)) if len(found) == len(links) else None


def _title(link: Link) -> str:
    return " ".join(link.title.split()) or link.url
