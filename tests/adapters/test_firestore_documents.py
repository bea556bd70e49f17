"""What is sent to Firestore, judged by Google's own library."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.firestore import DELETE_FIELD, AsyncClient, Increment
from google.cloud.firestore_v1.types import CommitRequest
from google.protobuf.timestamp_pb2 import Timestamp

from bot.adapters.firestore_documents import MESSAGES, Documents, Write, add, change, create, put
from bot.adapters.google_rpc import Refused
from tests.servers.rpc import RpcServer

FIELDS = {"text": "会話", "number": 0, "flag": False, "nothing": None, "list": [], "map": {"a": {"b": [1, ""]}}}
SEEN = (1_795_395_723, 123_456_789)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> AsyncClient:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    return AsyncClient(project="p", database="d")


def test_a_commit_is_the_librarys(client: AsyncClient) -> None:
    """To the byte that means something: what is created, put in a place, changed, erased and added to."""
    batch = client.batch()
    document = client.document("conversations", "c")
    batch.create(document, FIELDS)
    batch.set(document, FIELDS)
    seen = client.write_option(last_update_time=Timestamp(seconds=SEEN[0], nanos=SEEN[1]))
    batch.update(document, FIELDS | {"`a.b`": DELETE_FIELD}, option=seen)
    batch.update(document, {"old": DELETE_FIELD}, option=seen)
    batch.set(document, {"a": Increment(5), "b": Increment(-7)}, merge=True)
    path = "conversations/c"
    ours = _request(
        create(path, FIELDS),
        put(path, FIELDS),
        change(path, FIELDS, ["a.b"], SEEN),
        change(path, {}, ["old"], SEEN),
        add(path, {"a": 5, "b": -7}),
    )
    theirs = CommitRequest(database=client._database_string, writes=batch._write_pbs)
    assert _sorted(ours) == _sorted(theirs)


def test_a_change_of_nothing() -> None:
    """It has a mask, an empty one: without any it would replace the document."""
    [write] = CommitRequest.pb(_request(change("a/b", {}, [], SEEN))).writes
    assert (write.HasField("update_mask"), write.current_document.update_time.nanos) == (True, SEEN[1])


class Recorder(RpcServer, grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Refuses every call, and keeps its headers."""

    def __init__(self) -> None:
        self.seen: dict[str, list[dict[str, str]]] = {}

    def services(self) -> Sequence[grpc.GenericRpcHandler]:
        return [self]

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def refuse(_: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            self.seen.setdefault(details.method, []).append(dict(context.invocation_metadata()))
            await context.abort(grpc.StatusCode.UNIMPLEMENTED)
            yield b""

        return grpc.stream_stream_rpc_method_handler(refuse)


async def test_headers_are_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same methods are called with what Google finds the database by, and with what the emulator trusts."""
    async with Recorder() as recorder:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", recorder.host)
        client, documents = AsyncClient(project="p", database="d"), Documents("p", "d", recorder.host)
        calls: list[Awaitable[Any]] = [documents.read(["a/b"]), documents.commit([put("a/b", {})])]
        calls += [client.document("a/b").get(retry=None), client.document("a/b").set({}, retry=None)]
        for call in calls:
            with pytest.raises((Refused, GoogleAPICallError)):
                await call
        await documents.close()
    assert set(recorder.seen) == {f"/google.firestore.v1.Firestore/{name}" for name in ("BatchGetDocuments", "Commit")}
    for ours, theirs in recorder.seen.values():
        for name in ("x-goog-request-params", "google-cloud-resource-prefix", "authorization"):
            assert ours[name] == theirs[name]


def _request(*writes: Write) -> CommitRequest:
    request = MESSAGES["CommitRequest"](database="projects/p/databases/d", writes=writes)
    for write in request.writes:
        write.update.name = f"projects/p/databases/d/documents/{write.update.name}"
    parsed: CommitRequest = CommitRequest.deserialize(request.SerializeToString())
    return parsed


def _sorted(request: CommitRequest) -> CommitRequest:
    for write in CommitRequest.pb(request).writes:
        write.update_mask.field_paths.sort()
    return request
