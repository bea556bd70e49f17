"""Log lines: one JSON object each on standard output, read by Cloud Logging. Never message text, secrets or raw ids.

Written straight to stdout: the framework's own logging set-up silences loggers made while main.py is imported.
Lines of one request carry its trace. An ERROR is one that Error Reporting picks up, by the place that logged it or, of
what nobody expected, by its stack.
Sources: https://docs.cloud.google.com/logging/docs/structured-logging,
https://docs.cloud.google.com/error-reporting/docs/formatting-error-messages
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from traceback import extract_tb
from types import FrameType
from typing import Any, Literal

from bot import trace

Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

EventName = Literal[
    "turn",
    "breaker_closed",
    "budget_low",
    "budget_unreturned",
    "budget_used",
    "card_refused",
    "breaker_opened",
    "conversation_failed",
    "dead_letter",
    "document_damaged",
    "erased",
    "events_repeated",
    "events_dropped",
    "events_skipped",
    "exported",
    "internal_error",
    "limit_reached",
    "model_failed",
    "moderation_failed",
    "media_unread",
    "not_delivered",
    "preload_failed",
    "push_held",
    "quota_unknown",
    "request_refused",
    "search_failed",
    "secret_unreadable",
    "stopping",
    "summary_failed",
    "tools_refused",
    "tracing_failed",
    "unsent",
]

REPORTED = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
TELLING = ("type", "fault", "why", "remedy", "reason", "module")
"""Fields of which the first that is there says what an error is about."""

_is_apart: ContextVar[bool] = ContextVar("is_apart", default=False)


def event(name: EventName, severity: Severity = "INFO", **fields: Any) -> None:
    """Write one line. `fields` are numbers, short words and hashed ids."""
    line = {"severity": severity, "message": name, "event": name, **fields, **_traced()}
    if severity == "ERROR":
        line |= _reported(name, fields, sys._getframe(1))
    if _is_apart.get() and severity in ("DEBUG", "INFO"):
        return
    stream = sys.stderr if _is_apart.get() else sys.stdout
    stream.write(json.dumps(line, default=str) + "\n")
    stream.flush()


@contextmanager
def on_stderr() -> Iterator[None]:
    """For commands, whose standard output is what they were asked for: there, and only what may need a remedy."""
    token = _is_apart.set(True)
    try:
        yield
    finally:
        _is_apart.reset(token)


def stack_of(error: BaseException) -> str:
    """As Python prints it, but without the error's words, which may be a person's, and without lines of source."""
    frames = (
        f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in extract_tb(error.__traceback__)
    )
    return "\n".join(("Traceback (most recent call last):", *frames, type(error).__name__))


def _traced() -> dict[str, Any]:
    current = trace.current()
    return current.fields if current else {}


def _reported(name: EventName, fields: Mapping[str, Any], frame: FrameType) -> dict[str, Any]:
    """What makes it an error of this service, grouped with others of its kind and place."""
    what = next((str(fields[key]) for key in TELLING if fields.get(key)), "")
    reported: dict[str, Any] = {
        "@type": REPORTED,
        "message": f"{name}: {what}" if what else name,
        "serviceContext": {
            "service": os.environ.get("K_SERVICE", "kaiwa"),
            "version": os.environ.get("K_REVISION", ""),
        },
    }
    if "stack_trace" not in fields:
        code = frame.f_code
        place = {"filePath": code.co_filename, "lineNumber": frame.f_lineno, "functionName": code.co_name}
        reported["context"] = {"reportLocation": place}
    return reported


def anonymous(conversation_id: str) -> str:
    """Enough of the hashed id to follow one conversation through the log."""
    return conversation_id[:12]
