"""The order of a run: the three by turns, so that what the machine does meanwhile meets all of them."""

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests import emulator
from tests.bench import load, starts, talks
from tests.bench.bots import Bots
from tests.bench.figures import BOTS, Bot, Measured
from tests.bench.stands import Stands, standing

DOERS: tuple[Bot, ...] = ("plain", "kaiwa")
KNEE_BEGINS: dict[Bot, float] = {"plain": 12.0, "kaiwa": 36.0}
BARE_SECONDS = 0.19
"""How long bare takes to its first 200 where targets in milliseconds and messages a second were set."""
HEAP = "1536m"
"""Of the emulator: it keeps every version of what is stored."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. `knee_factors`: by what the stages of each round differ; the first of several is rough.

    `plain_depths`, `kaiwa_depths`: turns of the conversations that are compared; `stored`: sizes of the store.
    """

    starts: int = 5
    minutes: int = 3
    minute_seconds: float = 20.0
    turns: int = 200
    deep: int = 2
    plain_depths: tuple[int, ...] = (10, 100, 1_000)
    kaiwa_depths: tuple[int, ...] = (10, 100, 1_000, 10_000)
    stored: tuple[int, ...] = (1_000, 100_000)
    knee_seconds: float = 5.0
    knee_factors: tuple[float, ...] = (1.5, 1.15)


DEFAULT = Plan()
QUICK = Plan(
    starts=2,
    minutes=1,
    minute_seconds=6.0,
    turns=60,
    deep=1,
    plain_depths=(10, 100),
    kaiwa_depths=(10, 100, 1_000),
    stored=(1_000, 10_000),
    knee_seconds=2.0,
    knee_factors=(2.0,),
)
FULL = Plan(
    starts=15,
    minutes=5,
    minute_seconds=60.0,
    deep=5,
    plain_depths=(10, 100, 1_000, 10_000),
    stored=(1_000, 10_000, 100_000),
    knee_seconds=10.0,
)


def run(plan: Plan) -> Measured:
    """Everything from the emulator's start to its end. Skips, in pytest's way, where there is none."""
    measured = Measured()
    with emulator.running(HEAP) as address, tempfile.TemporaryDirectory() as folder:
        os.environ["FIRESTORE_EMULATOR_HOST"] = address
        asyncio.run(_measure(plan, address, Path(folder), measured))
    measured.notes += _notes(plan, measured)
    return measured


async def _measure(plan: Plan, address: str, folder: Path, measured: Measured) -> None:
    bots = Bots(folder)
    async with standing(address) as stands:
        await _starts(plan, bots, stands, measured)
        await _minutes(plan, bots, stands, measured)
        await _knees(plan, bots, stands, measured)
        await _talks(plan, bots, stands, measured)
        _say(f"a store of {plan.stored[-1]:,} conversations")
        await talks.many(bots, stands, measured, folder, plan.stored)


async def _starts(plan: Plan, bots: Bots, stands: Stands, measured: Measured) -> None:
    """A first start of each reads from the disk, and the emulator is slow at first: neither is the bot's doing."""
    _say(f"{plan.starts} starts from cold")
    for bot in BOTS:
        await starts.start(bot, bots, stands, Measured())
    for number in range(plan.starts):
        for bot in _by_turns(number):
            await starts.start(bot, bots, stands, measured)


async def _minutes(plan: Plan, bots: Bots, stands: Stands, measured: Measured) -> None:
    for number in range(plan.minutes):
        for bot in _by_turns(number):
            _say(f"500 messages a minute for {plan.minute_seconds:g} s, round {number + 1} of {plan.minutes}: {bot}")
            await load.minute(bot, bots, stands, measured, plan.minute_seconds, number)


async def _knees(plan: Plan, bots: Bots, stands: Stands, measured: Measured) -> None:
    begins, rough = dict(KNEE_BEGINS), Measured(curves=measured.curves)
    for number, factor in enumerate(plan.knee_factors):
        into = rough if number == 0 and len(plan.knee_factors) > 1 else measured
        for bot in DOERS:
            _say(f"more and more messages, by factors of {factor:g} from {begins[bot]:.3g} a second: {bot}")
            begins[bot] = await load.knee(bot, bots, stands, into, plan.knee_seconds, begins[bot], factor)


async def _talks(plan: Plan, bots: Bots, stands: Stands, measured: Measured) -> None:
    for bot in DOERS:
        _say(f"a conversation of {plan.turns} turns: {bot}")
        await talks.long(bot, bots, stands, measured, plan.turns)
    for _ in range(plan.deep):
        for bot, depths in (("plain", plan.plain_depths), ("kaiwa", plan.kaiwa_depths)):
            _say(f"conversations of up to {depths[-1]:,} turns: {bot}")
            await talks.deep(bot, bots, stands, measured, depths)


def _by_turns(number: int) -> tuple[Bot, ...]:
    """Every round begins with another one."""
    return BOTS[number % len(BOTS) :] + BOTS[: number % len(BOTS)]


def _notes(plan: Plan, measured: Measured) -> list[str]:
    depths = {"10,000 turns": (plan.plain_depths[-1], plan.kaiwa_depths[-1]), "100,000 stored": (plan.stored[-1],) * 2}
    notes = [
        f'"{said}" are {plain:,} here for plain, and {kaiwa:,} for Kaiwa.'
        for said, (plain, kaiwa) in depths.items()
        if f"{plain:,}" not in said or f"{kaiwa:,}" not in said
    ]
    shares = [share for found in measured.curves["minute"].values() for share in found]
    own, theirs = (median(share[place] for share in shares) for place in (0, 1))
    bare = median(measured.of("first_200", "bare"))
    notes.append(
        f"Targets in ms and messages a second are those of a machine on which bare's first 200 takes {BARE_SECONDS} s; "
        f"on this one it takes {bare:.2f} s, {bare / BARE_SECONDS:.1f} times as long."
    )
    notes.append(f"At 500 a minute sender and stand-ins took {own:.0%} of one core, the emulator {theirs:.0%}.")
    return notes + [_at_the_knee(bot, measured) for bot in DOERS if measured.of("knee", bot)]


def _at_the_knee(bot: Bot, measured: Measured) -> str:
    """What else the machine did then: where that is most of it, the knee is the machine's."""
    knee = median(measured.of("knee", bot))
    rate, _, _, cpu, own, theirs, lag = min(measured.curves["knee"][bot], key=lambda stage: abs(stage[0] - knee))
    return (
        f"At {rate:.3g} a second {bot} took {rate * cpu / 1000:.0%} of one core, sender and stand-ins {own:.0%}, "
        f"the emulator {theirs:.0%}, of {os.cpu_count()} in all; messages left {lag:.0f} ms late at p99."
    )


def _say(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)
