"""What is Firestore's own: how its errors are named, what travels, and how it meets a server that is not there."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.auth import exceptions as auth
from google.cloud.firestore import AsyncClient, GeoPoint
from grpc import StatusCode as Status

from bot.adapters import google_rpc
from bot.adapters.firestore import FirestoreStore
from bot.adapters.firestore_documents import Documents, Write, Written
from bot.adapters.google_rpc import Service
from bot.conversation import Batch, Conversation, Said, Turn
from bot.errors import Conflict, KaiwaError, Misconfigured, Unavailable
from bot.ports import Seen
from tests.servers.firestore_proxy import FirestoreProxy

ID = "c" * 64
NOTHING = Seen(Conversation(), None)
SECRET = "何も言わないで"
STATE = Conversation(summary=SECRET, expire_at=1_800_000_000_123)
BATCH = Batch(1, 0, (Turn("t", (Said("m", SECRET, 1),), "answer"),), 1_800_000_000_456)
Call = Callable[[FirestoreStore], Awaitable[Any]]


@pytest.fixture
async def store(firestore_proxy: FirestoreProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FirestoreStore]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_proxy.address)
    made = FirestoreStore(f"test-{uuid4().hex[:12]}", "(default)")
    yield made
    await made.close()


COMMON: list[tuple[Status, type[KaiwaError]]] = [
    (Status.PERMISSION_DENIED, Misconfigured),
    (Status.UNAUTHENTICATED, Misconfigured),
    (Status.INVALID_ARGUMENT, Misconfigured),
    (Status.UNAVAILABLE, Unavailable),
    (Status.DEADLINE_EXCEEDED, Unavailable),
    (Status.RESOURCE_EXHAUSTED, Unavailable),
    (Status.INTERNAL, Unavailable),
    (Status.UNKNOWN, Unavailable),
    (Status.CANCELLED, Unavailable),
]
READING = [*COMMON, (Status.NOT_FOUND, Misconfigured), (Status.FAILED_PRECONDITION, Misconfigured)]
READING += [(Status.ABORTED, Unavailable)]
WRITING = [(Status.FAILED_PRECONDITION, Conflict), (Status.ALREADY_EXISTS, Conflict), (Status.ABORTED, Conflict)]
CALLS: dict[str, tuple[str, Call]] = {
    "read": ("BatchGetDocuments", lambda store: store.read(ID)),
    "read_archive": ("BatchGetDocuments", lambda store: store.read_archive(ID, 1, [0])),
    "find_in_archive": ("RunQuery", lambda store: store.find_in_archive(ID, 1, "m")),
    "erase_archive": ("RunQuery", lambda store: store.erase_archive(ID, 0)),
    "count": ("RunAggregationQuery", lambda store: store.count()),
    "read_month": ("BatchGetDocuments", lambda store: store.read_month("2026-11")),
}


@pytest.mark.parametrize(("status", "error"), READING, ids=str)
@pytest.mark.parametrize("name", CALLS)
async def test_errors_of_reading(
    firestore_proxy: FirestoreProxy, store: FirestoreStore, name: str, status: Status, error: type[KaiwaError]
) -> None:
    """Every status is named after what to do next, and nothing is retried behind the caller's back."""
    method, call = CALLS[name]
    firestore_proxy.fail_next(method, status)
    with pytest.raises(error):
        await call(store)
    assert firestore_proxy.counts.log == [method]


@pytest.mark.parametrize(("status", "error"), [*COMMON, *WRITING, (Status.NOT_FOUND, Misconfigured)], ids=str)
async def test_errors_of_creating(
    firestore_proxy: FirestoreProxy, store: FirestoreStore, status: Status, error: type[KaiwaError]
) -> None:
    """NotFound at creation can only mean the database."""
    firestore_proxy.fail_next("Commit", status)
    with pytest.raises(error):
        await store.write(ID, NOTHING, STATE)
    assert firestore_proxy.counts.log == ["Commit"]


@pytest.mark.parametrize(("status", "error"), [*COMMON, *WRITING, (Status.NOT_FOUND, Conflict)], ids=str)
async def test_errors_of_replacing(
    firestore_proxy: FirestoreProxy, store: FirestoreStore, status: Status, error: type[KaiwaError]
) -> None:
    """NotFound at an update means that the document vanished; the next read tells if it was the database."""
    seen = await store.write(ID, NOTHING, STATE)
    firestore_proxy.fail_next("Commit", status)
    with pytest.raises(error) as raised:
        await store.write(ID, seen, Conversation(summary=SECRET * 2))
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_vanished_document_is_a_conflict(store: FirestoreStore) -> None:
    """Firestore's TTL may delete what was seen; the next try creates it."""
    seen = await store.write(ID, NOTHING, STATE)
    await _client(store).document("conversations", ID).delete()
    with pytest.raises(Conflict):
        await store.write(ID, seen, STATE)
    assert await store.read(ID) == NOTHING


async def test_too_large_a_document(store: FirestoreStore) -> None:
    """More than 1 MiB is refused for good, without quoting what was to be stored."""
    with pytest.raises(Misconfigured, match="1 MiB") as raised:
        await store.write(ID, NOTHING, Conversation(summary=SECRET * 60_000))
    assert SECRET not in str(raised.value)


async def test_expiry_is_a_timestamp(store: FirestoreStore) -> None:
    """Firestore's TTL deletes by a timestamp; documents and batches carry one, to the millisecond."""
    await store.write(ID, NOTHING, STATE, [BATCH])
    client = _client(store)
    document = (await client.document("conversations", ID).get()).to_dict()
    archived = (await client.document("conversations", ID, "archive", "0000000000001-000000").get()).to_dict()
    assert document is not None
    assert archived is not None
    assert document["expire_at"] == datetime(2027, 1, 15, 8, 0, 0, 123_000, tzinfo=UTC)
    assert archived["expire_at"] == datetime(2027, 1, 15, 8, 0, 0, 456_000, tzinfo=UTC)
    assert archived["message_ids"] == ["m"]


async def test_an_expiry_past_the_calendar(store: FirestoreStore) -> None:
    """A nonsensical expiry is cut to the last day that Firestore knows."""
    seen = await store.write(ID, NOTHING, Conversation(expire_at=10**18))
    assert seen.conversation.expire_at == 253_402_214_400_000
    assert await store.read(ID) == seen


async def test_only_what_changed_travels(store: FirestoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that stays as it was is not sent again."""
    seen = await store.write(ID, NOTHING, STATE)
    sent: list[list[str]] = []
    commit = Documents.commit

    async def spy(documents: Documents, writes: list[Write]) -> list[Written]:
        sent.extend([entry["key"] for entry in write["update"]["fields"]] for write in writes)
        return await commit(documents, writes)

    monkeypatch.setattr(Documents, "commit", spy)
    await store.write(ID, seen, Conversation(summary=SECRET, expire_at=STATE.expire_at, floor=7))
    assert sent == [["floor"]]


async def test_what_only_a_stranger_stores(store: FirestoreStore) -> None:
    """A kind of value that Kaiwa does not know is a damaged field, which the next write sets right."""
    await store.write(ID, NOTHING, STATE)
    await _client(store).document("conversations", ID).update({"summary": GeoPoint(35.6, 139.7), "floor": 7})
    seen = await store.read(ID)
    assert (seen.damaged, seen.conversation) == (("summary",), replace(STATE, summary="", floor=7))
    await store.write(ID, seen, STATE)
    assert (await store.read(ID)).conversation == STATE


async def test_a_replaced_batch_loses_unknown_fields(store: FirestoreStore) -> None:
    """What a later version stored in a batch does not survive its being rewritten."""
    seen = await store.write(ID, NOTHING, STATE, [BATCH])
    reference = _client(store).document("conversations", ID, "archive", "0000000000001-000000")
    await reference.set({"voice": SECRET}, merge=True)
    await store.write(ID, seen, replace(STATE, redactions=1), [BATCH])
    assert "voice" not in ((await reference.get()).to_dict() or {})


async def test_batches_are_ordered_here(store: FirestoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Firestore answers in any order; the caller gets the one it asked for."""
    await store.write(ID, NOTHING, STATE, [BATCH, replace(BATCH, number=1)])
    stream = Service.stream

    async def backwards(service: Service, *asked: Any, **routed: Any) -> list[Any]:
        return (await stream(service, *asked, **routed))[::-1]

    monkeypatch.setattr(Service, "stream", backwards)
    assert await store.read_archive(ID, 1, [0, 1]) == [BATCH, replace(BATCH, number=1)]


async def test_another_database(store: FirestoreStore) -> None:
    """One project may have several, which know nothing of one another."""
    other = FirestoreStore(store._project, "kaiwa-2")
    await other.write(ID, NOTHING, STATE)
    assert ((await other.read(ID)).conversation, await other.count()) == (STATE, 1)
    assert (await store.read(ID), await store.count()) == (NOTHING, 0)
    await other.close()


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses the connection is Unavailable."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{taken.getsockname()[1]}")
        store = FirestoreStore("p", "(default)")
        with pytest.raises(Unavailable):
            await store.read(ID)
        await store.close()


@pytest.mark.parametrize("call", [lambda store: store.read(ID), lambda store: store.count()], ids=["name", "query"])
async def test_a_silent_server(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """A server that takes the call and says nothing is given up after the call's own deadline."""
    monkeypatch.setattr(google_rpc, "SECONDS", 0.2)
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with silent:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{silent.sockets[0].getsockname()[1]}")
        store = FirestoreStore("p", "(default)")
        async with asyncio.timeout(30):
            with pytest.raises(Unavailable):
                await call(store)
        await store.close()


@pytest.mark.parametrize("call", [lambda store: store.read(ID), lambda store: store.count()], ids=["name", "query"])
@pytest.mark.parametrize("project", [None, "p"])
@pytest.mark.parametrize(
    ("raised", "error", "advice"),
    [
        (auth.DefaultCredentialsError, Misconfigured, "gcloud auth application-default login"),
        (auth.RefreshError, Unavailable, "try again"),
        (auth.TransportError, Unavailable, "try again"),
        (TimeoutError, Unavailable, "try again"),
    ],
)
async def test_no_credentials(
    monkeypatch: pytest.MonkeyPatch,
    raised: type[Exception],
    error: type[KaiwaError],
    advice: str,
    project: str | None,
    call: Call,
) -> None:
    """Making the store never fails; using it without credentials says what to do."""

    def refuse(**_: object) -> None:
        raise raised("from the library")

    monkeypatch.setattr("google.auth.default", refuse)
    store = FirestoreStore(project, "(default)")
    with pytest.raises(error, match=advice) as refused:
        await call(store)
    assert "from the library" not in str(refused.value)


async def test_no_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that belong to no project ask for the variable that names it."""
    monkeypatch.setattr("google.auth.default", lambda **_: ("credentials", None))
    with pytest.raises(Misconfigured, match="GOOGLE_CLOUD_PROJECT"):
        await FirestoreStore(None, "(default)").read(ID)


async def test_the_project_of_the_credentials(store: FirestoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used when no other is named."""
    await store.write(ID, NOTHING, STATE)
    monkeypatch.setattr("google.auth.default", lambda **_: ("credentials", store._project))
    nameless = FirestoreStore(None, "(default)")
    assert (await nameless.read(ID)).conversation == STATE
    await nameless.close()


ONE_TURN = """
import asyncio, sys
from bot.adapters.firestore import FirestoreStore
from bot.conversation import Batch, Conversation, Usage
from bot.spending import Amount

async def main():
    store = FirestoreStore(sys.argv[1], "(default)")
    seen = await store.read("c")
    await store.write("c", seen, Conversation(floor=1), [Batch(1, 0, (), 0)])
    await store.read_archive("c", 1, [0])
    await store.reserve("2026-11", Amount(1, 1), Usage())
    await store.read_month("2026-11")
    print(any(name.startswith(("google.cloud.firestore", "proto")) for name in sys.modules))
    await store.count()
    print("google.cloud.firestore" in sys.modules)
    await store.close()

asyncio.run(main())
"""


async def test_a_turn_needs_no_library(firestore_emulator: str) -> None:
    """Google's is loaded when something is asked by query, and not before: on a cold start somebody waits for it."""
    known = {"PATH": os.environ["PATH"], "FIRESTORE_EMULATOR_HOST": firestore_emulator}
    command = [sys.executable, "-c", ONE_TURN, f"test-{uuid4().hex[:12]}"]
    root = Path(__file__).parents[2]
    asked = subprocess.run(command, cwd=root, env=known, capture_output=True, text=True, timeout=60)
    assert asked.stdout.split() == ["False", "True"], asked.stderr


async def test_a_closed_store_connects_again(store: FirestoreStore) -> None:
    """Closing is not the end: the next call opens a new channel."""
    seen = await store.write(ID, NOTHING, STATE)
    assert await store.count() == 1
    await store.close()
    assert await store.read(ID) == seen
    assert await store.count() == 1


def _client(store: FirestoreStore) -> AsyncClient:
    return AsyncClient(project=store._project)
