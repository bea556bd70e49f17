"""A Firestore database's documents, read and written by their names: no query, no transaction, no second try.

Source: https://docs.cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.adapters import firestore_values as values
from bot.adapters.google_messages import messages
from bot.adapters.google_rpc import Service

MESSAGES = messages(
    "google.firestore.v1",
    {
        **values.MESSAGES,
        "Document": {"name": (1, "string"), "fields": (2, "*Entry"), "update_time": (4, "Timestamp")},
        "BatchGetDocumentsRequest": {"database": (1, "string"), "documents": (2, "*string")},
        "BatchGetDocumentsResponse": {"found": (1, "Document")},
        "CommitRequest": {"database": (1, "string"), "writes": (2, "*Write")},
        "Write": {
            "update": (1, "Document"),
            "update_mask": (3, "DocumentMask"),
            "current_document": (4, "Precondition"),
            "update_transforms": (7, "*FieldTransform"),
        },
        "DocumentMask": {"field_paths": (1, "*string")},
        "Precondition": {"exists": (1, "|bool"), "update_time": (2, "|Timestamp")},
        "FieldTransform": {"field_path": (1, "string"), "increment": (3, "Value")},
        "CommitResponse": {"write_results": (1, "*WriteResult")},
        "WriteResult": {"update_time": (1, "Timestamp"), "transform_results": (2, "*Value")},
    },
)

Moment = tuple[int, int]
"""Seconds since 1970, and nanoseconds: when a document was last changed, which is its version."""

Write = dict[str, Any]
"""The fields of a `Write`, with the document's path for its name."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document that exists."""

    update_time: Moment
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What came of one write; `transformed`: the values after each addition, in the order asked for."""

    update_time: Moment
    transformed: tuple[Any, ...]


class Documents:
    """Those of one database. Paths are relative to it (`conversations/ID`). Every call raises one of rpc's FAILURES."""

    def __init__(self, project: str, database: str, emulator_host: str | None) -> None:
        self._database = f"projects/{project}/databases/{database}"
        headers = [("google-cloud-resource-prefix", self._database)]
        if emulator_host:
            headers.append(("authorization", "Bearer owner"))  # whom no security rule concerns
        self._service = Service("google.firestore.v1.Firestore", "firestore.googleapis.com:443", emulator_host, headers)

    async def read(self, paths: Sequence[str]) -> list[Found | None]:
        """In this order; None for one that does not exist."""
        names = [self._name(path) for path in paths]
        request = MESSAGES["BatchGetDocumentsRequest"](database=self._database, documents=names)
        answer = MESSAGES["BatchGetDocumentsResponse"]
        # Not GetDocument: to it a missing document and a missing database are the same.
        answers = await self._service.stream("BatchGetDocuments", request, answer, database=self._database)
        found = {one.found.name: _found(one.found) for one in answers if one.HasField("found")}
        return [found.get(name) for name in names]

    async def commit(self, writes: Sequence[Write]) -> list[Written]:
        """All of them or none, each with what came of it."""
        request = MESSAGES["CommitRequest"](database=self._database, writes=writes)
        for write in request.writes:
            write.update.name = self._name(write.update.name)
        done = await self._service.call("Commit", request, MESSAGES["CommitResponse"], database=self._database)
        return [_written(one) for one in done.write_results]

    async def close(self) -> None:
        """Connects again if it is used again."""
        await self._service.close()

    def _name(self, path: str) -> str:
        return f"{self._database}/documents/{path}"


def put(path: str, fields: Mapping[str, Any]) -> Write:
    """The whole document, whatever was there."""
    return {"update": {"name": path, "fields": values.entries(fields)}}


def create(path: str, fields: Mapping[str, Any]) -> Write:
    """Refused with ALREADY_EXISTS where there is a document."""
    return {**put(path, fields), "current_document": {"exists": False}}


def change(path: str, fields: Mapping[str, Any], erased: Iterable[str], seen: Moment) -> Write:
    """These fields and no others, if nothing has changed since; else it is refused, with FAILED_PRECONDITION."""
    seconds, nanos = seen
    return {
        **put(path, fields),
        "update_mask": {"field_paths": [values.field_path(name) for name in (*fields, *erased)]},
        "current_document": {"update_time": {"seconds": seconds, "nanos": nanos}},
    }


def add(path: str, amounts: Mapping[str, int]) -> Write:
    """Add to these fields, which begin with 0; the others stay."""
    transforms = [
        {"field_path": values.field_path(name), "increment": values.encode(amount)} for name, amount in amounts.items()
    ]
    return {**put(path, {}), "update_mask": {}, "update_transforms": transforms}


def _found(document: Any) -> Found:
    return Found(_moment(document.update_time), values.decode_entries(document.fields))


def _written(result: Any) -> Written:
    return Written(_moment(result.update_time), tuple(map(values.decode, result.transform_results)))


def _moment(timestamp: Any) -> Moment:
    return timestamp.seconds, timestamp.nanos
