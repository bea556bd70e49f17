"""Is anything worse than it was?"""

from pathlib import Path

import pytest

from tests.bench import baseline
from tests.bench.figures import BOTS, FIGURES, Measured

BY_KEY = {figure.key: figure for figure in FIGURES}


def starts(bare: list[float], kaiwa: list[float]) -> Measured:
    return Measured({"first_200": {"bare": bare, "kaiwa": kaiwa}})


def knee(plain: float, kaiwa: float) -> Measured:
    return Measured({"knee": {"plain": [plain], "kaiwa": [kaiwa]}})


def keys(was: Measured, now: Measured) -> list[str]:
    return [one.figure.key for one in baseline.worse(was, now)]


def test_a_slower_machine_is_no_worse_bot() -> None:
    """Ratios are compared: three times slower in all is the same."""
    assert keys(starts([0.2], [0.3]), starts([0.6], [0.9])) == []


def test_a_worse_ratio_is_seen() -> None:
    """Even where the figure itself has become better."""
    assert keys(starts([0.2], [0.3]), starts([0.1], [0.2])) == ["first_200"]


def test_a_better_one_is_fine() -> None:
    """Whatever is less, of what should be little, or more of what should be much."""
    assert keys(starts([0.2], [0.3]), starts([0.2], [0.2])) == []
    assert keys(knee(8, 60), knee(8, 90)) == []


def test_less_of_what_should_be_much() -> None:
    """The knee is worse when it is lower."""
    assert keys(knee(8, 60), knee(8, 50)) == ["knee"]


@pytest.mark.parametrize(("now", "found"), [([0.34, 0.34, 0.34], []), ([0.36, 0.36, 0.36], ["first_200"])])
def test_what_the_rounds_spread_is_forgiven(now: list[float], found: list[str]) -> None:
    """Rounds from 1.25 to 1.75 are 17 percent around their median: so much more may be chance."""
    was = starts([0.2, 0.2, 0.2], [0.25, 0.30, 0.35])
    assert keys(was, starts([0.2, 0.2, 0.2], now)) == found


def test_rounds_are_paired() -> None:
    """A machine that was slow for one round was so for both bots: that is no noise."""
    was = starts([0.2, 0.4, 0.2], [0.3, 0.6, 0.3])
    assert baseline.noise(baseline.compared(BY_KEY["first_200"], was)) == pytest.approx(0)


def test_one_odd_round_of_many_is_no_noise() -> None:
    """Of five or more the least and the most do not count."""
    assert baseline.noise([1.0, 1.0, 1.0, 1.0, 9.0]) == 0
    assert baseline.noise([1.0, 1.0, 2.0]) == 0.5


def test_what_is_counted_is_compared_as_it_is() -> None:
    """A fourth write in twenty messages is worse, whatever the plain bot does."""
    was = Measured({"writes": {"plain": [2.0], "kaiwa": [3.0]}})
    assert keys(was, Measured({"writes": {"plain": [4.0], "kaiwa": [3.05]}})) == ["writes"]
    assert keys(was, Measured({"writes": {"plain": [1.0], "kaiwa": [3.0]}})) == []


def test_a_goal_says_with_whom_to_compare() -> None:
    """The first 200 with the bare one's; where no goal names one, with the plain one's."""
    measured = Measured()
    for bot, value in zip(BOTS, (1, 2, 4), strict=True):
        measured.add(bot, first_200=value, loaded_pss=value)
    assert baseline.compared(BY_KEY["first_200"], measured) == [4.0]
    assert baseline.compared(BY_KEY["loaded_pss"], measured) == [2.0]


def test_a_baseline_is_kept_and_read(tmp_path: Path) -> None:
    """What was written is what is compared with, and nothing is worse than itself."""
    measured = starts([0.2, 0.25], [1 / 3, 0.4])
    measured.notes.append("a note")
    measured.curves["knee"] = {"kaiwa": [[20.0, 31.5, 0]]}
    path = tmp_path / "new" / "baseline.json"
    baseline.write(path, measured)
    read = baseline.read(path)
    assert (read.curves, read.notes) == (measured.curves, measured.notes)
    assert read.of("first_200", "kaiwa") == pytest.approx(measured.of("first_200", "kaiwa"), rel=1e-5)
    assert keys(read, measured) == []


def test_it_says_what_is_worse() -> None:
    """In one line: what it is, what it was, and how much of that would have been chance."""
    [worse] = baseline.worse(starts([0.2], [0.3]), starts([0.2], [0.5]))
    assert str(worse) == "process start to first 200: 2.5, was 1.5, noise 5%"
