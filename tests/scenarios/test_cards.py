"""Answers with more than words, and their buttons, through the real function."""

from typing import Any

import pytest

from bot.cards import message
from bot.local.webhook import Speaker
from tests.world import World

CODE = "```py\ndef hello(name):\n    print(f'やあ {name}')\n```"
TABLE = "| 品 | 値段 |\n| --- | --- |\n| りんご | 100円 |\n| みかん | 80円 |"


async def press(kaiwa: World, person: Speaker, command: str) -> list[str]:
    """Press the button that sends this command, under the last bubble; returns the texts that follow."""
    before = kaiwa.line.sent(person.chat_id)
    (data,) = [button["data"] for button in before[-1].buttons if button["data"].startswith(command)]
    answered = await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.postback(person, data))
    assert answered.status == 200
    await kaiwa.line.wait_for_sent(person.chat_id, len(before) + 1, 20)
    await kaiwa.settled()
    return kaiwa.shown(person)[len(before) :]


def messages(kaiwa: World) -> list[list[dict[str, Any]]]:
    """The messages of every reply that LINE took, without their buttons."""
    taken = [call.json["messages"] for call in kaiwa.line.calls_to("/reply") if call.status == 200]
    return [[{key: one[key] for key in one if key != "quickReply"} for one in call] for call in taken]


async def test_code_a_table_and_seven_bubbles(kaiwa: World) -> None:
    """Five bubbles at once, cards among them; 「続き」 brings the rest without the model; history shows all as text."""
    person = kaiwa.person()
    long = "".join(f"これは {number} 番目の文です。" for number in range(1_750))
    kaiwa.model.script.append(f"## 例\n\n**まず**これを。\n\n{CODE}\n\n表です:\n\n{TABLE}\n\n{long}")
    await kaiwa.say(person, "説明して")
    await kaiwa.settled()
    (first,) = messages(kaiwa)
    assert [one["type"] for one in first] == ["text", "flex", "text", "flex", "text"]
    assert first[0]["text"] == "■ 例\n\nまずこれを。"
    assert (first[1], first[3]) == (message(CODE), message(TABLE))
    assert [button["label"] for button in kaiwa.line.sent(person.chat_id)[-1].buttons] == ["続き", "もう一度", "短く"]
    rest = await press(kaiwa, person, "/more")
    assert len(first) + len(rest) >= 7
    assert "".join([first[4]["text"], *rest]) == long
    assert [button["label"] for button in kaiwa.line.sent(person.chat_id)[-1].buttons] == ["もう一度", "短く"]
    assert len(kaiwa.model.requests) == 1
    shown = await kaiwa.say(person, "/history 説明して")
    assert "[py]\ndef hello(name):" in shown
    assert "品 | 値段" in shown
    assert "```" not in shown


async def test_again_and_shorter(kaiwa: World) -> None:
    """Each asks the model once more, and history has the question with the newest answer alone."""
    person = kaiwa.person()
    kaiwa.model.script += ["最初の答え", "別の答え", "短い答え"]
    await kaiwa.say(person, "教えて")
    await kaiwa.settled()
    assert await press(kaiwa, person, "/again") == ["別の答え"]
    assert await press(kaiwa, person, "/shorter") == ["短い答え"]
    assert len(kaiwa.model.requests) == 3
    assert all("最初の答え" not in said for said in kaiwa.said_to_model())
    assert "two or three sentences" in kaiwa.said_to_model()[-1]
    shown = await kaiwa.say(person, "/history")
    assert (shown.count("教えて"), shown.count("短い答え"), "別の答え" in shown) == (1, 1, False)


@pytest.mark.parametrize("way", ["reply", "push"])
async def test_line_refuses_cards(kaiwa: World, way: str) -> None:
    """Then the same is said in text, at once and once."""
    person = kaiwa.person()
    kaiwa.model.script.append(f"まず。\n\n{CODE}\n\n{TABLE}")
    kaiwa.line.refused_types.add("flex")
    try:
        event = kaiwa.line.events.text(person, "見せて")
        if way == "push":
            kaiwa.line.chats.expire_tokens()
        assert (await kaiwa.line.deliver(kaiwa.url, event)).status == 200
        shown = [bubble.text for bubble in await kaiwa.line.wait_for_sent(person.chat_id, 3, 20)]
        await kaiwa.settled()
    finally:
        kaiwa.line.refused_types.clear()
    assert shown[0] == "まず。"
    assert shown[1].startswith("[py]\ndef hello(name):\n    print")
    assert shown[2].startswith("品 | 値段\nりんご | 100円")
    assert len(kaiwa.shown(person)) == 3
    assert [bubble.way for bubble in kaiwa.line.sent(person.chat_id)] == [way] * 3
    assert len(kaiwa.model.requests) == 1
