"""What runs in one process."""

import re

import pytest

from tests.function import ROOT
from tests.side_by_side import ANYWHERE, TOGETHER, group

FIXTURE = re.compile(r"\btried: Tried\b")


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("tests/test_gate.py::test_a", "tests/test_gate.py::test_b[x]", True),
        ("tests/test_gate.py::test_a", "tests/test_turn.py::test_a", False),
        ("tests/scenarios/test_answers.py::test_a[queue]", "tests/scenarios/test_answers.py::test_b[queue]", True),
        ("tests/scenarios/test_answers.py::test_a[queue]", "tests/scenarios/test_answers.py::test_a[inline]", False),
        ("tests/faults/test_kills.py::test_a[queue]", "tests/faults/test_kills.py::test_b[queue]", False),
        ("tests/faults/test_line.py::test_a[queue-x]", "tests/faults/test_firestore.py::test_b[queue-y]", True),
    ],
)
def test_groups(one: str, other: str, together: bool) -> None:
    """What is dear to set up is set up once, and what is slow is spread."""
    assert (group(one) == group(other)) is together


def test_the_files_are_there() -> None:
    """A file that is renamed does not silently run elsewhere."""
    assert [path for path in (*ANYWHERE, *TOGETHER) if not (ROOT / path).is_file()] == []


def test_who_looks_at_the_same_plays_is_together() -> None:
    """Otherwise every process would play them all."""
    tests = (ROOT / "tests" / "faults").glob("test_*.py")
    found = {str(path.relative_to(ROOT)) for path in tests if FIXTURE.search(path.read_text())}
    assert found == set(TOGETHER)
