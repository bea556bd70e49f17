"""What a month is expected to cost: by hand and by the command."""

import json

import pytest

from bot import prices
from bot.admin.__main__ import main
from bot.admin.cost import Plan, estimate
from bot.conversation import Usage

LUNA = prices.PRICES["gpt-5.6-luna"]


def test_a_small_bot_costs_nothing_but_its_model() -> None:
    """A hundred users stay within what Google Cloud gives for nothing each month."""
    small = estimate(Plan(100, 30), LUNA)
    assert (small.function, small.database, small.queue) == (0, 1, 0)  # what TTL deletes is never free
    assert small.total == small.database + small.model


def test_the_function_costs_what_the_price_list_says() -> None:
    """A million messages, reckoned by hand: billed seconds of CPU and memory, and requests, free ones taken off."""
    # 0.2 s and 3.3 s for each message: 0.15 s of waiting, the CPU's part at a third of its speed, in steps of 0.1 s
    seconds = 1_000_000 * (0.2 + 3.3)
    usd = (seconds * 0.333 - 180_000) * 0.000_024 + (seconds * 0.5 - 360_000) * 0.000_002_5
    assert estimate(Plan(10_000, 100), LUNA).function == pytest.approx(usd * 163.7, abs=1)


def test_the_model_costs_its_tokens() -> None:
    """2,000 tokens in, half of them cached, and 300 out, for each message."""
    each = prices.cost(LUNA, Usage(0, 2_000, 1_000, 300))
    assert estimate(Plan(1_000, 30), LUNA).model == pytest.approx(each * 30_000 / 1e6, abs=1)


def test_the_sum_is_the_sum_and_grows_with_the_users() -> None:
    """Nothing is left out, and more people never cost less."""
    months = [estimate(Plan(users, 30), LUNA) for users in (1, 100, 10_000, 1_000_000)]
    assert all(month.total == month.function + month.database + month.queue + month.model for month in months)
    assert sorted(months, key=lambda month: month.total) == months


def test_a_larger_function_costs_more() -> None:
    """CPU and memory are what is billed while the model thinks."""
    small, large = (estimate(Plan(10_000, 30, cpu, gib), LUNA).function for cpu, gib in ((0.333, 0.5), (1, 1)))
    assert large > 2 * small


def test_programs_get_a_line_for_each_size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json` prints each estimate; sizes, messages and memory are taken as given."""
    monkeypatch.setenv("STORE", "sqlite::memory:")
    arguments = ["cost", "--users", "10", "--users", "20000", "--messages", "40", "--memory", "1Gi", "--cpu", "1"]
    assert main([*arguments, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["users"], row["messages"]) for row in rows] == [(10, 40), (20_000, 40)]
    assert rows[1]["function"] == estimate(Plan(20_000, 40, 1.0, 1.0), LUNA).function


def test_people_get_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Three sizes of a bot, without being asked for any."""
    monkeypatch.setenv("STORE", "sqlite::memory:")
    assert main(["cost"]) == 0
    told = capsys.readouterr().out
    assert "Yen a month" in told
    assert all(users in told for users in ("100", "1,000", "10,000"))


def test_memory_must_be_written_as_google_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong size is told, with an example."""
    with pytest.raises(SystemExit):
        main(["cost", "--memory", "big"])
    assert "write it like 512Mi or 1Gi" in capsys.readouterr().err
