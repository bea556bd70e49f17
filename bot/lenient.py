"""Reading JSON of others leniently: what is not there or of another kind is empty."""

import math
from collections.abc import Mapping
from typing import Any

from bot.document import storable

LARGEST_ID = 200

Json = Mapping[str, Any]


def mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def text(raw: Json, name: str) -> str:
    """JSON may carry lone surrogates, which UTF-8, and so a hash or a database, cannot."""
    value = raw.get(name)
    return storable(value) if isinstance(value, str) else ""


def texts(raw: Json, name: str) -> list[str]:
    """The texts among a list's items."""
    values = raw.get(name)
    return [storable(value) for value in values if isinstance(value, str)] if isinstance(values, list) else []


def identifier(raw: Any, name: str) -> str:
    """An id that need not be there, and is left out when it is odd."""
    value = text(mapping(raw), name)
    return value if len(value) <= LARGEST_ID else ""


def whole(raw: Json, name: str, most: int) -> int:
    """A whole number from 0 to `most`; 0 when it is none."""
    value = raw.get(name)
    return value if type(value) is int and 0 <= value <= most else 0


def number(raw: Json, name: str) -> float | None:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
