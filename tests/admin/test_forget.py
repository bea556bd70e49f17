"""Operators erase on request what people could erase by themselves, in the same way."""

import asyncio
import os
import pty
import signal
import sys
from dataclasses import replace
from typing import Any

import pytest
from google.cloud.firestore import AsyncClient

from bot.adapters.cloud_storage import CloudStoragePictures
from bot.adapters.firestore import FirestoreStore
from bot.app import now
from bot.conversation import Batch, Conversation, Preferences, Said, Turn, Usage
from bot.limits import DAY_MS
from bot.ports import Attachment
from tests.admin.conftest import GROUP, PERSON, ROOT, Desk, both_stores, on_firestore
from tests.servers.cloud_storage import CloudStorageServer
from tests.servers.uvicorn import serving

NOW = now()
SAID = (Said("m1", "a secret", NOW - 1_000),)
STATE = Conversation(
    source=PERSON,
    generation=7,
    turns=(Turn("t1", SAID, "a secret answer"),),
    summary="a secret summary",
    archived=1,
    done={"e1": NOW - 1_000},
    preferences=Preferences(persona="a secret persona"),
    usage=Usage(1, 2, 0, 3),
    paused_until=NOW + DAY_MS,
    expire_at=NOW + DAY_MS,
)
ARCHIVE = (Batch(7, 0, (Turn("t0", SAID, "old secret"),), NOW + DAY_MS),)
ID = PERSON.conversation_id


@both_stores
async def test_everything_goes(desk: Desk) -> None:
    """Words, archive, settings, pause and LINE's id; a mark stays for a day. Others keep what is theirs."""
    await desk.keep(PERSON, STATE, ARCHIVE)
    await desk.keep(GROUP, replace(STATE, source=GROUP))
    assert await desk.run("forget", PERSON.id, "--yes") == (0, f"{ID[:12]}: erased\n", "")
    left = await desk.state()
    assert left == Conversation(
        generation=left.generation,
        erased_at=left.erased_at,
        erased_by=left.erased_by,
        expire_at=left.expire_at,
    )
    assert left.erased_at >= NOW
    assert NOW + DAY_MS <= left.expire_at <= now() + DAY_MS
    assert await desk.store.read_archive(ID, 7, [0]) == []
    assert (await desk.state(GROUP.conversation_id)).turns == STATE.turns
    assert desk.line.sent(PERSON.id) == []


async def test_a_new_beginning(desk: Desk) -> None:
    """Who was erased and writes again begins anew; late copies of what was erased are not answered."""
    await desk.keep(PERSON, replace(STATE, turns=(Turn("t1", (Said("m1", "x", now() + 60_000),), "ahead"),)))
    assert (await desk.main("forget", ID, "--yes"))[0] == 0
    left = await desk.state()
    assert left.turns == ()
    assert left.erased_at > NOW + 50_000


@on_firestore
async def test_what_cannot_be_read(desk: Desk) -> None:
    """An expired and a damaged document are erased as well, with their archives."""
    assert isinstance(desk.store, FirestoreStore)
    await desk.keep(PERSON, replace(STATE, expire_at=1), ARCHIVE)
    await desk.keep(GROUP, replace(STATE, source=GROUP), ARCHIVE)
    client = AsyncClient(project=desk.store._project)
    damage: dict[str, Any] = {"source": "broken", "turns": [{"said": "a secret"}], "generation": "x", "pending": 5}
    await client.document("conversations", GROUP.conversation_id).update(damage)
    status, out, _ = await desk.main("forget", ID, GROUP.conversation_id[:9], "--yes")
    assert (status, out.count("erased")) == (0, 2)
    for one in (ID, GROUP.conversation_id):
        document = (await client.document("conversations", one).get()).to_dict() or {}
        assert "secret" not in str(document)
        assert await desk.store.read_archive(one, 7, [0]) == []


async def test_pictures(desk: Desk) -> None:
    """What was drawn there is deleted from the bucket; what was drawn elsewhere stays."""
    await desk.keep(PERSON, STATE)
    bucket = CloudStorageServer("pictures")
    async with serving(bucket.app) as url:
        desk.environment |= {"MEDIA_BUCKET": "pictures", "STORAGE_EMULATOR_HOST": url}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("STORAGE_EMULATOR_HOST", url)
            pictures = CloudStoragePictures("pictures")
            for one in (ID, GROUP.conversation_id):
                await pictures.keep(one, "m1", Attachment("image/png", b"a picture"))
            await pictures.close()
        assert (await desk.main("forget", ID, "--yes"))[0] == 0
    (left,) = bucket.objects
    assert GROUP.conversation_id in left


async def test_several_at_once(desk: Desk) -> None:
    """Those that are found are erased, however often they are named; the command fails for the one that is not."""
    await desk.keep(PERSON, STATE)
    await desk.keep(GROUP, replace(STATE, source=GROUP))
    status, out, err = await desk.main("forget", ID, PERSON.id, "ffff", GROUP.id, "--yes")
    assert (status, out.splitlines()) == (1, [f"{ID[:12]}: erased", f"{GROUP.conversation_id[:12]}: erased"])
    assert "ffff" in err


async def test_nobody_can_be_asked(desk: Desk) -> None:
    """Without --yes a script erases nothing, and is told so."""
    await desk.keep(PERSON, STATE)
    status, out, err = await desk.run("forget", ID, stdin="yes\n")
    assert (status, out) == (1, "")
    assert "--yes" in err
    assert await desk.state() == STATE


@pytest.mark.parametrize(("typed", "status"), [("yes\n", 0), ("Yes\n", 0), ("y\n", 1), ("\n", 1), ("\x04", 1)])
async def test_the_question(desk: Desk, typed: str, status: int) -> None:
    """On a terminal what will go is shown first, and only the whole word erases."""
    await desk.keep(PERSON, STATE)
    ended, shown = await at_a_terminal(desk, typed, "forget", ID)
    assert ended == status
    assert "user, 1 turns and 1 batches" in shown
    assert ((await desk.state()).turns == ()) is (status == 0)


async def test_ctrl_c(desk: Desk) -> None:
    """At the question it ends the command at once, without a word, as shells expect it."""
    await desk.keep(PERSON, STATE)
    ended, shown = await at_a_terminal(desk, "\x03", "forget", ID)
    assert ended == 128 + signal.SIGINT
    assert "Traceback" not in shown
    assert await desk.state() == STATE


async def test_a_bucket_out_of_reach(desk: Desk) -> None:
    """What could not be erased whole is said, and to be repeated."""
    await desk.keep(PERSON, STATE)
    desk.environment |= {"MEDIA_BUCKET": "pictures", "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}
    status, out, err = await desk.main("forget", ID, "--yes")
    assert (status, out) == (1, "")
    assert "repeat this command" in err


async def at_a_terminal(desk: Desk, typed: str, *arguments: str) -> tuple[int, str]:
    """Exit status and all that the terminal showed; `typed` once the question is there."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.admin", *arguments),
        cwd=ROOT,
        env=desk.environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    shown = await asyncio.to_thread(_read_until, ours, "Type yes: ")
    os.write(ours, typed.encode())
    shown += await asyncio.to_thread(_read_until, ours, "\0")
    os.close(ours)
    return await process.wait(), shown


def _take_terminal() -> None:
    """So that Ctrl-C reaches the process as a signal."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(descriptor: int, words: str) -> str:
    shown = ""
    while words not in shown:
        try:
            piece = os.read(descriptor, 4096)
        except OSError:  # Linux says so when the other side is closed
            return shown
        if not piece:
            return shown
        shown += piece.decode(errors="replace")
    return shown
