"""Cold starts: one signed message to a process that has just been started, and what it took to answer."""

import asyncio
import uuid

from tests.bench.bots import Bots, Running
from tests.bench.figures import Bot, Measured
from tests.bench.sending import Letter, letters, sending
from tests.bench.stands import Stands
from tests.bench.usage import pss_mib

REPLY_SECONDS = 60.0
QUIET_CPU_SECONDS = 0.01
LOOK_SECONDS = 0.25
LOOKS = 20


async def start(name: Bot, bots: Bots, stands: Stands, measured: Measured) -> None:
    """One start, and its figures. The model answers at once: what is left is the bot's own time."""
    stands.forget()
    stands.model.delay = 0.0
    [letter] = letters(stands.line, [user_id()])
    async with bots.running(name, stands, project()) as bot:
        if name != "bare":
            replied = asyncio.create_task(_reply(bot, stands, letter))
        async with sending(bot.url) as sender:
            sent = await sender.send(letter)
        measured.add(name, first_200=sent.answered - bot.began, first_200_cpu=bot.cpu())
        assert sent.status == 200, bot.log.read_text()
        if name != "bare":
            seconds, cpu = await replied
            measured.add(name, first_reply=seconds, first_reply_cpu=cpu)
        await quiet(bot, stands)
        measured.add(name, idle_pss=pss_mib(bot.processes()))


async def _reply(bot: Running, stands: Stands, letter: Letter) -> tuple[float, float]:
    """Seconds from the start to the reply, and seconds of CPU until then."""
    try:
        at = await stands.line.reply(letter.token, REPLY_SECONDS)
    except TimeoutError:
        raise RuntimeError(f"{bot.name} did not reply:\n{bot.log.read_text()[-4000:]}") from None
    return at - bot.began, bot.cpu()


async def quiet(bot: Running, stands: Stands) -> None:
    """Returns when the bot has nothing left to do, or after some seconds."""
    await stands.tasks.settled(REPLY_SECONDS)
    used = bot.cpu()
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_SECONDS)
        used, before = bot.cpu(), used
        if used - before < QUIET_CPU_SECONDS:
            return


def user_id() -> str:
    """Of somebody who has never written before."""
    return "U" + uuid.uuid4().hex


def project() -> str:
    """One of its own, so that what is stored by one start is not there in the next."""
    return f"bench-{uuid.uuid4().hex[:8]}"
