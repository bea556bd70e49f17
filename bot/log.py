"""Log lines: one JSON object each on standard output, read by Cloud Logging. Never message text, secrets or raw ids.

Written straight to stdout: the framework's own logging set-up silences loggers made while main.py is imported.
Source: https://docs.cloud.google.com/logging/docs/structured-logging
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

EventName = Literal[
    "turn",
    "breaker_closed",
    "card_refused",
    "breaker_opened",
    "conversation_failed",
    "dead_letter",
    "document_damaged",
    "erased",
    "events_dropped",
    "events_skipped",
    "exported",
    "internal_error",
    "model_failed",
    "moderation_failed",
    "media_unread",
    "not_delivered",
    "preload_failed",
    "request_refused",
    "search_failed",
    "secret_unreadable",
    "stopping",
    "summary_failed",
    "tools_refused",
    "unsent",
]

_is_apart: ContextVar[bool] = ContextVar("is_apart", default=False)


def event(name: EventName, severity: Severity = "INFO", **fields: Any) -> None:
    """Write one line. `fields` are numbers, short words and hashed ids."""
    line = {"severity": severity, "message": name, "event": name, **fields}
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


def anonymous(conversation_id: str) -> str:
    """Enough of the hashed id to follow one conversation through the log."""
    return conversation_id[:12]
