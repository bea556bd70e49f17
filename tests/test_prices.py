"""What calls cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Usage
from bot.prices import CACHE_WRITE, IMAGES, PRICES, VOICES, YEN_PER_USD, Prices, cost, dearest, price


def usage(given: int, said: int = 0, cached: int = 0) -> Usage:
    return Usage(1, given, cached, said)


def yen(usd: float) -> int:
    return round(usd * YEN_PER_USD * 1_000_000)


def test_every_price_has_its_date_and_source() -> None:
    """Whoever doubts a figure can look it up."""
    for table in (PRICES, IMAGES, VOICES):
        for one in table.values():
            assert one.since.startswith("2026-")
            assert one.source.startswith("https://developers.openai.com/")


def test_snapshots_cost_as_their_model() -> None:
    """A dated name is found; an unknown one is none, also where it begins as a known one."""
    assert price("gpt-5.6-luna-2026-06-26") == price("gpt-5.6-luna") is not None
    assert price("gpt-5.6-lunatic") is price("") is None


def test_a_million_tokens_cost_what_the_table_says() -> None:
    """Input, cached input and output, each at its price."""
    luna = PRICES["gpt-5.6-luna"]
    assert cost(luna, usage(100_000)) == yen(0.02)
    assert cost(luna, usage(100_000, cached=100_000)) == yen(0.002)
    assert cost(luna, usage(0, 1_000_000)) == yen(1.2)
    assert cost(luna, usage(1000, 300)) == pytest.approx(0.0916720 * 1_000_000, abs=1)


def test_long_prompts_cost_more() -> None:
    """Beyond 272,000 tokens the whole of it: twice the input, one and a half times the output."""
    luna = PRICES["gpt-5.6-luna"]
    assert cost(luna, usage(272_000, 1000)) == yen(0.2 * 0.272 + 0.0012)
    assert cost(luna, usage(300_000, 1000)) == yen(0.2 * 0.3 * 2 + 0.0012 * 1.5)


def test_what_is_beside_the_tokens() -> None:
    """Writing the cache, searching the web, a minute of voice."""
    luna = PRICES["gpt-5.6-luna"]
    assert cost(luna, usage(100_000), written=100_000) == yen(0.02 * CACHE_WRITE)
    assert cost(luna, usage(0), searches=3) == yen(0.03)
    assert cost(VOICES["gpt-transcribe"], Usage(), seconds=90) == yen(0.00675)
    assert cost(VOICES["gpt-4o-transcribe"], usage(1_000_000), seconds=90) == yen(2.5 * 2)


def test_the_operators_prices_win() -> None:
    """Also over the table's, and for snapshots."""
    prices = Prices({"gpt-5.6-luna": (1, 0.1, 2), "mine": (0, 0, 0)})
    assert prices.of("gpt-5.6-luna-2026-06-26").output == 2
    assert cost(prices.of("mine"), usage(10_000, 10_000)) == 0
    assert prices.knows("mine")
    assert prices.knows("gpt-5.6-sol")
    assert not prices.knows("other")


def test_an_unknown_model_is_taken_for_the_dearest() -> None:
    """So that a limit holds whatever it really costs."""
    prices = Prices()
    assert prices.of("other") == dearest(PRICES)
    assert all(cost(one, usage(1000, 1000)) <= cost(prices.of("other"), usage(1000, 1000)) for one in PRICES.values())
    assert prices.of("other", IMAGES).output == 30
    assert prices.is_cheaper("gpt-5.6-luna", "gpt-5.6-sol")
    assert not prices.is_cheaper("gpt-5.6-luna", "gpt-5.6-luna")


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**7))
def test_more_never_costs_less(fresh: int, cached: int, said: int, written: int) -> None:
    """Whatever a server tells, nonsense too, the cost is not negative and grows with the tokens."""
    luna = PRICES["gpt-5.6-luna"]
    once = cost(luna, usage(fresh, said, cached), written=written)
    assert 0 <= once <= cost(luna, usage(fresh + 1000, said + 1, cached), written=written)
