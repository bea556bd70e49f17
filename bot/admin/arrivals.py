"""When people write: days with a lunch hour and an evening, talks, and a minute when many write at once. Pure.

Nobody has measured it: the curve is that of people in Japan who chat, as far as one can guess.
"""

from math import exp, log
from random import Random
from typing import NamedTuple

from bot.admin.measured import Work

DAY = 86_400.0
HOURS = (15, 8, 4, 3, 3, 6, 18, 35, 42, 38, 38, 43, 62, 48, 42, 44, 48, 56, 63, 72, 80, 84, 72, 40)
"""How many write in each hour, in Japanese time, as parts of their sum."""
BURST_AT = 20.5 * 3600
BURST_SECONDS = 60.0
"""In the evening, when most is going on anyway."""


class Message(NamedTuple):
    """`at`: seconds from the beginning of the first day; `thinking`: seconds that the model will take for it."""

    at: float
    thinking: float


def arrivals(count: int, days: int, burst: int, work: Work, seed: int = 0) -> list[Message]:
    """So many messages in so many days, in order. `burst` of each day's, or all there are, come within one minute."""
    random = Random(seed)
    burst = min(burst, count // days)
    times = [day * DAY + BURST_AT + random.uniform(0, BURST_SECONDS) for day in range(days) for _ in range(burst)]
    while len(times) < count:
        times += _talk(random, days, work)
    return [Message(at, _thinking(random, work)) for at in sorted(times[:count])]


def _talk(random: Random, days: int, work: Work) -> list[float]:
    """Some write once, others many times: so the messages are spread unevenly over people and minutes."""
    hour = random.choices(range(24), HOURS)[0]
    at = random.randrange(days) * DAY + (hour + random.random()) * 3600
    times = [at]
    while random.random() < 1 - 1 / work.talk:
        at += random.expovariate(1 / work.talk_pause)
        times.append(at % (days * DAY))
    return times


def _thinking(random: Random, work: Work) -> float:
    if not work.thinking_spread:
        return work.thinking
    mean = log(work.thinking) - work.thinking_spread**2 / 2
    return min(exp(random.gauss(mean, work.thinking_spread)), max(work.longest_thinking, work.thinking))
