"""Many people at once: 500 messages a minute, 80 turns in flight, and ever more until it is too much (the knee)."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.bench.bots import Bots, Running
from tests.bench.figures import Bot, Measured, percentile
from tests.bench.planting import planting
from tests.bench.sending import Sender, Sent, letters, sending
from tests.bench.stands import Stands
from tests.bench.starts import project, quiet, user_id
from tests.bench.usage import pss_mib

PER_SECOND = 500 / 60
MODEL_SECONDS = 3.0
IN_FLIGHT = 80
IN_FLIGHT_MODEL_SECONDS = 5.0
KNEE_MODEL_SECONDS = 1.0
KNEE_ADDED_MS = 1_000
HISTORY_TURNS = 10
"""So many turns everybody has behind them."""
WARM_MESSAGES = 5
GRACE_SECONDS = 10.0
LOOK_SECONDS = 0.1
MOST_PER_SECOND = 400.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of load. `added`: milliseconds beyond the model's own of every answer; `failed`: how many got none.

    `cpu_ms`: the bot's a message; `own`, `emulator`: what part of a core this process and the emulator took.
    """

    per_second: float
    added: tuple[float, ...]
    failed: int
    cpu_ms: float
    own: float
    emulator: float
    lag_ms: float

    @property
    def is_too_much(self) -> bool:
        return bool(self.failed) or percentile(self.added, 95) > KNEE_ADDED_MS


async def minute(name: Bot, bots: Bots, stands: Stands, measured: Measured, seconds: float, seed: int) -> None:
    """Load at 500 a minute, everybody a person of their own; then 80 at once."""
    people = [user_id() for _ in range(round(PER_SECOND * seconds))]
    crowd = [user_id() for _ in range(IN_FLIGHT)]
    async with _warm(name, bots, stands, people + crowd) as (bot, sender):
        stands.model.delay = MODEL_SECONDS
        loaded = await stretch(bot, stands, sender, people, PER_SECOND, seed)
        measured.add(name, cpu=loaded.cpu_ms, loaded_pss=pss_mib(bot.processes()))
        measured.add(name, **{f"added_p{percent}": percentile(loaded.added, percent) for percent in (50, 95, 99)})
        measured.curves.setdefault("added", {}).setdefault(name, []).extend(loaded.added)
        measured.curves.setdefault("minute", {}).setdefault(name, []).append([loaded.own, loaded.emulator])
        if loaded.failed:
            measured.notes.append(f"{name}: {loaded.failed} of {len(people)} messages failed at 500 a minute")
        if name != "bare":
            await _crowd(bot, stands, sender, crowd, measured)


async def _crowd(bot: Running, stands: Stands, sender: Sender, people: Sequence[str], measured: Measured) -> None:
    stands.forget()
    stands.model.delay = IN_FLIGHT_MODEL_SECONDS
    written, sizes, most = letters(stands.line, people), [0.0], 0
    sent = asyncio.create_task(sender.send_at_once(written))
    deadline = time.perf_counter() + IN_FLIGHT_MODEL_SECONDS + GRACE_SECONDS
    while len(stands.line.replied) < len(written) and time.perf_counter() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        most = max(most, stands.model.answering)
        sizes.append(pss_mib(bot.processes()))
    await sent
    measured.add(bot.name, in_flight_pss=max(sizes))
    if most < len(people) or len(stands.line.replied) < len(people):
        measured.notes.append(
            f"{bot.name}: of {len(people)} at once the model saw {most} together; "
            f"{len(stands.line.replied)} had a reply in time"
        )


async def knee(
    name: Bot, bots: Bots, stands: Stands, measured: Measured, seconds: float, begin: float, step: float
) -> float:
    """From `begin` messages a second up or down by `step` until it is found: the most that was not too much."""
    rate, good, bad = begin, None, None
    while not (good and bad) and 1 <= rate <= MOST_PER_SECOND:
        tried = await _stage(name, bots, stands, rate, seconds)
        measured.curves.setdefault("knee", {}).setdefault(name, []).append(
            [rate, percentile(tried.added, 95), tried.failed, tried.cpu_ms, tried.own, tried.emulator, tried.lag_ms]
        )
        good, bad = (good, tried) if tried.is_too_much else (tried, bad)
        rate = rate / step if tried.is_too_much else rate * step
    if good:
        measured.add(name, knee=good.per_second, knee_cpu=good.cpu_ms)
    return good.per_second if good else begin


async def _stage(name: Bot, bots: Bots, stands: Stands, rate: float, seconds: float) -> Stretch:
    """In a process of its own: what one stage could not do must not weigh on the next."""
    people = [user_id() for _ in range(round(rate * seconds))]
    async with _warm(name, bots, stands, people) as (bot, sender):
        stands.model.delay = KNEE_MODEL_SECONDS
        tried = await stretch(bot, stands, sender, people, rate, round(rate))
        stands.tasks.purge()
        return tried


async def stretch(
    bot: Running, stands: Stands, sender: Sender, people: Sequence[str], per_second: float, seed: int
) -> Stretch:
    """One message from each of them, at this pace. The model's delay is what it is set to."""
    stands.forget()
    written, sender.lag = letters(stands.line, people), []
    began, own, used, emulator = time.perf_counter(), time.process_time(), bot.cpu(), stands.emulator_cpu()
    sent = await sender.send_paced(written, per_second, seed)
    await _over(bot, stands, sent, stands.model.delay + GRACE_SECONDS)
    took = time.perf_counter() - began
    added = _added(bot, stands, sent)
    return Stretch(
        per_second,
        tuple(added),
        len(sent) - len(added),
        (bot.cpu() - used) * 1000 / len(sent),
        (time.process_time() - own) / took,
        (stands.emulator_cpu() - emulator) / took,
        percentile(sender.lag, 99) * 1000,
    )


async def _over(bot: Running, stands: Stands, sent: Sequence[Sent], seconds: float) -> None:
    """Returns when all that were taken have their reply, or it has been long enough."""
    taken = [one.letter.token for one in sent if one.status == 200 and bot.name != "bare"]
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(stands.line.reply(token, seconds) for token in taken))


def _added(bot: Running, stands: Stands, sent: Sequence[Sent]) -> list[float]:
    """Milliseconds from the message to its reply (of the bare one: to its 200) without the model's own."""
    if bot.name == "bare":
        return [(one.answered - one.at) * 1000 for one in sent if one.status == 200]
    replied = stands.line.replied
    good = [one for one in sent if one.letter.token in replied and one.status == 200]
    return [(replied[one.letter.token] - one.at - stands.model.delay) * 1000 for one in good]


@asynccontextmanager
async def _warm(name: Bot, bots: Bots, stands: Stands, people: Sequence[str]) -> AsyncIterator[tuple[Running, Sender]]:
    """The bot after its first messages, and these people with a history."""
    where = project()
    async with planting(where) as planter:
        await planter.plant(name, people, HISTORY_TURNS)
        async with bots.running(name, stands, where) as bot, sending(bot.url) as sender:
            stands.forget()
            stands.model.delay = 0.0
            for letter in letters(stands.line, [user_id() for _ in range(WARM_MESSAGES)]):
                await sender.send(letter)
            await quiet(bot, stands)
            yield bot, sender
