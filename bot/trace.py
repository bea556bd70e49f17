"""The trace that a request belongs to, so that Cloud Logging shows all its lines together.

Google gives each request to the function a trace; a task carries it on. Only what is well-formed is believed.
Sources: https://www.w3.org/TR/trace-context/, https://docs.cloud.google.com/trace/docs/trace-context,
https://docs.cloud.google.com/logging/docs/agent/logging/configuration#special-fields
"""

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
CLOUD = re.compile(r"(?!0{32})([0-9a-fA-F]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]))?", re.ASCII)
SAMPLED = 1
LAST_SPAN = 2**64


@dataclass(frozen=True, slots=True)
class Trace:
    """`id`: 32 hexadecimal digits. `span_id`: 16, of whatever is being done; may be empty. `project` may be empty.

    `sampled`: whether anybody keeps the trace.
    """

    id: str
    span_id: str
    sampled: bool
    project: str

    @property
    def traceparent(self) -> str:
        """The header that carries it on."""
        return f"00-{self.id}-{self.span_id or new_span_id()}-{self.sampled:02x}"

    @property
    def fields(self) -> dict[str, str | bool]:
        """What a log line needs to be shown with it. Without a project it can still be searched for."""
        name = f"projects/{self.project}/traces/{self.id}" if self.project else self.id
        fields: dict[str, str | bool] = {"logging.googleapis.com/trace": name}
        if self.span_id:
            fields["logging.googleapis.com/spanId"] = self.span_id
        return {**fields, "logging.googleapis.com/trace_sampled": self.sampled}


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The trace of the request that is being handled."""
    return _current.get()


@contextmanager
def within(trace: Trace | None) -> Iterator[None]:
    """What is logged, sent or begun inside belongs to this trace."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def incoming(headers: Mapping[str, str], project: str) -> Trace | None:
    """The trace that a request's headers name; None where there is none, or nonsense."""
    if match := TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        return Trace(match[1], match[2], bool(int(match[3], 16) & SAMPLED), project)
    if match := CLOUD.fullmatch(headers.get("x-cloud-trace-context", "")):
        span = int(match[2] or 0)
        return Trace(match[1].lower(), f"{span:016x}" if 0 < span < LAST_SPAN else "", match[3] == "1", project)
    return None


def begun(project: str) -> Trace:
    """A trace of our own, for a request that came with none."""
    return Trace(f"{random.getrandbits(128) | 1:032x}", "", sampled=True, project=project)


def new_span_id() -> str:
    return f"{random.getrandbits(64) | 1:016x}"
