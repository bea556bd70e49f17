"""Much of it: mutated bodies by the thousand, turns by the thousand. The process lives, and its memory stays flat.

`make faults` runs them whole (MUTATIONS=20000, TURNS=5000); SEED repeats a run.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.local.webhook import Speaker, encode
from tests.faults.memory import mebibytes, processes
from tests.faults.mutations import Mutations
from tests.faults.steps import MINUTE_MS, now
from tests.faults.table import Seen
from tests.faults.wire import Wire
from tests.world import World, world

MUTATIONS = int(os.environ.get("MUTATIONS", "3000"))
TURNS = int(os.environ.get("TURNS", "600"))
SEED = int(os.environ.get("SEED", random.randrange(10**6)))
CONNECTIONS = 8
GROWN_BY_MUTATIONS = 5.0
"""MiB, at most, after the first 2,000."""
LONG_TALKS = 5
TURNS_OF_A_SHORT_TALK = 15


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[World]:
    """The function with SQLite and nothing between: as fast as it can be, so that thousands are soon done."""
    async with world("inline", "127.0.0.1:9", tmp_path) as made:
        await made.start(STORE=f"sqlite:{tmp_path / 'kaiwa.sqlite'}")
        yield made


@pytest.mark.row("C4", injected=f"{MUTATIONS} mutated bodies, signed")
async def test_c4_mutated_bodies(alone: World, seen: Seen, tell: Seen) -> None:
    """Never a 5xx, never another worker, and the memory stays what it was after the first of them."""
    mutations = Mutations(alone.line.events, SEED, [alone.person() for _ in range(200)])
    statuses: Counter[int] = Counter()
    warm = min(2000, MUTATIONS // 2)
    await _send(alone, mutations, warm, statuses)
    workers, before = processes(alone.function), mebibytes(alone.function)
    await _send(alone, mutations, MUTATIONS - warm, statuses)
    after = mebibytes(alone.function)
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    sight = f"{told}; PSS {before:.1f} MiB after {warm}, {after:.1f} after all (SEED={SEED})"
    seen(sight)
    tell(f"mutated bodies: {sight}")
    assert set(statuses) <= {200, 400}
    assert min(statuses.values()) > MUTATIONS / 10
    assert processes(alone.function) == workers
    assert not [line for line in _events(alone) if line["event"] == "internal_error"]
    assert after - before < GROWN_BY_MUTATIONS
    assert await alone.say(alone.person(), "まだ動いていますか")


async def test_memory_after_many_turns(alone: World, tell: Seen) -> None:
    """At most 20 MiB more after 5,000 turns than after 500; so much less for fewer that a leak would show."""
    talks = _talks(alone)
    first = TURNS // 10
    await _talk(alone, talks, first)
    before = mebibytes(alone.function)
    await _talk(alone, talks, TURNS - first)
    after = mebibytes(alone.function)
    tell(f"memory: PSS {before:.1f} MiB after {first} turns, {after:.1f} MiB after {TURNS}")
    assert len(alone.line.calls_to("/reply")) == TURNS
    assert after - before < 4 + 16 * TURNS / 5000


async def _send(alone: World, mutations: Mutations, count: int, statuses: Counter[int]) -> None:
    """On connections that stay open, each with one body at a time."""
    left = iter(range(count))

    async def keep_sending() -> None:
        async with Wire(alone.port) as wire:
            for _ in left:
                statuses[await wire.post_signed(mutations.body())] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(keep_sending())


def _talks(alone: World) -> list[Iterator[bytes]]:
    """For each connection the turns of its people: one in three is of somebody who talks on and on.

    The events happened some minutes ago, so that nobody says too much in a minute.
    """
    return [_turns(alone, [alone.person() for _ in range(LONG_TALKS)]) for _ in range(CONNECTIONS)]


def _turns(alone: World, long: list[Speaker]) -> Iterator[bytes]:
    at, number, person = now() - 10 * MINUTE_MS, 0, alone.person()
    while True:
        number += 1
        speaker = long[number // 3 % len(long)] if number % 3 == 0 else person
        text = f"{number}番目の話です。" + "今日はいろいろなことがありました。" * (number % 20)
        yield encode(alone.line.bot_id, [alone.line.events.text(speaker, text, at=at + number)])
        if number % (TURNS_OF_A_SHORT_TALK * 3 // 2) == 0:
            person = alone.person()


async def _talk(alone: World, talks: list[Iterator[bytes]], count: int) -> None:
    left = iter(range(count))

    async def keep_talking(turns: Iterator[bytes]) -> None:
        async with Wire(alone.port) as wire:
            for _ in left:
                assert await wire.post_signed(next(turns)) == 200

    async with asyncio.TaskGroup() as group:
        for turns in talks:
            group.create_task(keep_talking(turns))


def _events(alone: World) -> list[dict[str, object]]:
    return [json.loads(line) for line in alone.log.read_text().splitlines() if line.startswith("{")]
