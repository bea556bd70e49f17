"""LINE's side: messages written and signed beforehand, sent over few connections that are kept open."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bot.local.chats import now_ms
from bot.local.webhook import Speaker
from tests.bench.stands import QUESTION, Line

ANSWER_SECONDS = 60.0
LAG_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Letter:
    """A signed webhook body with one text message. `token`: the reply token in it."""

    body: bytes
    signature: str
    token: str


@dataclass(frozen=True, slots=True)
class Sent:
    """`at`: time.perf_counter() when it was sent, `answered` when its status came; 0 for no answer at all."""

    letter: Letter
    at: float
    answered: float
    status: int


def letters(line: Line, user_ids: Sequence[str], *, every_ms: int = 0) -> list[Letter]:
    """One message from each of them; `every_ms`: written so long one after the other, the last one now."""
    begun = now_ms() - every_ms * len(user_ids)
    return [_letter(line, user_id, number, begun + every_ms * number) for number, user_id in enumerate(user_ids, 1)]


def _letter(line: Line, user_id: str, number: int, at: int) -> Letter:
    if user_id not in line.chats.users:
        line.chats.add_user("somebody", user_id=user_id)
    event = line.events.text(Speaker(user_id), QUESTION.format(number), at=at)
    body, signature = line.signed(event)
    return Letter(body, signature, event["replyToken"])


class Sender:
    """Connections to one bot. `lag` lists by how much this process was late, in seconds: too much, and it is the one
    that is being measured."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.lag: list[float] = []

    async def send(self, letter: Letter) -> Sent:
        headers = {"Content-Type": "application/json; charset=utf-8", "x-line-signature": letter.signature}
        at = time.perf_counter()
        try:
            async with self._session.post(self._url, data=letter.body, headers=headers) as response:
                await response.read()
                return Sent(letter, at, time.perf_counter(), response.status)
        except (aiohttp.ClientError, TimeoutError):
            return Sent(letter, at, time.perf_counter(), 0)

    async def send_paced(self, written: Sequence[Letter], per_second: float, seed: int) -> list[Sent]:
        """Each at a moment of its own, whatever became of those before: people do not wait for each other.

        The pauses between are drawn, the same ones for the same seed.
        """
        draw, due, sending = random.Random(seed), time.perf_counter(), []
        for letter in written:
            due += draw.expovariate(per_second)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.lag.append(max(0.0, time.perf_counter() - due))
            sending.append(asyncio.create_task(self.send(letter)))
        return list(await asyncio.gather(*sending))

    async def send_at_once(self, written: Sequence[Letter]) -> list[Sent]:
        return list(await asyncio.gather(*map(self.send, written)))


@asynccontextmanager
async def sending(url: str) -> AsyncIterator[Sender]:
    # The server hangs up after two idle seconds: what is sent at that moment would be lost.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=1)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as session:
        yield Sender(session, url)
