"""The circuit breaker."""

import pytest

from bot.breaker import FAILURES, OPEN_MS, Breaker
from tests.fakes import FakeClock


def broken(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """After five failures nobody waits for a model that is down; the operator reads when it began and ended."""
    breaker = broken(FakeClock())
    assert not breaker.allows()
    breaker.failed()
    breaker.succeeded()
    breaker.succeeded()
    lines = capsys.readouterr().out
    assert [lines.count(f'"event": "breaker_{what}"') for what in ("opened", "closed")] == [1, 1]


def test_one_success_begins_the_count_anew() -> None:
    """Failures that are not in a row do not open it."""
    breaker = Breaker(FakeClock())
    for _ in range(FAILURES * 3):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows()


def test_one_at_a_time_tries_whether_the_model_is_back() -> None:
    """When the time is up a single turn asks; its success closes the breaker for all."""
    clock = FakeClock()
    breaker = broken(clock)
    clock.advance(OPEN_MS / 1000)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]


def test_it_stays_open_when_the_trial_fails() -> None:
    """A trial that fails keeps it open for as long again."""
    clock = FakeClock()
    breaker = broken(clock)
    clock.advance(OPEN_MS / 1000)
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
