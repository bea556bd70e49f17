"""Measuring: phases add up for the turn's line, and become spans only where somebody keeps the trace."""

import asyncio
import time

import pytest

from bot import spans, trace
from bot.spans import span
from bot.trace import Trace

KEPT = Trace("a" * 32, "b" * 16, True, "p")


def busy(milliseconds: int) -> None:
    """Work, by the clock that is measured with."""
    end = time.monotonic() + milliseconds / 1000
    while time.monotonic() < end:
        pass


async def test_phases_add_up() -> None:
    """A phase that comes twice counts twice, and the total is never less than its parts."""
    spans.begin()
    with span("claim"):
        busy(3)
    for _ in range(2):
        with span("model"):
            busy(5)
    spans.count("retries")
    spans.answered_by("gpt")
    tally = spans.lap()
    assert tally.ms("claim") >= 3
    assert tally.ms("model") >= 10
    assert tally.total_ms() + 1 >= tally.ms("claim") + tally.ms("model")
    assert (tally.ms("send"), tally.count("model"), tally.count("retries"), tally.model) == (0, 2, 1, "gpt")


async def test_the_next_turn_starts_at_nothing() -> None:
    """After a lap nothing of the turn before is left."""
    spans.begin()
    with span("claim"):
        busy(3)
    spans.count("duplicates", 2)
    spans.lap()
    tally = spans.lap()
    assert (tally.seconds, tally.times, tally.model) == ({}, {}, "")


async def test_conversations_are_kept_apart() -> None:
    """What one conversation's turn takes is not counted for another that is handled beside it."""

    async def turn(retries: int) -> int:
        spans.begin()
        for _ in range(retries):
            spans.count("retries")
            await asyncio.sleep(0)
        return spans.lap().count("retries")

    assert [*await asyncio.gather(turn(1), turn(5), turn(3))] == [1, 5, 3]


async def test_what_fails_is_measured_too() -> None:
    """A phase that ends with an error has taken its time all the same."""
    spans.begin()
    with pytest.raises(ValueError), span("model"):
        raise ValueError
    assert spans.lap().count("model") == 1


def test_without_a_turn() -> None:
    """What belongs to no turn is done all the same, and counts for nothing."""
    with span("queue"):
        spans.count("retries")
        spans.answered_by("gpt")


def test_spans_of_a_trace() -> None:
    """Each span knows what it is a part of; an error's kind is kept, its words are not."""
    with trace.within(KEPT), spans.recording() as finished:
        with span("request") as fields:
            fields["status"] = 200
            with pytest.raises(ValueError), span("model"):
                raise ValueError("private words")
        assert trace.current() == KEPT
    model, request = finished
    assert (request.name, request.parent_id, request.fields) == ("request", KEPT.span_id, {"status": 200})
    assert (model.name, model.parent_id, model.failed) == ("model", request.trace.span_id, "ValueError")
    assert {one.trace.id for one in finished} == {KEPT.id}
    assert len({KEPT.span_id, model.trace.span_id, request.trace.span_id}) == 3
    assert request.began <= model.began <= model.ended <= request.ended
    assert "private" not in repr(finished)


@pytest.mark.parametrize("around", [None, Trace("a" * 32, "", False, "p")])
def test_nobody_keeps_the_trace(around: Trace | None) -> None:
    """Without a trace, or in one that is not sampled, nothing is recorded."""
    with trace.within(around), spans.recording() as finished, span("request"):
        assert trace.current() is around
    assert finished == []


def test_nothing_is_recorded_where_nobody_asks() -> None:
    """Off, a span leaves the trace of the log lines as it came."""
    with trace.within(KEPT), span("request"):
        assert trace.current() is KEPT
