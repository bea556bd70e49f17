"""How commands print: for people at a terminal, for people who pipe, and for programs."""

import io
import json
import sys
from typing import Any

import pytest

from bot.admin import printing
from bot.admin.printing import Column, facts, minute, number, progress, short, show, some, time, yen
from bot.errors import Misconfigured

COLUMNS = (Column("Id", "id", is_whole=True), Column("Words", "words"), Column("Count", "count", some, is_number=True))
LONG = "f" * 64
ROWS = ({"id": LONG, "words": "[red]日本語[/red]\x1b[31m", "count": 0}, {"id": "b", "words": "short", "count": None})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain columns: no colours, no lines, nothing cut or folded, no blanks at the end, no command to a terminal."""
    show(ROWS, COLUMNS, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Id", "Words", "Count"]
    assert lines[1] == f"{LONG}  [red]日本語[/red][31m"
    assert lines[2] == "b" + " " * 65 + "short"


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column without words is left out; ids stay whole, the rest is folded, never cut; markup is not obeyed."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    show(({"id": LONG, "words": "much to say " * 5 + "[red]", "count": 0},), COLUMNS, as_json=False)
    shown = terminal.getvalue()
    assert LONG in shown
    assert "Count" not in shown
    assert "…" not in shown
    assert "[red]" in shown
    assert shown.count("much") == 5


def test_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, every value as it is; nothing for nothing."""
    show(ROWS, COLUMNS, as_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == list(ROWS)
    show((), COLUMNS, as_json=True)
    assert capsys.readouterr().out == ""
    show((), COLUMNS, as_json=False, nothing="no ids")
    assert capsys.readouterr().out == "no ids\n"


def test_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, in two columns."""
    facts([("Type", "user"), ("Archive", "3\x1b"), ("None", "")])
    assert capsys.readouterr().out == "Type     user\nArchive  3\nNone\n"


def test_values() -> None:
    """Times are Japan's; money is in yen; numbers have commas."""
    assert (time(1_800_000_000_000), minute(1_800_000_000_000)) == ("2027-01-15 17:00:00", "01-15 17:00")
    assert (time(0), time(None), time(2**62)) == ("", "", "beyond 9999")
    assert (yen(1_234_560_000), yen(None)) == ("1,234.56", "0.00")
    assert (number(1_234), number(None), some(1_234), some(0)) == ("1,234", "0", "1,234", "")
    assert short("0123456789abcdef") == "0123456789ab"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown on standard error, where that is a terminal; standard output stays clean."""
    err = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    with progress("Counting", 3) as advance:
        for _ in range(3):
            advance()
    assert ("Counting" in err.getvalue()) is is_terminal


def test_without_rich(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables say how to install it; programs, and what takes long, do without."""

    def find_spec(_: str) -> Any:
        return None

    monkeypatch.setattr(printing, "find_spec", find_spec)
    with pytest.raises(Misconfigured, match=r"pip install -r requirements-admin.txt"):
        show(ROWS, COLUMNS, as_json=False)
    show(ROWS, COLUMNS, as_json=True)
    assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress("Counting", 3) as advance:
        advance()
