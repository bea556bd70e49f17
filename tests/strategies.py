"""Any conversation that the data types allow, for hypothesis. Drawn from the types: a new field is tested too."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from bot.conversation import Batch, Conversation, Turn

clean_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
any_text = st.text(st.characters(), max_size=12)
numbers = st.integers(0, 2**53)


def conversations(text: st.SearchStrategy[str] = clean_text) -> st.SearchStrategy[Conversation]:
    """Conversations that hold anything, whether it makes sense or not."""
    drawn: st.SearchStrategy[Conversation] = _any(Conversation, text)
    return drawn


def batches(text: st.SearchStrategy[str] = clean_text) -> st.SearchStrategy[Batch]:
    """Archive batches, empty ones included."""
    drawn: st.SearchStrategy[Batch] = _any(Batch, text)
    return drawn


def _any(kind: Any, text: st.SearchStrategy[str]) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return st.none() | _any(inner[0], text)
    if origin is tuple:
        return st.lists(_any(inner[0], text), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(text, numbers, max_size=4)
    if origin is Literal:
        return st.sampled_from(inner)
    if is_dataclass(kind):
        return _built(kind, text)
    return {str: text, int: numbers, bool: st.booleans()}[kind]


def _built(kind: Any, text: st.SearchStrategy[str]) -> Any:
    fields = {name: _any(hint, text) for name, hint in get_type_hints(kind).items()}
    if kind is Turn:
        fields["said"] = fields["said"].filter(len)  # a turn is dated by its first message
    return st.builds(kind, **fields)
