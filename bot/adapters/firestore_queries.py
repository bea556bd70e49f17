"""What is asked of Firestore by query, with Google's library: rarely, and never on the way of an ordinary message."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

from google.api_core import exceptions as api
from google.cloud.firestore import (
    AsyncClient,
    AsyncCollectionReference,
    AsyncDocumentReference,
    AsyncQuery,
    DocumentSnapshot,
    FieldFilter,
)
from grpc import StatusCode

from bot.adapters import google_rpc
from bot.adapters.firestore_errors import translated
from bot.adapters.firestore_layout import ARCHIVE, CONVERSATIONS, archived, is_before, without_timestamp
from bot.adapters.google_rpc import Refused
from bot.conversation import Batch, Conversation
from bot.document import decode, storable

PAGE = 200
DELETES_PER_COMMIT = 400
AFTER_ALL_DIGITS = "g"


class _Call(TypedDict):
    retry: None
    timeout: float


def _call() -> _Call:
    """Without it the library retries by itself for one to five minutes."""
    return {"retry": None, "timeout": google_rpc.SECONDS}


class FirestoreQueries:
    """Those of `bot.ports.Store` that are queries. Belongs to the event loop that uses it first."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def find_in_archive(self, conversation_id: str, generation: int, message_id: str) -> Batch | None:
        # The generation is compared here, because a second filter would need a composite index.
        filter_ = FieldFilter("message_ids", "array_contains", storable(message_id))
        found = _read(self._archive(conversation_id).where(filter=filter_))
        batches = [archived(snapshot.to_dict() or {}) async for snapshot in found]
        return next((batch for batch in batches if batch.generation == generation), None)

    async def erase_archive(self, conversation_id: str, keep: int) -> None:
        with _translated():
            async for page in _pages(self._archive(conversation_id)):
                await self._delete([one for one in page if is_before(one.id, keep)])

    async def with_dead_letters(self) -> AsyncIterator[tuple[str, Conversation]]:
        conversations = self._client.collection(CONVERSATIONS)
        async for snapshot in _read(conversations.where(filter=FieldFilter("dead_letter_count", ">", 0))):
            yield snapshot.id, _conversation(snapshot)

    async def conversations(self, beginning: str = "") -> AsyncIterator[tuple[str, Conversation]]:
        conversations = self._client.collection(CONVERSATIONS)
        query = conversations.order_by("__name__").limit(PAGE)
        if beginning:
            query = query.start_at([conversations.document(beginning)])
            query = query.end_before([conversations.document(beginning + AFTER_ALL_DIGITS)])
        page = [snapshot async for snapshot in _read(query)]
        while page:
            for snapshot in page:
                yield snapshot.id, _conversation(snapshot)
            page = [snapshot async for snapshot in _read(query.start_after(page[-1]))]

    async def count(self) -> int:
        query = self._client.collection(CONVERSATIONS).count()  # type: ignore[no-untyped-call]  # the library has none
        with _translated():
            return int((await query.get(**_call()))[0][0].value)

    async def close(self) -> None:
        await self._client._firestore_api.transport.close()  # the client itself offers no way to close

    def _archive(self, conversation_id: str) -> AsyncCollectionReference:
        return self._client.collection(CONVERSATIONS, conversation_id, ARCHIVE)

    async def _delete(self, references: Sequence[AsyncDocumentReference]) -> None:
        if not references:
            return
        commit = self._client.batch()
        for reference in references:
            commit.delete(reference)
        await commit.commit(**_call())


async def connected(project: str, database: str) -> FirestoreQueries:
    """FIRESTORE_EMULATOR_HOST is honoured by the library. Raises Misconfigured or Unavailable."""
    with _translated():
        # In a thread: looking for credentials reads files and asks the metadata server.
        return FirestoreQueries(await asyncio.to_thread(AsyncClient, project=project, database=database))


def _conversation(snapshot: DocumentSnapshot[AsyncDocumentReference]) -> Conversation:
    return decode(without_timestamp(snapshot.to_dict() or {}))


async def _read(query: AsyncQuery) -> AsyncIterator[DocumentSnapshot[AsyncDocumentReference]]:
    with _translated():
        async for snapshot in query.stream(**_call()):
            yield snapshot


async def _pages(archive: AsyncCollectionReference) -> AsyncIterator[list[AsyncDocumentReference]]:
    query = archive.select(["__name__"]).order_by("__name__").limit(DELETES_PER_COMMIT)
    page = [snapshot.reference async for snapshot in query.stream(**_call())]
    while page:
        yield page
        page = [snapshot.reference async for snapshot in query.start_after({"__name__": page[-1]}).stream(**_call())]


@contextmanager
def _translated() -> Iterator[None]:
    """The library's errors, as the statuses that they come from."""
    with translated():
        try:
            yield
        except api.GoogleAPICallError as error:
            raise Refused(error.grpc_status_code or StatusCode.UNKNOWN) from None
        except api.RetryError:
            raise Refused(StatusCode.DEADLINE_EXCEEDED) from None
