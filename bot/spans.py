"""What the work on a turn takes, phase by phase: for the turn's log line, and for traces where they are wanted.

    with span("claim"):
        ...

measures for both. Phases that follow one another add up; work on several conversations at once is kept apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from time import monotonic, time_ns
from typing import Any, Literal

from bot import trace
from bot.trace import Trace

Phase = Literal["request", "queue", "claim", "turn", "read", "model", "ask", "settle", "send", "summary"]
"""`ask` is one call of the model; `model` is all of them for one answer, with what lies between."""

Count = Literal["duplicates", "retries"]
Fields = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What the work on one turn has taken since it began."""

    began: float = field(default_factory=monotonic)
    seconds: dict[Phase, float] = field(default_factory=dict)
    times: dict[Phase | Count, int] = field(default_factory=dict)
    model: str = ""

    def ms(self, phase: Phase) -> int:
        return round(self.seconds.get(phase, 0.0) * 1000)

    def total_ms(self) -> int:
        return round((monotonic() - self.began) * 1000)

    def count(self, what: Phase | Count) -> int:
        return self.times.get(what, 0)


@dataclass(frozen=True, slots=True)
class Span:
    """A phase that is over. `trace.span_id` is its own; times are in nanoseconds since 1970.

    `failed`: the kind of error that ended it. `fields`: numbers, short words and hashed ids.
    """

    name: Phase
    trace: Trace
    parent_id: str
    began: int
    ended: int
    failed: str
    fields: Fields


_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)
_finished: ContextVar[list[Span] | None] = ContextVar("finished", default=None)


def begin() -> None:
    """From here on, in this task and those it starts, everything counts for one turn."""
    _tally.set(Tally())


def lap() -> Tally:
    """What was measured since `begin` or the last lap; what follows counts for the next turn."""
    tally = _tally.get() or Tally()
    begin()
    return tally


def count(what: Count, by: int = 1) -> None:
    if tally := _tally.get():
        tally.times[what] = tally.count(what) + by


def answered_by(model: str) -> None:
    """The model that was asked last."""
    if tally := _tally.get():
        tally.model = model


@contextmanager
def span(name: Phase) -> Iterator[Fields]:
    """Measure what is done inside. What is put into the mapping goes with it into the trace."""
    began, tally, fields = monotonic(), _tally.get(), Fields()
    try:
        with _recorded(name, fields):
            yield fields
    finally:
        if tally:
            tally.seconds[name] = tally.seconds.get(name, 0.0) + monotonic() - began
            tally.times[name] = tally.count(name) + 1


@contextmanager
def recording() -> Iterator[list[Span]]:
    """The spans that end inside, if they belong to a trace that is kept."""
    finished: list[Span] = []
    token = _finished.set(finished)
    try:
        yield finished
    finally:
        _finished.reset(token)


@contextmanager
def _recorded(name: Phase, fields: Fields) -> Iterator[None]:
    finished, around = _finished.get(), trace.current()
    if finished is None or around is None or not around.sampled:
        yield
        return
    own, began, failed = replace(around, span_id=trace.new_span_id()), time_ns(), ""
    try:
        with trace.within(own):
            yield
    except BaseException as error:
        failed = type(error).__name__  # its words may be a person's
        raise
    finally:
        finished.append(Span(name, own, around.span_id, began, time_ns(), failed, fields))
