"""Whether an answer may be paid for, and by which model: the day's limit of a conversation, the month's of the bot."""

from dataclasses import dataclass, field, replace
from typing import Literal

from bot import log, spending
from bot.context import MAX_OUTPUT_TOKENS
from bot.conversation import Conversation, Usage
from bot.ports import Clock
from bot.prices import Prices, cost
from bot.purse import LOW, BudgetUsed, Purse
from bot.results import Result
from bot.spending import Amount, Limits
from bot.texts import Phrase, phrase

LEAST_INPUT = 1_000
"""Tokens of the instructions and a short message."""

Stop = Literal["day_used", "month_used"]


@dataclass(frozen=True, slots=True)
class Budget:
    """`models`: what people may choose from, the operator's first. `cheaper`: what answers when little is left."""

    clock: Clock
    limits: Limits = field(default_factory=Limits)
    prices: Prices = field(default_factory=Prices)
    purse: Purse | None = None
    models: tuple[str, ...] = ()
    cheaper: str = ""

    async def afford(self, state: Conversation) -> Conversation | Result:
        """The state with the model that is to answer, or what is said instead of an answer.

        A turn that has begun may go beyond the day's limit by its own cost. Raises Unavailable or Misconfigured when
        the month's account cannot be read.
        """
        share = self.share_of_day(state)
        if share >= 1:
            return self.refusal("day_used", state)
        try:
            is_month_low = self.purse is not None and await self.purse.is_low(self._least(state))
        except BudgetUsed:
            return self.refusal("month_used", state)
        return self._cheaper(state) if share >= LOW or is_month_low else state

    def share_of_day(self, state: Conversation) -> float:
        """How much of the day's limit is used: 1.0 is all; 0.0 where there is none."""
        usage = spending.spent_today(state, self.clock())
        return spending.share(Amount(usage.tokens, usage.micro_yen), self.limits.daily)

    def refusal(self, stop: Stop, state: Conversation) -> Result:
        """Kept as a turn without an answer, which a button asks for again."""
        log.event("limit_reached", "INFO", why=stop)
        name: Phrase = stop
        return Result((phrase(name, state.language),), remembered=True)

    def _cheaper(self, state: Conversation) -> Conversation:
        if not self._saves(state):
            return state
        return replace(state, preferences=replace(state.preferences, model=self.cheaper))

    def _saves(self, state: Conversation) -> bool:
        return bool(self.cheaper) and self.prices.is_cheaper(self.cheaper, self._current(state))

    def _current(self, state: Conversation) -> str:
        chosen = state.preferences.model
        return chosen if chosen in self.models else "".join(self.models[:1])

    def _least(self, state: Conversation) -> Amount:
        """Of an answer by the cheapest model that may give it, as long as it may be."""
        model = self.cheaper if self._saves(state) else self._current(state)
        usage = Usage(0, LEAST_INPUT, 0, MAX_OUTPUT_TOKENS)
        return Amount(usage.tokens, cost(self.prices.of(model), usage))
