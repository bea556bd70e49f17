"""The counting proxy, with the real store as its client: what it counts is what the budget is measured by."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import grpc
import pytest

from bot.adapters.firestore import FirestoreStore
from bot.conversation import Batch, Conversation, Lease, Outgoing, Part, Said, Turn
from bot.errors import Conflict, Misconfigured, Unavailable
from bot.ports import Seen
from tests.servers.firestore_proxy import FirestoreProxy

ID = "c" * 64
NOTHING = Seen(Conversation(), None)
STATE = Conversation(generation=1)
BATCH = Batch(1, 0, (Turn("t", (Said("m", "text", 1),), "answer"),), 0)


@pytest.fixture
def proxy(firestore_proxy: FirestoreProxy) -> FirestoreProxy:
    return firestore_proxy


@pytest.fixture
async def store(proxy: FirestoreProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FirestoreStore]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", proxy.address)
    made = FirestoreStore(f"test-{uuid4().hex[:12]}", "(default)")
    yield made
    await made.close()


async def test_a_read_counts_once(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """Reading a conversation is one read, whether it exists or not."""
    await store.read(ID)
    assert (proxy.counts.reads, proxy.counts.log) == (1, ["BatchGetDocuments"])
    await store.write(ID, NOTHING, STATE)
    await store.read(ID)
    assert proxy.counts.reads == 2


async def test_a_write_counts_once(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """Creating is one write and no read, and so is the next write; a batch in the same commit is one more."""
    seen = await store.write(ID, NOTHING, STATE)
    assert (proxy.counts.writes, proxy.counts.reads) == (1, 0)
    seen = await store.write(ID, seen, replace(STATE, floor=1))
    assert (proxy.counts.writes, proxy.counts.reads) == (2, 0)
    await store.write(ID, seen, replace(STATE, floor=2), [BATCH])
    assert (proxy.counts.writes, proxy.counts.reads) == (4, 0)
    assert proxy.counts.log == ["Commit"] * 3


async def test_archive_reads_count_by_document(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """Reading batches costs one read for each asked for, missing ones included, in one call."""
    await store.write(ID, NOTHING, STATE, [BATCH, replace(BATCH, number=1)])
    proxy.reset()
    await store.read_archive(ID, 1, [0, 1, 2])
    assert (proxy.counts.reads, proxy.counts.log) == (3, ["BatchGetDocuments"])


async def test_queries_and_deletes_are_counted(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """A query costs a read even when it finds nothing; a delete is no write."""
    await store.write(ID, NOTHING, STATE, [BATCH])
    proxy.reset()
    await store.find_in_archive(ID, 1, "nobody")
    assert (proxy.counts.queries, proxy.counts.reads) == (1, 1)
    proxy.reset()
    await store.erase_archive(ID, keep=9)
    assert (proxy.counts.deletes, proxy.counts.writes) == (1, 0)
    assert proxy.reset().queries == 2
    assert proxy.counts.log == []


async def test_a_failed_commit_is_no_write(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """The emulator's own errors come through, and what they refuse is not counted."""
    await store.write(ID, NOTHING, STATE)
    with pytest.raises(Conflict):
        await store.write(ID, NOTHING, STATE)
    assert (proxy.counts.writes, proxy.counts.log) == (1, ["Commit", "Commit"])


async def test_a_failure_before_the_work(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """An injected failure reaches the client once, and the emulator never sees the call."""
    proxy.fail_next("Commit", grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(Unavailable):
        await store.write(ID, NOTHING, STATE)
    assert await store.read(ID) == NOTHING
    await store.write(ID, NOTHING, STATE)
    assert proxy.counts.writes == 1


async def test_a_failure_after_the_work(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """A lost acknowledgement: the client sees a failure, the document is there."""
    proxy.fail_next("Commit", grpc.StatusCode.DEADLINE_EXCEEDED, after=True)
    with pytest.raises(Unavailable):
        await store.write(ID, NOTHING, STATE)
    assert (await store.read(ID)).conversation == STATE
    assert proxy.counts.writes == 1


async def test_failures_hit_their_method_only(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """A failure waits for the method it was meant for; several are met one after the other."""
    proxy.fail_next("Commit", grpc.StatusCode.UNAVAILABLE)
    proxy.fail_next("Commit", grpc.StatusCode.PERMISSION_DENIED)
    await store.read(ID)
    for error in (Unavailable, Misconfigured):
        with pytest.raises(error):
            await store.write(ID, NOTHING, STATE)


async def test_a_fault_about_one_document(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """Calls that name another document are not touched, and the fault waits for its own."""
    proxy.fail_next("Commit", grpc.StatusCode.UNAVAILABLE, about=ID)
    await store.write("d" * 64, NOTHING, STATE)
    with pytest.raises(Unavailable):
        await store.write(ID, NOTHING, STATE)
    await store.write(ID, NOTHING, STATE)


async def test_failures_since_a_step(proxy: FirestoreProxy, store: FirestoreStore) -> None:
    """One document's commits fail from a certain step on, until it is healed."""
    other = "d" * 64
    claimed = replace(STATE, lease=Lease("me", 1))
    settled = replace(
        claimed, lease=Lease("me", 2), outbox=(Outgoing("t", (Part("t", 1, ("m",), ("answer",)),), "push"),)
    )
    proxy.fail_next("Commit", grpc.StatusCode.UNAVAILABLE, times=9, about=ID, since="settle")
    proxy.fail_next("Commit", grpc.StatusCode.UNAVAILABLE, about=other)
    seen = await store.write(ID, NOTHING, claimed)
    for state in (settled, STATE):
        with pytest.raises(Unavailable):
            await store.write(ID, seen, state)
    assert (proxy.waiting(ID), proxy.waiting(other)) == (7, 1)
    proxy.heal(ID)
    await store.write(ID, seen, settled)
    with pytest.raises(Unavailable):
        await store.write(other, NOTHING, STATE)
