"""The matrix is whole."""

import asyncio
import re
import sys

import pytest

from tests.faults.listing import PREFIX
from tests.faults.rows import ROWS
from tests.faults.table import Line, rendered
from tests.world import ROOT


@pytest.fixture(scope="module")
async def listed() -> list[tuple[str, str]]:
    """Every (row, test) of this folder, whatever part of it this run has picked."""
    command = ("-m", "pytest", "tests/faults", "--collect-only", "-qq", "-p", "tests.faults.listing")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    found = [line.split("\t") for line in output.splitlines() if line.startswith(PREFIX)]
    return [(row, test) for _, row, test in found]


def test_every_row_has_a_test(listed: list[tuple[str, str]]) -> None:
    """No row is forgotten."""
    assert [row for row in ROWS if row not in {row for row, _ in listed}] == []


def test_no_test_names_an_unknown_row(listed: list[tuple[str, str]]) -> None:
    """A row that is not in the list would be missing from every overview."""
    assert [pair for pair in listed if pair[0] not in ROWS] == []


def test_names_begin_with_the_row(listed: list[tuple[str, str]]) -> None:
    """Whoever reads of a failed test sees at once which promise is broken."""
    assert [(row, test) for row, test in listed if not re.match(rf"test_{row.lower()}_|.*\[(.*-)?{row}-", test)] == []


def test_the_table() -> None:
    """Rows in the order of the list, with the same sights counted together."""
    lines = [Line("B1", "x", "fine", "yes"), Line("A10", "killed", "bad", "NO"), Line("A2", "y", "z", "yes")]
    table = rendered([*lines, lines[0]])
    assert [line.split() for line in table[2:]] == [
        ["A2", "y", "z", "yes"],
        ["A10", "killed", "bad", "NO"],
        ["B1", "x", "fine", "×2", "yes"],
    ]
