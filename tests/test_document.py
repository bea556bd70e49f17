"""The stored form: what is written can be read, and whatever is found is read as far as possible."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Batch, Conversation, Lease, Pending, Said, Source, Turn, Usage
from bot.document import damaged, decode, decode_batch, encode, encode_batch, storable
from tests.strategies import any_text, batches, conversations

WHOLE = Conversation(
    source=Source("user", "U1"),
    generation=7,
    turns=(Turn("t1", (Said("m1", "hello", 5),), "hi"),),
    pending=(Pending("e2", 6, "text", 8, "and?", "m2"),),
    done={"e1": 5},
    lease=Lease("owner", 9),
    usage=Usage(turns=1),
    language="en",
)
DOCUMENT: dict[str, Any] = {
    "source": {"type": "user", "id": "U1"},
    "generation": 7,
    "turns": [{"id": "t1", "said": [{"message_id": "m1", "text": "hello", "at": 5}], "answer": "hi"}],
    "pending": [{"event_id": "e2", "at": 6, "kind": "text", "received_at": 8, "text": "and?", "message_id": "m2"}],
    "done": [{"id": "e1", "at": 5}],
    "lease": {"owner": "owner", "until": 9},
    "usage": {"turns": 1},
    "language": "en",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=8,
)


@given(conversations())
def test_round_trip(conversation: Conversation) -> None:
    """Every conversation is read back as it was."""
    assert decode(json.loads(json.dumps(encode(conversation)))) == conversation


@given(batches())
def test_batch_round_trip(batch: Batch) -> None:
    """Every archive batch is read back as it was, and names its messages."""
    document = json.loads(json.dumps(encode_batch(batch)))
    assert decode_batch(document) == batch
    assert document["message_ids"] == list(batch.message_ids)


@given(conversations(any_text))
def test_any_text_is_storable(conversation: Conversation) -> None:
    """Whatever text a conversation holds, its document is UTF-8 and stays the same from then on."""
    document = encode(conversation)
    json.dumps(document, ensure_ascii=False).encode()
    assert encode(decode(document)) == document


def test_stored_form_is_stable() -> None:
    """The names in the document are a promise to what is stored already: renaming one loses data."""
    assert encode(WHOLE) == DOCUMENT
    assert decode(DOCUMENT) == WHOLE


def test_empty_is_left_out() -> None:
    """A conversation that does not exist yet is an empty document."""
    assert encode(Conversation()) == {}
    assert decode({}) == Conversation()


def test_present_but_empty_objects_survive() -> None:
    """A lease whose fields are all empty is still a lease."""
    assert decode(encode(Conversation(lease=Lease("", 0)))).lease == Lease("", 0)


def test_lone_surrogates_are_replaced_one_by_one() -> None:
    """Text that UTF-8 cannot hold becomes U+FFFD; NUL and characters outside the BMP stay."""
    assert storable("a\ud83db\x00\U0001f600\udc00") == "a\ufffdb\x00\U0001f600\ufffd"


def test_whole_numbers_fit_the_store() -> None:
    """A number that no store holds is cut to the largest that it does."""
    assert encode(Conversation(floor=10**30, generation=-(10**30))) == {"floor": 2**63 - 1, "generation": -(2**63) + 1}


@given(json_values)
def test_anything_is_read(value: Any) -> None:
    """No JSON value makes reading fail."""
    decode(value)
    decode_batch(value)


@given(st.sampled_from(sorted(DOCUMENT)), json_values)
def test_a_malformed_field_is_dropped_alone(name: str, value: Any) -> None:
    """Whatever stands in one field, the others are read."""
    read = encode(decode({**DOCUMENT, name: value}))
    assert {key: content for key, content in read.items() if key != name} == {
        key: content for key, content in DOCUMENT.items() if key != name
    }


@given(json_values)
def test_a_malformed_item_is_dropped_alone(value: Any) -> None:
    """Whatever stands in a list, its good neighbours are read."""
    turns = [value, *DOCUMENT["turns"]]
    assert decode({"turns": turns}).turns[-1] == WHOLE.turns[0]


def test_a_later_version_can_be_read() -> None:
    """Unknown fields are ignored at every level, missing optional ones take their default."""
    turn = {**DOCUMENT["turns"][0], "mood": "good"}
    assert decode({**DOCUMENT, "turns": [turn], "voice": {"pitch": 1}}) == WHOLE


@pytest.mark.parametrize(
    "item",
    [
        {"id": "t2", "said": [], "answer": "hi"},
        {"id": "t2", "said": [{"message_id": "m", "text": "no time"}], "answer": "hi"},
        {"said": DOCUMENT["turns"][0]["said"], "answer": "hi"},
        {**DOCUMENT["turns"][0], "answer": None},
    ],
)
def test_a_turn_without_what_it_needs_is_dropped(item: dict[str, Any]) -> None:
    """A turn that has no message, no id or no answer cannot be used and does not come back."""
    assert decode({"turns": [item]}).turns == ()


def test_truth_is_no_number() -> None:
    """JSON's true is not read as 1."""
    assert decode({"generation": True, "done": [{"id": "e", "at": True}]}) == Conversation()


def test_damage_is_named() -> None:
    """A field that could not be read, or not whole, is known by its name; missing and unknown ones are no damage."""
    broken = {**DOCUMENT, "turns": [*DOCUMENT["turns"], 7], "summary": 3, "lease": "mine", "voice": {"pitch": 1}}
    assert set(damaged(broken, decode(broken))) == {"turns", "summary", "lease"}
    assert damaged(DOCUMENT, decode(DOCUMENT)) == ()
    assert damaged({}, Conversation()) == ()
    assert damaged("nonsense", Conversation()) == ("everything",)


@pytest.mark.parametrize("value", [[], [7], {}, {"a": 1}, "text", 7, True, None, 1.5])
def test_any_damage_can_be_named(value: Any) -> None:
    """Whatever stands in a field, naming the damage does not fail."""
    document = dict.fromkeys(Conversation.__slots__, value)
    assert set(damaged(document, decode(document))) <= set(document)
