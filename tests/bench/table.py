"""The table that `make bench` prints. Pure."""

from collections.abc import Sequence
from statistics import median

from tests.bench.figures import BOTS, FIGURES, Figure, Measured, is_met

HEAD = ("figure", *BOTS, "× bare", "× plain", "target", "met")
VERDICTS = {True: "yes", False: "NO", None: ""}


def table(measured: Measured) -> str:
    """One line a figure that was measured: medians, with the least and the most of all rounds where they differ."""
    rows = [HEAD, *(_row(figure, measured) for figure in FIGURES if figure.key in measured.values)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def cell(values: Sequence[float], digits: int) -> str:
    """`0.31 (0.29-0.40)`; empty of nothing."""
    if not values:
        return ""
    least, middle, most = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return middle if least == most else f"{middle} ({least}-{most})"


def _row(figure: Figure, measured: Measured) -> tuple[str, ...]:
    title = f"{figure.title}, {figure.unit}" if figure.unit not in ("", "×") else figure.title
    cells = (cell(measured.of(figure.key, bot), figure.digits) for bot in BOTS)
    ratios = (_ratio(figure, measured, other) for other in ("bare", "plain"))
    targets = ", ".join(map(str, figure.goals))
    return (title, *cells, *ratios, targets, VERDICTS[is_met(figure, measured)])


def _ratio(figure: Figure, measured: Measured, other: str) -> str:
    ratio = None if figure.unit == "×" else measured.ratio(figure.key, "bare" if other == "bare" else "plain")
    return "" if ratio is None else f"{ratio:.2f}"


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words to the left, figures to the right."""
    return [
        one.ljust(width) if place in (0, 6) else one.rjust(width)
        for place, (one, width) in enumerate(zip(row, widths, strict=True))
    ]
