"""The real function, started as Google starts it, and around it everything that it talks to, on loopback."""

import asyncio
import http.client
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from bot.local.webhook import Answered, Speaker, post
from tests.servers.cloud_tasks import CloudTasksServer
from tests.servers.firestore_proxy import FirestoreProxy
from tests.servers.secret_manager import SecretManagerServer
from tests.servers.uvicorn import serving

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "projects/test/locations/asia-northeast1/queues/kaiwa"
CHANNEL_SECRET = "channel-secret-of-the-tests"
ACCESS_TOKEN = "access-token-of-the-tests"
API_KEY = "api-key-of-the-tests"
START_SECONDS = 30

Mode = Literal["queue", "inline"]


@dataclass
class World:
    """`mode` "queue": with Cloud Tasks; "inline": events are handled before the webhook answers."""

    mode: Mode
    line: LineStandIn
    model: ModelStandIn
    tasks: CloudTasksServer
    firestore: FirestoreProxy
    secrets: SecretManagerServer
    environment: dict[str, str]
    log: Path
    port: int = 0
    url: str = ""
    process: asyncio.subprocess.Process | None = None
    people: list[Speaker] = field(default_factory=list)

    def person(self) -> Speaker:
        """Somebody who has never written before."""
        speaker = Speaker("U" + uuid.uuid4().hex)
        self.people.append(speaker)
        return speaker

    async def say(self, speaker: Speaker, text: str) -> str:
        """Send one text message and return the bubble that answers it."""
        before = len(self.line.sent(speaker.chat_id))
        answered = await self.line.deliver(self.url, self.line.events.text(speaker, text))
        assert answered.status == 200, answered
        return (await self.line.wait_for_sent(speaker.chat_id, before + 1, 20))[before].text

    async def post(self, body: bytes, signature: str, path: str = "") -> Answered:
        return await post(self.url + path, body, signature)

    async def settled(self) -> None:
        """Returns when nothing that is due is left in the queue."""
        await self.tasks.settled(30)

    def said_to_model(self) -> list[str]:
        """What each request showed the model, in the order of the requests."""
        return [str(request["input"]) for request in self.model.requests]

    async def start(self, **changes: str | None) -> None:
        """Start the function; `changes` to its environment, None takes a variable away."""
        wanted = {**self.environment, **changes}
        environment = {name: value for name, value in wanted.items() if value is not None}
        command = [str(Path(sys.executable).parent / "functions-framework"), "--target", "webhook"]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, "--host", "127.0.0.1", "--port", str(self.port), cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        await self._until_ready()

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def _until_ready(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while not await asyncio.to_thread(self._answers):
                assert self.process and self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@asynccontextmanager
async def world(mode: Mode, emulator: str, folder: Path) -> AsyncIterator[World]:
    """Everything but the function itself, which `start` starts; stopped with the rest at the end."""
    async with AsyncExitStack() as stack:
        line = LineStandIn(ACCESS_TOKEN, CHANNEL_SECRET)
        model = ModelStandIn(API_KEY)
        line_url = await stack.enter_async_context(serving(line.app))
        model_url = await stack.enter_async_context(serving(model.app))
        tasks = await stack.enter_async_context(CloudTasksServer())
        firestore = await stack.enter_async_context(FirestoreProxy(emulator))
        secrets = await stack.enter_async_context(SecretManagerServer())
        port = _free_port()
        url = f"http://127.0.0.1:{port}/"
        environment = _inherited(os.environ) | {
            "GOOGLE_CLOUD_PROJECT": f"test-{uuid.uuid4().hex[:8]}",
            "LINE_CHANNEL_SECRET": CHANNEL_SECRET,
            "LINE_CHANNEL_ACCESS_TOKEN": ACCESS_TOKEN,
            "OPENAI_API_KEY": API_KEY,
            "OPENAI_BASE_URL": f"{model_url}/v1",
            "LINE_API_BASE_URL": line_url,
            "FIRESTORE_EMULATOR_HOST": firestore.address,
            "SECRET_MANAGER_EMULATOR_HOST": secrets.host,
            "CLOUD_TASKS_EMULATOR_HOST": tasks.host,
            "SERVICE_URL": url,
        }
        if mode == "queue":
            environment["TASKS_QUEUE"] = QUEUE
        made = World(mode, line, model, tasks, firestore, secrets, environment, folder / f"{mode}.log", port, url)
        stack.push_async_callback(made.stop)
        yield made


def _inherited(environment: Mapping[str, str]) -> dict[str, Any]:
    return {name: environment[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in environment}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
