"""The contract of bot.ports.Store: one suite for every store, the fake included."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from google.cloud.firestore import AsyncClient

from bot.adapters.firestore import FirestoreStore
from bot.adapters.sqlite import SqliteStore
from bot.conversation import Batch, Conversation, DeadLetter, Pending, Said, Source, Turn, Usage
from bot.errors import Conflict, Unavailable
from bot.ports import Change, Ledger, Seen, Store
from bot.spending import Amount, Month
from bot.store import update
from tests.fakes import FakeStore

ID = "c" * 64
ODD = ["", ".", "a.b", "`", "__x__", "\x00", "a/b", "\\", "\U0001f600", "\u2028", "'; DROP TABLE archive; --"]


class Whole(Store, Ledger, Protocol):
    """What every adapter is: the conversations and the months' account."""


class Rig(Protocol):
    """A store, and a way around it to what is really stored."""

    @property
    def store(self) -> Whole: ...

    async def raw(self, conversation_id: str) -> dict[str, Any] | None: ...
    async def plant(self, conversation_id: str, fields: dict[str, Any]) -> None: ...


@dataclass
class Firestore:
    store: FirestoreStore
    client: AsyncClient

    async def raw(self, conversation_id: str) -> dict[str, Any] | None:
        document: dict[str, Any] | None = (await self.client.document("conversations", conversation_id).get()).to_dict()
        return document

    async def plant(self, conversation_id: str, fields: dict[str, Any]) -> None:
        await self.client.document("conversations", conversation_id).set(fields, merge=True)


@dataclass
class Sqlite:
    store: SqliteStore

    async def raw(self, conversation_id: str) -> dict[str, Any] | None:
        rows = await self.store._run("SELECT document FROM conversations WHERE id = ?", conversation_id)
        return dict(json.loads(rows[0][0])) if rows else None

    async def plant(self, conversation_id: str, fields: dict[str, Any]) -> None:
        document = json.dumps({**(await self.raw(conversation_id) or {}), **fields})
        values = (conversation_id, "planted", 0, document)
        await self.store._run("INSERT OR REPLACE INTO conversations VALUES (?, ?, ?, ?)", *values)


@dataclass
class Fake:
    store: FakeStore

    async def raw(self, conversation_id: str) -> dict[str, Any] | None:
        return self.store.documents.get(conversation_id, (0, None))[1]

    async def plant(self, conversation_id: str, fields: dict[str, Any]) -> None:
        self.store.documents[conversation_id] = (-1, {**(await self.raw(conversation_id) or {}), **fields})


def firestore(request: pytest.FixtureRequest) -> Rig:
    request.getfixturevalue("monkeypatch").setenv(
        "FIRESTORE_EMULATOR_HOST", request.getfixturevalue("firestore_emulator")
    )
    project = f"test-{uuid4().hex[:12]}"
    return Firestore(FirestoreStore(project, "(default)"), AsyncClient(project=project))


def sqlite_file(request: pytest.FixtureRequest) -> Rig:
    folder: Path = request.getfixturevalue("tmp_path")
    return Sqlite(SqliteStore(str(folder / "kaiwa.db")))


def sqlite_memory(request: pytest.FixtureRequest) -> Rig:
    return Sqlite(SqliteStore(":memory:"))


def fake(request: pytest.FixtureRequest) -> Rig:
    return Fake(FakeStore())


@pytest.fixture(params=[firestore, sqlite_file, sqlite_memory, fake], ids=lambda make: str(make.__name__))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made: Rig = request.param(request)
    yield made
    await made.store.close()


def talk(*texts: str) -> Conversation:
    said = tuple(Said(f"m{number}", text, 1000 + number) for number, text in enumerate(texts))
    return Conversation(source=Source("user", "U1"), turns=(Turn("t", said, "answer"),), expire_at=1_800_000_000_123)


def batch(number: int, generation: int = 5, text: str = "old") -> Batch:
    said = Said(f"m{generation}-{number}", text, 10 + number)
    return Batch(generation, number, (Turn(f"t{number}", (said,), "was"),), expire_at=1_800_000_000_456)


async def written(store: Store, conversation: Conversation, archive: Sequence[Batch] = ()) -> Seen:
    return await store.write(ID, await store.read(ID), conversation, archive)


async def test_absent_reads_as_empty(rig: Rig) -> None:
    """Where nothing is stored there is an empty conversation, without a version."""
    assert await rig.store.read(ID) == Seen(Conversation(), None)


async def test_what_was_written_is_read(rig: Rig) -> None:
    """Read gives what write was given, and what write gave back."""
    seen = await written(rig.store, talk("hello"))
    assert seen.conversation == talk("hello")
    assert await rig.store.read(ID) == seen
    assert await rig.store.read("d" * 64) == Seen(Conversation(), None)


async def test_creating_twice_conflicts(rig: Rig) -> None:
    """Of two that saw nothing only the first creates."""
    await rig.store.write(ID, Seen(Conversation(), None), talk("first"))
    with pytest.raises(Conflict):
        await rig.store.write(ID, Seen(Conversation(), None), talk("second"))
    assert (await rig.store.read(ID)).conversation == talk("first")


async def test_a_stale_write_conflicts(rig: Rig) -> None:
    """Who has not seen the newest state cannot replace it."""
    seen = await written(rig.store, talk("first"))
    await rig.store.write(ID, seen, talk("second"))
    with pytest.raises(Conflict):
        await rig.store.write(ID, seen, talk("third"))
    assert (await rig.store.read(ID)).conversation == talk("second")


async def test_write_after_write_needs_no_read(rig: Rig) -> None:
    """What a write returns is good for the next one."""
    seen = await written(rig.store, talk("one"))
    for text in ("two", "three", "three", ""):
        seen = await rig.store.write(ID, seen, talk(text))
    assert await rig.store.read(ID) == seen


async def test_an_empty_state_can_be_written_over_and_over(rig: Rig) -> None:
    """Nothing is a state like any other: created, written again unchanged, replaced, restored."""
    seen = await written(rig.store, Conversation())
    assert seen.version is not None
    for conversation in (Conversation(), talk("x"), Conversation(), Conversation()):
        seen = await rig.store.write(ID, seen, conversation)
        assert (await rig.store.read(ID)).conversation == conversation


async def test_vanished_fields_are_gone(rig: Rig) -> None:
    """What the new state does not have is not stored any more, nor what some other version had stored."""
    seen = await written(rig.store, replace(talk("secret"), summary="secret", done={"e": 1}))
    await rig.plant(ID, {"voice": "secret", "a.b": "secret", "`": "secret"})
    seen = await rig.store.read(ID)
    await rig.store.write(ID, seen, Conversation(generation=3, erased_at=2))
    assert await rig.raw(ID) == {"generation": 3, "erased_at": 2}


async def test_unreadable_fields_do_not_disturb(rig: Rig) -> None:
    """A document with nonsense in it is read as far as possible and can be replaced."""
    await rig.plant(ID, {"turns": "nonsense", "generation": 4, "lease": [1], "expire_at": "never"})
    seen = await rig.store.read(ID)
    assert seen.conversation == Conversation(generation=4)
    await rig.store.write(ID, seen, talk("hello"))
    assert (await rig.store.read(ID)).conversation == talk("hello")


async def test_expired_documents_are_returned_and_overwritten(rig: Rig) -> None:
    """Whether a conversation counts as expired is not the store's decision."""
    expired = replace(talk("long ago"), expire_at=1000)
    await written(rig.store, expired)
    seen = await rig.store.read(ID)
    assert seen.conversation == expired
    await rig.store.write(ID, seen, talk("hello again"))
    assert (await rig.store.read(ID)).conversation == talk("hello again")


async def test_big_documents(rig: Rig) -> None:
    """700 KB of Japanese, the largest document that the pipeline writes, pass both ways."""
    big = talk(*["会話" * 1000 for _ in range(115)])
    seen = await written(rig.store, big)
    seen = await rig.store.write(ID, seen, replace(big, floor=1))
    assert await rig.store.read(ID) == seen
    assert seen.conversation == replace(big, floor=1)


async def test_odd_characters_in_texts_and_ids(rig: Rig) -> None:
    """Any text is stored as it is, also where it is an id."""
    odd = replace(
        talk(*ODD),
        done=dict.fromkeys(ODD, 1),
        unsent=dict.fromkeys(ODD, 2),
        pending=tuple(Pending(text, 3, "text", 4, text, text, text) for text in ODD),
    )
    assert (await written(rig.store, odd)).conversation == odd
    assert (await rig.store.read(ID)).conversation == odd


async def test_a_lone_surrogate_is_stored_as_a_replacement(rig: Rig) -> None:
    """JSON may carry half a character; it is stored, and found in the archive, as U+FFFD."""
    message = Said("m\ud83d", "\udc00!", 1)
    old = Batch(5, 0, (Turn("t", (message,), ""),), 0)
    seen = await written(rig.store, replace(talk("\ud83d"), done={"\ud83d": 1}), [old])
    assert seen.conversation.turns[0].said[0].text == "\ufffd"
    assert await rig.store.read(ID) == seen
    found = await rig.store.find_in_archive(ID, 5, "m\ud83d")
    assert found is not None
    assert found.turns[0].said == (Said("m\ufffd", "\ufffd!", 1),)


async def test_batches_come_with_the_document(rig: Rig) -> None:
    """The archive is written in the same commit and read in the order asked for."""
    seen = await written(rig.store, talk("new"), [batch(0), batch(1)])
    await rig.store.write(ID, seen, talk("newer"), [batch(2)])
    assert await rig.store.read_archive(ID, 5, [2, 0]) == [batch(2), batch(0)]
    assert await rig.store.read_archive(ID, 5, [9, 1]) == [batch(1)]
    assert await rig.store.read_archive(ID, 5, []) == []
    assert await rig.store.read_archive(ID, 6, [0]) == []
    assert await rig.store.read_archive("d" * 64, 5, [0]) == []


async def test_an_unchanged_document_can_carry_a_batch(rig: Rig) -> None:
    """Batches are written even when the document stays as it was."""
    seen = await written(rig.store, talk("same"))
    await rig.store.write(ID, seen, talk("same"), [batch(0)])
    assert await rig.store.read_archive(ID, 5, [0]) == [batch(0)]


@pytest.mark.parametrize("version_seen", [False, True])
async def test_a_conflict_archives_nothing(rig: Rig, version_seen: bool) -> None:
    """No batch is stored when its document could not be written."""
    first = await written(rig.store, talk("first"))
    await rig.store.write(ID, first, talk("second"))
    with pytest.raises(Conflict):
        await rig.store.write(ID, first if version_seen else Seen(Conversation(), None), talk("third"), [batch(0)])
    assert await rig.store.read_archive(ID, 5, [0]) == []


async def test_a_message_is_found_in_its_batch(rig: Rig) -> None:
    """Found by its exact id, in the conversation and generation asked for."""
    await written(rig.store, talk("new"), [batch(0), batch(1), batch(0, generation=4)])
    assert await rig.store.find_in_archive(ID, 5, "m5-1") == batch(1)
    assert await rig.store.find_in_archive(ID, 4, "m4-0") == batch(0, generation=4)
    assert await rig.store.find_in_archive(ID, 5, "m4-0") is None
    assert await rig.store.find_in_archive(ID, 5, "m5") is None
    assert await rig.store.find_in_archive("d" * 64, 5, "m5-1") is None


async def test_the_bots_own_message_is_found(rig: Rig) -> None:
    """By any of its bubbles, so that it can be quoted however old it is."""
    shown = replace(batch(1), turns=(replace(batch(1).turns[0], sent_ids=("s-1", "s-2")),))
    await written(rig.store, talk("new"), [batch(0), shown])
    assert await rig.store.find_in_archive(ID, 5, "s-2") == shown
    assert await rig.store.find_in_archive(ID, 5, "m5-1") == shown
    assert await rig.store.find_in_archive(ID, 5, "s-3") is None


@pytest.mark.parametrize("odd", ODD, ids=ascii)
async def test_a_message_with_an_odd_id_is_found(rig: Rig, odd: str) -> None:
    """Any id can be looked for."""
    old = Batch(5, 0, (Turn("t", (Said(odd, "text", 1), Said("other", "text", 2)), ""),), 0)
    await written(rig.store, talk("new"), [old])
    assert await rig.store.find_in_archive(ID, 5, odd) == old


async def test_a_batch_is_overwritten_with_the_document(rig: Rig) -> None:
    """A batch can be written again; its neighbours stay, and what left it is not found any more."""
    both = replace(batch(0), turns=(*batch(0).turns, *batch(7).turns))
    seen = await written(rig.store, talk("new"), [both, batch(1)])
    await rig.store.write(ID, seen, replace(seen.conversation, redactions=1), [batch(0)])
    assert await rig.store.read_archive(ID, 5, [0, 1]) == [batch(0), batch(1)]
    assert await rig.store.find_in_archive(ID, 5, "m5-7") is None
    assert await rig.store.find_in_archive(ID, 5, "m5-0") == batch(0)


async def test_two_who_change_one_batch(rig: Rig) -> None:
    """The second of two who saw the same conversation is told so, and the first one's batch stays."""
    seen = await written(rig.store, talk("new"), [batch(0)])
    state = replace(seen.conversation, redactions=1)
    await rig.store.write(ID, seen, state, [replace(batch(0), turns=())])
    with pytest.raises(Conflict):
        await rig.store.write(ID, seen, state, [batch(0)])
    assert await rig.store.find_in_archive(ID, 5, "m5-0") is None


async def test_erasing_keeps_what_came_after(rig: Rig) -> None:
    """Every batch of an earlier generation is deleted, of this conversation only, however often; a later one stays."""
    old = [batch(number, generation) for generation in (4, 5, 6) for number in range(3)]
    await written(rig.store, talk("new"), old)
    other = await rig.store.read("d" * 64)
    await rig.store.write("d" * 64, other, talk("other"), [batch(0)])
    for _ in range(2):
        await rig.store.erase_archive(ID, keep=5)
        assert await rig.store.read_archive(ID, 4, range(3)) == []
        assert await rig.store.read_archive(ID, 5, range(3)) == old[3:6]
        assert await rig.store.read_archive(ID, 6, range(3)) == old[6:]
    await rig.store.erase_archive(ID, keep=99)
    assert await rig.store.read_archive(ID, 5, range(3)) == []
    assert await rig.store.read_archive("d" * 64, 5, [0]) == [batch(0)]
    assert (await rig.store.read(ID)).conversation == talk("new")


async def test_a_large_archive_is_erased(rig: Rig) -> None:
    """More batches than one commit deletes are erased all the same, those to keep in the middle of them left."""
    numbers = range(450)
    await written(rig.store, talk("new"), [batch(number, 4) for number in numbers] + [batch(0), batch(0, 6)])
    await rig.store.erase_archive(ID, keep=5)
    assert await rig.store.read_archive(ID, 4, numbers) == []
    assert await rig.store.read_archive(ID, 5, [0]) == [batch(0)]
    assert await rig.store.read_archive(ID, 6, [0]) == [batch(0, 6)]


async def test_ten_writers_lose_nothing(rig: Rig) -> None:
    """A hundred updates by ten at once are all there, each applied exactly once, with its batch."""

    def add(key: str, conversation: Conversation) -> Change[int]:
        if key in conversation.done:  # written, but on a busy machine the acknowledgement came too late
            return Change(conversation, conversation.done[key])
        number = conversation.archived
        done = {**conversation.done, key: number}
        return Change(replace(conversation, archived=number + 1, done=done), number, (batch(number),))

    async def writer(name: int) -> list[int]:
        return [(await update(rig.store, ID, partial(add, f"{name}.{step}")))[1] for step in range(10)]

    numbers = [number for ours in await asyncio.gather(*map(writer, range(10))) for number in ours]
    assert sorted(numbers) == list(range(100))
    assert (await rig.store.read(ID)).conversation.archived == 100
    assert await rig.store.read_archive(ID, 5, range(101)) == [batch(number) for number in range(100)]


@dataclass
class Deaf:
    """A store whose first write succeeds without anybody hearing of it."""

    inner: Store
    heard: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def write(self, *change: Any) -> Seen:
        seen = await self.inner.write(*change)
        if not self.heard:
            self.heard = True
            raise Unavailable("the acknowledgement was lost")
        return seen


@pytest.mark.parametrize("exists", [False, True])
async def test_a_lost_acknowledgement_applies_once(rig: Rig, exists: bool) -> None:
    """When a transition recognises its own result, a write that was not acknowledged is not done twice."""

    def settle(conversation: Conversation) -> Change[str]:
        if "e1" in conversation.done:
            return Change(conversation, "settled")
        done = {**conversation.done, "e1": 1}
        archived = conversation.archived + 1
        return Change(replace(conversation, done=done, archived=archived), "settled", (batch(archived),))

    if exists:
        await written(rig.store, talk("before"))
    seen, outcome = await update(Deaf(rig.store), ID, settle)
    assert outcome == "settled"
    assert seen == await rig.store.read(ID)
    assert (seen.conversation.archived, dict(seen.conversation.done)) == (1, {"e1": 1})
    assert await rig.store.read_archive(ID, 5, range(3)) == [batch(1)]


async def test_a_closed_store_can_be_closed_again(rig: Rig) -> None:
    """Closing twice, or without ever having been used, does no harm."""
    await rig.store.close()
    await rig.store.close()


async def test_dead_letters_are_found(rig: Rig) -> None:
    """Conversations that keep dead letters are listed, as they are, and no others; a letter that is gone is not."""
    letter = DeadLetter("t1", (Said("m1", "help", 1),), "too many tries")
    kept = replace(talk("old"), dead_letters=(letter,))
    seen = await written(rig.store, kept)
    await rig.store.write("e" * 64, await rig.store.read("e" * 64), talk("other"))
    assert [one async for one in rig.store.with_dead_letters()] == [(ID, kept)]
    await rig.store.write(ID, seen, talk("old"))
    assert [one async for one in rig.store.with_dead_letters()] == []


async def test_all_conversations_are_listed(rig: Rig) -> None:
    """Each once, in the order of their ids, however many pages that takes; and they are counted."""
    ids = [f"{number:064x}" for number in range(450)]
    for portion in (ids[at : at + 30] for at in range(0, len(ids), 30)):  # more at once may take longer than a call may
        await asyncio.gather(*(rig.store.write(one, Seen(Conversation(), None), talk("hello")) for one in portion))
    assert [one async for one in rig.store.conversations()] == [(one, talk("hello")) for one in ids]
    assert await rig.store.count() == 450
    assert [one async for one, _ in rig.store.conversations("0" * 61 + "1")] == ids[0x100:450]
    assert [one async for one, _ in rig.store.conversations(ids[449])] == [ids[449]]
    assert [one async for one, _ in rig.store.conversations("f")] == []


async def test_the_months_account(rig: Rig) -> None:
    """Each write adds and tells what all together have set aside; giving back is adding less than nothing."""
    assert await rig.store.reserve("2026-11", Amount(100, 2_000), Usage()) == Amount(100, 2_000)
    assert await rig.store.reserve("2026-11", Amount(50, 500), Usage(2, 30, 10, 5, 70)) == Amount(150, 2_500)
    assert await rig.store.reserve("2026-11", Amount(-20, -300), Usage(1, 1, 1, 1, 1)) == Amount(130, 2_200)
    assert await rig.store.read_month("2026-11") == Month(Amount(130, 2_200), Usage(3, 31, 11, 6, 71))
    assert await rig.store.read_month("2026-12") == Month()


async def test_nobody_reserves_what_another_has(rig: Rig) -> None:
    """Ten at once each see a total of their own."""
    totals = await asyncio.gather(*(rig.store.reserve("2026-11", Amount(1, 10), Usage()) for _ in range(10)))
    assert sorted(total.tokens for total in totals) == list(range(1, 11))
