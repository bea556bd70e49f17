"""The figures that the bill is reckoned from are those that the bench has measured."""

from pathlib import Path
from statistics import median

import pytest

from bot.admin.measured import MEASURED
from tests.bench import baseline

BASELINE = Path(baseline.__file__).with_name("baseline.json")

COUNTED = {
    "mean_reads": MEASURED.reads,
    "mean_writes": MEASURED.writes,
    "mean_model_calls": MEASURED.model_calls,
    "tasks": MEASURED.tasks,
    "tokens": MEASURED.input_tokens,
    "tokens_paid": MEASURED.paid_tokens,
}
TIMED = {
    "cpu": MEASURED.cpu * 1000,
    "first_200_cpu": MEASURED.start_cpu,
    "first_reply_cpu": MEASURED.start_cpu + MEASURED.load_cpu,
}


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [*((key, value, 0.05) for key, value in COUNTED.items()), *((key, value, 0.3) for key, value in TIMED.items())],
)
def test_they_are_the_baselines(key: str, value: float, allowed: float) -> None:
    """A baseline that was measured anew changes the bill as well: what is counted to 5 percent, CPU to 30."""
    values = baseline.read(BASELINE).of(key, "kaiwa")
    assert value == pytest.approx(median(values), rel=allowed)
