"""A pytest plugin: tests carry rows of the matrix, and the run ends with a table of what they saw.

What they saw travels with their reports: tests may run in other processes than the one that prints.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import pytest

from tests.faults.rows import ROWS

Seen: TypeAlias = Callable[[object], None]
HELD = {"passed": "yes", "failed": "NO", "skipped": "not tried"}
_SEEN = pytest.StashKey[list[str]]()
_LINE, _TOLD = "fault matrix", "fault totals"
_TITLES = ("row", "injected", "seen", "held")


@dataclass(frozen=True, slots=True)
class Line:
    row: str
    injected: str
    seen: str
    held: str


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """Call it with what was observed, as often as there is something to tell."""
    told = request.node.stash.setdefault(_SEEN, [])
    return lambda what: told.append(str(what))


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Seen:
    """Call it with what the run should print above the table."""
    return lambda what: record_property(_TOLD, str(what))


class Table:
    """Collects a line from every test that carries a row."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, Line]] = []
        self._told: list[str] = []
        self._numbers: dict[str, int] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._numbers = {item.nodeid: number for number, item in enumerate(session.items)}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        outcome = yield
        report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
        if report.when == "call" or report.outcome != "passed":
            told: list[str] = item.stash.setdefault(_SEEN, [])
            seen = "; ".join(told) or f"{report.outcome} in {report.when}"
            number = self._numbers[item.nodeid]
            report.user_properties += [
                (_LINE, [number, row, what, seen, HELD[report.outcome]]) for row, what in rows_of(item)
            ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == _LINE:
                number, *cells = cast(list[Any], value)
                self._lines.append((number, Line(*cells)))
            elif name == _TOLD and report.when == "call":
                self._told.append(str(value))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._told:
            terminalreporter.section("under load")
        for told in sorted(self._told):
            terminalreporter.write_line(told)
        if self._lines:
            terminalreporter.section("fault matrix")
            for line in rendered([line for _, line in sorted(self._lines, key=lambda numbered: numbered[0])]):
                terminalreporter.write_line(line)


def rows_of(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Each row that a test carries, and what it injects, with the test's parameters filled in."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for marker in item.iter_markers("row"):
        injected = str(marker.kwargs["injected"]).format(**parameters)
        mode = parameters.get("started", "")
        yield marker.args[0], f"{injected} ({mode})" if mode else injected


def rendered(lines: list[Line]) -> list[str]:
    """The table; tests that saw the same are one line, with their number."""
    counted = Counter(lines)
    order = list(ROWS)
    rows = [
        (line.row, line.injected, line.seen + (f" ×{count}" if count > 1 else ""), line.held)
        for line, count in sorted(counted.items(), key=lambda item: order.index(item[0].row))
    ]
    widths = [max(len(row[column]) for row in (_TITLES, *rows)) for column in range(3)]
    return [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]))
        for row in (_TITLES, tuple("-" * width for width in (*widths, 4)), *rows)
    ]
