"""Is anything worse than it was? Pure, but for the file.

What is compared is a ratio of each round (ours by the other bot's of the same round), or the figure itself where it
does not depend on the machine. A figure is worse when its median is, by more than its noise. Its noise is what the
rounds themselves spread, then or now, whichever is more: half of what lies between the least and the most of them, as
a part of their median; of five rounds or more the least and the most themselves do not count. And 5 percent at least,
1 percent of what is counted or written down rather than timed.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tests.bench.figures import FIGURES, Bot, Figure, Measured

LEAST_NOISE = 0.05
LEAST_NOISE_COUNTED = 0.01
ENOUGH_TO_TRIM = 5
COUNTED = ("", "%")
"""The units of what is not timed."""


@dataclass(frozen=True, slots=True)
class Worse:
    """`noise`: how much worse than `was` it may have been, as a part of it."""

    figure: Figure
    was: float
    now: float
    noise: float

    def __str__(self) -> str:
        return f"{self.figure.title}: {self.now:.3g}, was {self.was:.3g}, noise {self.noise:.0%}"


def worse(was: Measured, now: Measured) -> list[Worse]:
    """Figures that either lacks are not compared."""
    found = (_worse(figure, compared(figure, was), compared(figure, now)) for figure in FIGURES)
    return [one for one in found if one]


def compared(figure: Figure, measured: Measured) -> list[float]:
    """What of a figure holds on another machine too, a value a round; empty where there is nothing of the kind."""
    ours = measured.of(figure.key, "kaiwa")
    if figure.as_it_is:
        return ours
    others = (measured.of(figure.key, other) for other in _others(figure))
    theirs = next(filter(None, others), [])
    return [mine / other for mine, other in zip(ours, theirs, strict=False) if other]


def noise(values: Sequence[float]) -> float:
    """What the rounds spread, as a part of their median."""
    ordered = sorted(values)
    kept = ordered[1:-1] if len(ordered) >= ENOUGH_TO_TRIM else ordered
    middle = median(ordered)
    return (kept[-1] - kept[0]) / 2 / middle if middle else 0.0


def read(path: Path) -> Measured:
    """Raises OSError or ValueError."""
    stored = json.loads(path.read_text())
    return Measured(values=stored["values"], curves=stored["curves"], notes=stored["notes"])


def write(path: Path, measured: Measured) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(asdict(measured)), indent=1, ensure_ascii=False) + "\n")


def _worse(figure: Figure, was: Sequence[float], now: Sequence[float]) -> Worse | None:
    if not was or not now:
        return None
    before, after = median(was), median(now)
    least = LEAST_NOISE_COUNTED if figure.unit in COUNTED else LEAST_NOISE
    allowed = max(least, noise(was), noise(now))
    is_worse = after < before * (1 - allowed) if figure.more_is_better else after > before * (1 + allowed)
    return Worse(figure, before, after, allowed) if is_worse else None


def _others(figure: Figure) -> list[Bot]:
    """With whom it is compared: who the goal names, or else who does the same work."""
    named = [goal.against for goal in figure.goals if goal.against != "kaiwa"]
    return [*named, "plain", "bare"]


def _rounded(value: object) -> object:
    """Six figures are more than any of them is worth."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
