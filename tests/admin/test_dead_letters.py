"""The operator's command, run as operators run it, on a real file and stand-ins over real HTTP."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.adapters.sqlite import SqliteStore
from bot.conversation import Conversation, DeadLetter, Said, Source, Turn
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from tests.servers.uvicorn import serving

ROOT = Path(__file__).resolve().parents[2]
PERSON = Source("user", "U" + "5" * 32)


@dataclass
class Desk:
    store: SqliteStore
    line: LineStandIn
    model: ModelStandIn
    environment: dict[str, str]

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output without log lines, standard error."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.admin", *arguments),
            cwd=ROOT,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        lines = [line for line in out.decode().splitlines() if '"severity"' not in line]
        return process.returncode or 0, "\n".join(lines), err.decode()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    line, model = LineStandIn("token", "secret"), ModelStandIn("key")
    line.chats.add_user("Aki", user_id=PERSON.id)
    async with serving(line.app) as line_url, serving(model.app) as model_url:
        environment = {
            "STORE": f"sqlite:{tmp_path / 'kaiwa.sqlite'}",
            "LINE_CHANNEL_SECRET": "secret",
            "LINE_CHANNEL_ACCESS_TOKEN": "token",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": f"{model_url}/v1",
            "LINE_API_BASE_URL": line_url,
        }
        store = SqliteStore(str(tmp_path / "kaiwa.sqlite"))
        yield Desk(store, line, model, environment)
        await store.close()


async def keep_letter(desk: Desk) -> None:
    said = (Said("m1", "a private question", 1_800_000_000_000),)
    state = Conversation(
        source=PERSON,
        generation=1,
        turns=(Turn("t1", said, ""),),
        dead_letters=(DeadLetter("t1", said, "too many tries"),),
        expire_at=2**52,
    )
    await desk.store.write(PERSON.conversation_id, await desk.store.read(PERSON.conversation_id), state)


async def test_listing(desk: Desk) -> None:
    """Each letter is a line, without what was written unless that is asked for."""
    assert await desk.run("dead-letters") == (0, "no dead letters", "")
    await keep_letter(desk)
    status, out, _ = await desk.run("dead-letters")
    assert status == 0
    assert "t1" in out
    assert "private" not in out
    _, out, _ = await desk.run("dead-letters", "--json", "--text")
    assert json.loads(out)["text"] == "a private question"


@pytest.mark.parametrize("queue", ["", "inprocess"])
async def test_replay(desk: Desk, queue: str) -> None:
    """A replayed letter is answered by push, takes its place in the history, and is no longer listed."""
    await keep_letter(desk)
    desk.environment["TASKS_QUEUE"] = queue
    desk.model.script.append("the late answer")
    assert await desk.run("replay", "t1") == (0, "t1: handed over", "")
    assert [bubble.text for bubble in desk.line.sent(PERSON.id)] == ["the late answer"]
    state = (await desk.store.read(PERSON.conversation_id)).conversation
    assert [turn.answer for turn in state.turns] == ["the late answer"]
    assert await desk.run("dead-letters") == (0, "no dead letters", "")


async def test_an_unknown_letter(desk: Desk) -> None:
    """The command says so and fails."""
    assert await desk.run("replay", "t9") == (1, "", "t9: no such dead letter\n")


async def test_malformed_settings(desk: Desk) -> None:
    """One line that names the variable, like the function's own start."""
    desk.environment["STORE"] = "paper"
    status, _, err = await desk.run("dead-letters")
    assert status == 1
    assert "STORE" in err
