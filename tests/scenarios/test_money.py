"""What may be spent, with the real function: limits, the cheaper model, the month's account and LINE's pushes."""

import asyncio
from datetime import UTC, datetime

import pytest

from bot.adapters.firestore import FirestoreStore
from bot.local.webhook import Speaker
from bot.spending import Month, month
from bot.texts import phrase
from tests.world import World

ANSWER = "あ" * 100
"""101 tokens to the stand-in."""
DEAR = "gpt-5.6-sol"
PRICES = f"{DEAR}=0/0/61.09,gpt-6-luna=0/0/6.109"
"""About a yen for that answer, and a tenth of one."""


async def account(kaiwa: World, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", kaiwa.environment["FIRESTORE_EMULATOR_HOST"])
    store = FirestoreStore(kaiwa.environment["GOOGLE_CLOUD_PROJECT"], "(default)")
    try:
        return await store.read_month(month(round(datetime.now(UTC).timestamp() * 1000)))
    finally:
        await store.close()


async def ask(kaiwa: World, person: Speaker, text: str) -> str:
    kaiwa.model.script.append(ANSWER)
    answer = await kaiwa.say(person, text)
    await kaiwa.settled()
    return answer


def models(kaiwa: World) -> list[str]:
    return [str(request["model"]) for request in kaiwa.model.requests]


async def test_a_day_ends_with_a_sentence(fresh: World) -> None:
    """From four fifths on the cheaper model answers, then nobody; others go on, and a button asks again."""
    await fresh.start(OPENAI_MODEL=DEAR, OPENAI_PRICES=PRICES, DAILY_YEN_PER_USER="1.2")
    person, other = fresh.person(), fresh.person()
    assert [await ask(fresh, person, f"質問{number}") for number in range(3)] == [ANSWER] * 3
    assert models(fresh) == [DEAR, "gpt-6-luna", "gpt-6-luna"]
    assert await fresh.say(person, "もう一つ") == phrase("day_used", "ja")
    await fresh.settled()
    [button] = [one for one in fresh.line.sent(person.chat_id)[-1].buttons if one["data"].startswith("/retry")]
    shown = await fresh.say(person, "/使用量")
    assert "今日: 答え 3 回" in shown
    assert "今日の残り: 0%" in shown
    fresh.model.script.clear()
    assert await ask(fresh, other, "こんにちは") == ANSWER
    assert models(fresh)[3:] == [DEAR]
    assert fresh.firestore.counts.ledger == 0
    await fresh.restart(OPENAI_MODEL=DEAR, OPENAI_PRICES=PRICES, DAILY_YEN_PER_USER="100")
    fresh.model.script.append(ANSWER)
    before = len(fresh.line.sent(person.chat_id))
    await fresh.line.deliver(fresh.url, fresh.line.events.postback(person, button["data"]))
    assert (await fresh.line.wait_for_sent(person.chat_id, before + 1, 60))[before].text == ANSWER
    assert "もう一つ" in fresh.said_to_model()[-1]


async def test_a_month_that_one_instance_uses_up_ends_for_all(fresh: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other instance says so without asking the model; what all set aside stays within the limit."""
    fresh.environment.update({"OPENAI_PRICES": PRICES, "MONTHLY_YEN": "4.15"})
    await fresh.start()
    other = await fresh.another()
    person, friend = fresh.person(), fresh.person()
    assert await ask(fresh, person, "ひとつめ") == ANSWER
    assert await fresh.say(person, "ふたつめ") == phrase("month_used", "ja")
    await fresh.settled()
    fresh.model.script.clear()
    fresh.balance(other)
    assert await fresh.say(friend, "まだですか") == phrase("month_used", "ja")
    await fresh.settled()
    assert len(models(fresh)) == 1
    assert (await account(fresh, monkeypatch)).reserved.micro_yen <= 4_150_000
    log = fresh.log.read_text()
    assert log.count('"budget_used"') >= 1
    assert '"dead_letter"' not in log


async def test_hardly_a_write_for_the_months_account(fresh: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred messages of fifty people on two instances; at the end what was left is given back."""
    fresh.environment.update({"MONTHLY_YEN": "10000", "DAILY_YEN_PER_USER": "30"})
    await fresh.start()
    other = await fresh.another()
    fresh.balance(fresh.function, other)
    people = [fresh.person() for _ in range(50)]
    fresh.firestore.reset()
    for number in range(4):
        await asyncio.gather(*(fresh.say(person, f"{number}番目の話") for person in people))
        await fresh.settled()
    assert 1 <= fresh.firestore.counts.ledger <= 12
    assert len(fresh.model.requests) == 200
    for function in (fresh.function, other):
        function.terminate()
        await function.ended(30)
    kept = await account(fresh, monkeypatch)
    assert kept.reserved.micro_yen == kept.usage.micro_yen > 0


async def test_the_last_pushes_are_kept(fresh: World) -> None:
    """LINE is asked for its quota only when a push is due; below the reserve the answer rides with the next token."""
    await fresh.start(PUSH_RESERVE="10")
    person = fresh.person()
    await fresh.say(person, "こんにちは")
    await fresh.settled()
    assert fresh.line.calls_to("/quota") == []
    fresh.line.monthly_quota = 10
    fresh.model.script.append("おそい答え")
    late = fresh.line.events.text(person, "時間のかかる質問")
    late["replyToken"] = ""
    await fresh.line.deliver(fresh.url, late)
    await fresh.settled()
    assert fresh.line.calls_to("/push") == []
    assert len(fresh.line.calls_to("/quota")) == 1
    before = len(fresh.line.sent(person.chat_id))
    await fresh.say(person, "できた?")
    assert "おそい答え" in fresh.line.sent(person.chat_id)[before].text
