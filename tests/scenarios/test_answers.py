"""What people in the LINE app can count on, through the real function, in both ways of working."""

import asyncio

from bot.local.webhook import Speaker
from tests.world import World


async def test_a_message_is_answered(kaiwa: World) -> None:
    """A text message is answered once, by its reply token, with the loading animation before it."""
    person = kaiwa.person()
    kaiwa.model.script.append("はい、晴れです。")
    assert await kaiwa.say(person, "明日は晴れますか") == "はい、晴れです。"
    await kaiwa.settled()
    assert len(kaiwa.line.calls_to("/reply")) == 1
    assert [call.json["chatId"] for call in kaiwa.line.calls_to("/loading/start")] == [person.user_id]
    assert not kaiwa.line.calls_to("/push")


async def test_the_second_turn_carries_the_first(kaiwa: World) -> None:
    """The model reads the whole exchange so far, with who said what."""
    person = kaiwa.person()
    kaiwa.model.script += ["青ですね。", "青とお聞きしました。"]
    await kaiwa.say(person, "好きな色は青です")
    await kaiwa.say(person, "何色が好きと言った?")
    lines = [(line["role"], str(line["content"])) for line in kaiwa.model.requests[1]["input"]]
    assert [role for role, _ in lines] == ["user", "assistant", "user"]
    for (_, text), wanted in zip(lines, ["好きな色は青です", "青ですね。", "何色が好きと言った?"], strict=True):
        assert wanted in text


async def test_a_hundred_events_of_thirty_people_in_one_body(kaiwa: World) -> None:
    """Each message is answered once and nobody is shown, or read to the model, what another wrote."""
    people = [kaiwa.person() for _ in range(30)]
    words = {f"言葉{number:03d}号": people[number % 30] for number in range(100)}
    events = [kaiwa.line.events.text(person, word) for word, person in words.items()]
    body, signature = kaiwa.line.signed(*events)
    assert (await kaiwa.post(body, signature)).status == 200
    await kaiwa.settled()
    requests = kaiwa.said_to_model()
    for word, person in words.items():
        assert sum(word in request for request in requests) >= 1
        for other in people:
            shown = "".join(bubble.text for bubble in kaiwa.line.sent(other.chat_id))
            assert word not in shown or other == person
    for request in requests:
        assert len({words[word].user_id for word in words if word in request}) == 1
    answered = [sum(word in _last_line(request) for request in kaiwa.model.requests) for word in words]
    assert answered == [1] * 100
    assert all(kaiwa.line.sent(person.chat_id) for person in people)


async def test_the_same_body_twenty_times_at_once(kaiwa: World) -> None:
    """Twenty deliveries of one body are twenty times 200, one model call and one answer."""
    person = kaiwa.person()
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(person, "一度だけ答えて"))
    answers = await asyncio.gather(*(kaiwa.post(body, signature) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    await kaiwa.settled()
    assert len(kaiwa.model.requests) == 1
    assert len(kaiwa.line.sent(person.chat_id)) == 1
    assert len(kaiwa.line.calls_to("/reply")) == 1


async def test_two_quick_messages(kaiwa: World) -> None:
    """Both are answered, in the order in which they were written, whichever is handled first."""
    person = kaiwa.person()
    first = kaiwa.line.events.text(person, "ひとつめ")
    second = kaiwa.line.events.text(person, "ふたつめ", at=first["timestamp"] + 1)
    deliveries = (kaiwa.line.deliver(kaiwa.url, event) for event in (second, first))
    answers = await asyncio.gather(*deliveries)
    assert [answer.status for answer in answers] == [200, 200]
    await kaiwa.settled()
    await kaiwa.say(person, "これまでに何と書いた?")
    last = kaiwa.said_to_model()[-1]
    assert last.count("ひとつめ") >= 1
    assert last.index("ひとつめ") < last.index("ふたつめ")
    asked = [_last_line(request) for request in kaiwa.model.requests]
    assert sum("ひとつめ" in text for text in asked) == sum("ふたつめ" in text for text in asked) == 1


async def test_an_ordinary_message_costs_one_read_and_three_writes(kaiwa: World) -> None:
    """Counted at Firestore's wire, from the first message on, and no less cheaply later."""
    person = kaiwa.person()
    for _ in range(3):
        kaiwa.firestore.reset()
        await kaiwa.say(person, "こんにちは")
        await kaiwa.settled()
        counts = kaiwa.firestore.reset()
        assert (counts.reads, counts.queries, counts.deletes) == (1, 0, 0), counts.log
        assert counts.writes <= 3, counts.log


async def test_group_and_one_to_one_never_meet(kaiwa: World) -> None:
    """What somebody wrote alone is not read to the model in a group, nor the reverse; unmentioned, not a word."""
    alone = kaiwa.person()
    group = Speaker(alone.user_id, "C" + alone.user_id[1:])
    await kaiwa.say(alone, "秘密の数は四十二")
    answered = await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.text(group, "みんなへの内輪話"))
    assert answered.status == 200
    await kaiwa.settled()
    assert kaiwa.line.sent(group.chat_id) == []
    await kaiwa.say(group, "@Kaiwa 会議は何時?")
    assert "秘密の数" not in kaiwa.said_to_model()[-1]
    assert "内輪話" not in kaiwa.said_to_model()[-1]
    await kaiwa.say(alone, "さっき何と言った?")
    assert "会議" not in kaiwa.said_to_model()[-1]


async def test_the_model_fails(kaiwa: World) -> None:
    """When no answer comes after all tries the person is told so once, and the next message is answered."""
    person = kaiwa.person()
    kaiwa.model.script += [500, 500, 500]
    apology = await kaiwa.say(person, "聞こえますか")
    assert "答えられませんでした" in apology
    kaiwa.model.script += ["聞こえます。"]
    assert await kaiwa.say(person, "もう一度") == "聞こえます。"


async def test_a_long_answer_is_served_in_parts(kaiwa: World) -> None:
    """More than five bubbles wait under 「続き」, which costs no model call; nothing is lost."""
    person = kaiwa.person()
    sentences = [f"これは {number} 番目の文です。" for number in range(2500)]
    kaiwa.model.script.append("".join(sentences))
    await kaiwa.say(person, "長い話をして")
    await kaiwa.settled()
    first = kaiwa.line.sent(person.chat_id)
    assert len(first) == 5
    assert first[-1].buttons
    await kaiwa.say(person, "続き")
    await kaiwa.settled()
    assert "".join(bubble.text for bubble in kaiwa.line.sent(person.chat_id)) == "".join(sentences)
    assert len(kaiwa.model.requests) == 1


def _last_line(request: dict[str, list[dict[str, object]]]) -> str:
    return str(request["input"][-1]["content"])
