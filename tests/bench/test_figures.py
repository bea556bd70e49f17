"""What is made of several measurements."""

import math
from pathlib import Path

import pytest

from tests.bench.figures import FIGURES, Figure, Goal, Measured, is_met, percentile
from tests.bench.plot import draw
from tests.bench.talks import cached, growth, same_start

TIMED = Figure("start", "start", "s", 2, (Goal(2, "bare"), Goal(1.0)))


@pytest.mark.parametrize(("percent", "wanted"), [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (100, 100)])
def test_percentiles_are_values_that_were_measured(percent: float, wanted: float) -> None:
    """The nearest rank: of a hundred values the ninety-fifth has five above it, in whatever order they came."""
    assert percentile([*range(51, 101), *range(1, 51)], percent) == wanted


def test_percentiles_of_little() -> None:
    """One value is every percentile; none has none."""
    assert percentile([7.0], 99) == percentile([7.0], 1) == 7.0
    assert math.isnan(percentile([], 50))


def test_a_ratio_is_of_medians() -> None:
    """One slow round of many changes no ratio; without one of the two there is none."""
    measured = Measured()
    for bare, kaiwa in ((1, 2), (1, 2), (9, 90)):
        measured.add("bare", start=bare)
        measured.add("kaiwa", start=kaiwa)
    assert measured.ratio("start", "bare") == 2
    assert measured.ratio("start", "plain") is None


@pytest.mark.parametrize(("bare", "kaiwa", "met"), [(0.5, 1.0, True), (0.4, 1.0, False), (1.0, 1.1, False)])
def test_a_figure_is_met_when_all_its_goals_are(bare: float, kaiwa: float, met: bool) -> None:
    """One bound may be kept and another not."""
    measured = Measured({"start": {"bare": [bare], "kaiwa": [kaiwa]}})
    assert is_met(TIMED, measured) is met


def test_goals_from_below() -> None:
    """Of some figures there must be enough."""
    knee = Figure("knee", "knee", "1/s", 1, (Goal(80, at_least=True),))
    assert is_met(knee, Measured({"knee": {"kaiwa": [80.0]}})) is True
    assert is_met(knee, Measured({"knee": {"kaiwa": [79.9]}})) is False


def test_nothing_is_said_of_what_was_not_measured() -> None:
    """A goal that cannot be told is neither met nor missed."""
    assert is_met(TIMED, Measured()) is None
    assert is_met(Figure("other", "other", "s", 1), Measured({"other": {"kaiwa": [1.0]}})) is None


def test_what_the_table_shows_is_what_counts() -> None:
    """A mean of 1.004 reads is shown as 1.00, and is within 1."""
    reads = Figure("reads", "reads", "", 2, (Goal(1),))
    assert is_met(reads, Measured({"reads": {"kaiwa": [1.004]}})) is True
    assert is_met(reads, Measured({"reads": {"kaiwa": [1.006]}})) is False


def test_every_figure_has_a_name_of_its_own() -> None:
    """Figures are kept by their keys."""
    assert len({figure.key for figure in FIGURES}) == len({figure.title for figure in FIGURES}) == len(FIGURES)


def test_growth_compares_whole_periods() -> None:
    """A window that rolls over every ten turns is flat, however the run's length falls; one that only grows is not."""
    rolling = [*range(30), *(100 + turn % 10 for turn in range(170))]
    assert growth(rolling) == 1.0
    assert growth(rolling[:60]) == 1.0
    assert growth(list(range(200))) > 1.5


def test_the_same_start() -> None:
    """As many characters as a prompt cache could use again."""
    assert same_start("instructions, one", "instructions, two") == "instructions, "
    assert same_start("all", "all of it") == "all"
    assert same_start("", "something") == same_start("one", "two") == ""


def test_what_a_prompt_cache_uses_again() -> None:
    """Nothing of a short beginning, and whole steps of a longer one."""
    assert [cached(tokens) for tokens in (0, 1_023, 1_024, 1_151, 1_152)] == [0, 0, 1_024, 1_024, 1_152]


def test_a_run_is_drawn_whatever_it_measured(tmp_path: Path) -> None:
    """A picture of nothing at all is one too."""
    measured = Measured()
    draw(measured, tmp_path / "nothing.png")
    measured.add("kaiwa", first_200=0.3)
    measured.curves |= {"knee": {"kaiwa": [[20.0, math.nan, 5], [10.0, 90.0, 0]]}, "tokens": {"plain": [1, 2]}}
    measured.curves["added"] = {"bare": [1.0, 2.0]}
    draw(measured, tmp_path / "some.png")
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")
