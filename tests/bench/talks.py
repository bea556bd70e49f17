"""One conversation that grows, and a store that fills: a message must not cost more for it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

from bot.local.chats import Json
from tests.bench.bots import Bots, Running
from tests.bench.figures import Bot, Measured
from tests.bench.planting import plant_many, planting
from tests.bench.sending import Letter, Sender, letters, sending
from tests.bench.stands import Stands
from tests.bench.starts import project, quiet, user_id

REPLY_SECONDS = 60.0
APART_MS = 5_000
"""Between a person's messages: the bot takes no more than 60 a minute from one, by LINE's clock."""
MIDDLE = 30
"""From so many turns on the window has rolled over, and a long conversation is like itself."""
PERIOD = 10
DEEP_MESSAGES = 9
"""So many find the window as it was planted: none of them makes it roll over."""
MANY_MESSAGES = 40
CACHE_LEAST, CACHE_STEP = 1_024, 128


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one message. `question`: what the model was shown, as text."""

    reads: int
    writes: int
    deletes: int
    tasks: int
    model_calls: int
    question: str

    @property
    def tokens(self) -> int:
        return estimated(self.question)


@dataclass(frozen=True, slots=True)
class Depth:
    """What a message costs in a conversation of one length: Firestore's operations, input tokens, the bot's CPU."""

    operations: float
    tokens: float
    cpu_ms: float


async def long(name: Bot, bots: Bots, stands: Stands, measured: Measured, turns: int) -> None:
    """One conversation from its first message to its last."""
    async with bots.running(name, stands, project(), counted=True) as bot, sending(bot.url) as sender:
        stands.forget()
        stands.model.delay = 0.0
        # The last of 200 is 17 minutes younger than the first: all have live tokens, and are no replays.
        costs = [
            await _say(stands, sender, letter)
            for letter in letters(stands.line, [user_id()] * turns, every_ms=APART_MS)
        ]
    _long(name, costs, measured)


def _long(name: Bot, costs: Sequence[Cost], measured: Measured) -> None:
    """Ordinary messages are those before the first roll-over; means are of whole periods with one each."""
    ordinary, steady = costs[PERIOD : PERIOD * 2], costs[MIDDLE:]
    measured.add(name, reads=median(cost.reads for cost in ordinary), mean_reads=mean(cost.reads for cost in steady))
    measured.add(
        name, writes=median(cost.writes for cost in ordinary), mean_writes=mean(cost.writes for cost in steady)
    )
    measured.add(name, deletes=mean(cost.deletes for cost in steady), tasks=mean(cost.tasks for cost in steady))
    measured.add(name, model_calls=median(cost.model_calls for cost in ordinary))
    measured.add(name, mean_model_calls=mean(cost.model_calls for cost in steady))
    tokens = [cost.tokens for cost in costs]
    reused = [same_start(after.question, before.question) for before, after in pairwise(steady)]
    prefix = 100 * sum(map(len, reused)) / sum(len(cost.question) for cost in steady[1:])
    paid = [cost.tokens - 0.9 * cached(estimated(start)) for cost, start in zip(steady[1:], reused, strict=True)]
    measured.add(
        name, tokens=mean(tokens[MIDDLE:]), tokens_growth=growth(tokens), prefix=prefix, tokens_paid=mean(paid)
    )
    measured.curves.setdefault("tokens", {})[name] = tokens


def growth(tokens: Sequence[int]) -> float:
    """The end by the middle, both as long as fits and whole periods of the window's roll-over."""
    rest = tokens[MIDDLE:]
    width = max(PERIOD, len(rest) // 2 // PERIOD * PERIOD)
    return mean(rest[-width:]) / mean(rest[:width])


def same_start(one: str, other: str) -> str:
    """What they have in common at their beginning."""
    differing = (place for place, (mine, theirs) in enumerate(zip(one, other, strict=False)) if mine != theirs)
    return one[: next(differing, min(len(one), len(other)))]


def cached(tokens: int) -> int:
    """How many of so many tokens that a question begins with, as the last one did, cost a tenth.

    Source: https://platform.openai.com/docs/guides/prompt-caching
    """
    return tokens // CACHE_STEP * CACHE_STEP if tokens >= CACHE_LEAST else 0


def estimated(text: str) -> int:
    """Tokens, roughly: three bytes each, in Japanese and English alike."""
    return len(text.encode()) // 3


async def deep(name: Bot, bots: Bots, stands: Stands, measured: Measured, sizes: Sequence[int]) -> None:
    """Conversations of so many turns, the shortest first; the longest is compared with it.

    Its tokens are compared with the second's: the shortest has no summary yet.
    """
    where, people = project(), {turns: user_id() for turns in sizes}
    async with planting(where) as planter:
        for turns, person in people.items():
            await planter.plant(name, [person], turns)
    found = {}
    async with bots.running(name, stands, where, counted=True) as bot, sending(bot.url) as sender:
        await _warm(bot, stands, sender)
        for turns, person in people.items():
            found[turns] = await _deep(bot, stands, sender, person)
    shortest, second, longest = found[sizes[0]], found[sizes[1]], found[sizes[-1]]
    measured.add(name, deep_operations=longest.operations / shortest.operations)
    measured.add(name, deep_tokens=longest.tokens / second.tokens, deep_cpu=longest.cpu_ms / shortest.cpu_ms)
    measured.curves.setdefault("deep", {}).setdefault(name, []).append(
        {str(turns): asdict(one) for turns, one in found.items()}
    )


async def _deep(bot: Running, stands: Stands, sender: Sender, person: str) -> Depth:
    used = bot.cpu()
    costs = [
        await _say(stands, sender, letter)
        for letter in letters(stands.line, [person] * DEEP_MESSAGES, every_ms=APART_MS)
    ]
    cpu = (bot.cpu() - used) * 1000 / len(costs)
    operations = mean(cost.reads + cost.writes + cost.deletes for cost in costs)
    return Depth(operations, mean(cost.tokens for cost in costs), cpu)


async def many(bots: Bots, stands: Stands, measured: Measured, folder: Path, sizes: Sequence[int]) -> None:
    """A store with so many conversations, in SQLite: the emulator would need an hour for the largest."""
    found = {}
    for size in sizes:
        path, people = folder / f"{size}.sqlite", [user_id() for _ in range(size)]
        await plant_many(path, people)
        async with bots.running("kaiwa", stands, project(), STORE=f"sqlite:{path}") as bot, sending(bot.url) as sender:
            await _warm(bot, stands, sender)
            used = bot.cpu()
            for letter in letters(stands.line, people[:: size // MANY_MESSAGES]):
                await _say(stands, sender, letter)
            found[size] = (bot.cpu() - used) * 1000 / MANY_MESSAGES
        path.unlink()
    measured.add("kaiwa", many_cpu=found[sizes[-1]] / found[sizes[0]])
    measured.curves.setdefault("many", []).append({str(size): one for size, one in found.items()})


async def _warm(bot: Running, stands: Stands, sender: Sender) -> None:
    stands.forget()
    stands.model.delay = 0.0
    for letter in letters(stands.line, [user_id()] * DEEP_MESSAGES, every_ms=APART_MS):
        await _say(stands, sender, letter)
    await quiet(bot, stands)


async def _say(stands: Stands, sender: Sender, letter: Letter) -> Cost:
    """One message, until everything that comes of it is done."""
    calls, tasks = len(stands.model.calls), len(stands.tasks.created)
    stands.proxy.reset()
    sent = await sender.send(letter)
    assert sent.status == 200, sent
    await stands.line.reply(letter.token, REPLY_SECONDS)
    await stands.tasks.settled(REPLY_SECONDS)
    counts = stands.proxy.reset()
    calls, tasks = len(stands.model.calls) - calls, len(stands.tasks.created) - tasks
    return Cost(counts.reads, counts.writes, counts.deletes, tasks, calls, _shown(stands.model.asked[-1]))


def _shown(body: Json) -> str:
    """A question in the order in which the model reads it, and its prompt cache compares it."""
    told = (body.get("tools"), body.get("instructions"), body["input"])
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in told)
