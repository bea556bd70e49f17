"""What people set for their conversation, through the real function."""

from bot.local.webhook import Speaker
from tests.world import World


async def test_a_persona(kaiwa: World) -> None:
    """From the next message on the model is told of it, in this conversation alone, until it is reset."""
    person, other = kaiwa.person(), kaiwa.person()
    shown = await kaiwa.say(person, "/性格 海賊のように話す")
    assert "海賊" in shown
    await kaiwa.say(person, "元気?")
    await kaiwa.say(other, "元気?")
    wished, plain = (request["instructions"] for request in kaiwa.model.requests)
    assert wished.startswith(plain)
    assert "海賊のように話す" in wished
    assert "海賊" not in plain
    await kaiwa.say(person, "/persona reset")
    await kaiwa.say(person, "それから?")
    assert kaiwa.model.requests[-1]["instructions"] == plain


async def test_a_persona_is_unsent(kaiwa: World) -> None:
    """Withdrawing the message that described it takes it away."""
    person = kaiwa.person()
    event = kaiwa.line.events.text(person, "/persona 秘密のあだ名で呼ぶ")
    await kaiwa.line.deliver(kaiwa.url, event)
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await kaiwa.settled()
    await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.unsend(person, event["message"]["id"]))
    await kaiwa.settled()
    await kaiwa.say(person, "こんにちは")
    assert "あだ名" not in str(kaiwa.model.requests[-1])
    assert "あだ名" not in await kaiwa.say(person, "/状態")


async def test_the_model(kaiwa: World) -> None:
    """A button of /model makes another one answer; what is not on offer is never asked."""
    person = kaiwa.person()
    await kaiwa.say(person, "/モデル")
    buttons = {str(button["label"]): str(button["data"]) for button in kaiwa.line.sent(person.chat_id)[-1].buttons}
    assert "選べません" in await kaiwa.say(person, "/model gpt-forbidden")
    await kaiwa.say(person, buttons["gpt-larger"])
    await kaiwa.say(person, "こんにちは")
    assert [request["model"] for request in kaiwa.model.requests] == ["gpt-larger"]


async def test_the_language(kaiwa: World) -> None:
    """Once set, the bot's own sentences are in it, whatever is written."""
    person = kaiwa.person()
    assert "English" in await kaiwa.say(person, "/language en")
    assert "There is no conversation yet" in await kaiwa.say(person, "/history")
    await kaiwa.say(person, "こんにちは")
    assert "Language: English" in await kaiwa.say(person, "/status")


async def test_status(kaiwa: World) -> None:
    """It tells what is set, and what this conversation has used; a group's is the group's own."""
    person = kaiwa.person()
    group = Speaker(person.user_id, "C" + person.user_id[1:])
    await kaiwa.say(person, "/性格 関西弁")
    await kaiwa.say(person, "こんにちは")
    shown = await kaiwa.say(person, "/状態")
    assert "性格: 関西弁" in shown
    assert "答え 1 回" in shown
    assert "90 日" in shown
    grouped = await kaiwa.say(group, "/状態")
    assert "関西弁" not in grouped
    assert "答え 0 回" in grouped
    assert len(kaiwa.model.requests) == 1
