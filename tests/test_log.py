"""Log lines: one JSON object each, whatever is in them."""

import json

import pytest

from bot import log


def test_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Severity and message as Cloud Logging reads them, and the fields beside them."""
    log.event("turn", "WARNING", conversation="abc", bubbles=2)
    out = capsys.readouterr().out
    assert out.endswith("\n")
    expected = {"severity": "WARNING", "message": "turn", "event": "turn", "conversation": "abc", "bubbles": 2}
    assert json.loads(out) == expected


def test_odd_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """A line break, a lone surrogate or an object in a field neither breaks the line nor raises."""
    log.event("turn", why="a\nb\ud83d", what=ValueError("x"), many=[1, None])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.isascii()
    assert json.loads(out)["why"] == "a\nb\ud83d"


def test_anonymous() -> None:
    """Twelve characters of the hash follow a conversation through the log, and lead nowhere else."""
    assert log.anonymous("0123456789abcdef" * 4) == "0123456789ab"


def test_beside_a_commands_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A command's standard output stays clean, for programs; what may need a remedy stands on standard error."""
    with log.on_stderr():
        log.event("turn")
        log.event("secret_unreadable", "ERROR")
    log.event("stopping")
    out, err = capsys.readouterr()
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["secret_unreadable"]
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["stopping"]
