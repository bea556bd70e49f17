"""The real function, started as Google starts it, and around it everything that it talks to, on loopback."""

import asyncio
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal

from bot.local.chats import Json
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from bot.local.webhook import Answered, Speaker, post
from tests.function import ROOT, Function
from tests.servers.cloud_tasks import CloudTasksServer
from tests.servers.firestore_proxy import FirestoreProxy
from tests.servers.secret_manager import SecretManagerServer
from tests.servers.taps import Act, Cut, Moment, Tapped, Taps
from tests.servers.uvicorn import serving

__all__ = ["ACCESS_TOKEN", "API_KEY", "CHANNEL_SECRET", "POINTS", "QUEUE", "ROOT", "Function", "Mode", "World", "world"]

QUEUE = "projects/test/locations/asia-northeast1/queues/kaiwa"
CHANNEL_SECRET = "channel-secret-of-the-tests"
ACCESS_TOKEN = "access-token-of-the-tests"
API_KEY = "api-key-of-the-tests"

Mode = Literal["queue", "inline"]
Point = Literal["P0", "P1", "P2", "P3", "P4", "P5", "P6"]
POINTS: dict[Point, tuple[Literal["firestore", "model", "line"], str, Moment, int]] = {
    "P0": ("firestore", "BatchGetDocuments", "before", 1),  # the event has arrived, nothing is claimed
    "P1": ("firestore", "claim.Commit", "after", 1),  # claimed
    "P2": ("model", "/responses", "after", 1),  # the model was asked
    "P3": ("firestore", "settle.Commit", "before", 1),  # the model has answered, nothing is settled
    "P4": ("firestore", "settle.Commit", "after", 1),  # settled
    "P5": ("line", "/reply", "after", 1),  # sent
    "P6": ("firestore", "delivered.Commit", "after", 1),  # the delivery is recorded, nothing is acknowledged
}
"""Where an ordinary turn of a conversation nobody else writes to can be met: server, call, moment, how many of them."""


@dataclass
class World:
    """`mode` "queue": with Cloud Tasks; "inline": events are handled before the webhook answers.

    `model_taps`, `line_taps` (by path) and `firestore.taps` (by method) run a test's code at the boundaries.
    """

    mode: Mode
    line: LineStandIn
    model: ModelStandIn
    tasks: CloudTasksServer
    firestore: FirestoreProxy
    secrets: SecretManagerServer
    function: Function
    model_taps: Taps = field(default_factory=Taps)
    line_taps: Taps = field(default_factory=Taps)
    people: list[Speaker] = field(default_factory=list)
    others: list[Function] = field(default_factory=list)
    front: list[Function] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What `start` gives the function."""
        return self.function.environment

    @property
    def log(self) -> Path:
        return self.function.log

    @property
    def url(self) -> str:
        """Where LINE and the queue send to now: one of those in front."""
        return random.choice(self.front or [self.function]).url

    @property
    def port(self) -> int:
        return self.function.port

    def person(self) -> Speaker:
        """Somebody who has never written before."""
        speaker = Speaker("U" + uuid.uuid4().hex)
        self.people.append(speaker)
        self.line.chats.add_user("somebody", user_id=speaker.user_id)
        return speaker

    async def say(self, speaker: Speaker, text: str) -> str:
        """Send one text message and return the bubble that answers it."""
        before = len(self.line.sent(speaker.chat_id))
        answered = await self.line.deliver(self.url, self.line.events.text(speaker, text))
        assert answered.status == 200, answered
        return (await self.line.wait_for_sent(speaker.chat_id, before + 1, 60))[before].text

    async def post(self, body: bytes, signature: str, path: str = "") -> Answered:
        return await post(self.url + path, body, signature)

    async def insist(self, *events: Json, seconds: float = 120, pause: float = 0.3) -> int:
        """Deliver as LINE does with redelivery on: again until it gets a 2xx. Returns how often it took."""
        async with asyncio.timeout(seconds):
            for count in range(1, 1000):
                if await self._accepts(events):
                    return count
                events = tuple(self.line.redelivered(event) for event in events)
                await asyncio.sleep(pause)
        raise TimeoutError

    async def _accepts(self, events: tuple[Json, ...]) -> bool:
        try:
            return 200 <= (await self.line.deliver(self.url, *events)).status < 300
        except (OSError, HTTPException):
            return False

    async def settled(self, ahead: float = 0.0) -> None:
        """Returns when nothing that is due up to `ahead` seconds from now is left in the queue."""
        await self.tasks.settled(120, ahead)

    def shown(self, speaker: Speaker) -> list[str]:
        """The texts of all bubbles by the bot that this chat shows."""
        return [bubble.text for bubble in self.line.sent(speaker.chat_id)]

    def said_to_model(self) -> list[str]:
        """What each request showed the model, in the order of the requests."""
        return [str(request["input"]) for request in self.model.requests]

    def at(self, point: Point, act: Act) -> None:
        """Run `act` when the next turn comes to this point; if it ends the function, it raises Cut."""
        where, name, moment, nth = POINTS[point]
        taps = {"firestore": self.firestore.taps, "model": self.model_taps, "line": self.line_taps}
        taps[where].on(name, moment, act, nth)

    def kill_at(
        self, point: Point, then: Callable[[], Awaitable[Any]] | None = None, *, worker_only: bool = False
    ) -> "asyncio.Future[float]":
        """Kill the function at this point, then run `then`; the future tells when it died (time.time)."""
        died: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        async def act() -> None:
            await (self.function.kill_worker() if worker_only else self.kill())
            died.set_result(time.time())
            if then:
                await then()
            raise Cut

        self.at(point, act)
        return died

    async def start(self, **changes: str | None) -> None:
        """Start the function, again on the same port; `changes` to its environment, None takes a variable away."""
        await self.function.start(**changes)

    async def restart(self, **changes: str | None) -> None:
        """Kill it and start it anew, with `changes` until it is healed."""
        await self.kill()
        await self.start(**changes)

    async def stop(self) -> None:
        await self.function.stop()

    async def kill(self) -> None:
        """SIGKILL to the server and its worker."""
        await self.function.kill()

    async def another(self) -> Function:
        """A second instance of the function, on a port of its own; every call gives the same one."""
        if not self.others:
            self.others.append(Function(self.environment, self.log, self.function.starter))
        await self.others[0].revive()
        return self.others[0]

    async def fail_over(self) -> None:
        """From now on LINE and the queue reach the second instance, as when the platform sees that one has died."""
        self.balance(await self.another())

    def balance(self, *front: Function) -> None:
        """From now on LINE and the queue send to these."""
        self.front = list(front)
        self.tasks.route = lambda url: url.replace(self.function.url, self.url)

    async def heal(self) -> None:
        """Everything as in the beginning: nothing in flight, nothing scripted, nothing counted, the function alive."""
        for function in (self.function, *self.others):
            function.thaw()
        await self.function.revive()
        self.front = []
        self.tasks.heal()
        try:
            await self.settled()
        finally:
            self.tasks.purge()
        self.model.calls.clear()
        self.model.script.clear()
        self.model.transcripts.clear()
        self.model.transcriptions.clear()
        self.line.calls.clear()
        self.line.heal()
        self.line.monthly_quota = None
        self.model_taps.clear()
        self.line_taps.clear()
        self.firestore.heal()
        self.firestore.reset()

    async def end(self) -> None:
        for function in (self.function, *self.others):
            await function.stop()


@asynccontextmanager
async def world(mode: Mode, emulator: str, folder: Path) -> AsyncIterator[World]:
    """Everything but the function itself, which `start` starts; stopped with the rest at the end."""
    async with AsyncExitStack() as stack:
        line, line_taps = LineStandIn(ACCESS_TOKEN, CHANNEL_SECRET), Taps()
        model, model_taps = ModelStandIn(API_KEY), Taps()
        line_url = await stack.enter_async_context(serving(Tapped(line.app, line_taps)))
        model_url = await stack.enter_async_context(serving(Tapped(model.app, model_taps)))
        tasks = await stack.enter_async_context(CloudTasksServer())
        firestore = await stack.enter_async_context(FirestoreProxy(emulator))
        secrets = await stack.enter_async_context(SecretManagerServer())
        environment = _inherited(os.environ) | {
            "GOOGLE_CLOUD_PROJECT": f"test-{uuid.uuid4().hex[:8]}",
            "LINE_CHANNEL_SECRET": CHANNEL_SECRET,
            "LINE_CHANNEL_ACCESS_TOKEN": ACCESS_TOKEN,
            "OPENAI_API_KEY": API_KEY,
            "OPENAI_BASE_URL": f"{model_url}/v1",
            "OPENAI_MODELS": "gpt-larger",
            "LINE_API_BASE_URL": line_url,
            "LINE_DATA_API_BASE_URL": line_url,
            "FIRESTORE_EMULATOR_HOST": firestore.address,
            "SECRET_MANAGER_EMULATOR_HOST": secrets.host,
            "CLOUD_TASKS_EMULATOR_HOST": tasks.host,
        }
        function = Function(environment, folder / f"{mode}.log")
        environment["SERVICE_URL"] = function.url
        if mode == "queue":
            environment["TASKS_QUEUE"] = QUEUE
        made = World(mode, line, model, tasks, firestore, secrets, function, model_taps, line_taps)
        stack.push_async_callback(made.end)
        yield made


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in environment}
