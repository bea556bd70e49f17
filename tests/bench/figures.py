"""What is measured, what is to be reached, and what is made of several measurements. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

Bot = Literal["bare", "plain", "kaiwa"]
BOTS: tuple[Bot, ...] = ("bare", "plain", "kaiwa")


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for Kaiwa's figure itself, or for its ratio to another bot's; an upper one unless `at_least`."""

    bound: float
    against: Bot = "kaiwa"
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}" + (f" × {self.against}" * (self.against != "kaiwa"))

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `as_it_is`: it is the same on every machine, and no ratio is needed to compare it."""

    key: str
    title: str
    unit: str
    digits: int
    goals: tuple[Goal, ...] = ()
    more_is_better: bool = False
    as_it_is: bool = False


FIGURES = (
    Figure("first_200", "process start to first 200", "s", 2, (Goal(2, "bare"),)),
    Figure("first_200_cpu", "CPU to first 200", "s", 2, (Goal(2, "bare"),)),
    Figure("first_reply", "process start to first reply", "s", 2, (Goal(0.75, "plain"),)),
    Figure("first_reply_cpu", "CPU to first reply", "s", 2, (Goal(0.75, "plain"),)),
    Figure("idle_pss", "PSS idle, after the first reply", "MiB", 0, (Goal(0.8, "plain"),)),
    Figure("loaded_pss", "PSS after load", "MiB", 0),
    Figure("in_flight_pss", "PSS, 80 turns in flight", "MiB", 0, (Goal(256),)),
    Figure("cpu", "CPU a message, 500 a minute", "ms", 1, (Goal(1, "plain"), Goal(10))),
    Figure("added_p50", "added to the model's time, p50", "ms", 0, (Goal(30),)),
    Figure("added_p95", "added to the model's time, p95", "ms", 0),
    Figure("added_p99", "added to the model's time, p99", "ms", 0, (Goal(250),)),
    Figure("knee", "knee: messages a second", "1/s", 1, (Goal(80, at_least=True),), more_is_better=True),
    Figure("knee_cpu", "CPU a message at the knee", "ms", 1),
    Figure("reads", "Firestore reads a message", "", 2, (Goal(1),), as_it_is=True),
    Figure("writes", "Firestore writes a message", "", 2, (Goal(3),), as_it_is=True),
    Figure("deletes", "Firestore deletes a message", "", 2, as_it_is=True),
    Figure("tasks", "tasks a message", "", 2, as_it_is=True),
    Figure("model_calls", "model calls a message", "", 2, as_it_is=True),
    Figure("mean_reads", "reads, mean of a long conversation", "", 2, as_it_is=True),
    Figure("mean_writes", "writes, mean of a long conversation", "", 2, as_it_is=True),
    Figure("mean_model_calls", "model calls, mean of a long conv.", "", 2, as_it_is=True),
    Figure("deep_operations", "reads and writes, 10,000 turns : 10", "×", 2, (Goal(1),), as_it_is=True),
    Figure("deep_tokens", "input tokens, 10,000 turns : 100", "×", 2, (Goal(1.1),), as_it_is=True),
    Figure("deep_cpu", "CPU a message, 10,000 turns : 10", "×", 2, as_it_is=True),
    Figure("many_cpu", "CPU a message, 100,000 stored : 1,000", "×", 2, as_it_is=True),
    Figure("tokens", "input tokens a turn, long conversation", "", 0, as_it_is=True),
    Figure("tokens_paid", "the same, with what is cached at a tenth", "", 0, as_it_is=True),
    Figure("tokens_growth", "input tokens, its end : its middle", "×", 2, (Goal(1.1),), as_it_is=True),
    Figure("prefix", "input that equals the last one's start", "%", 0, more_is_better=True, as_it_is=True),
)


@dataclass
class Measured:
    """Every value of every figure by bot, one a round, and what a run says beside them."""

    values: dict[str, dict[Bot, list[float]]] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, bot: Bot, **figures: float) -> None:
        for key, value in figures.items():
            self.values.setdefault(key, {}).setdefault(bot, []).append(value)

    def of(self, key: str, bot: Bot) -> list[float]:
        return self.values.get(key, {}).get(bot, [])

    def ratio(self, key: str, other: Bot) -> float | None:
        """Kaiwa's median by the other's; None without one of them."""
        ours, theirs = self.of(key, "kaiwa"), self.of(key, other)
        return median(ours) / median(theirs) if ours and theirs and median(theirs) else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that `percent` of all are not above; nan of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def is_met(figure: Figure, measured: Measured) -> bool | None:
    """Whether all its goals are; None where there is none, or nothing to tell by."""
    told = [(goal, _told(figure, measured, goal)) for goal in figure.goals]
    verdicts = [goal.is_met(value) for goal, value in told if value is not None]
    return all(verdicts) if verdicts else None


def _told(figure: Figure, measured: Measured, goal: Goal) -> float | None:
    if goal.against != "kaiwa":
        return measured.ratio(figure.key, goal.against)
    ours = measured.of(figure.key, "kaiwa")
    # What the table shows is what counts: 1.004 reads are 1.00.
    return round(median(ours), figure.digits) if ours else None
