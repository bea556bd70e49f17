"""What may be spent: by one conversation in a day, by the whole bot in a month. Pure: no clock, no I/O.

Days and months are those of Japan, where the bill is read.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.conversation import Conversation, Spent, Usage

JAPAN = timedelta(hours=9)


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and millionths of a yen."""

    tokens: int = 0
    micro_yen: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.micro_yen + other.micro_yen)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens - other.tokens, self.micro_yen - other.micro_yen)


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that may be spent; 0 is no limit."""

    tokens: int = 0
    micro_yen: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one conversation in a day, and of the whole bot in a month."""

    daily: Limit = Limit()
    monthly: Limit = Limit()


@dataclass(frozen=True, slots=True)
class Month:
    """What instances have set aside to spend in a month, and what they have told of having used."""

    reserved: Amount = Amount()
    usage: Usage = field(default_factory=Usage)


def day(now: int) -> str:
    """`2026-11-23`, of a time in milliseconds."""
    return (datetime.fromtimestamp(now / 1000, UTC) + JAPAN).date().isoformat()


def month(now: int) -> str:
    """`2026-11`, of a time in milliseconds."""
    return day(now)[:7]


def spent_today(state: Conversation, now: int) -> Usage:
    """What the conversation has used since midnight."""
    return state.spent.usage if state.spent.day == day(now) else Usage()


def share(amount: Amount, limit: Limit) -> float:
    """How much of the limit it is: 1.0 is all of it, the nearer of tokens and yen; 0.0 where there is no limit."""
    return max(
        amount.tokens / limit.tokens if limit.tokens else 0.0,
        amount.micro_yen / limit.micro_yen if limit.micro_yen else 0.0,
    )


def spend(state: Conversation, usage: Usage, now: int) -> Spent:
    """The day's tally with `usage` added; a turn that cost nothing changes nothing."""
    if usage == Usage():
        return state.spent
    return Spent(day(now), spent_today(state, now) + usage)
