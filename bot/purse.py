"""An instance's slice of the month's budget: set aside in one write before it is spent, so that no document is hot.

What all instances have set aside never exceeds the month's limit, so what they spend does not either, but for what a
call costs more than was estimated. Where an instance dies, its slice is lost: a thousandth of the month.
"""

import asyncio
from dataclasses import dataclass

from bot import log, spending
from bot.conversation import Usage
from bot.errors import KaiwaError, ModelFailed
from bot.ports import Clock, Ledger
from bot.spending import Amount, Limit

SLICES = 1_000
LOW = 0.8
"""From this share of a limit on, it is time for a cheaper model."""
ASK_AGAIN_MS = 5 * 60_000
"""A month that is used up may get back what another instance did not use."""


class BudgetUsed(ModelFailed):
    """The month's budget is used up: say so, and do not ask the model."""

    def __init__(self) -> None:
        super().__init__("budget")


@dataclass(frozen=True, slots=True)
class Taken:
    """What is held for a call that is on its way."""

    amount: Amount


class Purse:
    """Of one process. `limit`: of the whole bot in a month."""

    def __init__(self, ledger: Ledger, limit: Limit, clock: Clock) -> None:
        self._ledger = ledger
        self._limit = limit
        self._clock = clock
        self._lock = asyncio.Lock()
        self._month = ""
        self._left = self._held = self._reserved = Amount()
        self._used = Usage()
        self._closed_until = self._too_dear_until = 0
        self._too_dear = Amount()
        self._told: set[tuple[str, str]] = set()

    async def take(self, estimate: Amount) -> Taken:
        """Hold this much for a call. Raises BudgetUsed, and Unavailable or Misconfigured when the ledger does."""
        async with self._lock:
            await self._have(estimate)
            self._held += estimate
            return Taken(estimate)

    def settle(self, taken: Taken, usage: Usage) -> None:
        """What the call has really used; the rest of what was held is free again. Never waits."""
        self._held -= taken.amount
        self._left -= Amount(usage.tokens, usage.micro_yen)
        self._used += usage

    async def is_low(self, least: Amount) -> bool:
        """Whether the month's budget nears its end, as far as this instance knows.

        `least`: what an answer takes; raises as `take` does where that is not there.
        """
        async with self._lock:
            await self._have(least)
            return self._is_beyond(LOW)

    async def give_back(self) -> None:
        """Leave the rest to the other instances, and tell what was used. Never raises."""
        async with self._lock:
            await self._return()

    async def _have(self, estimate: Amount) -> None:
        await self._turn_over()
        if self._lacks(estimate) and not await self._is_still_closed():
            fits = await self._fits(self._wanted(estimate))
            if fits or self._lacks(Amount()):  # what is owed is told the ledger all the same
                await self._fill(estimate if fits else Amount())
        if self._lacks(estimate):
            self._tell("budget_used", "ERROR")
            raise BudgetUsed

    async def _turn_over(self) -> None:
        now = spending.month(self._clock())
        if now != self._month:
            await self._return()
            self._month, self._reserved = now, Amount()
            self._closed_until = self._too_dear_until = 0

    async def _return(self) -> None:
        """What is held for calls on their way stays with this instance."""
        rest, used, self._used = _positive(self._left - self._held), self._used, Usage()
        self._left -= rest
        await self._give(rest, used)

    async def _give(self, rest: Amount, used: Usage) -> None:
        if rest == Amount() and used == Usage():
            return
        try:
            await self._ledger.reserve(self._month, Amount() - rest, used)
        except KaiwaError as failed:  # perhaps it arrived, and given back twice it would be spent twice: rather lost
            log.event("budget_unreturned", "WARNING", why=str(failed))

    async def _is_still_closed(self) -> bool:
        """A month that was used up is looked at again now and then, and written to only if it has something left."""
        if not self._closed_until:
            return False
        if self._clock() >= self._closed_until:
            self._reserved = (await self._ledger.read_month(self._month)).reserved
            self._closed_until = self._clock() + ASK_AGAIN_MS if self._is_beyond(1) else 0
        return self._closed_until > 0

    async def _fits(self, wanted: Amount) -> bool:
        """Whether the month has so much, which is looked for beforehand where it is more than a slice.

        One dear call that cannot be paid for must not take from all instances what would pay for everybody else's.
        """
        limit = self._limit
        if _covers(Amount(_slice(limit.tokens, 1), _slice(limit.micro_yen, 1)), wanted):
            return True
        if self._clock() < self._too_dear_until and _covers(wanted, self._too_dear):
            return False
        self._know((await self._ledger.read_month(self._month)).reserved)
        if self._over(self._reserved + wanted) == Amount():
            return True
        self._too_dear, self._too_dear_until = wanted, self._clock() + ASK_AGAIN_MS
        return False

    async def _fill(self, estimate: Amount) -> None:
        """One write; another only where the month has less left than was asked for."""
        wanted = self._wanted(estimate)
        reserved = await self._ledger.reserve(self._month, wanted, self._used)
        self._used = Usage()
        excess = _least(self._over(reserved), wanted)
        self._left += wanted - excess
        self._know(reserved - excess)
        if excess != Amount():
            self._closed_until = self._clock() + ASK_AGAIN_MS
            await self._give(excess, Usage())

    def _know(self, reserved: Amount) -> None:
        self._reserved = reserved
        if self._is_beyond(LOW):
            self._tell("budget_low", "WARNING")

    def _wanted(self, estimate: Amount) -> Amount:
        """A slice of what is lacking, or what the call lacks where that is more."""
        lacking, limit = estimate - (self._left - self._held), self._limit
        return Amount(_slice(limit.tokens, lacking.tokens), _slice(limit.micro_yen, lacking.micro_yen))

    def _lacks(self, estimate: Amount) -> bool:
        free, limit = self._left - self._held, self._limit
        return bool(limit.tokens and free.tokens < estimate.tokens) or bool(
            limit.micro_yen and free.micro_yen < estimate.micro_yen
        )

    def _over(self, reserved: Amount) -> Amount:
        limit = self._limit
        return _positive(
            Amount(
                reserved.tokens - limit.tokens if limit.tokens else 0,
                reserved.micro_yen - limit.micro_yen if limit.micro_yen else 0,
            )
        )

    def _is_beyond(self, share: float) -> bool:
        return spending.share(self._reserved, self._limit) >= share

    def _tell(self, name: log.EventName, severity: log.Severity) -> None:
        """Once a month."""
        if (self._month, name) not in self._told:
            self._told.add((self._month, name))
            percent = round(100 * spending.share(self._reserved, self._limit))
            log.event(name, severity, month=self._month, percent=percent)


def _slice(limit: int, lacking: int) -> int:
    return max(-(-limit // SLICES), lacking) if limit and lacking > 0 else 0


def _positive(amount: Amount) -> Amount:
    return Amount(max(0, amount.tokens), max(0, amount.micro_yen))


def _least(one: Amount, other: Amount) -> Amount:
    return Amount(min(one.tokens, other.tokens), min(one.micro_yen, other.micro_yen))


def _covers(one: Amount, other: Amount) -> bool:
    return one.tokens >= other.tokens and one.micro_yen >= other.micro_yen
