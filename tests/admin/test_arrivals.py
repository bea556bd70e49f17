"""When people write."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from statistics import mean

import pytest

from bot.admin.arrivals import BURST_AT, BURST_SECONDS, DAY, HOURS, Message, arrivals
from bot.admin.measured import MEASURED


def minute(messages: list[Message], day: int = 0) -> int:
    """How many came in the busiest minute of the day."""
    begins = day * DAY + BURST_AT
    return sum(begins <= message.at <= begins + BURST_SECONDS for message in messages)


@pytest.mark.parametrize(("count", "days", "burst"), [(1, 30, 0), (9_999, 3, 500), (100, 1, 500), (7, 7, 1)])
def test_as_many_come_as_were_asked_for(count: int, days: int, burst: int) -> None:
    """In order, and within their days."""
    messages = arrivals(count, days, burst, MEASURED)
    assert len(messages) == count
    assert messages == sorted(messages)
    assert all(0 <= message.at < days * DAY for message in messages)


def test_a_day_has_a_night_and_an_evening() -> None:
    """What comes in each hour follows the curve."""
    hours = Counter(int(message.at // 3600) for message in arrivals(50_000, 1, 0, MEASURED))
    for hour, part in enumerate(HOURS):
        assert hours[hour] / 50_000 == pytest.approx(part / sum(HOURS), abs=0.01)


def test_many_write_in_one_minute() -> None:
    """Each day's burst comes in its minute, the rest through the day."""
    messages = arrivals(30_000, 3, 500, MEASURED)
    assert all(500 <= minute(messages, day) < 600 for day in range(3))
    assert minute(arrivals(30_000, 3, 0, MEASURED)) < 50


def test_people_write_in_talks() -> None:
    """Many a message follows another one soon: unlike the same number of lonely ones."""
    quiet = [arrivals(300, 30, 0, replace(MEASURED, talk=talk)) for talk in (1, 3)]
    lonely, talking = (sum(after.at - before.at < 120 for before, after in pairwise(messages)) for messages in quiet)
    assert lonely < 20
    assert 120 < talking < 280


def test_the_model_takes_as_long_as_is_said() -> None:
    """On average; now and then much longer, but never longer than the bot waits."""
    times = [message.thinking for message in arrivals(20_000, 1, 0, MEASURED)]
    assert mean(times) == pytest.approx(MEASURED.thinking, rel=0.03)
    assert min(times) < 1 < 10 < max(times) <= MEASURED.longest_thinking
    still = arrivals(10, 1, 0, replace(MEASURED, thinking_spread=0.0))
    assert {message.thinking for message in still} == {MEASURED.thinking}


def test_the_same_days_come_again() -> None:
    """Settings are compared by the same messages; another seed is other days."""
    assert arrivals(1_000, 1, 50, MEASURED) == arrivals(1_000, 1, 50, MEASURED)
    assert arrivals(1_000, 1, 50, MEASURED) != arrivals(1_000, 1, 50, MEASURED, seed=1)
