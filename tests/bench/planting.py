"""Conversations that have gone on for a while before they are measured, stored as each bot would have stored them."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from google.cloud.firestore import AsyncClient

from bot.adapters.firestore import FirestoreStore
from bot.adapters.sqlite import SqliteStore
from bot.conversation import Batch, Conversation, Said, Source, Turn
from bot.document import encode
from bot.limits import DAY_MS, MINUTE_MS, ROLL_TURNS
from bot.local.chats import now_ms
from bot.ports import Seen
from tests.bench.figures import Bot
from tests.bench.stands import ANSWER, QUESTION, SUMMARY

T = TypeVar("T")

TOGETHER = 8
BATCHES_A_COMMIT = 40
MESSAGES_A_COMMIT = 400
LAST_MS = 10 * MINUTE_MS
"""So long ago the last planted turn was: before anything that is sent to it."""
KEPT_MS = 90 * DAY_MS
MANY_TURNS = 2
"""Of 100,000 conversations, so that they fit on a disk."""


class Planter:
    """Needs FIRESTORE_EMULATOR_HOST in this process's environment."""

    def __init__(self, project: str) -> None:
        self._store = FirestoreStore(project, "(default)")
        self._client = AsyncClient(project=project)

    async def plant(self, name: Bot, user_ids: Sequence[str], turns: int) -> None:
        """Let each of these people have had so many turns, a whole number of tens."""
        if name == "bare":
            return
        plant = self._conversation if name == "kaiwa" else self._messages
        for together in _pieces(user_ids, TOGETHER):
            await asyncio.gather(*(plant(user_id, turns) for user_id in together))

    async def close(self) -> None:
        await self._store.close()
        await self._client._firestore_api.transport.close()  # the client itself offers no way to close

    async def _conversation(self, user_id: str, turns: int) -> None:
        state, batches = conversation(user_id, turns)
        seen = Seen(Conversation(), None)
        for pieces in _pieces(batches, BATCHES_A_COMMIT) or [[]]:
            seen = await self._store.write(Source("user", user_id).conversation_id, seen, state, pieces)

    async def _messages(self, user_id: str, turns: int) -> None:
        messages = self._client.collection("users").document(user_id).collection("messages")
        begun = datetime.now(UTC) - timedelta(milliseconds=LAST_MS + turns * MINUTE_MS)
        said = [(role, text) for number in range(turns) for role, text in _exchange(number)]
        documents = [
            {"role": role, "content": text, "at": begun + timedelta(seconds=30 * number)}
            for number, (role, text) in enumerate(said)
        ]
        for piece in _pieces(documents, MESSAGES_A_COMMIT):
            commit = self._client.batch()
            for document in piece:
                commit.create(messages.document(), document)
            await commit.commit()


@asynccontextmanager
async def planting(project: str) -> AsyncIterator[Planter]:
    planter = Planter(project)
    try:
        yield planter
    finally:
        await planter.close()


def conversation(user_id: str, turns: int) -> tuple[Conversation, list[Batch]]:
    """The newest ten turns in the window, as after a roll-over, and the others in the archive."""
    now = now_ms()
    begun, batches = now - LAST_MS - turns * MINUTE_MS, turns // ROLL_TURNS - 1
    had = [_turn(number, begun + number * MINUTE_MS) for number in range(turns)]
    tens = list(map(tuple, _pieces(had, ROLL_TURNS)))
    state = Conversation(
        source=Source("user", user_id),
        generation=begun,
        turns=tens[-1],
        summary=SUMMARY if batches else "",
        archived=batches,
        expire_at=now + KEPT_MS,
    )
    return state, [Batch(begun, number, ten, now + KEPT_MS) for number, ten in enumerate(tens[:-1])]


async def plant_many(path: Path, user_ids: Sequence[str]) -> None:
    """All at once in a SQLite file. What one has said, all have: nobody reads anything but their own."""
    store = SqliteStore(str(path))
    await store.read("nobody")  # makes the tables
    await store.close()
    state, _ = conversation(user_ids[0], ROLL_TURNS)
    document = json.dumps(encode(replace(state, turns=state.turns[-MANY_TURNS:])), ensure_ascii=False)
    rows = ((Source("user", user_id).conversation_id, "1", state.expire_at, document) for user_id in user_ids)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO conversations (id, version, expire_at, document) VALUES (?, ?, ?, ?)", rows)


def _turn(number: int, at: int) -> Turn:
    said = Said(f"planted-{number}", QUESTION.format(number), at)
    return Turn(f"planted-turn-{number}", (said,), ANSWER, (f"planted-answer-{number}",))


def _exchange(number: int) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("user", QUESTION.format(number)), ("assistant", ANSWER)


def _pieces(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
