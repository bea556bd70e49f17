"""Conversations and the months' accounts in Firestore.

Every write is one Commit whose precondition is the update time that was seen: no transactions, no query on the way of a
message. Nothing is retried here (bot.store does), and every call has a short deadline of its own.
"""

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from bot.adapters.firestore_documents import Documents, Moment, Write, add, change, create, put
from bot.adapters.firestore_errors import conflicts, translated
from bot.adapters.firestore_layout import (
    archived,
    batch_path,
    conversation_path,
    month_path,
    with_timestamp,
    without_timestamp,
)
from bot.adapters.google_rpc import default_credentials
from bot.conversation import Batch, Conversation, Usage
from bot.document import Document, damaged, decode, encode, encode_batch
from bot.errors import Misconfigured
from bot.loading import Once, imported
from bot.ports import Seen
from bot.spending import Amount, Month

if TYPE_CHECKING:
    from bot.adapters.firestore_queries import FirestoreQueries


@dataclass(frozen=True, slots=True)
class _Version:
    """What is stored, as it is stored, and when it was last changed."""

    update_time: Moment
    document: Document


class FirestoreStore:
    """`bot.ports.Store` and `Ledger` on Firestore in Native mode.

    `project` None means the one of the credentials. FIRESTORE_EMULATOR_HOST is honoured. Connects at first use, and
    from then on belongs to the event loop that used it.
    """

    def __init__(self, project: str | None, database: str) -> None:
        self._project = project
        self._database = database
        self._documents = Once(self._connect)
        self._queries = Once(self._load_queries)

    async def read(self, conversation_id: str) -> Seen:
        with translated():
            [found] = await (await self._documents()).read([conversation_path(conversation_id)])
        return _seen(found.update_time, found.fields) if found else Seen(Conversation(), None)

    async def write(
        self, conversation_id: str, seen: Seen, conversation: Conversation, archive: Sequence[Batch] = ()
    ) -> Seen:
        document = with_timestamp(encode(conversation))
        writes = [_replacing(conversation_path(conversation_id), seen.version, document)]
        for batch in archive:
            path = batch_path(conversation_id, batch.generation, batch.number)
            writes.append(put(path, with_timestamp(encode_batch(batch))))
        with translated(), conflicts(replacing=seen.version is not None):
            written = await (await self._documents()).commit(writes)
        return _seen(written[0].update_time, document)

    async def read_archive(self, conversation_id: str, generation: int, numbers: Sequence[int]) -> list[Batch]:
        if not numbers:
            return []
        with translated():
            paths = [batch_path(conversation_id, generation, number) for number in numbers]
            found = await (await self._documents()).read(paths)
        return [archived(one.fields) for one in found if one]

    async def reserve(self, month: str, amount: Amount, usage: Usage) -> Amount:
        added = {**{f"reserved_{name}": value for name, value in asdict(amount).items()}, **asdict(usage)}
        with translated():
            [written] = await (await self._documents()).commit([add(month_path(month), added)])
        now = dict(zip(added, written.transformed, strict=True))
        return Amount(now["reserved_tokens"], now["reserved_micro_yen"])

    async def read_month(self, month: str) -> Month:
        with translated():
            [found] = await (await self._documents()).read([month_path(month)])
        kept = found.fields if found else {}
        reserved = Amount(kept.get("reserved_tokens", 0), kept.get("reserved_micro_yen", 0))
        return Month(reserved, Usage(**{field.name: kept.get(field.name, 0) for field in fields(Usage)}))

    # --- what is asked by query ---

    async def find_in_archive(self, conversation_id: str, generation: int, message_id: str) -> Batch | None:
        return await (await self._queries()).find_in_archive(conversation_id, generation, message_id)

    async def erase_archive(self, conversation_id: str, keep: int) -> None:
        await (await self._queries()).erase_archive(conversation_id, keep)

    async def with_dead_letters(self) -> AsyncIterator[tuple[str, Conversation]]:
        async for one in (await self._queries()).with_dead_letters():
            yield one

    async def conversations(self, beginning: str = "") -> AsyncIterator[tuple[str, Conversation]]:
        async for one in (await self._queries()).conversations(beginning):
            yield one

    async def count(self) -> int:
        return await (await self._queries()).count()

    # --- beginning and end ---

    async def close(self) -> None:
        """Close the channels. The store connects again if it is used again."""
        if documents := self._documents.made:
            await documents.close()
        queries, self._queries = self._queries.made, Once(self._load_queries)
        if queries:
            await queries.close()

    async def _connect(self) -> Documents:
        return Documents(await self._known_project(), self._database, os.environ.get("FIRESTORE_EMULATOR_HOST"))

    async def _load_queries(self) -> "FirestoreQueries":
        await imported("bot.adapters.firestore_queries")
        from bot.adapters.firestore_queries import connected

        return await connected(await self._known_project(), self._database)

    async def _known_project(self) -> str:
        if self._project is None:
            with translated():
                _, self._project = await default_credentials()
        if not self._project:
            raise Misconfigured("the Google Cloud project is unknown: set GOOGLE_CLOUD_PROJECT")
        return self._project


def _replacing(path: str, version: object, document: Document) -> Write:
    if not isinstance(version, _Version):
        return create(path, document)
    changed, vanished = _changes(version.document, document)
    return change(path, changed, vanished, version.update_time)


def _changes(stored: Document, wanted: Document) -> tuple[Document, list[str]]:
    """What turns `stored` into `wanted`, unknown fields included: what is erased must be gone."""
    missing = object()
    changed = {name: value for name, value in wanted.items() if stored.get(name, missing) != value}
    return changed, [name for name in stored if name not in wanted]


def _seen(update_time: Moment, stored: Document) -> Seen:
    document = without_timestamp(stored)
    conversation = decode(document)
    return Seen(conversation, _Version(update_time, stored), damaged(document, conversation))
