"""The commands, through the real function."""

from tests.world import World


async def test_help(kaiwa: World) -> None:
    """/help tells every command, without asking the model."""
    shown = await kaiwa.say(kaiwa.person(), "/help")
    assert all(command in shown for command in ("/リセット", "/履歴", "/消去"))
    assert kaiwa.model.requests == []


async def test_reset(kaiwa: World) -> None:
    """After /reset the model knows nothing of before, and /history still shows it."""
    person = kaiwa.person()
    await kaiwa.say(person, "前の話題はりんご")
    await kaiwa.say(person, "/リセット")
    await kaiwa.say(person, "新しい話題はみかん")
    assert "りんご" not in kaiwa.said_to_model()[-1]
    shown = await kaiwa.say(person, "/履歴")
    assert shown.index("りんご") < shown.index("みかん")


async def test_history_finds_words(kaiwa: World) -> None:
    """/history with words shows the exchanges that have them, with their date, and no others."""
    person = kaiwa.person()
    kaiwa.model.script += ["いいですね。", "カレーはどうですか。"]
    await kaiwa.say(person, "京都へ旅行に行きたい")
    await kaiwa.say(person, "夕飯は何にしよう")
    shown = await kaiwa.say(person, "/history 旅行")
    assert "京都" in shown
    assert "夕飯" not in shown
    assert "あなた: 京都へ旅行に行きたい" in shown


async def test_forget(kaiwa: World) -> None:
    """/forget says that everything is erased, and it is: the document holds a mark alone."""
    person = kaiwa.person()
    await kaiwa.say(person, "忘れてほしい話")
    await kaiwa.say(person, "/reset")
    assert "消しました" in await kaiwa.say(person, "/消去")
    await kaiwa.settled()
    assert "まだ会話はありません" in await kaiwa.say(person, "/履歴")
    await kaiwa.say(person, "はじめまして")
    assert "忘れてほしい話" not in kaiwa.said_to_model()[-1]


async def test_unsend(kaiwa: World) -> None:
    """An unsent message and its answer are gone from what the model reads and from the history."""
    person = kaiwa.person()
    kaiwa.model.script.append("暗証番号は覚えました。")
    event = kaiwa.line.events.text(person, "暗証番号は 9876")
    await kaiwa.line.deliver(kaiwa.url, event)
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await kaiwa.settled()
    await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.unsend(person, event["message"]["id"]))
    await kaiwa.settled()
    await kaiwa.say(person, "何の話でしたか")
    assert "暗証番号" not in kaiwa.said_to_model()[-1]
    assert "9876" not in await kaiwa.say(person, "/history")
