"""Python's values as Firestore's, and back.

Source: https://docs.cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#value
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.google_messages import ONE, Fields

Value = bool | int | float | str | bytes | datetime | list[Any] | dict[str, Any] | None

MESSAGES: Mapping[str, Fields] = {
    "Value": {
        "null_value": (11, "|int32"),
        "boolean_value": (1, "|bool"),
        "integer_value": (2, "|int64"),
        "double_value": (3, "|double"),
        "timestamp_value": (10, "|Timestamp"),
        "string_value": (17, "|string"),
        "bytes_value": (18, "|bytes"),
        "array_value": (9, "|ArrayValue"),
        "map_value": (6, "|MapValue"),
    },
    "ArrayValue": {"values": (1, "*Value")},
    "MapValue": {"fields": (1, "*Entry")},
    "Entry": {"key": (1, "string"), "value": (2, "Value")},
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
}
"""Kinds that are not here, such as places on a map, nobody but a stranger writes."""

UNKNOWN = object()
"""What a value of another kind is read as; it equals no other value, and cannot be written."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def encode(value: Value) -> dict[str, Any]:
    """The fields of a `Value`."""
    if value is None:
        return {"null_value": 0}
    if isinstance(value, bool):  # before numbers: to Python it is one
        return {"boolean_value": value}
    if isinstance(value, list):
        return {"array_value": {"values": [encode(item) for item in value]}}
    if isinstance(value, dict):
        return {"map_value": {"fields": entries(value)}}
    if isinstance(value, datetime):
        return {"timestamp_value": _timestamp(value)}
    return {_KINDS[type(value)]: value}


def entries(fields: Mapping[str, Value]) -> list[dict[str, Any]]:
    """The fields of a document, or of a map, as its entries."""
    return [{"key": name, "value": encode(value)} for name, value in fields.items()]


def decode(message: Any) -> Any:
    """What is in a `Value`. A timestamp loses what is finer than a microsecond. Never raises."""
    match message.WhichOneof(ONE):
        case None:
            return UNKNOWN
        case "null_value":
            return None
        case "timestamp_value":
            moment = message.timestamp_value
            return _EPOCH + timedelta(seconds=moment.seconds, microseconds=moment.nanos // 1000)
        case "array_value":
            return [decode(item) for item in message.array_value.values]
        case "map_value":
            return decode_entries(message.map_value.fields)
        case kind:
            return getattr(message, kind)


def decode_entries(entries: Iterable[Any]) -> dict[str, Any]:
    """The fields of a document, or of a map."""
    return {entry.key: decode(entry.value) for entry in entries}


def field_path(name: str) -> str:
    """The name of one field as Firestore wants it told: a dot in it would lead into a map."""
    if _SIMPLE.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _timestamp(moment: datetime) -> dict[str, int]:
    seconds, rest = divmod(moment - _EPOCH, _SECOND)
    return {"seconds": seconds, "nanos": rest.microseconds * 1000}


_KINDS = {int: "integer_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
