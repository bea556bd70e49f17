"""What a month is expected to cost, against figures reckoned by hand."""

from dataclasses import replace

import pytest

from bot import prices
from bot.admin import cloud_prices as cloud
from bot.admin.arrivals import Message
from bot.admin.bill import Bill, Month, Size, bill, month
from bot.admin.measured import MEASURED
from bot.admin.simulation import Setting
from bot.conversation import Usage

LUNA = prices.PRICES["gpt-5.6-luna"]
THIRD = Setting(cpu=0.333, gib=0.5, at_once=1)
WHOLE = Setting(cpu=1.0, gib=0.5, at_once=80)
YEN = prices.YEN_PER_USD


def of(users: int, messages: int, setting: Setting = THIRD) -> Bill:
    return bill(month(Size(users, messages)), setting, LUNA)


def test_every_price_has_its_source() -> None:
    """Whoever doubts a figure can look it up."""
    assert cloud.SINCE.startswith("2026-")
    for price in cloud.PRICES:
        assert price.usd > 0
        assert price.source.startswith("https://")


def test_a_small_bot_costs_nothing_but_its_model() -> None:
    """A hundred users stay within what Google Cloud gives for nothing each month."""
    small = of(100, 30)
    assert (small.function, small.queue, small.secrets, small.logs) == (0, 0, 0, 0)
    assert small.database == 1  # what TTL deletes is never free
    assert small.network == small.google - 1 <= 3  # nor is what goes out of Google's network


def test_the_function_costs_what_the_price_list_says() -> None:
    """24 lonely messages that stand for 1,440,000: each starts an instance, billed with two CPUs for 11 s."""
    work = replace(MEASURED, start_cpu=1.0, cpu=0.04, load_cpu=0.5)
    day = Month(Size(1_440_000, 1), 1, [Message(hour * 3600.0, 1.0) for hour in range(24)])
    usd = (1_440_000 * 22 - 180_000) * 0.000_024 + (1_440_000 * 5.5 - 360_000) * 0.000_002_5 + 0.880_000 * 0.40
    assert bill(day, THIRD, LUNA, work).function == pytest.approx(usd * YEN, abs=1)


def test_the_database_costs_its_operations_and_what_it_keeps() -> None:
    """A million messages: a read, 3.2 writes, a twentieth of a batch; what is free each day is taken off."""
    work = replace(MEASURED, reads=2.0, writes=3.2)
    usd = (2_000_000 - 1_500_000) * 0.038e-5 + (3_200_000 - 600_000) * 0.115e-5 + 50_000 * 0.013e-5
    usd += ((10_000 * 16_000 + 3 * 50_000 * 28_000) / 2**30 - 1) * 0.115
    assert bill(month(Size(10_000, 100)), THIRD, LUNA, work).database == pytest.approx(usd * YEN, abs=1)


def test_the_queue_costs_two_operations_a_task() -> None:
    """It is made, and delivered; a million are free."""
    assert of(10_000, 100).queue == pytest.approx(1_000_000 * 0.40e-6 * YEN, abs=1)
    assert of(10_000, 30).queue == 0


def test_what_else_there_is() -> None:
    """Every read of a secret beyond 10,000, every GiB of logs beyond 50, every GiB that leaves Google's network."""
    work = replace(MEASURED, secrets=10, log_bytes=2**20, metrics_mib=250.0, reply_bytes=2**20, input_tokens=0)
    alone = Month(Size(102_400, 1), 1, [Message(hour * 3600.0, 1.0) for hour in range(24)])
    told = bill(alone, THIRD, LUNA, work)
    assert told.secrets == pytest.approx((4 * 0.06 + (1_024_000 - 10_000) * 0.03e-4) * YEN, abs=1)
    assert told.logs == pytest.approx(((100 - 50) * 0.50 + 100 * 0.258) * YEN, abs=1)
    assert told.network == pytest.approx(100 * 0.12 * YEN, abs=1)
    assert told.other == told.secrets + told.logs + told.network


def test_the_model_costs_its_tokens_and_the_summaries() -> None:
    """Two of a talk's three messages find most of the question in the cache; the rest of it is written there."""
    work = replace(MEASURED, input_tokens=3_000, paid_tokens=300, output_tokens=200, talk=3, model_calls=1.1)
    assert work.tokens == Usage(1, 3_000, 2_000, 200)
    usd = (1_000 * 0.20 * 1.25 + 2_000 * 0.02 + 200 * 1.20) / 1e6
    assert bill(month(Size(1_000, 30)), THIRD, LUNA, work).model == pytest.approx(usd * 1.1 * 30_000 * YEN, abs=1)


def test_the_sum_is_the_sum_and_grows_with_the_users() -> None:
    """Nothing is left out, and more people never cost less."""
    bills = [of(users, 30) for users in (1, 100, 1_000, 10_000, 30_000)]
    for one in bills:
        assert one.total == one.function + one.database + one.queue + one.other + one.model
    assert sorted(bills, key=lambda one: one.total) == bills
    assert sorted(bills, key=lambda one: one.google) == bills


def test_a_part_of_a_cpu_is_cheaper_until_people_write_at_the_same_time() -> None:
    """While few do the wait for the model is what costs; a whole CPU is billed once for all who wait."""
    few, many = (10_000, 30), (16_000, 100)
    assert of(*few).function < of(*few, WHOLE).function / 2
    assert of(*many).function > of(*many, WHOLE).function


def test_the_promise_is_kept() -> None:
    """10,000 users with 30 messages each and 500 in a minute: 2,500 yen of compute, 500 of database; as deployed."""
    promised = of(10_000, 30)
    assert promised.function <= 2_500
    assert promised.database <= 500
    assert promised.is_in_time
    assert 20 <= promised.instances <= 60


def test_line_does_not_wait_for_a_slow_start() -> None:
    """A start that takes more than two seconds is told."""
    assert not bill(month(Size(10, 30)), THIRD, LUNA, replace(MEASURED, start_cpu=2.5)).is_in_time


def test_starts_are_those_of_a_day() -> None:
    """However many days are simulated."""
    days = Month(Size(48, 1), 2, [Message(hour * 3600.0, 1.0) for hour in range(48)])
    assert bill(days, THIRD, LUNA).starts == 24


def test_enough_is_simulated() -> None:
    """Whole days: one for a large bot, all of them for a small one; they stand for the whole month."""
    large, small = month(Size(10_000, 30)), month(Size(10, 30))
    assert (large.days, len(large.messages), round(1 / large.share)) == (1, 10_000, 30)
    assert (small.days, len(small.messages), small.share) == (30, 300, 1.0)
