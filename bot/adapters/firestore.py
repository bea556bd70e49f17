"""Conversations in Firestore: `conversations/{id}`, and what left their window in `conversations/{id}/archive/{batch}`;
the months' accounts in `ledger/{month}`.

Every write is one Commit whose precondition is the update time that was seen: no transactions, no query on the way of a
message. Nothing is retried here (bot.store does), and every call has a short deadline of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.firestore import (
    DELETE_FIELD,
    AsyncClient,
    AsyncCollectionReference,
    AsyncDocumentReference,
    AsyncQuery,
    DocumentSnapshot,
    FieldFilter,
    Increment,
)
from google.cloud.firestore_v1.field_path import FieldPath

from bot.conversation import Batch, Conversation, Usage
from bot.document import Document, damaged, decode, decode_batch, encode, encode_batch, storable
from bot.errors import Conflict, Misconfigured, Unavailable
from bot.ports import Seen
from bot.spending import Amount, Month

CONVERSATIONS = "conversations"
ARCHIVE = "archive"
LEDGER = "ledger"
PAGE = 200
DELETES_PER_COMMIT = 400
AFTER_ALL_DIGITS = "g"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""Firestore's timestamps end with the year 9999."""


class _Call(TypedDict):
    retry: None
    timeout: float


_CALL: _Call = {"retry": None, "timeout": 5.0}
"""Without it the library retries by itself for one to five minutes; LINE and the lease do not wait that long."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What is stored (`expire_at` as a timestamp, as Firestore's TTL wants it) and when it was last changed."""

    update_time: object
    document: Document


class FirestoreStore:
    """`bot.ports.Store` and `Ledger` on Firestore in Native mode.

    `project` None means the one of the credentials. FIRESTORE_EMULATOR_HOST is honoured by the library. Connects at
    first use, and from then on belongs to the event loop that used it.
    """

    def __init__(self, project: str | None, database: str) -> None:
        self._project = project
        self._database = database
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def read(self, conversation_id: str) -> Seen:
        reference = _conversation(await self._connected(), conversation_id)
        with _translated():
            snapshot = await reference.get(**_CALL)
        if not snapshot.exists:
            return Seen(Conversation(), None)
        return _seen(snapshot.update_time, snapshot.to_dict() or {})

    async def write(
        self, conversation_id: str, seen: Seen, conversation: Conversation, archive: Sequence[Batch] = ()
    ) -> Seen:
        client = await self._connected()
        reference = _conversation(client, conversation_id)
        document = _with_timestamp(encode(conversation))
        commit = client.batch()
        if isinstance(seen.version, _Version):
            option = client.write_option(last_update_time=seen.version.update_time)
            commit.update(reference, _changes(seen.version.document, document), option=option)
        else:
            commit.create(reference, document)
        for batch in archive:
            commit.set(_batch(reference, batch.generation, batch.number), _with_timestamp(encode_batch(batch)))
        with _translated(), _conflicts(replacing=seen.version is not None):
            results = await commit.commit(**_CALL)
        return _seen(results[0].update_time, document)

    async def read_archive(self, conversation_id: str, generation: int, numbers: Sequence[int]) -> list[Batch]:
        client = await self._connected()
        reference = _conversation(client, conversation_id)
        wanted = [_batch(reference, generation, number) for number in numbers]
        if not wanted:
            return []
        with _translated():
            found = {snapshot.id: snapshot async for snapshot in client.get_all(wanted, **_CALL) if snapshot.exists}
        return [_archived(found[one.id]) for one in wanted if one.id in found]

    async def find_in_archive(self, conversation_id: str, generation: int, message_id: str) -> Batch | None:
        archive = _conversation(await self._connected(), conversation_id).collection(ARCHIVE)
        # The generation is compared here, because a second filter would need a composite index.
        query = archive.where(filter=FieldFilter("message_ids", "array_contains", storable(message_id)))
        with _translated():
            batches = [_archived(snapshot) async for snapshot in query.stream(**_CALL)]
        return next((batch for batch in batches if batch.generation == generation), None)

    async def erase_archive(self, conversation_id: str, keep: int) -> None:
        client = await self._connected()
        archive = _conversation(client, conversation_id).collection(ARCHIVE)
        with _translated():
            async for page in _pages(archive):
                await _delete(client, [one for one in page if _generation(one.id) < _generation(_batch_id(keep, 0))])

    async def with_dead_letters(self) -> AsyncIterator[tuple[str, Conversation]]:
        conversations = (await self._connected()).collection(CONVERSATIONS)
        query = conversations.where(filter=FieldFilter("dead_letter_count", ">", 0))
        with _translated():
            async for snapshot in query.stream(**_CALL):
                yield snapshot.id, _seen(snapshot.update_time, snapshot.to_dict() or {}).conversation

    async def conversations(self, beginning: str = "") -> AsyncIterator[tuple[str, Conversation]]:
        conversations = (await self._connected()).collection(CONVERSATIONS)
        query = conversations.order_by("__name__").limit(PAGE)
        if beginning:
            query = query.start_at([conversations.document(beginning)])
            query = query.end_before([conversations.document(beginning + AFTER_ALL_DIGITS)])
        page = [snapshot async for snapshot in self._read(query)]
        while page:
            for snapshot in page:
                yield snapshot.id, _seen(snapshot.update_time, snapshot.to_dict() or {}).conversation
            page = [snapshot async for snapshot in self._read(query.start_after(page[-1]))]

    async def count(self) -> int:
        query = (await self._connected()).collection(CONVERSATIONS).count()  # type: ignore[no-untyped-call]
        with _translated():
            return int((await query.get(**_CALL))[0][0].value)

    async def reserve(self, month: str, amount: Amount, usage: Usage) -> Amount:
        added = {**{f"reserved_{name}": value for name, value in asdict(amount).items()}, **asdict(usage)}
        reference = (await self._connected()).collection(LEDGER).document(month)
        with _translated():
            done = await reference.set({name: Increment(value) for name, value in added.items()}, merge=True, **_CALL)
        # The library sends the fields in the order of their names, and the results come in the same.
        now = {name: one.integer_value for name, one in zip(sorted(added), done.transform_results, strict=True)}
        return Amount(now["reserved_tokens"], now["reserved_micro_yen"])

    async def read_month(self, month: str) -> Month:
        reference = (await self._connected()).collection(LEDGER).document(month)
        with _translated():
            kept = (await reference.get(**_CALL)).to_dict() or {}
        reserved = Amount(kept.get("reserved_tokens", 0), kept.get("reserved_micro_yen", 0))
        return Month(reserved, Usage(**{field.name: kept.get(field.name, 0) for field in fields(Usage)}))

    async def close(self) -> None:
        """Close the channel. The store connects again if it is used again."""
        client, self._client = self._client, None
        if client is not None:
            await client._firestore_api.transport.close()  # the client itself offers no way to close

    async def _read(self, query: AsyncQuery) -> AsyncIterator[DocumentSnapshot[AsyncDocumentReference]]:
        with _translated():
            async for snapshot in query.stream(**_CALL):
                yield snapshot

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                # In a thread: looking for credentials and project reads files and asks the metadata server.
                self._client = await asyncio.to_thread(_connect, self._project, self._database)
            return self._client


def _connect(project: str | None, database: str) -> AsyncClient:
    try:
        return AsyncClient(project=project, database=database)
    except auth.DefaultCredentialsError:
        raise Misconfigured(
            "no Google credentials: run `gcloud auth application-default login`, or set STORE=sqlite:PATH"
        ) from None
    except auth.GoogleAuthError as error:
        raise Unavailable(f"no Google credentials now ({type(error).__name__}); try again") from None
    except OSError:
        raise Misconfigured("the Google Cloud project is unknown: set GOOGLE_CLOUD_PROJECT") from None


def _conversation(client: AsyncClient, conversation_id: str) -> AsyncDocumentReference:
    return client.collection(CONVERSATIONS).document(conversation_id)


def _batch(conversation: AsyncDocumentReference, generation: int, number: int) -> AsyncDocumentReference:
    reference: AsyncDocumentReference = conversation.collection(ARCHIVE).document(_batch_id(generation, number))
    return reference


def _batch_id(generation: int, number: int) -> str:
    return f"{generation:013d}-{number:06d}"


def _generation(batch_id: str) -> str:
    return batch_id.rpartition("-")[0]


def _seen(update_time: object, document: Document) -> Seen:
    stored = _without_timestamp(document)
    conversation = decode(stored)
    return Seen(conversation, _Version(update_time, document), damaged(stored, conversation))


def _archived(snapshot: DocumentSnapshot[AsyncDocumentReference]) -> Batch:
    return decode_batch(_without_timestamp(snapshot.to_dict() or {}))


def _with_timestamp(document: Document) -> Document:
    if "expire_at" not in document:
        return document
    at = max(0, min(document["expire_at"], _LATEST))
    return {**document, "expire_at": _EPOCH + at * _MILLISECOND}


def _without_timestamp(document: Document) -> Document:
    at = document.get("expire_at")
    return {**document, "expire_at": (at - _EPOCH) // _MILLISECOND} if isinstance(at, datetime) else document


def _changes(stored: Document, wanted: Document) -> dict[str, Any]:
    """The update that turns `stored` into `wanted`, unknown fields included: what is erased must be gone."""
    missing = object()
    changed = {name: value for name, value in wanted.items() if stored.get(name, missing) != value}
    vanished = {FieldPath(name).to_api_repr(): DELETE_FIELD for name in stored if name not in wanted}
    # An update has to name a field; this one changes nothing but still checks the precondition.
    return {**changed, **vanished} or {"expire_at": wanted.get("expire_at", DELETE_FIELD)}


async def _pages(archive: AsyncCollectionReference) -> AsyncIterator[list[AsyncDocumentReference]]:
    query = archive.select(["__name__"]).order_by("__name__").limit(DELETES_PER_COMMIT)
    page = [snapshot.reference async for snapshot in query.stream(**_CALL)]
    while page:
        yield page
        page = [snapshot.reference async for snapshot in query.start_after({"__name__": page[-1]}).stream(**_CALL)]


async def _delete(client: AsyncClient, references: Sequence[AsyncDocumentReference]) -> None:
    if not references:
        return
    commit = client.batch()
    for reference in references:
        commit.delete(reference)
    await commit.commit(**_CALL)


@contextmanager
def _conflicts(replacing: bool) -> Iterator[None]:
    """What means that somebody else wrote first.

    NotFound while replacing: the document has vanished, or the database never was. Conflict in both cases, since the
    read that follows it tells them apart.
    """
    try:
        yield
    except (api.FailedPrecondition, api.AlreadyExists, api.Aborted):
        raise Conflict("the conversation has changed; read it again") from None
    except api.NotFound:
        if replacing:
            raise Conflict("the conversation is gone; read it again") from None
        raise


@contextmanager
def _translated() -> Iterator[None]:
    """Errors named after what to do next. Never the library's own text: it may quote what was to be stored."""
    try:
        yield
    except (api.PermissionDenied, api.Unauthenticated) as error:
        raise Misconfigured(
            f"Firestore says {type(error).__name__}: enable its API and give the service account roles/datastore.user"
        ) from None
    except api.NotFound:
        raise Misconfigured(
            "the Firestore database does not exist: create it with `gcloud firestore databases create`, "
            "or set FIRESTORE_DATABASE"
        ) from None
    except api.FailedPrecondition:
        raise Misconfigured(
            "Firestore refuses: the database must be in Native mode, with `message_ids` of `archive` indexed"
        ) from None
    except api.InvalidArgument:
        raise Misconfigured(
            "Firestore says InvalidArgument: check FIRESTORE_DATABASE, and that no document exceeds 1 MiB"
        ) from None
    except (api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError) as error:
        raise Unavailable(f"Firestore says {type(error).__name__}; try again") from None
