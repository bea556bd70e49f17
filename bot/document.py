"""A conversation as plain JSON data: the form in which every store keeps it.

A field that equals its default is left out; one that has no default is always written. Maps keyed by ids become lists
of `{"id", "at"}`, because Firestore refuses some names of fields (empty, `__x__`) and an id may be any text.

Reading never fails, whatever an older, a newer or a broken version has written: unknown fields are ignored, missing
ones take their default, and a malformed field or list item is dropped alone.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from bot.conversation import Batch, Conversation, Turn

Document = dict[str, Any]
T = TypeVar("T")

_INT64 = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Malformed(Exception):
    """The value is not of the kind that was asked for; never leaves this module."""


def encode(conversation: Conversation) -> Document:
    """The document of a conversation; `Conversation()` is `{}`. Times stay whole milliseconds.

    `dead_letter_count` is there to be searched, it is not read back.
    """
    count = len(conversation.dead_letters)
    return {**_plain_fields(conversation), **({"dead_letter_count": count} if count else {})}


def decode(document: object) -> Conversation:
    """The conversation in a document, as far as it can be read. Never raises."""
    return _with_readable(Conversation(), document)


def damaged(document: object, conversation: Conversation) -> tuple[str, ...]:
    """The names of known fields in a document that `decode` could not read, or not whole."""
    if not isinstance(document, Mapping):
        return ("everything",)
    known = (name for name in _hints(Conversation) if name in document)
    return tuple(name for name in known if not _is_whole(document[name], getattr(conversation, name)))


def _is_whole(stored: object, read: Any) -> bool:
    if isinstance(stored, list):
        return isinstance(read, (tuple, Mapping)) and len(stored) == len(read)
    return read is not None if isinstance(stored, Mapping) else bool(stored == read)


def encode_batch(batch: Batch) -> Document:
    """The document of an archive batch; `message_ids` is there to be searched, it is not read back."""
    return {"message_ids": _plain(batch.message_ids), **_plain_fields(batch)}


def decode_batch(document: object) -> Batch:
    """The archive batch in a document, as far as it can be read. Never raises."""
    return _with_readable(Batch(generation=0, number=0, turns=(), expire_at=0), document)


def size(value: object) -> int:
    """The bytes that Firestore counts for a conversation or any part of one.

    Source: https://firebase.google.com/docs/firestore/storage-size
    """
    return _size(_plain(value))


def storable(text: str) -> str:
    """The text with U+FFFD for every lone surrogate: JSON may carry those, UTF-8 cannot."""
    return _SURROGATE.sub("\ufffd", text)


def _plain_fields(value: Any) -> Document:
    named = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: _plain(content) for field, content in named if content != _default(field)}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        return max(-_INT64, min(value, _INT64))  # Firestore's whole numbers have 64 bits, LINE's JSON may hold any
    if isinstance(value, Mapping):
        return [{"id": storable(key), "at": _plain(at)} for key, at in value.items()]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _plain_fields(value)


def _size(plain: Any) -> int:
    if isinstance(plain, str):
        return len(plain.encode()) + 1
    if isinstance(plain, dict):
        return sum(len(name) + 1 + _size(value) for name, value in plain.items())
    return sum(map(_size, plain)) if isinstance(plain, list) else 8


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _with_readable(base: T, document: object) -> T:
    if not isinstance(document, Mapping):
        return base
    changed: T = replace(base, **_readable(type(base), document))  # type: ignore[type-var]
    return changed


def _readable(kind: type, document: Mapping[str, object]) -> dict[str, Any]:
    found = {}
    for name, hint in _hints(kind).items():
        try:
            found[name] = _read(hint, document[name])
        except (KeyError, _Malformed):
            continue
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, value: object) -> Any:
    origin = get_origin(kind)
    if origin is UnionType:
        return _read(get_args(kind)[0], value)  # `X | None`: None is the default, it is never written
    if origin is tuple:
        return tuple(_read_items(get_args(kind)[0], value))
    if origin is Mapping:
        return _read_pairs(value)
    if is_dataclass(kind):
        return _read_object(kind, value)
    if origin is Literal:
        return _checked(value, isinstance(value, str) and value in get_args(kind))
    return _checked(value, type(value) is kind)  # not isinstance: True is no number here


def _checked(value: object, good: bool) -> object:
    if not good:
        raise _Malformed
    return value


def _read_items(kind: Any, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _Malformed
    items = []
    for item in value:
        try:
            items.append(_read(kind, item))
        except _Malformed:
            continue
    return items


def _read_pairs(value: object) -> dict[str, int]:
    if not isinstance(value, list):
        raise _Malformed
    pairs = [(item.get("id"), item.get("at")) for item in value if isinstance(item, Mapping)]
    return {key: at for key, at in pairs if type(key) is str and type(at) is int}


def _read_object(kind: Any, value: object) -> Any:
    if not isinstance(value, Mapping):
        raise _Malformed
    found = _readable(kind, value)
    if any(_default(field) is MISSING and field.name not in found for field in fields(kind)):
        raise _Malformed
    if kind is Turn and not found["said"]:
        raise _Malformed  # a turn is dated by its first message
    return kind(**found)
