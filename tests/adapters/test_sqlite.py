"""What is SQLite's own: a file shared by processes, what is left in it after erasing, files that cannot be used."""

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.adapters import sqlite
from bot.adapters.sqlite import SqliteStore
from bot.conversation import Batch, Conversation, Said, Turn
from bot.errors import Conflict, Misconfigured, Unavailable
from bot.ports import Seen

ID = "c" * 64
NOTHING = Seen(Conversation(), None)
SECRET = "keep-this-to-yourself"
BATCH = Batch(1, 0, (Turn("t", (Said("m", SECRET, 1),), "answer"),), 0)
INCREMENTS = """
import asyncio, sys
from dataclasses import replace
from bot.adapters.sqlite import SqliteStore
from bot.ports import Change
from bot.store import update

async def main():
    store = SqliteStore(sys.argv[1])
    for _ in range(25):
        await update(store, "c", lambda old: Change(replace(old, archived=old.archived + 1), None))
    await store.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kaiwa.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(str(path))
    yield made
    await made.close()


async def test_what_was_written_outlives_the_process(path: Path, store: SqliteStore) -> None:
    """A file that is opened again holds what was written, batches too."""
    seen = await store.write(ID, NOTHING, Conversation(floor=1), [BATCH])
    await store.close()
    again = SqliteStore(str(path))
    assert await again.read(ID) == seen
    assert await again.read_archive(ID, 1, [0]) == [BATCH]
    await again.close()


async def test_processes_share_a_file(path: Path) -> None:
    """Three processes that open a new file at once and count in it lose nothing."""
    command = (sys.executable, "-c", INCREMENTS, str(path))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    store = SqliteStore(str(path))
    assert (await store.read("c")).conversation.archived == 75
    await store.close()


async def test_a_document_made_again_is_another_one(path: Path, store: SqliteStore) -> None:
    """Who has seen a document that was deleted and created anew meanwhile cannot overwrite the new one."""
    seen = await store.write(ID, NOTHING, Conversation(floor=1))
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM conversations")
    await store.write(ID, NOTHING, Conversation(floor=1))
    with pytest.raises(Conflict):
        await store.write(ID, seen, Conversation(floor=2))


async def test_erased_text_is_not_in_the_file(path: Path, store: SqliteStore) -> None:
    """After the mark is written and the archive erased, no byte of the text is left on the disk."""
    seen = await store.write(ID, NOTHING, Conversation(summary=SECRET), [BATCH])
    assert SECRET.encode() in _bytes(path)
    await store.write(ID, seen, Conversation(erased_at=1))
    await store.erase_archive(ID, keep=2)
    assert SECRET.encode() not in _bytes(path)


async def test_expired_documents_go_when_the_file_is_opened(path: Path, store: SqliteStore) -> None:
    """What has expired is deleted at the next start; what has not, or never does, stays."""
    now = int(time.time() * 1000)
    for name, expire_at in (("past", now - 1), ("future", now + 60_000), ("never", 0)):
        batch = Batch(1, 0, BATCH.turns, expire_at)
        await store.write(name, NOTHING, Conversation(floor=1, expire_at=expire_at), [batch])
    await store.close()
    left = [name for name in ("past", "future", "never") if (await store.read(name)).version]
    archived = [name for name in ("past", "future", "never") if await store.read_archive(name, 1, [0])]
    assert (left, archived) == (["future", "never"], ["future", "never"])


async def test_a_broken_document_is_overwritten(path: Path, store: SqliteStore) -> None:
    """Text that is no JSON counts as empty, and the conversation goes on."""
    await store.write(ID, NOTHING, Conversation(floor=1))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE conversations SET document = '{'")
    seen = await store.read(ID)
    assert seen.conversation == Conversation()
    await store.write(ID, seen, Conversation(floor=2))
    assert (await store.read(ID)).conversation.floor == 2


async def test_a_locked_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process does not let go of is Unavailable, and works again afterwards."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    store = SqliteStore(str(path))
    await store.read(ID)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="SQLITE_BUSY"):
        await store.write(ID, NOTHING, Conversation(floor=1))
    assert await store.read(ID) == NOTHING
    other.execute("ROLLBACK")
    other.close()
    await store.write(ID, NOTHING, Conversation(floor=1))
    await store.close()


async def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    """A folder that does not exist is a mistake in STORE, which no repetition mends."""
    with pytest.raises(Misconfigured, match="STORE"):
        await SqliteStore(str(tmp_path / "nowhere" / "kaiwa.db")).read(ID)


async def test_a_file_that_is_no_database(path: Path) -> None:
    """Some other file is not overwritten, and the error names the setting."""
    path.write_text("a letter to a friend, and not a short one " * 20)
    with pytest.raises(Misconfigured, match="STORE"):
        await SqliteStore(str(path)).read(ID)
    assert path.read_text().startswith("a letter")


async def test_a_batch_that_fails_takes_its_document_along(path: Path, store: SqliteStore) -> None:
    """Document and batches are one transaction: when a batch cannot be written, the document is as it was."""
    seen = await store.write(ID, NOTHING, Conversation(floor=1))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE archive")
    with pytest.raises(Unavailable):
        await store.write(ID, seen, Conversation(floor=2), [BATCH])
    assert await store.read(ID) == seen


async def test_a_damaged_table(path: Path, store: SqliteStore) -> None:
    """A database without its tables is Unavailable."""
    await store.read(ID)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE conversations")
    with pytest.raises(Unavailable):
        await store.read(ID)


async def test_memory_is_forgotten(tmp_path: Path) -> None:
    """In memory every store is a new one, and closing forgets it."""
    store = SqliteStore(":memory:")
    await store.write(ID, NOTHING, Conversation(floor=1))
    assert await SqliteStore(":memory:").read(ID) == NOTHING
    await store.close()
    assert await store.read(ID) == NOTHING
    await store.close()


def _bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())
