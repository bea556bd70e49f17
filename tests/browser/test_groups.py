"""Groups and rooms on the chat page: who is meant, what is quoted, changed and taken back, and who sees what."""

from tests.browser.screen import Screen

WEEKEND, CLUB, ROOM = "chat-group-0", "chat-group-1", "chat-group-2"


async def test_mention_by_completion(screen: Screen) -> None:
    """An "@" offers names; the one chosen by keyboard is a mention that the bot answers, and it quotes the question."""
    await screen.be(1, WEEKEND)
    field = screen.part("text")
    await field.press_sequentially("Well @")
    names = screen.part("name").locator("span:last-child")
    assert await names.all_inner_texts() == ["Kaiwa", "さくら", "Mei", "All (全員)"]
    await field.press_sequentially("ka")
    assert await names.all_inner_texts() == ["Kaiwa"]
    await screen.page.keyboard.press("Tab")
    assert await field.input_value() == "Well @Kaiwa "
    await field.press_sequentially("where shall we meet?")
    await screen.page.keyboard.press("Enter")
    assert "Ken" in await screen.says("where shall we meet?")
    answer = screen.by("bot").filter(has_text="where shall we meet?").last
    assert "where shall we meet?" in await answer.get_by_test_id("quoted").inner_text()


async def test_only_mentions_are_answered(screen: Screen) -> None:
    """Other people can be mentioned, and the bot stays silent; its answer to a later question comes alone."""
    await screen.be(0, CLUB)
    await screen.say("@Ken 次の本は何にする？")
    await screen.part("read").first.wait_for()
    assert await screen.by("me").locator(".at").all_inner_texts() == ["@Ken"]
    await screen.say("@Kaiwa 次の日にちは？")
    await screen.says("次の日にちは？")
    assert await screen.by("bot").count() == 1


async def test_reply_to_the_bot(screen: Screen) -> None:
    """Who replies to the bot's message needs no mention; the quotation stands above the words and leads back."""
    await screen.be(2, ROOM)
    await screen.say("@Kaiwa はじめまして")
    await screen.says("はじめまして")
    await screen.choose(screen.by("bot").last, "quote")
    assert "はじめまして" in await screen.part("quoting").inner_text()
    await screen.say("もう少しくわしく")
    await screen.says("もう少しくわしく")
    mine = screen.by("me").last.get_by_test_id("quoted")
    assert "Kaiwa" in await mine.inner_text()
    await mine.click()
    await screen.page.locator(".row.found").wait_for()


async def test_edit(screen: Screen) -> None:
    """A group's message can be changed by its writer; everybody sees the new words and that they were changed."""
    await screen.be(0, WEEKEND)
    await screen.say("十時に集合")
    await screen.choose(screen.by("me").filter(has_text="十時に集合").last, "edit")
    assert await screen.part("text").input_value() == "十時に集合"
    await screen.say("十一時に集合")
    await screen.part("edited").last.wait_for()
    await screen.be(1, WEEKEND)
    await screen.by("other").filter(has_text="十一時に集合").wait_for()
    assert await screen.by("other").filter(has_text="十時に集合").count() == 0
    await screen.by("other").last.click(button="right")
    assert await screen.part("quote").is_visible()
    assert await screen.part("edit").count() == await screen.part("unsend").count() == 0


async def test_taken_back(screen: Screen) -> None:
    """What is taken back in a group disappears for everybody, and who wrote it is named."""
    await screen.be(0, WEEKEND)
    await screen.say("見なかったことに")
    await screen.choose(screen.by("me").filter(has_text="見なかったことに").last, "unsend")
    await screen.part("unsent").last.wait_for()
    await screen.be(2, WEEKEND)
    assert "さくら" in await screen.part("unsent").last.inner_text()
    assert "見なかったことに" not in await screen.texts()


async def test_chats_never_mix(screen: Screen) -> None:
    """What is said in one chat is neither seen in another nor remembered there; only members see a group."""
    await screen.be(0, CLUB)
    await screen.say("@Kaiwa 合言葉はヤマネ")
    await screen.says("ヤマネ")
    for chat in ("chat-bot", WEEKEND, ROOM):
        await screen.part(chat).click()
        mention = "" if chat == "chat-bot" else "@Kaiwa "
        await screen.answer_to(f"{mention}/履歴 合言葉")
        assert "ヤマネ" not in await screen.texts()
    await screen.be(2)
    assert await screen.part(CLUB).count() == 0


async def test_removed_and_invited(screen: Screen) -> None:
    """A bot that was removed hears nothing; when it is invited again it greets."""
    await screen.be(0, ROOM)
    await screen.part("presence").click()
    await screen.part("absent").wait_for()
    await screen.say("@Kaiwa いますか")
    before = await screen.by("bot").count()
    await screen.part("presence").click()
    await screen.by("bot").nth(before).wait_for()
    assert "いますか" not in await screen.by("bot").nth(before).inner_text()


async def test_sticker_in_a_group(screen: Screen) -> None:
    """A sticker that is meant for nobody is not answered."""
    await screen.be(1, CLUB)
    before = await screen.by("bot").count()
    await screen.part("stickers").click()
    await screen.part("sticker-choice").first.click()
    await screen.part("sticker").last.wait_for()
    await screen.say("@Kaiwa good evening")
    await screen.says("good evening")
    assert await screen.by("bot").count() == before + 1
