"""Memory that can be asked, the web, and moderation, through the real function, as people in the LINE app meet them."""

from bot.local.model import Scripted
from bot.texts import phrase
from tests.world import World

LONG = "どこへ行くか、何を食べるか、誰と行くかを、みんなで相談しながらゆっくり決めているところです。"


async def test_the_third_turn_after_forty_five(kaiwa: World) -> None:
    """A detail that left the window long ago is found when it is asked for, in this conversation and no other."""
    person, other = kaiwa.person(), kaiwa.person()
    await kaiwa.say(other, f"旅行の相談。{LONG}宿は秘密荘にした")
    await kaiwa.say(other, "/reset")
    for number in range(1, 46):
        detail = f"旅行の相談。{LONG}宿は花屋敷旅館にした" if number == 3 else f"{number}回目の世間話"
        await kaiwa.say(person, detail)
        await kaiwa.settled()
    before = len(kaiwa.model.requests)
    answer = await kaiwa.say(person, "前に話した旅行の宿、どうなった?")
    await kaiwa.settled()
    first, second = kaiwa.model.requests[before:]
    assert "花屋敷旅館" not in str(first["input"])
    assert "花屋敷旅館" in str(second["input"][-1]["output"])
    assert second["input"][: len(first["input"])] == first["input"]
    assert "花屋敷旅館" in answer
    assert not any("秘密荘" in said for said in kaiwa.said_to_model()[1:])
    assert sum("tools" in request for request in kaiwa.model.requests[:20]) == 0


async def test_a_past_before_reset(kaiwa: World) -> None:
    """A fresh conversation does not begin with the old one, but can be asked for it."""
    person = kaiwa.person()
    await kaiwa.say(person, "犬の名前はポチにした")
    await kaiwa.say(person, "/reset")
    await kaiwa.settled()
    kaiwa.model.script += [Scripted(searches=("犬 名前",)), "ポチですね。"]
    assert await kaiwa.say(person, "犬の名前は?") == "ポチですね。"
    first, second = kaiwa.said_to_model()[-2:]
    assert "ポチ" not in first
    assert "ポチ" in second


async def test_what_is_erased_cannot_be_asked(kaiwa: World) -> None:
    """After /forget the tool is not even offered."""
    person = kaiwa.person()
    for text in ("犬の名前はポチにした", "/reset", "/forget", "前に話した犬の名前は?"):
        await kaiwa.say(person, text)
        await kaiwa.settled()
    assert "tools" not in kaiwa.model.requests[-1]
    assert "ポチ" not in kaiwa.said_to_model()[-1]


async def test_the_web_and_moderation(fresh: World) -> None:
    """Switched on: sources are listed under the answer; what is forbidden reaches the model neither now nor later."""
    await fresh.start(ENABLE_WEB_SEARCH="true", ENABLE_MODERATION="1")
    person = fresh.person()
    fresh.model.script.append(Scripted("明日は雨です。", pages=(("天気予報", "https://weather.example/tokyo"),)))
    assert await fresh.say(person, "明日の天気は?") == "明日は雨です。"
    await fresh.settled()
    assert any("https://weather.example/tokyo" in str(call.json) for call in fresh.line.calls_to("/reply"))
    assert await fresh.say(person, "禁止ワードを言ってみて") == phrase("withheld", "ja")
    await fresh.settled()
    assert not fresh.line.sent(person.chat_id)[-1].buttons
    assert len(fresh.model.requests) == 1
    await fresh.say(person, "さっきは何と言った?")
    assert "禁止ワード" not in fresh.said_to_model()[-1]
    assert len(fresh.model.moderations) == 3


async def test_what_is_off_costs_nothing(kaiwa: World) -> None:
    """No moderation is asked, no tool is named, and neither is mentioned in the help."""
    person = kaiwa.person()
    before = len(kaiwa.model.moderations)
    await kaiwa.say(person, "最新のニュースを検索して、禁止ワードも")
    assert len(kaiwa.model.moderations) == before
    assert "tools" not in kaiwa.model.requests[-1]
    assert "Web" not in await kaiwa.say(person, "/help")
