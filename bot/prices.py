"""What models cost: one table with dates and sources, and what a call comes to in millionths of a yen. Pure.

The table is what OpenAI's pages said on the dates given, of a few models as others quote them; the bill alone is exact.
Operators' own prices come first.
Sources: https://developers.openai.com/api/docs/pricing and https://developers.openai.com/api/docs/models
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from bot.conversation import Usage

YEN_PER_USD = 163.7
"""August 2026, by Google's price list of Firestore, which has both currencies."""
WEB_SEARCH_USD = 0.01
"""A call of the tool, beside the tokens of what it finds. Pricing page, 2026-11-23."""
LONG_PROMPT = 272_000
LONG_INPUT, LONG_OUTPUT = 2.0, 1.5
"""So many times the price for the whole of a request whose prompt is longer. Pages of the models, 2026-11-23."""
CACHE_WRITE = 1.25
"""What is written to the cache costs so many times the input. Page of gpt-5.6-luna, 2026-11-23."""
SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens of input, cached input and output, or a minute of audio; `since`: when it was read."""

    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0
    minute: float = 0.0
    since: str = ""
    source: str = ""


def _read(name: str, *figures: float, minute: float = 0.0, since: str = "2026-11-23") -> Price:
    given, cached, output = figures or (0.0, 0.0, 0.0)
    return Price(given, cached, output, minute, since, f"https://developers.openai.com/api/docs/models/{name}")


PRICES: dict[str, Price] = {
    "gpt-5.6-luna": _read("gpt-5.6-luna", 0.20, 0.02, 1.20),
    "gpt-5.6-terra": _read("gpt-5.6-terra", 2.00, 0.20, 12.00),
    "gpt-5.6-sol": _read("gpt-5.6-sol", 4.00, 0.40, 20.00),
    "gpt-5.6": _read("gpt-5.6-sol", 4.00, 0.40, 20.00),
    "gpt-6-luna": _read("gpt-6-luna", 0.10, 0.01, 0.50),
    "gpt-6-sol": _read("gpt-6-sol", 2.00, 0.20, 10.00),
    "gpt-6-astra": _read("gpt-6-astra", 10.00, 1.00, 50.00),
    "gpt-5.4-nano": _read("gpt-5.4-nano", 0.20, 0.02, 1.25),
    "gpt-5.4-mini": _read("gpt-5.4-mini", 0.75, 0.075, 4.50),
    "gpt-5.4": _read("gpt-5.4", 2.50, 0.25, 15.00),
}
"""Models that answer."""

IMAGES: dict[str, Price] = {
    "gpt-image-2": _read("gpt-image-2", 5.00, 5.00, 30.00, since="2026-09-09"),
    "gpt-image-2.5-flare": _read("gpt-image-2.5-flare", 5.00, 5.00, 30.00, since="2026-09-09"),
    "gpt-image-2.5-sunburst": _read("gpt-image-2.5-sunburst", 5.00, 5.00, 30.00, since="2026-09-09"),
}
"""Models that draw: words in, a picture out."""

VOICES: dict[str, Price] = {
    "gpt-transcribe": _read("gpt-transcribe", minute=0.0045),
    "gpt-4o-transcribe": _read("gpt-4o-transcribe", 2.50, 2.50, 10.00),
    "gpt-4o-mini-transcribe": _read("gpt-4o-mini-transcribe", 1.25, 1.25, 5.00),
}
"""Models that listen: by the minute or by the token, whichever the answer tells."""

_ALL = PRICES | IMAGES | VOICES


def price(model: str) -> Price | None:
    """The price of a model or of a dated snapshot of one; None where it is not in the table."""
    return _ALL.get(model) or _ALL.get(SNAPSHOT.sub("", model))


def dearest(table: Mapping[str, Price]) -> Price:
    """The highest of each figure: what nobody knows must not cost more than was thought."""
    figures = [(one.input, one.cached, one.output, one.minute) for one in table.values()]
    return Price(*(max(column) for column in zip(*figures, strict=True)))


@dataclass(frozen=True, slots=True)
class Prices:
    """`own`: the operator's, USD per million tokens of input, of cached input, and of output."""

    own: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)

    def knows(self, model: str) -> bool:
        return self._own(model) is not None or price(model) is not None

    def of(self, model: str, table: Mapping[str, Price] = PRICES) -> Price:
        """The operator's price, else the table's; of an unknown model the dearest there is, so that limits hold."""
        return self._own(model) or price(model) or dearest(table)

    def is_cheaper(self, model: str, other: str) -> bool:
        """Whether an ordinary answer (2,000 tokens in, 300 out) costs less with `model`."""
        one, two = (cost(self.of(name), Usage(0, 2_000, 0, 300)) for name in (model, other))
        return one < two

    def _own(self, model: str) -> Price | None:
        given = self.own.get(model) or self.own.get(SNAPSHOT.sub("", model))
        return Price(*given) if given else None


def cost(price: Price, usage: Usage, *, written: int = 0, searches: int = 0, seconds: float = 0.0) -> int:
    """Millionths of a yen, rounded up.

    `written`: tokens of the input that went into the cache; `searches`: in the web; `seconds` of audio, counted where
    no tokens are told.
    """
    is_long = usage.input_tokens > LONG_PROMPT
    cached = min(usage.cached_tokens, usage.input_tokens)
    fresh = usage.input_tokens - cached + min(written, usage.input_tokens - cached) * (CACHE_WRITE - 1)
    given = (fresh * price.input + cached * price.cached) * (LONG_INPUT if is_long else 1)
    said = usage.output_tokens * price.output * (LONG_OUTPUT if is_long else 1)
    heard = 0.0 if usage.tokens else seconds / 60 * price.minute * 1_000_000
    # A million tokens' dollars are a token's millionths.
    return ceil(round((given + said + heard + searches * WEB_SEARCH_USD * 1_000_000) * YEN_PER_USD, 6))
