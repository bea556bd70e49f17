"""Log lines: one JSON object each, whatever is in them."""

import json
import traceback

import pytest

from bot import log, trace
from bot.trace import Trace


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


TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", True, "p")


def test_the_trace_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line that is written while a request is handled names its trace; others name none."""
    with trace.within(TRACE):
        log.event("turn")
    log.event("turn")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("logging.googleapis.com/trace") for line in lines] == [f"projects/p/traces/{TRACE.id}", None]
    assert lines[0]["logging.googleapis.com/spanId"] == TRACE.span_id
    assert lines[0]["logging.googleapis.com/trace_sampled"] is True


def test_errors_are_reported(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An ERROR has what Error Reporting needs: its type, the service and its revision, what it is and where."""
    monkeypatch.setenv("K_SERVICE", "kaiwa-function")
    monkeypatch.setenv("K_REVISION", "kaiwa-function-00007")
    log.event("model_failed", "ERROR", fault="quota")
    line = json.loads(capsys.readouterr().out)
    assert line["@type"] == log.REPORTED
    assert line["serviceContext"] == {"service": "kaiwa-function", "version": "kaiwa-function-00007"}
    assert (line["message"], line["event"], line["fault"]) == ("model_failed: quota", "model_failed", "quota")
    place = line["context"]["reportLocation"]
    assert (place["filePath"], place["functionName"]) == (__file__, "test_errors_are_reported")
    assert type(place["lineNumber"]) is int


@pytest.mark.parametrize("severity", ["DEBUG", "INFO", "WARNING"])
def test_what_is_no_error_is_not_reported(capsys: pytest.CaptureFixture[str], severity: log.Severity) -> None:
    """A warning is nobody's alarm: nothing in it is taken for an error."""
    log.event("model_failed", severity, fault="busy")
    line = json.loads(capsys.readouterr().out)
    assert line == {"severity": severity, "message": "model_failed", "event": "model_failed", "fault": "busy"}


def test_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    """The unexpected is reported with a stack in Python's own form, which Error Reporting groups by; without words."""

    def deeper() -> None:
        raise KeyError("private words")

    try:
        deeper()
    except KeyError as error:
        log.event("internal_error", "ERROR", type=type(error).__name__, stack_trace=log.stack_of(error))
        printed = traceback.format_exc().splitlines()
    line = json.loads(capsys.readouterr().out)
    stack = line["stack_trace"].splitlines()
    assert stack[:-1] == [row for row in printed[:-1] if not row.startswith("    ")]
    assert stack[-1] == "KeyError"
    assert (line["message"], "context" in line) == ("internal_error: KeyError", False)
    assert "private" not in line["stack_trace"]
