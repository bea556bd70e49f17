"""How commands print: tables for people, one JSON object a line for programs, progress where it is long.

Each row is a dictionary of plain values; `--json` prints it as it is, a table shows the columns that are named.
Only tables and progress bars need `rich`, which the function itself never loads.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from importlib.util import find_spec
from math import inf
from typing import Any

from bot.bubbles import printable
from bot.errors import Misconfigured
from bot.spending import JAPAN

Row = Mapping[str, Any]
PLAIN_WIDTH = 10_000
"""Where no terminal ends the line nothing is folded or cut."""


@dataclass(frozen=True, slots=True)
class Column:
    """`key` of the rows; `show` makes a word of the value, which may be None where the row has none.

    `is_whole`: never broken into lines, because it is for copying. A terminal does not show a column without words.
    """

    title: str
    key: str
    show: Callable[[Any], str] = lambda value: "" if value is None else str(value)
    is_number: bool = False
    is_whole: bool = False


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that every command with a table has; it is `arguments.json`."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")


def show(rows: Sequence[Row], columns: Sequence[Column], *, as_json: bool, nothing: str = "nothing") -> None:
    """Print all rows; `nothing` is said in place of an empty table."""
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        _table(rows, columns)
    else:
        print(nothing)


def print_json(row: Row) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(row, ensure_ascii=False))


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Call what it gives once for each of `total`; shown on standard error, if that is a terminal."""
    if not sys.stderr.isatty() or find_spec("rich") is None:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def positive(text: str) -> float:
    """For arguments: a number above 0."""
    given = float(text)
    if not 0 < given < inf:
        raise argparse.ArgumentTypeError("a number above 0")
    return given


def whole(text: str) -> int:
    """For arguments: a whole number above 0."""
    given = int(text)
    if given < 1:
        raise argparse.ArgumentTypeError("a whole number above 0")
    return given


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """What is known of one thing, a line each: needs no `rich`."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        print(f"{name:{width}}  {printable(value)}".rstrip())


def time(milliseconds: int | None) -> str:
    """Japanese time, to the second; nothing for 0 or None."""
    if not milliseconds:
        return ""
    try:
        at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
        return at.astimezone(timezone(JAPAN)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return "beyond 9999"  # what is damaged must be seen all the same


def yen(micro_yen: int | None) -> str:
    """Millionths of a yen, in yen to the hundredth."""
    return f"{(micro_yen or 0) / 1_000_000:,.2f}"


def minute(milliseconds: int | None) -> str:
    """The same to the minute and without the year, for tables: nothing is kept for so long."""
    return time(milliseconds)[5:16]


def number(value: int | None) -> str:
    return f"{value or 0:,}"


def some(value: int | None) -> str:
    """A number, or nothing for 0: what is seldom there catches the eye."""
    return f"{value:,}" if value else ""


def short(conversation_id: str) -> str:
    """Enough of the hashed id to follow one conversation; as log lines have it, and every command takes it."""
    return conversation_id[:12]


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    _need_rich()
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    cells = [[printable(column.show(row.get(column.key))) for row in rows] for column in columns]
    # A terminal is narrow; programs that cut lines into fields count on all columns.
    shown = [(column, words) for column, words in zip(columns, cells, strict=True) if any(words) or not is_terminal]
    # The box puts one blank between columns of its own.
    box, gap = (SIMPLE_HEAD, 1) if is_terminal else (None, 2)
    table = Table(box=box, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for column, _ in shown:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=column.is_whole,
            overflow="fold",
        )
    for line in zip(*(words for _, words in shown), strict=True):
        table.add_row(*map(Text, line))  # as Text: what people wrote is no markup
    if is_terminal:
        return Console().print(table)
    console = Console(width=PLAIN_WIDTH, color_system=None, force_terminal=False)
    with console.capture() as lines:
        console.print(table)
    print("\n".join(line.rstrip() for line in lines.get().splitlines()))


def _need_rich() -> None:
    if find_spec("rich") is None:
        raise Misconfigured(
            "tables need the package rich: pip install -r requirements-admin.txt (or ask for --json, which does not)"
        )
