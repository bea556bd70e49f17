"""One check: what it finds, in which time, and that nothing it does can harm the others."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from bot.errors import Misconfigured, Unavailable

Verdict = Literal["ok", "wrong", "not checked", "cannot be seen"]
T = TypeVar("T")

REPORT = "this is a fault of the doctor itself: run it again, and report it if it stays"
LATER = "run this again; if it stays, look at the network here and at the other side's status page"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seen` is one line; `remedy` the command or the step in a console that mends it, empty where nothing is to do."""

    verdict: Verdict
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has come to."""

    check: str
    verdict: Verdict
    seen: str
    remedy: str = ""


class Stopped(Exception):
    """A check has its outcome before its end."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.seen)
        self.outcome = outcome


def ok(seen: str) -> Outcome:
    return Outcome("ok", seen)


def wrong(seen: str, remedy: str) -> Outcome:
    return Outcome("wrong", seen, remedy)


def skipped(seen: str) -> Outcome:
    return Outcome("not checked", seen)


def hidden(seen: str, remedy: str) -> Outcome:
    return Outcome("cannot be seen", seen, remedy)


class Shared:
    """What several checks need is done once, for all of them. `seconds`: how long each check may take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    async def once(self, make: Callable[..., Awaitable[T]], *arguments: Hashable) -> T:
        """`make(self, *arguments)`. Whoever is cut off while it waits leaves it running for the others."""
        key = (make, *arguments)
        if key not in self._tasks:
            self._tasks[key] = asyncio.ensure_future(_awaited(make(self, *arguments)))
        result: T = await asyncio.shield(self._tasks[key])
        return result

    async def close(self) -> None:
        """Ends what is still running."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _awaited(result: Awaitable[T]) -> T:
    return await result


Work = Callable[[Any], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Check:
    """`needs`: checks that come first; unless all of them are ok this one is not made.

    `patience`: how many times longer than the others it may take.
    """

    name: str
    work: Work
    needs: tuple["Check", ...] = ()
    patience: float = 1.0

    async def __call__(self, of: Shared) -> Finding:
        """Never raises but when it is cancelled."""
        for need in self.needs:
            if (await of.once(need)).verdict != "ok":
                return self._finding(skipped(f"comes after: {need.name}"))
        return self._finding(await self._outcome(of))

    async def _outcome(self, of: Shared) -> Outcome:
        seconds = of.seconds * self.patience
        try:
            return await asyncio.wait_for(self.work(of), seconds)
        except Stopped as stopped:
            return stopped.outcome
        except Misconfigured as failure:
            return wrong(str(failure), "mend what is named there")
        except Unavailable as failure:
            return wrong(str(failure), LATER)
        except TimeoutError:
            return wrong(f"no answer within {seconds:g} seconds", LATER)
        except Exception as unexpected:  # noqa: BLE001  # one check must not end the others; its text may hold a secret
            return wrong(f"the check was broken off by {type(unexpected).__name__}", REPORT)

    def _finding(self, outcome: Outcome) -> Finding:
        return Finding(self.name, outcome.verdict, " ".join(outcome.seen.split()), outcome.remedy)


def check(name: str, *needs: Check, patience: float = 1.0) -> Callable[[Work], Check]:
    """Make a check of a function."""
    return lambda work: Check(name, work, needs, patience)
