"""A desk to run the operator's commands at: a real store, and stand-ins for LINE and the model over real HTTP."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from bot.adapters.firestore import FirestoreStore
from bot.adapters.sqlite import SqliteStore
from bot.admin.__main__ import main
from bot.conversation import Batch, Conversation, Source
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from tests.servers.uvicorn import serving

ROOT = Path(__file__).resolve().parents[2]
PERSON = Source("user", "U" + "5" * 32)
GROUP = Source("group", "C" + "6" * 32)


@dataclass
class Desk:
    store: SqliteStore | FirestoreStore
    line: LineStandIn
    model: ModelStandIn
    environment: dict[str, str]
    capsys: pytest.CaptureFixture[str]

    async def main(self, *arguments: str) -> tuple[int, str, str]:
        """In this process, which is quick: exit status, standard output, standard error."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.endswith(("_HOST", "_NAME")) or "GOOGLE" in name]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            self.capsys.readouterr()
            status = await asyncio.to_thread(main, arguments)
            out, err = self.capsys.readouterr()
            return status, out, err

    async def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        """As operators run it, in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.admin", *arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode(), err.decode()

    async def keep(self, source: Source, state: Conversation, archive: Sequence[Batch] = ()) -> str:
        """Store a conversation; its id."""
        return await self.keep_as(source.conversation_id, state, archive)

    async def keep_as(self, conversation_id: str, state: Conversation, archive: Sequence[Batch] = ()) -> str:
        await self.store.write(conversation_id, await self.store.read(conversation_id), state, archive)
        return conversation_id

    async def state(self, conversation_id: str = PERSON.conversation_id) -> Conversation:
        return (await self.store.read(conversation_id)).conversation


@pytest.fixture
async def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> AsyncIterator[Desk]:
    """On SQLite; with `indirect` "firestore", on the emulator."""
    line, model = LineStandIn("token", "secret"), ModelStandIn("key")
    line.chats.add_user("Aki", user_id=PERSON.id)
    store, where = _store(request, tmp_path, monkeypatch)
    async with serving(line.app) as line_url, serving(model.app) as model_url:
        environment = {
            "PATH": os.defpath,
            "LINE_CHANNEL_SECRET": "secret",
            "LINE_CHANNEL_ACCESS_TOKEN": "token",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": f"{model_url}/v1",
            "LINE_API_BASE_URL": line_url,
        }
        yield Desk(store, line, model, environment | where, capsys)
        await store.close()


def _store(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[SqliteStore | FirestoreStore, dict[str, str]]:
    if getattr(request, "param", "sqlite") == "sqlite":
        path = str(folder / "kaiwa.sqlite")
        return SqliteStore(path), {"STORE": f"sqlite:{path}"}
    project, host = f"test-{uuid4().hex[:12]}", request.getfixturevalue("firestore_emulator")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host)
    where = {"STORE": "firestore", "GOOGLE_CLOUD_PROJECT": project, "FIRESTORE_EMULATOR_HOST": host}
    return FirestoreStore(project, "(default)"), where


on_firestore = pytest.mark.parametrize("desk", ["firestore"], indirect=True)
"""What has expired stays there for a while; SQLite deletes it when the file is opened."""
both_stores = pytest.mark.parametrize("desk", ["sqlite", "firestore"], indirect=True)
