"""The month's budget in slices: never beyond the limit by all instances together, and hardly a write."""

import asyncio
import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conversation import Usage
from bot.errors import Unavailable
from bot.purse import ASK_AGAIN_MS, SLICES, BudgetUsed, Purse
from bot.spending import Amount, Limit, month
from tests.fakes import FakeClock, FakeStore

NOW = round(datetime(2026, 11, 23, tzinfo=UTC).timestamp() * 1000)
MONTH = 31 * 86_400
LIMIT = Limit(0, 10_000_000_000)
CALL = Amount(1_500, 400_000)


class SlowLedger(FakeStore):
    """Others come between any two writes."""

    async def reserve(self, month: str, amount: Amount, usage: Usage) -> Amount:
        await asyncio.sleep(0)
        reserved = await super().reserve(month, amount, usage)
        await asyncio.sleep(0)
        return reserved


class World:
    def __init__(self, limit: Limit = LIMIT) -> None:
        self.ledger, self.clock, self.limit = SlowLedger(), FakeClock(NOW), limit

    def purse(self) -> Purse:
        return Purse(self.ledger, self.limit, self.clock)

    @property
    def reserved(self) -> Amount:
        return self.ledger.months[month(self.clock())].reserved

    @property
    def used(self) -> Usage:
        return self.ledger.months[month(self.clock())].usage

    @property
    def writes(self) -> int:
        return self.ledger.calls("reserve")


def usage(amount: Amount) -> Usage:
    return Usage(1, amount.tokens, 0, 0, amount.micro_yen)


async def spend(purse: Purse, amount: Amount = CALL, estimate: Amount = CALL) -> None:
    purse.settle(await purse.take(estimate), usage(amount))


async def test_many_calls_few_writes() -> None:
    """Two hundred calls on two instances are a handful of writes, and at the end the ledger tells what was used."""
    world = World()
    purses = [world.purse(), world.purse()]
    for number in range(200):
        await spend(purses[number % 2])
    assert world.writes <= 10
    for purse in purses:
        await purse.give_back()
    assert world.used == Usage(200, 200 * CALL.tokens, 0, 0, 200 * CALL.micro_yen)
    assert world.reserved.micro_yen == 200 * CALL.micro_yen


async def test_a_slice_covers_the_dearest_call() -> None:
    """A call that may cost more than a slice takes what it lacks, no less."""
    world = World()
    await spend(world.purse(), estimate=Amount(0, 50_000_000))
    assert world.reserved.micro_yen == 50_000_000


async def test_what_a_call_costs_beyond_its_estimate_is_made_up_for() -> None:
    """The next slice is larger by it, so that the month's account tells the truth."""
    world = World()
    purse = world.purse()
    await spend(purse, Amount(0, 35_000_000))
    await spend(purse)
    await purse.give_back()
    assert world.reserved.micro_yen == 35_400_000


async def test_tokens_and_yen() -> None:
    """Whichever is used up first ends it; what does not run short is not set aside over and over."""
    world = World(Limit(1_000_000, 10_000_000))
    purse = world.purse()
    for _ in range(100):
        await spend(purse, Amount(10, 100_000), Amount(10, 100_000))
    with pytest.raises(BudgetUsed):
        await purse.take(Amount(10, 100_000))
    assert world.reserved.micro_yen == 10_000_000
    assert world.reserved.tokens <= 2_000


async def test_a_used_up_month_is_seen_by_all_and_asked_for_again_later(capsys: pytest.CaptureFixture[str]) -> None:
    """After the limit there are no more writes; every five minutes one read; what comes free is used."""
    world = World(Limit(0, 1_000_000))
    first, second = world.purse(), world.purse()
    await spend(first, Amount(), Amount(0, 600_000))
    held = await first.take(Amount(0, 990_000))
    with pytest.raises(BudgetUsed):
        await second.take(CALL)
    calls = len(world.ledger.log)
    for _ in range(20):
        with pytest.raises(BudgetUsed):
            await second.take(CALL)
    assert len(world.ledger.log) == calls
    first.settle(held, usage(CALL))
    await first.give_back()
    world.clock.advance(ASK_AGAIN_MS / 1000)
    await spend(second)
    assert world.reserved.micro_yen <= 1_000_000
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["budget_low", "budget_low", "budget_used"]


async def test_a_call_too_dear_leaves_the_rest_to_others() -> None:
    """What the month cannot pay for takes nothing of it, in no instance, so that others' small calls go on."""
    world = World()
    await spend(world.purse(), Amount(0, 9_000_000_000), Amount(0, 9_000_000_000))
    purse = world.purse()
    for _ in range(2):
        with pytest.raises(BudgetUsed):
            await purse.take(Amount(0, 1_100_000_000))
        assert world.reserved.micro_yen == 9_000_000_000
    await spend(purse)
    await spend(world.purse())


async def test_the_next_month_begins_anew() -> None:
    """The old month gets back what is left; the new one has its own limit."""
    world = World(Limit(0, 1_000_000))
    purse = world.purse()
    await spend(purse, Amount(0, 1_000_000))
    with pytest.raises(BudgetUsed):
        await purse.take(CALL)
    world.clock.advance(MONTH)
    await spend(purse)
    assert not await purse.is_low(Amount(1, 1))
    assert world.ledger.months["2026-11"].usage.micro_yen == 1_000_000


async def test_low_from_four_fifths_on() -> None:
    """An instance that has just begun knows it too: the write that sets its slice aside tells what all have taken."""
    world = World(Limit(0, 1_000_000))
    await spend(world.purse(), Amount(0, 790_000), Amount(0, 790_000))
    assert not await world.purse().is_low(Amount(1, 1))
    await spend(world.purse(), Amount(0, 10_000), Amount(0, 10_000))
    assert await world.purse().is_low(Amount(1, 1))


async def test_what_was_given_back_in_doubt_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Given back twice it would be spent twice: nothing is tried again, and the log tells."""
    world = World()
    purse = world.purse()
    await spend(purse)
    world.ledger.fail_next(Unavailable("gone"), after=True, method="reserve")
    await purse.give_back()
    await purse.give_back()
    assert world.reserved.micro_yen == CALL.micro_yen
    assert "budget_unreturned" in capsys.readouterr().out


async def test_an_unreachable_ledger_is_unavailable() -> None:
    """The store is down too: the sender tries again. Nothing is spent that was not set aside."""
    world = World()
    purse = world.purse()
    world.ledger.fail_next(Unavailable("gone"), method="reserve")
    with pytest.raises(Unavailable):
        await purse.take(CALL)
    await spend(purse)


async def test_turns_at_once_share_one_slice() -> None:
    """Ten turns of an instance that begins make one write."""
    world = World()
    purse = world.purse()
    await asyncio.gather(*(spend(purse) for _ in range(10)))
    assert world.writes == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
async def test_never_beyond_the_limit(data: st.DataObject) -> None:
    """Whatever many instances do at once, dying and given-back rests included, all together stay within the limit.

    What is lost to those that die is a slice for each at most, beside what they held.
    """
    limit = data.draw(st.integers(1_000, 5_000_000))
    world = World(Limit(0, limit))
    spent, held_by_dead, dead = [0], [0], [0]

    async def instance(choices: random.Random) -> None:
        purse = world.purse()
        for _ in range(choices.randrange(12)):
            estimate = Amount(0, choices.randrange(1, 400_000))
            try:
                taken = await purse.take(estimate)
            except BudgetUsed:
                continue
            await asyncio.sleep(0)
            if choices.random() < 0.1:
                held_by_dead[0] += estimate.micro_yen
                dead[0] += 1
                return
            used = Amount(0, choices.randrange(estimate.micro_yen + 1))
            spent[0] += used.micro_yen
            purse.settle(taken, usage(used))
        if choices.random() < 0.8:
            await purse.give_back()
        else:
            dead[0] += 1

    seeds = data.draw(st.lists(st.integers(), min_size=1, max_size=8))
    await asyncio.gather(*(instance(random.Random(seed)) for seed in seeds))
    reserved = world.ledger.months.get(month(NOW))
    total = reserved.reserved.micro_yen if reserved else 0
    assert spent[0] + held_by_dead[0] <= total <= limit
    waste = total - spent[0] - held_by_dead[0]
    assert waste <= dead[0] * (400_000 + limit // SLICES + 1)
