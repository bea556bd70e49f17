"""Where everything lies in Firestore, and what is not stored as it is.

Conversations are `conversations/{id}`, what left their window is `conversations/{id}/archive/{batch}`, and the months'
accounts are `ledger/{month}`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.conversation import Batch
from bot.document import Document, decode_batch

CONVERSATIONS = "conversations"
ARCHIVE = "archive"
LEDGER = "ledger"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""Firestore's timestamps end with the year 9999."""


def conversation_path(conversation_id: str) -> str:
    return f"{CONVERSATIONS}/{conversation_id}"


def batch_path(conversation_id: str, generation: int, number: int) -> str:
    return f"{conversation_path(conversation_id)}/{ARCHIVE}/{batch_id(generation, number)}"


def batch_id(generation: int, number: int) -> str:
    """Ids in the order of generations, and of batches in each."""
    return f"{generation:013d}-{number:06d}"


def is_before(one: str, generation: int) -> bool:
    """Whether the batch of this id is of an earlier generation."""
    return one.rpartition("-")[0] < batch_id(generation, 0).rpartition("-")[0]


def month_path(month: str) -> str:
    return f"{LEDGER}/{month}"


def with_timestamp(document: Document) -> Document:
    """As it is stored: Firestore's TTL wants `expire_at` as a timestamp."""
    if "expire_at" not in document:
        return document
    at = max(0, min(document["expire_at"], _LATEST))
    return {**document, "expire_at": _EPOCH + at * _MILLISECOND}


def without_timestamp(stored: Mapping[str, Any]) -> Document:
    at = stored.get("expire_at")
    return {**stored, "expire_at": (at - _EPOCH) // _MILLISECOND} if isinstance(at, datetime) else dict(stored)


def archived(stored: Mapping[str, Any]) -> Batch:
    return decode_batch(without_timestamp(stored))
