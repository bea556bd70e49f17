"""Two instances under load, of which one is killed again and again: nothing is lost, nothing is answered twice."""

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest

from bot.adapters.firestore import FirestoreStore
from bot.conversation import Source
from bot.local.webhook import Speaker
from bot.texts import phrases
from tests.world import ROOT, Function, Mode, World, world

KILLS = int(os.environ.get("KILLS", "10"))
PER_SECOND = 5
PEOPLE = 30
BETWEEN = (0.3, 1.2)
WHOLE = 20
"""Of so many kills one takes the server along with its worker, which is then started again."""
MODEL_SECONDS = 0.2
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
        began = time.monotonic()
        while True:
            number = len(self.said)
            word, person = f"word{number:05d}", self._people[number % PEOPLE]
            self.said[word] = person
            event = self._kaiwa.line.events.text(person, word)
            self._sending.append(asyncio.create_task(self._kaiwa.insist(event, seconds=120, pause=0.5)))
            await asyncio.sleep(began + (number + 1) / PER_SECOND - time.monotonic())

    async def accepted(self) -> None:
        await asyncio.gather(*self._sending)

    def answered(self) -> Counter[str]:
        """How many visible answers carry each word."""
        bubbles = [bubble.text for person in self._people for bubble in self._kaiwa.line.sent(person.chat_id)]
        return Counter(word for text in bubbles for word in set(WORD.findall(text.partition("\n")[0])))

    def ways(self) -> Counter[str]:
        return Counter(bubble.way for person in self._people for bubble in self._kaiwa.line.sent(person.chat_id))


@pytest.fixture(params=get_args(Mode))
async def pair(
    request: pytest.FixtureRequest, firestore_emulator: str, tmp_path: Path
) -> AsyncIterator[tuple[World, Function]]:
    """Two instances that start fast, with LINE and the queue in front of them."""
    async with world(request.param, firestore_emulator, tmp_path) as made:
        made.environment["LEASE_SECONDS"] = "2"
        made.environment["PYTHONPATH"] = str(ROOT)
        made.function.source = "tests/faults/warm.py"
        made.model.delay = MODEL_SECONDS
        await asyncio.gather(made.start(), made.another())
        made.tasks.route = lambda url: url.replace(made.function.url, made.url)
        yield made, await made.another()


@pytest.fixture
async def store(
    pair: tuple[World, Function], firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FirestoreStore]:
    """What the instances have written, read past the proxy."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    made = FirestoreStore(pair[0].environment["GOOGLE_CLOUD_PROJECT"], "(default)")
    yield made
    await made.close()


async def test_kills_under_load(
    pair: tuple[World, Function], store: FirestoreStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """At random moments under five messages a second: every message is answered, or its person told, exactly once."""
    kaiwa, other = pair
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    load = Load(kaiwa)
    running = asyncio.create_task(load.run())
    await _kill_often(kaiwa, other, random.Random(seed))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await load.accepted()
    lost, told = await _lost(kaiwa, load, store)
    twice = [word for word, count in load.answered().items() if count > 1]
    outcome = f"lost {len(lost)}, answered twice {len(twice)}, kills {KILLS}, messages {len(load.said)}"
    ways = ", ".join(f"{count} bubbles by {way}" for way, count in load.ways().items())
    again = len(kaiwa.model.calls) - sum(load.ways().values()) + told
    with capsys.disabled():
        print(f"\n{kaiwa.mode}: {outcome} (the model asked {again} times again, {told} told, {ways}; SEED={seed})")
    assert (lost, twice) == ([], [])


async def _kill_often(kaiwa: World, other: Function, chance: random.Random) -> None:
    """Now one, now the other; LINE and the queue turn to the one that lives."""
    pair, starting = [kaiwa.function, other], asyncio.create_task(asyncio.sleep(0))
    for number in range(KILLS):
        await asyncio.sleep(chance.uniform(*BETWEEN))
        victim, survivor = pair if number % 2 else reversed(pair)
        await starting
        kaiwa.entrance = survivor
        if chance.randrange(WHOLE):
            await victim.kill_worker()
        else:
            await victim.kill()
            starting = asyncio.create_task(victim.start())
    await starting


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
