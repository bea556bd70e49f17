"""The picture of a run: where the three stand, and how they bear up."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

import matplotlib as mpl

mpl.use("Agg")  # before pyplot looks for a display

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from tests.bench.figures import BOTS, FIGURES, Bot, Measured, percentile
from tests.bench.load import KNEE_ADDED_MS

COLOURS: dict[Bot, str] = {"bare": "#9aa5b1", "plain": "#e0a458", "kaiwa": "#06c755"}
INCHES = (13.0, 7.2)
MIB = ("idle_pss", "loaded_pss", "in_flight_pss")
STARTS = ("first_200", "first_200_cpu", "first_reply", "first_reply_cpu")
SHORT = {
    "first_200": "first 200",
    "first_200_cpu": "CPU to it",
    "first_reply": "first reply",
    "first_reply_cpu": "CPU to it",
    "idle_pss": "idle",
    "loaded_pss": "after load",
    "in_flight_pss": "80 in flight",
    "cpu": "500 a minute",
    "knee_cpu": "at the knee",
}


def draw(measured: Measured, path: Path) -> None:
    """Six panels, as PNG."""
    figure, panels = pyplot.subplots(2, 3, figsize=INCHES, layout="constrained")
    _bars(panels[0][0], measured, STARTS, "Cold start, seconds")
    _bars(panels[0][1], measured, MIB, "Memory (PSS), MiB")
    _bars(panels[0][2], measured, ("cpu", "knee_cpu"), "CPU a message, milliseconds")
    _added(panels[1][0], measured.curves.get("added", {}))
    _knee(panels[1][1], measured.curves.get("knee", {}))
    _tokens(panels[1][2], measured.curves.get("tokens", {}))
    figure.legend(
        handles=[Patch(color=COLOURS[bot], label=bot) for bot in BOTS], loc="outside upper center", ncols=len(BOTS)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _bars(panel: Axes, measured: Measured, keys: Sequence[str], title: str) -> None:
    digits = {figure.key: figure.digits for figure in FIGURES}
    for place, bot in enumerate(BOTS):
        found = [(number, measured.of(key, bot), digits[key]) for number, key in enumerate(keys)]
        for number, values, many in ((number, values, many) for number, values, many in found if values):
            middle = median(values)
            spread = [[middle - min(values)], [max(values) - middle]]
            at = number + (place - 1) * 0.27
            panel.bar(at, middle, 0.25, color=COLOURS[bot], yerr=spread, ecolor="#555555", capsize=2)
            panel.text(at, max(values), f"{middle:.{many}f}", ha="center", va="bottom", fontsize=8)
    panel.set_xticks(range(len(keys)), [SHORT[key] for key in keys])
    panel.set_title(title)
    panel.margins(y=0.12)


def _added(panel: Axes, added: dict[Bot, list[float]]) -> None:
    percents = [*range(1, 100), 99.5]
    for bot, values in added.items():
        panel.plot(percents, [max(0.1, percentile(values, percent)) for percent in percents], color=COLOURS[bot])
    _plainly(panel, "y")
    panel.set_title("Added at 500 a minute, ms by percentile")
    panel.grid(alpha=0.3)


def _knee(panel: Axes, knees: dict[Bot, list[Any]]) -> None:
    for bot, stages in knees.items():
        good = sorted((stage[0], stage[1]) for stage in stages if stage[1] == stage[1])
        panel.plot(*zip(*good, strict=True), color=COLOURS[bot], marker="o", markersize=4)
    panel.axhline(KNEE_ADDED_MS, color="#cc3333", linestyle=":")
    _plainly(panel, "x")
    _plainly(panel, "y")
    panel.set_title("p95 added, ms, by messages a second")
    panel.grid(alpha=0.3, which="both")


def _plainly(panel: Axes, axis: Literal["x", "y"]) -> None:
    """Logarithmic, with 20 for 20 and not 2 x 10¹."""
    getattr(panel, f"set_{axis}scale")("log")
    one = panel.xaxis if axis == "x" else panel.yaxis
    one.set_major_locator(LogLocator(subs=(1, 2, 5)))
    one.set_major_formatter(ScalarFormatter())
    one.set_minor_formatter(NullFormatter())


def _tokens(panel: Axes, tokens: dict[Bot, list[int]]) -> None:
    for bot, counts in tokens.items():
        panel.plot(range(1, len(counts) + 1), counts, color=COLOURS[bot])
    panel.set_ylim(bottom=0)
    panel.set_title("Input tokens by turn of one conversation")
    panel.grid(alpha=0.3)
