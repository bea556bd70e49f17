"""What Cloud Run bills for messages, instance by instance. Pure: the same messages always come to the same.

Each message is two requests: LINE's, which makes a task, and the task, which waits for the model. An instance takes so
many requests at once; when none has room another is started, for which the request waits. The one that was free last is
taken first. An instance is billed while it has any request, from its start on, and boosted until ten seconds after it.

Simple on purpose, and rather too dear: the ten seconds are billed whole although there may be no request; no request
leaves a starting instance for another; people who write twice get two turns. Requests that share a CPU take it one
after the other, each all at once: CPU is little against the waits. Python uses one CPU alone, of how many there may be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from math import ceil, inf
from typing import Any

from bot.admin import cloud_prices as cloud
from bot.admin.arrivals import Message
from bot.admin.measured import Work


@dataclass(frozen=True, slots=True)
class Setting:
    """Of each instance: CPUs, GiB of memory, and how many requests at once."""

    cpu: float
    gib: float
    at_once: int


@dataclass(slots=True)
class Used:
    """What is billed, and how it was. `added`: seconds of each answer beyond the model's own; `line`: LINE's waits.

    `peak`: so many instances were busy together; `tasks`: so many tasks were under way together.
    """

    cpu_seconds: float = 0.0
    gib_seconds: float = 0.0
    requests: int = 0
    starts: int = 0
    secret_reads: int = 0
    peak: int = 0
    tasks: int = 0
    added: list[float] = field(default_factory=list)
    line: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Instance:
    """Times in seconds; `cpu_at`: when it has started, and its CPU has nothing left to do."""

    boosted_until: float
    cpu_at: float
    in_flight: int = 0
    busy_since: float = 0.0
    idle_since: float = 0.0
    secrets_at: float = -inf
    is_loaded: bool = False


def simulate(messages: Sequence[Message], setting: Setting, work: Work) -> Used:
    """All of them, until the last is answered."""
    return _Service(setting, work).run(messages)


class _Service:
    def __init__(self, setting: Setting, work: Work) -> None:
        self._setting = setting
        self._work = work
        self._used = Used()
        self._free: list[Instance] = []
        self._busy = 0
        self._tasks = 0
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[..., None], Any]] = []

    def run(self, messages: Sequence[Message]) -> Used:
        self._events = [(message.at, next(self._numbers), self._take_in, message) for message in messages]
        heapify(self._events)
        while self._events:
            at, _, happen, what = heappop(self._events)
            happen(at, what)
        return self._used

    def _then(self, at: float, happen: Callable[..., None], what: Any) -> None:
        heappush(self._events, (at, next(self._numbers), happen, what))

    def _take_in(self, at: float, message: Message) -> None:
        instance = self._instance(at)
        ends = self._compute(instance, at, self._work.intake_cpu) + self._work.intake_wait
        self._used.line.append(ends - at)
        self._then(ends, self._end, instance)
        self._then(ends + self._work.dispatch, self._answer, message)

    def _answer(self, at: float, message: Message) -> None:
        instance = self._instance(at)
        loading = 0.0 if instance.is_loaded else self._work.load_cpu
        instance.is_loaded = True
        self._tasks += 1
        self._used.tasks = max(self._used.tasks, self._tasks)
        known = self._compute(instance, at, self._work.task_cpu + loading) + self._work.task_wait
        self._used.added.append(known - message.at)
        self._then(known + message.thinking, self._answered, instance)

    def _answered(self, at: float, instance: Instance) -> None:
        self._tasks -= 1
        self._end(at, instance)

    def _instance(self, at: float) -> Instance:
        """One with room, for a request that begins now."""
        while self._free and self._is_gone(self._free[-1], at):
            self._free.pop()
        if not self._free:
            self._free.append(self._start(at))
        instance = self._free[-1]
        instance.in_flight += 1
        if instance.in_flight == 1:
            instance.busy_since = at
            self._busy += 1
            self._used.peak = max(self._used.peak, self._busy)
        if instance.in_flight == self._setting.at_once:
            self._free.pop()
        self._count(instance, at)
        return instance

    def _is_gone(self, instance: Instance, at: float) -> bool:
        return not instance.in_flight and at - instance.idle_since > cloud.IDLE_SECONDS

    def _start(self, at: float) -> Instance:
        began, boosted = at + self._work.placing, cloud.boosted(self._setting.cpu)
        ready_at = began + self._work.start_cpu / _speed(boosted)
        boosted_until = ready_at + cloud.BOOSTED_SECONDS
        self._used.starts += 1
        self._bill(boosted_until - began, boosted)
        return Instance(boosted_until, cpu_at=ready_at)

    def _count(self, instance: Instance, at: float) -> None:
        self._used.requests += 1
        if at - instance.secrets_at > self._work.secret_seconds:
            instance.secrets_at = at
            self._used.secret_reads += self._work.secrets

    def _compute(self, instance: Instance, at: float, cpu: float) -> float:
        """When it has had so much CPU: some of it may be boosted."""
        begins, speed = max(at, instance.cpu_at), _speed(cloud.boosted(self._setting.cpu))
        boosted = min(cpu, max(0.0, instance.boosted_until - begins) * speed)
        instance.cpu_at = begins + boosted / speed + (cpu - boosted) / _speed(self._setting.cpu)
        return instance.cpu_at

    def _end(self, at: float, instance: Instance) -> None:
        if instance.in_flight == self._setting.at_once:
            self._free.append(instance)
        instance.in_flight -= 1
        if not instance.in_flight:
            self._busy -= 1
            instance.idle_since = at
            self._bill(max(0.0, at - max(instance.busy_since, instance.boosted_until)), self._setting.cpu)

    def _bill(self, seconds: float, cpu: float) -> None:
        # Rounded first: what is 0.3 s on paper is a little more in binary.
        billed = ceil(round(seconds / cloud.STEP, 6)) * cloud.STEP
        self._used.cpu_seconds += billed * cpu
        self._used.gib_seconds += billed * self._setting.gib


def _speed(cpu: float) -> float:
    """Seconds of Python's work in a second."""
    return min(cpu, 1.0)
