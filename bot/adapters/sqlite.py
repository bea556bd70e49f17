"""Conversations in one SQLite file, or in memory: the store that needs no cloud account.

Several processes may share the file. A version drawn anew at each write is compared inside the write, as Firestore does
it with its update time; a counter would not do, since a document that was deleted and made again would count from one.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any
from uuid import uuid4

from bot.conversation import Batch, Conversation, Usage
from bot.document import Document, damaged, decode, decode_batch, encode, encode_batch, storable
from bot.errors import Conflict, Misconfigured, Unavailable
from bot.ports import Seen
from bot.spending import Amount, Month

BUSY_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (id TEXT PRIMARY KEY, version TEXT, expire_at INTEGER, document TEXT);
CREATE TABLE IF NOT EXISTS archive (
    id TEXT, generation INTEGER, number INTEGER, expire_at INTEGER, document TEXT, PRIMARY KEY (id, generation, number)
);
CREATE TABLE IF NOT EXISTS ledger (
    month TEXT PRIMARY KEY, reserved_tokens INTEGER, reserved_micro_yen INTEGER,
    turns INTEGER, input_tokens INTEGER, cached_tokens INTEGER, output_tokens INTEGER, micro_yen INTEGER
);
"""
_READ = "SELECT version, document FROM conversations WHERE id = ?"
_CREATE = "INSERT OR IGNORE INTO conversations (version, expire_at, document, id) VALUES (?, ?, ?, ?)"
_REPLACE = "UPDATE conversations SET version = ?, expire_at = ?, document = ? WHERE id = ? AND version = ?"
_READ_DEAD_LETTERS = "SELECT id, document FROM conversations WHERE document ->> 'dead_letter_count' > 0"
_READ_ALL = "SELECT id, document FROM conversations WHERE id > ? AND id GLOB ? ORDER BY id LIMIT 200"
_COUNT = "SELECT count(*) FROM conversations"
_READ_MONTH = "SELECT * FROM ledger WHERE month = ?"
_OPEN_MONTH = "INSERT OR IGNORE INTO ledger VALUES (?, 0, 0, 0, 0, 0, 0, 0)"
_RESERVE = (
    "UPDATE ledger SET reserved_tokens = reserved_tokens + ?, reserved_micro_yen = reserved_micro_yen + ?, "
    "turns = turns + ?, input_tokens = input_tokens + ?, cached_tokens = cached_tokens + ?, "
    "output_tokens = output_tokens + ?, micro_yen = micro_yen + ? WHERE month = ? "
    "RETURNING reserved_tokens, reserved_micro_yen"
)
_READ_BATCHES = "SELECT document FROM archive WHERE id = ? AND generation = ? ORDER BY number"
_ADD_BATCH = "INSERT OR REPLACE INTO archive (expire_at, document, id, generation, number) VALUES (?, ?, ?, ?, ?)"
_ERASE_BATCHES = "DELETE FROM archive WHERE id = ? AND generation < ?"
_DELETE_EXPIRED = (
    "DELETE FROM conversations WHERE expire_at BETWEEN 1 AND ?",
    "DELETE FROM archive WHERE expire_at BETWEEN 1 AND ?",
)
"""What Firestore's TTL does by itself within a day; here it happens when the file is opened. 0 means for ever."""

_HOPELESS = frozenset(
    (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
)
"""Results that the same call will meet again until somebody changes the path or its permissions."""


class SqliteStore:
    """`bot.ports.Store` and `Ledger` on a file, or ":memory:". Opens at first use; works in threads, one at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    async def read(self, conversation_id: str) -> Seen:
        for version, text in await self._run(_READ, conversation_id):
            document = _parsed(text)
            conversation = decode(document)
            return Seen(conversation, version, damaged(document, conversation))
        return Seen(Conversation(), None)

    async def write(
        self, conversation_id: str, seen: Seen, conversation: Conversation, archive: Sequence[Batch] = ()
    ) -> Seen:
        document = encode(conversation)
        version = await asyncio.to_thread(self._write, conversation_id, seen.version, document, archive)
        return Seen(decode(document), version)

    async def read_archive(self, conversation_id: str, generation: int, numbers: Sequence[int]) -> list[Batch]:
        batches = {batch.number: batch for batch in await self._generation(conversation_id, generation)}
        return [batches[number] for number in numbers if number in batches]

    async def find_in_archive(self, conversation_id: str, generation: int, message_id: str) -> Batch | None:
        batches = await self._generation(conversation_id, generation)
        return next((batch for batch in batches if storable(message_id) in batch.message_ids), None)

    async def erase_archive(self, conversation_id: str, keep: int) -> None:
        await self._run(_ERASE_BATCHES, conversation_id, keep)
        await asyncio.to_thread(self._empty_log)

    async def with_dead_letters(self) -> AsyncIterator[tuple[str, Conversation]]:
        for conversation_id, text in await self._run(_READ_DEAD_LETTERS):
            yield conversation_id, decode(_parsed(text))

    async def conversations(self, beginning: str = "") -> AsyncIterator[tuple[str, Conversation]]:
        last = ""
        while page := await self._run(_READ_ALL, last, f"{beginning}*"):
            for last, text in page:
                yield last, decode(_parsed(text))

    async def count(self) -> int:
        return int((await self._run(_COUNT))[0][0])

    async def reserve(self, month: str, amount: Amount, usage: Usage) -> Amount:
        await self._run(_OPEN_MONTH, month)
        rows = await self._run(_RESERVE, *astuple(amount), *astuple(usage), month)
        return Amount(*rows[0])

    async def read_month(self, month: str) -> Month:
        for _, tokens, micro_yen, *usage in await self._run(_READ_MONTH, month):
            return Month(Amount(tokens, micro_yen), Usage(*usage))
        return Month()

    async def close(self) -> None:
        """Close the file. One in memory is forgotten."""
        await asyncio.to_thread(self._close)

    async def _generation(self, conversation_id: str, generation: int) -> list[Batch]:
        return [decode_batch(_parsed(text)) for (text,) in await self._run(_READ_BATCHES, conversation_id, generation)]

    async def _run(self, statement: str, *values: Any) -> list[Any]:
        return await asyncio.to_thread(self._run_now, statement, values)

    def _run_now(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self._opened() as connection:
            return connection.execute(statement, values).fetchall()

    def _write(self, conversation_id: str, seen: object, document: Document, archive: Sequence[Batch]) -> str:
        version = uuid4().hex
        values = (version, document.get("expire_at", 0), _written(document), conversation_id)
        with self._opened() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if seen is None:
                changed = connection.execute(_CREATE, values).rowcount
            else:
                changed = connection.execute(_REPLACE, (*values, seen)).rowcount
            if changed != 1:
                raise Conflict("the conversation has changed; read it again")
            connection.executemany(_ADD_BATCH, [_row(conversation_id, batch) for batch in archive])
        return version

    def _empty_log(self) -> None:
        # What was deleted stays readable in the write-ahead log until that is copied back and cut to nothing. While
        # another process reads this does nothing; then the next copy does it.
        with self._opened() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _connect(self._path)
                yield self._connection
            except sqlite3.Error as error:
                raise _translated(error) from None

    def _close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")  # without it deleted text stays in the file's free pages
        connection.executescript(_SCHEMA)
        for statement in _DELETE_EXPIRED:
            connection.execute(statement, (int(time.time() * 1000),))
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _row(conversation_id: str, batch: Batch) -> tuple[int, str, str, int, int]:
    return (batch.expire_at, _written(encode_batch(batch)), conversation_id, batch.generation, batch.number)


def _written(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return {}  # a broken document counts as empty, and is overwritten with its version


def _translated(error: sqlite3.Error) -> Misconfigured | Unavailable:
    # The lower byte is the result's kind, the rest only details it.
    if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _HOPELESS:
        return Misconfigured("the SQLite file cannot be opened or written: check the path in STORE and its permissions")
    return Unavailable(f"SQLite says {getattr(error, 'sqlite_errorname', type(error).__name__)}; try again")
