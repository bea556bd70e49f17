"""Groups, people and every kind of event, through the real function."""

import time
import uuid
from typing import Any

import pytest

from bot.context import HEARD
from bot.local.calls import Fault
from bot.local.webhook import Speaker
from bot.texts import phrase
from tests.samples import samples
from tests.world import World


def members(kaiwa: World, *names: str) -> list[Speaker]:
    """People in a group of their own."""
    people = [kaiwa.line.chats.add_user(name, user_id="U" + uuid.uuid4().hex) for name in names]
    group = kaiwa.line.chats.add_group("friends", tuple(one.id for one in people), "C" + uuid.uuid4().hex)
    return [Speaker(one.id, group.id) for one in people]


async def said(kaiwa: World, speaker: Speaker, text: str, **more: Any) -> str:
    """Deliver a text message; its id."""
    event = kaiwa.line.events.text(speaker, text, **more)
    assert (await kaiwa.line.deliver(kaiwa.url, event)).status == 200
    return str(event["message"]["id"])


async def test_every_event_at_once(kaiwa: World) -> None:
    """All of LINE's events, with every value and invented ones, in one body: 200, and the bot goes on."""
    person = kaiwa.person()
    [member] = members(kaiwa, "Taro")
    room = kaiwa.line.chats.add_group("room", (member.user_id,), "R" + uuid.uuid4().hex)
    ids = {"user": person.user_id, "group": member.group_id, "room": room.id}
    raws = [
        _moved(kaiwa, raw, ids)
        for name, raw, outcome in samples()
        if outcome != "erased" and ("all fields" in name or "message" not in raw)
        if "elsewhere" not in name  # that would be fetched from the internet
    ]
    began = kaiwa.log.stat().st_size
    assert (await kaiwa.line.deliver(kaiwa.url, *raws)).status == 200
    await kaiwa.settled()
    logged = kaiwa.log.read_bytes()[began:].decode()
    assert "events_skipped" in logged
    assert "internal_error" not in logged
    assert kaiwa.shown(person)
    assert [bubble.text for bubble in kaiwa.line.sent(room.id)] == [phrase("group_greeting", "ja")]
    kaiwa.model.script.append("still here")
    assert await kaiwa.say(person, "are you there?") == "still here"


def _moved(kaiwa: World, raw: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """The event in a chat of this world, as of now."""
    now, source = int(time.time() * 1000), raw.get("source") or {}
    key, chat = f"{source.get('type')}Id", ids.get(str(source.get("type")), "")
    moved = {**raw, "timestamp": now, "webhookEventId": uuid.uuid4().hex}
    if key in source:
        moved["source"] = {**source, key: chat}
    if "replyToken" in raw:
        moved["replyToken"] = kaiwa.line.chats.issue_token(chat, now)
    return moved


async def test_speakers_and_quotations(kaiwa: World) -> None:
    """The model reads names and what is quoted; the answer quotes the question; profiles are asked for once."""
    taro, hanako = members(kaiwa, "太郎", "Hanako")
    kaiwa.model.script += ["It is blue.", "As I said."]
    first = await said(kaiwa, taro, "@Kaiwa which colour?")
    [bubble] = await kaiwa.line.wait_for_sent(taro.chat_id, 1)
    assert bubble.quoted == first
    await kaiwa.settled()
    await said(kaiwa, hanako, "is it?", quoted=bubble.id)
    await kaiwa.line.wait_for_sent(taro.chat_id, 2)
    await kaiwa.settled()
    shown = kaiwa.said_to_model()[-1]
    assert "太郎: which colour?" in shown
    assert 'Hanako: [quoting you: "It is blue."] is it?' in shown
    asked = [call.path for call in kaiwa.line.calls if "/member/" in call.path]
    assert sorted(asked) == sorted(f"/v2/bot/group/{taro.group_id}/member/{one.user_id}" for one in (taro, hanako))


async def test_a_group_is_heard_only_when_it_wants(kaiwa: World) -> None:
    """Not a write for what is not addressed; once the group has switched it on, it reaches the model, marked."""
    taro, hanako = members(kaiwa, "Taro", "Hanako")
    await said(kaiwa, taro, "@Kaiwa hello")
    await kaiwa.line.wait_for_sent(taro.chat_id, 1)
    await kaiwa.settled()
    kaiwa.firestore.reset()
    await said(kaiwa, hanako, "our secret")
    await kaiwa.settled()
    counts = kaiwa.firestore.counts
    assert (counts.reads, counts.writes) == (1, 0)
    await said(kaiwa, taro, "/listen on")
    await kaiwa.line.wait_for_sent(taro.chat_id, 2)
    await kaiwa.settled()
    await said(kaiwa, hanako, "dinner at eight")
    await kaiwa.settled()
    await said(kaiwa, taro, "@Kaiwa when is dinner?")
    await kaiwa.line.wait_for_sent(taro.chat_id, 3)
    await kaiwa.settled()
    shown = kaiwa.said_to_model()[-1]
    assert HEARD.strip() in shown
    assert "Hanako: dinner at eight" in shown
    assert "our secret" not in shown


async def test_an_edited_message(kaiwa: World) -> None:
    """Edited to mention the bot it is answered; edited again, the answer stays and the words are the new ones."""
    [taro] = members(kaiwa, "Taro")
    kaiwa.model.script += ["one", "two"]
    message_id = await said(kaiwa, taro, "what is it")
    await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.edited(taro, message_id, "@Kaiwa what is it?"))
    await kaiwa.line.wait_for_sent(taro.chat_id, 1)
    await kaiwa.settled()
    await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.edited(taro, message_id, "@Kaiwa what was it?"))
    await kaiwa.settled()
    await said(kaiwa, taro, "@Kaiwa and now?")
    await kaiwa.line.wait_for_sent(taro.chat_id, 2)
    await kaiwa.settled()
    assert "Taro: what was it?" in kaiwa.said_to_model()[-1]
    assert "what is it" not in kaiwa.said_to_model()[-1]


async def test_the_language_of_the_profile(kaiwa: World) -> None:
    """Who has LINE in English is greeted in English, and spoken to so whatever the script of a message."""
    user = kaiwa.line.chats.add_user("Ann", "en-GB", "U" + uuid.uuid4().hex)
    await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.follow(user.id))
    [greeting] = await kaiwa.line.wait_for_sent(user.id, 1)
    assert greeting.text == phrase("greeting", "en")
    assert {button["data"] for button in greeting.buttons} >= {"/help", "/language ja"}
    await kaiwa.settled()
    assert await kaiwa.say(Speaker(user.id), "/more") == phrase("nothing_more", "en")


@pytest.mark.parametrize("fault", [404, 500, "hang"])
async def test_a_name_that_cannot_be_had(kaiwa: World, fault: Fault) -> None:
    """The answer comes all the same, soon, to somebody; and LINE is not asked again at the next message."""
    [taro] = members(kaiwa, "Taro")
    kaiwa.line.fail_next(taro.user_id, fault, times=5)
    for number in (1, 2):
        await said(kaiwa, taro, f"@Kaiwa hello {number}")
        await kaiwa.line.wait_for_sent(taro.chat_id, number, 30)
        await kaiwa.settled()
    assert "Somebody: hello 2" in kaiwa.said_to_model()[-1]
    [asked] = kaiwa.line.calls_to(taro.user_id)
    assert kaiwa.line.calls_to("/reply")[0].at - asked.at < 4_000


async def test_a_profile_that_hangs_delays_nobody(kaiwa: World) -> None:
    """In a one-to-one chat it is asked for beside the model."""
    person = kaiwa.person()
    kaiwa.line.fail_next(f"/profile/{person.user_id}", "hang", times=5)
    await kaiwa.say(person, "hello")
    [asked] = kaiwa.line.calls_to(f"/profile/{person.user_id}")
    [replied] = kaiwa.line.calls_to("/reply")
    assert replied.at - asked.at < 2_000
