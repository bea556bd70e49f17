"""`/usage`: what a conversation has used, today and in all, and what is left of the day's limit. Pure."""

from bot.budget import Budget
from bot.conversation import Conversation, Language, Usage
from bot.results import Result
from bot.spending import Limit, spent_today
from bot.texts import Phrase, phrase


def usage(state: Conversation, budget: Budget) -> Result:
    """Answers, tokens and yen; the rest of the day's limit in percent, where there is one."""
    language = state.language
    lines = [_line("usage_today", spent_today(state, budget.clock()), language)]
    if budget.limits.daily != Limit():
        left = max(0, int(100 * (1 - budget.share_of_day(state))))
        lines.append(phrase("usage_left", language).format(left=left))
    lines += [_line("usage_total", state.usage, language), phrase("usage_anew", language)]
    return Result(("\n".join(lines),))


def _line(name: Phrase, used: Usage, language: Language) -> str:
    yen = f"{used.micro_yen / 1_000_000:,.2f}"
    return phrase(name, language).format(turns=f"{used.turns:,}", tokens=f"{used.tokens:,}", yen=yen)
