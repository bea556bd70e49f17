"""What `make bench` prints."""

from tests.bench.figures import Measured
from tests.bench.table import cell, table


def test_a_cell_shows_the_median_and_how_far_the_rounds_went() -> None:
    """Where they agree, to the digits that are shown, there is nothing to add."""
    assert cell([0.3, 0.5, 0.31], 2) == "0.31 (0.30-0.50)"
    assert cell([0.301, 0.302], 2) == "0.30"
    assert cell([], 2) == ""


def test_a_table_of_what_was_measured() -> None:
    """Figures side by side, as ratios, and whether the goals are met; what was not measured has no line."""
    measured = Measured()
    measured.add("bare", first_200=0.2)
    measured.add("plain", first_200=1.3, knee=8.0)
    measured.add("kaiwa", first_200=0.3, knee=60.0, deep_cpu=1.01)
    head, rule, *rows = table(measured).splitlines()
    assert head.split() == ["figure", "bare", "plain", "kaiwa", "×", "bare", "×", "plain", "target", "met"]
    assert set(rule) == {"-", " "}
    assert [row.split("  ")[0] for row in rows] == [
        "process start to first 200, s",
        "knee: messages a second, 1/s",
        "CPU a message, 10,000 turns : 10",
    ]
    start, knee, deep = (row.split() for row in rows)
    assert start[-10:] == ["0.20", "1.30", "0.30", "1.50", "0.23", "≤", "2", "×", "bare", "yes"]
    assert knee[-1] == "NO"
    assert deep[-1] == "1.01"


def test_columns_are_aligned() -> None:
    """Figures of one column end in the same place."""
    measured = Measured()
    measured.add("kaiwa", first_200=0.3, idle_pss=150)
    _, rule, *rows = table(measured).splitlines()
    end = len("  ".join(rule.split("  ")[:4]))
    assert [row[:end].endswith(("0.30", "150")) for row in rows] == [True, True]
