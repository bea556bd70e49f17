"""Values as Firestore's, judged by Google's own library."""

from datetime import UTC, datetime
from typing import Any

from google.cloud import firestore_v1
from google.cloud.firestore_v1 import _helpers as library
from google.cloud.firestore_v1.field_path import FieldPath
from google.cloud.firestore_v1.types import Value as GooglesValue
from hypothesis import example, given
from hypothesis import strategies as st

from bot.adapters.firestore_documents import MESSAGES
from bot.adapters.firestore_values import UNKNOWN, decode, encode, field_path

INT64 = st.integers(-(2**63), 2**63 - 1)
# Maps with such a key are other things to the library: vectors, and what MongoDB has.
KEYS = st.text().filter(lambda key: not key.startswith("__"))
MOMENTS = st.datetimes(timezones=st.just(UTC))
PLAIN = st.none() | st.booleans() | INT64 | st.floats(allow_nan=False) | st.text() | st.binary() | MOMENTS
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)


@given(VALUES)
@example([0, False, "", b"", None, [], {}, 0.0])
def test_google_reads_what_we_write(value: Any) -> None:
    """To the type: 0 is not False, and what is empty is there."""
    written = GooglesValue.deserialize(MESSAGES["Value"](**encode(value)).SerializeToString())
    assert written == library.encode_value(value)
    assert _typed(library.decode_value(written, None)) == _typed(value)


@given(VALUES)
def test_we_read_what_google_writes(value: Any) -> None:
    """To the type, too."""
    written = GooglesValue.serialize(library.encode_value(value))
    assert _typed(decode(MESSAGES["Value"].FromString(written))) == _typed(value)


def test_kinds_that_we_do_not_know() -> None:
    """A place on a map, and a value of no kind at all, are read as something that equals nothing else."""
    place = GooglesValue.serialize(library.encode_value([firestore_v1.GeoPoint(35.6, 139.7), 1]))
    assert decode(MESSAGES["Value"].FromString(place)) == [UNKNOWN, 1]
    assert decode(MESSAGES["Value"]()) is UNKNOWN


@given(st.text(min_size=1))
@example("a.b")
@example("`\\`")
@example("a\n")
@example("9a")
def test_names_of_fields(name: str) -> None:
    """Quoted as Google's library quotes them."""
    assert field_path(name) == FieldPath(name).to_api_repr()


def _typed(value: Any) -> Any:
    """The value with its types, which `==` does not look at."""
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    return (datetime if isinstance(value, datetime) else type(value)), value
