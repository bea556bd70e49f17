"""What may be spent in a day and in a month."""

from dataclasses import replace

from bot.conversation import Conversation, Spent, Usage
from bot.spending import Amount, day, month, spend, spent_today

BEFORE_MIDNIGHT = 1_795_359_599_000  # 2026-11-22 23:59:59 in Japan
MIDNIGHT = BEFORE_MIDNIGHT + 1_000
USED = Usage(1, 100, 50, 20, 3_000)


def test_days_are_those_of_japan() -> None:
    """The day, and the month with it, changes at midnight in Japan."""
    assert (day(BEFORE_MIDNIGHT), day(MIDNIGHT)) == ("2026-11-22", "2026-11-23")
    assert month(MIDNIGHT) == "2026-11"
    assert month(MIDNIGHT + 8 * 86_400_000) == "2026-12"


def test_a_day_adds_up() -> None:
    """What is used on one day is counted together; the next day begins with nothing."""
    state = Conversation()
    for _ in range(2):
        state = replace(state, spent=spend(state, USED, BEFORE_MIDNIGHT))
    assert spent_today(state, BEFORE_MIDNIGHT) == USED + USED
    assert spent_today(state, MIDNIGHT) == Usage()
    assert spend(state, USED, MIDNIGHT) == Spent("2026-11-23", USED)


def test_nothing_used() -> None:
    """A turn without the model leaves no trace of the day."""
    assert spend(Conversation(), Usage(), MIDNIGHT) == Spent()


def test_amounts() -> None:
    """Tokens and money are counted side by side."""
    assert Amount(3, 5) + Amount(1, 1) - Amount(2, 4) == Amount(2, 2)
