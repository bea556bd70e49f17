"""A conversation as plain JSON data: the form in which every store keeps it.

A field that equals its default is left out; one that has no default is always written. Maps keyed by ids become lists
of `{"id", "at"}`, because Firestore refuses some names of fields (empty, `__x__`) and an id may be any text.

Reading never fails, whatever an older, a newer or a broken version has written: unknown fields are ignored, missing
ones take their default, and a malformed field or list item is dropped alone.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache, partial
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from bot.conversation import Batch, Conversation, Turn

Document = dict[str, Any]
Reader = Callable[[object], Any]
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
    known = (name for name in _readers(Conversation) if name in document)
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
    try:
        text.encode()
    except UnicodeEncodeError:  # rare; looking for them first would take three times as long
        return _SURROGATE.sub("\ufffd", text)
    return text


def _plain_fields(value: Any) -> Document:
    kind: type = type(value)
    plain = {}
    for name, default in _defaults(kind).items():
        content = getattr(value, name)
        if content != default:
            plain[name] = _plain(content)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        return max(-_INT64, min(value, _INT64))  # Firestore's whole numbers have 64 bits, LINE's JSON may hold any
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return [{"id": storable(key), "at": _plain(at)} for key, at in value.items()]
    return _plain_fields(value)


def _size(plain: Any) -> int:
    if isinstance(plain, str):
        return len(plain.encode()) + 1
    if isinstance(plain, dict):
        return sum(len(name) + 1 + _size(value) for name, value in plain.items())
    return sum(map(_size, plain)) if isinstance(plain, list) else 8


@cache
def _defaults(kind: type) -> dict[str, Any]:
    """Each field of a dataclass with its default, or with MISSING. Defaults are never changed in place."""
    return {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(kind)
    }


@cache
def _required(kind: type) -> frozenset[str]:
    return frozenset(name for name, default in _defaults(kind).items() if default is MISSING)


def _with_readable(base: T, document: object) -> T:
    if not isinstance(document, Mapping):
        return base
    changed: T = replace(base, **_readable(type(base), document))  # type: ignore[type-var]
    return changed


def _readable(kind: type, document: Mapping[str, object]) -> dict[str, Any]:
    found = {}
    for name, read in _readers(kind).items():
        if name in document:
            try:
                found[name] = read(document[name])
            except _Malformed:
                continue
    return found


@cache
def _readers(kind: type) -> dict[str, Reader]:
    """What reads each field of a dataclass."""
    return {name: _reader(hint) for name, hint in get_type_hints(kind).items()}


def _reader(kind: Any) -> Reader:
    """What reads a value of this kind, or raises _Malformed. Made once for each field: hints are slow to look into."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return _reader(arguments[0])  # `X | None`: None is the default, it is never written
    if origin is tuple:
        return partial(_read_items, _reader(arguments[0]))
    if origin is Mapping:
        return _read_pairs
    if is_dataclass(kind):
        return partial(_read_object, kind)
    if origin is Literal:
        return partial(_read_one_of, arguments)
    return partial(_read_exactly, kind)


def _read_exactly(kind: type, value: object) -> object:
    if type(value) is not kind:  # not isinstance: True is no number here
        raise _Malformed
    return value


def _read_one_of(values: tuple[str, ...], value: object) -> object:
    if not isinstance(value, str) or value not in values:
        raise _Malformed
    return value


def _read_items(read: Reader, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _Malformed
    items = []
    for item in value:
        try:
            items.append(read(item))
        except _Malformed:
            continue
    return tuple(items)


def _read_pairs(value: object) -> dict[str, int]:
    if not isinstance(value, list):
        raise _Malformed
    pairs = [(item.get("id"), item.get("at")) for item in value if isinstance(item, Mapping)]
    return {key: at for key, at in pairs if type(key) is str and type(at) is int}


def _read_object(kind: Any, value: object) -> Any:
    if not isinstance(value, Mapping):
        raise _Malformed
    found = _readable(kind, value)
    if not _required(kind) <= found.keys():
        raise _Malformed
    if kind is Turn and not found["said"]:
        raise _Malformed  # a turn is dated by its first message
    return kind(**found)
