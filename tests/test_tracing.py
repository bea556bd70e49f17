"""Handing spans over: nobody waits long for it, and nothing fails of it."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from bot import tracing
from bot.spans import Span
from bot.trace import Trace
from bot.tracing import Tracing


class Collector:
    """`bot.ports.Traces` that takes spans once it is released, or raises `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.taken: list[str] = []
        self.made = 0
        self.reached = asyncio.Event()
        self.released = asyncio.Event()
        self.error = error

    async def make(self) -> "Collector":
        self.made += 1
        if isinstance(self.error, ImportError):
            raise self.error
        return self

    async def send(self, spans: Sequence[Span]) -> None:
        self.reached.set()
        await self.released.wait()
        if self.error:
            raise self.error
        self.taken += [str(span.fields["name"]) for span in spans]


def spans(*names: str) -> list[Span]:
    around = Trace("a" * 32, "b" * 16, True, "p")
    return [Span("model", around, "", 1, 2, "", {"name": name}) for name in names]


async def test_sent_before_the_answer() -> None:
    """When flushing returns, everything that was kept has been taken, in one go."""
    collector = Collector()
    collector.released.set()
    one = Tracing(collector.make)
    one.keep(spans("a", "b"))
    one.keep(spans("c", "d"))
    await one.flush()
    assert collector.taken == ["a", "b", "c", "d"]


async def test_nothing_to_send() -> None:
    """A request that did nothing is not worth telling, and nobody is connected to for it."""
    collector = Collector()
    one = Tracing(collector.make)
    one.keep(spans("request"))
    await one.flush()
    assert collector.made == 0


async def test_who_does_not_answer_is_not_waited_for() -> None:
    """The answer goes on; what is under way goes on beside it, and what comes meanwhile goes with the next."""
    collector = Collector()
    one = Tracing(collector.make, seconds=0.01)
    one.keep(spans("a", "b"))
    await one.flush()
    one.keep(spans("c", "d"))
    await one.flush()
    assert collector.taken == []
    collector.released.set()
    one._seconds = 30
    await one.flush()
    assert collector.taken == ["a", "b", "c", "d"]


async def test_requests_side_by_side() -> None:
    """Whoever flushes while another's spans are on their way waits for his own as well."""
    collector = Collector()
    one = Tracing(collector.make, seconds=30)
    one.keep(spans("a", "b"))
    first = asyncio.create_task(one.flush())
    await collector.reached.wait()
    one.keep(spans("c", "d"))
    second = asyncio.create_task(one.flush())
    collector.released.set()
    await asyncio.gather(first, second)
    assert collector.taken == ["a", "b", "c", "d"]


async def test_whatever_fails_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """One line without the error's words; the next spans are tried again."""
    collector = Collector(ValueError("private words"))
    collector.released.set()
    one = Tracing(collector.make)
    one.keep(spans("a", "b"))
    await one.flush()
    out = capsys.readouterr().out
    line = json.loads(out)
    assert (line["event"], line["severity"], line["spans"]) == ("tracing_failed", "WARNING", 2)
    assert "private" not in out
    collector.error = None
    one.keep(spans("c", "d"))
    await one.flush()
    assert collector.taken == ["c", "d"]


async def test_packages_that_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names the file to install; after it nothing is kept or tried."""
    collector = Collector(ModuleNotFoundError("opentelemetry.sdk"))
    one = Tracing(collector.make)
    for _ in range(3):
        one.keep(spans("a", "b"))
        await one.flush()
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["severity"]) == ("tracing_failed", "ERROR")
    assert "requirements-tracing.txt" in line["remedy"]
    assert collector.made == 1


async def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans that wait for a request never fill the memory: the oldest go."""
    monkeypatch.setattr(tracing, "MOST_WAITING", 3)
    collector = Collector()
    collector.released.set()
    one = Tracing(collector.make)
    one.keep(spans("a", "b"))
    one.keep(spans("c", "d"))
    await one.flush()
    assert collector.taken == ["b", "c", "d"]
