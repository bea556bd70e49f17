"""Many cases at once: each has a person of its own, and what is done to one does not reach the others.

`trying` runs the cases of a module side by side, waits until nothing is left to do, and keeps what each has come to.
"""

import asyncio
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from unittest.mock import patch

from google.cloud.firestore import AsyncClient

from bot import log
from bot.conversation import Conversation, Source
from bot.document import Document, decode
from bot.local.calls import Call
from bot.local.chats import Bubble, Json
from bot.local.webhook import Speaker
from bot.markdown import plain
from tests.world import ACCESS_TOKEN, API_KEY, CHANNEL_SECRET, World

PAUSE = 0.3
THREADS = 100
STAGGER = 0.1
"""Between the beginnings of two cases: all at the same moment would only show how slow the machine is."""


@dataclass
class Case:
    """One person who says one thing. `statuses`: what LINE got; `attempts`: what whoever brought the event got."""

    kaiwa: World
    person: Speaker
    text: str
    statuses: list[int] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    shown: list[Bubble] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    replies: list[Call] = field(default_factory=list)
    pushes: list[Call] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    logged: list[Json] = field(default_factory=list)
    state: Conversation = field(default_factory=Conversation)

    @property
    def conversation_id(self) -> str:
        return Source("user", self.person.user_id).conversation_id

    @property
    def texts(self) -> list[str]:
        return [bubble.text for bubble in self.shown]

    async def say(self, *, at: int = 0, text: str = "", seconds: float = 120) -> None:
        """One message, delivered until it is accepted."""
        await self.deliver(self.kaiwa.line.events.text(self.person, text or self.text, at=at), seconds)

    async def deliver(self, event: Json, seconds: float = 120) -> None:
        """As LINE does with redelivery on: again until it gets a 2xx."""
        async with asyncio.timeout(seconds):
            while not await self._accepted(event):
                event = self.kaiwa.line.redelivered(event)
                await asyncio.sleep(PAUSE)

    async def answered(self, count: int = 1, seconds: float = 120) -> None:
        """Returns when so many bubbles have been shown."""
        await self.kaiwa.line.wait_for_sent(self.person.chat_id, count, seconds)

    def brought(self) -> list[int]:
        """The statuses that whoever brought this person's events was given: the queue, or LINE without one.

        Without 0: the connection had been closed as idle when the queue used it again.
        """
        if self.kaiwa.mode == "inline":
            return self.statuses
        ids = {task.id for task in self.kaiwa.tasks.created if self.person.user_id.encode() in task.body}
        return [attempt.status for attempt in self.kaiwa.tasks.attempts if attempt.id in ids and attempt.status]

    async def refused(self, seconds: float = 120) -> None:
        """Returns when whoever brought the event has been told to try again."""
        await until(lambda: any(status >= 500 for status in self.brought()), seconds)

    async def accepted(self, seconds: float = 120) -> None:
        """Returns when whoever brought the event last has been told that it is safe."""
        await until(lambda: self.brought()[-1:] == [200], seconds)

    async def store(self, document: Document) -> None:
        """Put this where the conversation's document is."""
        await _documents(self.kaiwa).document(self.conversation_id).set(document)

    async def stored(self) -> Document:
        return (await _documents(self.kaiwa).document(self.conversation_id).get()).to_dict() or {}

    async def _accepted(self, event: Json) -> bool:
        try:
            self.statuses.append((await self.kaiwa.line.deliver(self.kaiwa.url, event)).status)
        except (OSError, HTTPException):
            self.statuses.append(0)
        return 200 <= self.statuses[-1] < 300

    async def keep(self) -> None:
        """What has come of it, before the next test wipes it away."""
        kaiwa, chat_id = self.kaiwa, self.person.chat_id
        self.shown = kaiwa.line.sent(chat_id)
        self.asked = [request for request in kaiwa.model.requests if self.text in str(request["input"][-1]["content"])]
        replies, pushes = kaiwa.line.calls_to("/message/reply"), kaiwa.line.calls_to("/message/push")
        self.replies = [call for call in replies if kaiwa.line.chats.chat_of(call.json["replyToken"]) == chat_id]
        self.pushes = [call for call in pushes if call.json["to"] == chat_id]
        self.attempts = list(self.brought())
        name = log.anonymous(self.conversation_id)
        lines = [line for line in kaiwa.log.read_text().splitlines() if line.startswith("{")]
        self.logged = [line for line in map(json.loads, lines) if line.get("conversation") == name]
        self.state = decode(await self.stored())


Play = Callable[[Case], Awaitable[None]]
Tried = Mapping[str, Case | Exception]


async def trying(kaiwa: World, plays: Mapping[str, Play], ahead: float) -> Tried:
    """Play them all side by side. `ahead`: wake-up calls due in so many seconds are waited for as well."""
    await kaiwa.heal()
    # Deliveries wait in threads, and the default number of those would make them wait for each other.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    cases = {name: Case(kaiwa, kaiwa.person(), "ことば" + uuid.uuid4().hex) for name in plays}
    beginning = enumerate(plays.items())
    playing = (_played(play, cases[name], number * STAGGER) for number, (name, play) in beginning)
    failures = await asyncio.gather(*playing, return_exceptions=True)
    await kaiwa.settled(ahead)
    kaiwa.firestore.heal()
    for case in cases.values():
        await case.keep()
    by_name = zip(cases.items(), failures, strict=True)
    tried = {name: failure if isinstance(failure, Exception) else case for (name, case), failure in by_name}
    _is_private(kaiwa, [*cases.values()])
    await kaiwa.heal()
    return tried


async def _played(play: Play, case: Case, after: float) -> None:
    await asyncio.sleep(after)
    began = time.monotonic()
    await play(case)
    case.notes["seconds"] = time.monotonic() - began


def outcome(tried: Tried, name: str) -> Case:
    """The case as it ended; raises what went wrong in it."""
    case = tried[name]
    if isinstance(case, Exception):
        raise case
    return case


def _is_private(kaiwa: World, cases: list[Case]) -> None:
    """Nothing that anybody said, and no id or key, is in the log."""
    logged = kaiwa.log.read_text()
    private = [word for case in cases for word in (case.text, case.person.user_id)]
    assert [word for word in (*private, CHANNEL_SECRET, ACCESS_TOKEN, API_KEY) if word in logged] == []


def answered_once(case: Case) -> None:
    """One answer is shown; message and answer are in the history once; nothing is left to do."""
    assert len(case.shown) == 1, case.texts
    assert [[said.text for said in turn.said] for turn in case.state.turns] == [[case.text]]
    assert plain(case.state.turns[0].answer) == case.shown[0].text
    assert (case.state.pending, case.state.outbox, case.state.lease) == ((), (), None)
    assert case.statuses[-1] == 200
    assert case.attempts[-1] == 200


def account(case: Case) -> str:
    """For the table."""
    told = sorted({status for status in case.attempts if status != 200})
    answers = f"{len(case.shown)} answer{'s' if len(case.shown) != 1 else ''}"
    calls = f"{len(case.asked)} model call{'s' if len(case.asked) != 1 else ''}"
    return ", ".join([answers, calls, *(str(status) for status in told), "then 200" if told else "200"])


async def until(fits: Callable[[], bool], seconds: float = 120) -> None:
    """Returns when it fits; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not fits():  # noqa: ASYNC110  # looked at from outside: what happens there sets no event
            await asyncio.sleep(0.05)


def _documents(kaiwa: World) -> Any:
    """The conversations, as another program would reach them."""
    with patch.dict(os.environ, FIRESTORE_EMULATOR_HOST=kaiwa.firestore.address):
        return AsyncClient(project=kaiwa.environment["GOOGLE_CLOUD_PROJECT"]).collection("conversations")


def now() -> int:
    return time.time_ns() // 1_000_000
