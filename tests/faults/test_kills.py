"""Instances under load, of which one is killed again and again: nothing is lost, nothing is answered twice."""

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest

from bot.adapters.firestore import FirestoreStore
from bot.conversation import Source
from bot.local.chats import Bubble
from bot.local.webhook import Speaker
from bot.texts import phrases
from tests.faults.table import Seen
from tests.starter import Starter
from tests.world import Function, Mode, World, world

KILLS = int(os.environ.get("KILLS", "10"))
PER_SECOND = 5
PEOPLE = 30
INSTANCES = 4
BETWEEN = (0.3, 1.5)
WHOLE = 20
"""Of so many kills one takes the server along with its worker, which is then started again."""
MODEL_SECONDS = 0.2
MOST_OPEN = 15
"""Where a busy machine cannot keep up, the load waits: otherwise every kill would meet more turns than the last."""
AFTERWARDS_SECONDS = 60
WORD = re.compile(r"word\d{5}")


class Load:
    """Numbered words from many people, five a second, each sent as LINE does: again until it is accepted."""

    def __init__(self, kaiwa: World) -> None:
        self.said: dict[str, Speaker] = {}
        self._kaiwa = kaiwa
        self._people = [kaiwa.person() for _ in range(PEOPLE)]
        self._sending: list[asyncio.Task[int]] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        due = time.monotonic()
        while True:
            while self.open() > MOST_OPEN:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.1)
            number = len(self.said)
            word, person = f"word{number:05d}", self._people[number % PEOPLE]
            self.said[word] = person
            event = self._kaiwa.line.events.text(person, word)
            self._sending.append(asyncio.create_task(self._kaiwa.insist(event, seconds=300, pause=0.5)))
            due = max(due + 1 / PER_SECOND, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def accepted(self) -> None:
        await asyncio.gather(*self._sending)

    def open(self) -> int:
        """How many messages wait; an apology stands for one."""
        apologies = sum(bubble.text in phrases("given_up") for bubble in self.bubbles())
        return len(self.said) - len(self.answered()) - apologies

    def bubbles(self) -> list[Bubble]:
        return [bubble for person in self._people for bubble in self._kaiwa.line.sent(person.chat_id)]

    def answered(self) -> Counter[str]:
        """How many visible answers carry each word."""
        first_lines = [bubble.text.partition("\n")[0] for bubble in self.bubbles()]
        return Counter(word for line in first_lines for word in set(WORD.findall(line)))

    def ways(self) -> Counter[str]:
        return Counter(bubble.way for bubble in self.bubbles())


@pytest.fixture(params=get_args(Mode))
async def kaiwa(
    request: pytest.FixtureRequest, starter: Starter, firestore_emulator: str, tmp_path: Path
) -> AsyncIterator[World]:
    """Instances that start fast, with LINE and the queue in front of them."""
    # Every delivery waits in a thread: with as few as there are by default, kills would wait for deliveries.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(100))
    async with world(request.param, firestore_emulator, tmp_path) as made:
        made.environment["LEASE_SECONDS"] = "2"
        made.function.starter = starter
        made.model.delay = MODEL_SECONDS
        made.others += [Function(made.environment, made.log, starter) for _ in range(INSTANCES - 1)]
        made.balance(made.function, *made.others)
        for instance in made.front:
            await instance.start()
        yield made


@pytest.fixture
async def store(
    kaiwa: World, firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FirestoreStore]:
    """What the instances have written, read past the proxy."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    made = FirestoreStore(kaiwa.environment["GOOGLE_CLOUD_PROJECT"], "(default)")
    yield made
    await made.close()


async def test_kills_under_load(kaiwa: World, store: FirestoreStore, tell: Seen) -> None:
    """At random moments under five messages a second: every message is answered, or its person told, exactly once."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    load = Load(kaiwa)
    running, began = asyncio.create_task(load.run()), time.monotonic()
    await _kill_often(kaiwa, random.Random(seed))
    running.cancel()
    rate = len(load.said) / (time.monotonic() - began)
    with suppress(asyncio.CancelledError):
        await running
    await load.accepted()
    lost, told = await _lost(kaiwa, load, store)
    twice = [word for word, count in load.answered().items() if count > 1]
    ways = ", ".join(f"{count} by {way}" for way, count in load.ways().items())
    tell(
        f"{kaiwa.mode}: lost {len(lost)}, answered twice {len(twice)}, kills {KILLS}, messages {len(load.said)}\n"
        f"  ({rate:.1f} a second; {ways}; {len(kaiwa.model.calls)} model calls; {told} given up; SEED={seed})"
    )
    assert (lost, twice) == ([], [])


async def _kill_often(kaiwa: World, chance: random.Random) -> None:
    """One after the other; the next whole death waits until the last one has started again."""
    instances, starting = list(kaiwa.front), asyncio.create_task(asyncio.sleep(0))
    for number in range(KILLS):
        await asyncio.sleep(chance.uniform(*BETWEEN))
        victim = instances[number % INSTANCES]
        if chance.randrange(WHOLE):
            await victim.kill_worker()
        else:
            await starting
            await victim.kill()
            kaiwa.balance(*(instance for instance in instances if instance is not victim))
            starting = asyncio.create_task(_return(kaiwa, victim))
    await starting


async def _return(kaiwa: World, instance: Function) -> None:
    await instance.start()
    kaiwa.balance(instance, *kaiwa.front)


async def _lost(kaiwa: World, load: Load, store: FirestoreStore) -> tuple[list[str], int]:
    """The words that were neither answered nor given up with an apology, and how many were given up."""
    until = time.monotonic() + AFTERWARDS_SECONDS
    while True:
        answered = load.answered()
        missing = [word for word in load.said if word not in answered]
        told = [word for word in missing if await _is_told(kaiwa, store, load.said[word], word)]
        if len(told) == len(missing) or time.monotonic() > until:
            await kaiwa.settled(5)
            return [word for word in missing if word not in told], len(told)
        await asyncio.sleep(0.5)


async def _is_told(kaiwa: World, store: FirestoreStore, person: Speaker, word: str) -> bool:
    """Whether the message is a dead letter, and the apology for each of the person's dead letters is shown."""
    state = (await store.read(Source("user", person.user_id).conversation_id)).conversation
    apologies = sum(text in phrases("given_up") for text in kaiwa.shown(person))
    letters = [{said.text for said in letter.said} for letter in state.dead_letters]
    return apologies == len(letters) and any(word in texts for texts in letters)
