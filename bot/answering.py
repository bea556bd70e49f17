"""An answer as bubbles: prose together, each code block and table in a bubble of its own, the sources at the end."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bot.bubbles import bubbles, units
from bot.cards import fits
from bot.conversation import Language
from bot.limits import BUBBLES
from bot.markdown import Prose, blocks
from bot.ports import Link
from bot.shapes import Code, Sources, Table, plain
from bot.texts import phrase

CODE_UNITS = 4_500
"""A whole card of LINE takes 30 KB, and JSON six bytes a unit where it is not ASCII."""

LABEL_CHARACTERS = 60

Block = Prose | Code | Table | Sources
T = TypeVar("T")


def answer_bubbles(text: str, links: Sequence[Link], language: Language) -> tuple[str, ...]:
    """What is shown for a model's answer and what it has read; only an answer of which nothing can be seen is empty."""
    found: list[Block] = [one for block in blocks(text) for one in _split(block)]
    if links:
        found += _split_sources(Sources(phrase("sources", language), tuple(dict.fromkeys(links))))
    return _within(found) or _prose(text)


def _within(found: Sequence[Block]) -> tuple[str, ...]:
    """With as many cards as five bubbles have room for; the largest, which gain most by it.

    Where even text alone is more than that, 「続き」 comes anyway, and the cards stay.
    """
    all_cards = shown = _merged(found)
    cards = sorted((block for block in found if not isinstance(block, Prose)), key=_worth)
    while len(shown) > BUBBLES and cards:
        smallest = cards.pop(0)
        found = [Prose(block.plain) if block is smallest else block for block in found]
        shown = _merged(found)
    return shown if len(shown) <= BUBBLES else all_cards


def _worth(block: Block) -> tuple[bool, int]:
    return isinstance(block, Sources), len(str(block))


def _merged(found: Sequence[Block]) -> tuple[str, ...]:
    """Neighbouring prose becomes one text, in as few bubbles as hold it."""
    shown: list[str] = []
    prose: list[str] = []
    for block in [*found, None]:
        if isinstance(block, Prose):
            prose.append(block.text)
            continue
        shown += _prose("\n\n".join(prose))
        prose = []
        shown += [str(block)] if block else []
    return tuple(shown)


def _prose(text: str) -> tuple[str, ...]:
    """Text stays text: escaped, or as inline code, it may spell a picture, which phones would fetch from anywhere."""
    return tuple(plain(bubble) for bubble in bubbles(text))


def _split(block: Prose | Code | Table) -> Iterator[Block]:
    match block:
        case Code():
            label = block.language if len(block.language) <= LABEL_CHARACTERS else ""
            yield from [] if label == block.language else [Prose(block.language)]
            yield from (Code(label, text) for text in _pieces(block.text.split("\n")))
        case Table() if len(block.rows) <= 2:
            yield Prose(block.plain)
        case Table():
            head, *rows = block.rows
            groups = _groups(rows, lambda group: fits(str(Table((head, *group)))))
            whole = (Table((head, *group)) for group in groups)
            yield from (table if fits(str(table)) else Prose(table.plain) for table in whole)
        case _:
            yield block


def _split_sources(sources: Sources) -> Iterator[Block]:
    for group in _groups(sources.links, lambda group: fits(str(Sources(sources.heading, tuple(group))))):
        part = Sources(sources.heading, tuple(group))
        yield part if fits(str(part)) else Prose(part.plain)


def _pieces(lines: Sequence[str]) -> Iterator[str]:
    """Code in pieces that a card holds, cut between lines; only a line that is longer itself is cut."""
    short = [piece for line in lines for piece in (bubbles(line, CODE_UNITS) if units(line) > CODE_UNITS else [line])]
    for group in _groups(short, lambda group: units("\n".join(group)) <= CODE_UNITS):
        if text := "\n".join(group).strip("\n"):
            yield text


def _groups(items: Sequence[T], fit: Callable[[Sequence[T]], bool]) -> Iterator[Sequence[T]]:
    """The items in groups as large as fit; what does not even fit alone is a group of its own."""
    start = 0
    for end in range(1, len(items) + 1):
        if end - start > 1 and not fit(items[start:end]):
            yield items[start : end - 1]
            start = end - 1
    if start < len(items):
        yield items[start:]
