"""What the bot has cost, against what it may cost."""

import json
from typing import Any

import pytest

from bot.app import now
from bot.conversation import Conversation, Spent, Usage
from bot.spending import Amount, day, month
from tests.admin.conftest import GROUP, PERSON, Desk, both_stores

NOW = now()
SMALL, LARGE = Usage(1, 10, 0, 5, 50_000), Usage(12, 3_000, 100, 456, 1_250_000)


async def keep(desk: Desk) -> None:
    """A person who has used much, but little today; a group that has used all that it has today."""
    await desk.keep(PERSON, Conversation(source=PERSON, usage=LARGE, spent=Spent("2026-01-01", LARGE), expire_at=2**52))
    await desk.keep(GROUP, Conversation(source=GROUP, usage=SMALL, spent=Spent(day(NOW), SMALL), expire_at=2**52))
    await desk.store.reserve(month(NOW), Amount(20_000, 5_000_000), LARGE)


async def objects(desk: Desk, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    status, out, err = await desk.main("usage", "--json", *arguments)
    assert (status, err) == (0, "")
    told: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, out.splitlines()):
        told.setdefault(line["kind"], []).append(line)
    return told


@both_stores
async def test_in_words(desk: Desk) -> None:
    """The month's account against its limits, LINE's pushes against theirs, and who used most."""
    await keep(desk)
    desk.line.monthly_quota = 200
    desk.environment |= {"MONTHLY_YEN": "50", "PUSH_RESERVE": "7"}
    status, out, err = await desk.main("usage")
    assert (status, err) == (0, "")
    facts = {line[:17].strip(): line[18:] for line in out.splitlines()[:8]}
    assert facts == {
        "Month": month(NOW),
        "Used": "1.25 yen, 3,456 tokens, 12 turns",
        "Yen set aside": "5.00 of 50.00, 10% (MONTHLY_YEN)",
        "Tokens set aside": "20,000; no limit (MONTHLY_TOKENS is not set)",
        "LINE's pushes": "0 of 200 this month; 7 are kept in reserve",
        "Conversations": "2, 1 of them today",
        "They used today": "0.05 yen, 15 tokens, 1 turns",
        "They used in all": "1.30 yen, 3,471 tokens, 13 turns",
    }
    tables = out.split("Most in all")
    assert GROUP.conversation_id[:12] in tables[0]
    assert PERSON.conversation_id[:12] not in tables[0]
    assert tables[1].index(PERSON.conversation_id[:12]) < tables[1].index(GROUP.conversation_id[:12])


async def test_for_programs(desk: Desk) -> None:
    """Each object tells its kind; money is in millionths of a yen."""
    await keep(desk)
    told = await objects(desk, "--top", "1")
    (account,) = told["month"]
    assert (account["micro_yen"], account["reserved_micro_yen"], account["limit_micro_yen"]) == (
        1_250_000,
        5_000_000,
        0,
    )
    assert told["pushes"] == [{"kind": "pushes", "used": 0, "limit": None, "unknown": "", "reserve": 10}]
    assert [one["conversation"] for one in told["most in all"]] == [PERSON.conversation_id]
    assert [one["conversation"] for one in told["most today"]] == [GROUP.conversation_id]
    assert told["in all"][0]["conversations"] == 2


async def test_another_month(desk: Desk) -> None:
    """Its account is as it was left."""
    await keep(desk)
    await desk.store.reserve("2026-01", Amount(7, 8), SMALL)
    (account,) = (await objects(desk, "--month", "2026-01"))["month"]
    assert (account["month"], account["reserved_tokens"], account["tokens"]) == ("2026-01", 7, 15)


async def test_without_line(desk: Desk) -> None:
    """When LINE cannot be asked the rest is told all the same."""
    await keep(desk)
    desk.environment["LINE_API_BASE_URL"] = "http://127.0.0.1:9"
    status, out, err = await desk.main("usage")
    assert (status, err) == (0, "")
    assert "unknown: LINE cannot be reached" in out
    assert "They used in all" in out


@pytest.mark.parametrize("wrong", [("--month", "2026-13"), ("--month", "November"), ("--top", "0")])
async def test_odd_arguments(desk: Desk, wrong: tuple[str, str]) -> None:
    """They are refused with the usage."""
    with pytest.raises(SystemExit) as ended:
        await desk.main("usage", *wrong)
    assert ended.value.code == 2
