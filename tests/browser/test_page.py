"""The chat page in a real browser, in front of the real function."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bot.texts import phrases
from tests.browser.conftest import local_run
from tests.browser.screen import Screen, open_page

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext


async def test_message_and_answer(screen: Screen) -> None:
    """A typed message is read, the bot is seen to think, and its answer replaces the animation."""
    await screen.say("京都のおすすめは？")
    await screen.part("loading").wait_for()
    await screen.says("「京都のおすすめは？」")
    await screen.part("loading").wait_for(state="detached")
    assert await screen.part("read").first.inner_text() == "既読"
    assert "200" in await screen.part("status-webhook").inner_text()
    assert "代役" in await screen.part("status-model").inner_text()
    assert await screen.part("stand-in").is_visible()


async def test_the_second_turn_knows_the_first(screen: Screen) -> None:
    """The bot remembers what was said before."""
    await screen.be(1)
    await screen.answer_to("/reset")
    await screen.answer_to("My dog is called Rex.")
    assert "Rex" in await screen.answer_to("What did I say?")


async def test_people_are_apart(screen: Screen) -> None:
    """One person's chat shows nothing of another's, and each comes back to their own."""
    await screen.answer_to("さくらの秘密")
    await screen.be(2)
    assert "さくらの秘密" not in await screen.texts()
    await screen.be(0)
    await screen.by("me").filter(has_text="さくらの秘密").first.wait_for()


async def test_group(screen: Screen) -> None:
    """In the group the bot answers a mention, and only that; others see both with the writer's name."""
    await screen.be(0, "chat-group-0")
    before = await screen.by("bot").count()
    await screen.say("土曜日はどう？")
    await screen.by("me").filter(has_text="土曜日はどう？").wait_for()
    await screen.be(1, "chat-group-0")
    await screen.by("other").filter(has_text="土曜日はどう？").wait_for()
    await screen.part("mention").click()
    await screen.page.keyboard.type("which day?")
    await screen.part("send").click()
    await screen.says("which day?")
    assert await screen.by("bot").count() == before + 1


async def test_help_and_history(screen: Screen) -> None:
    """Commands work from the page."""
    await screen.be(2)
    await screen.answer_to("りんごを買った")
    assert "/履歴" in await screen.answer_to("/ヘルプ")
    assert "りんごを買った" in await screen.answer_to("/履歴 りんご")


async def test_long_answer_goes_on_by_button(screen: Screen) -> None:
    """What does not fit comes with a button; tapping it shows its words as one's own, and the rest."""
    await screen.be(1)
    await screen.say("long")
    more = screen.part("quick-reply").filter(has_text=re.compile("|".join(phrases("more_label"))))
    await more.wait_for()
    before = await screen.by("bot").count()
    label = await more.inner_text()
    await more.click()
    await screen.by("bot").nth(before).wait_for()
    assert label in await screen.by("me").last.inner_text()


async def test_unsend(screen: Screen) -> None:
    """A message taken back disappears from the page, and from what the bot remembers."""
    await screen.answer_to("取り消す言葉です")
    await screen.by("me").filter(has_text="取り消す言葉です").click(button="right")
    await screen.part("unsend").click()
    await screen.part("unsent").last.wait_for()
    await screen.by("me").filter(has_text="取り消す言葉です").wait_for(state="detached")
    assert "取り消す言葉です" not in (await screen.answer_to("/履歴 言葉")).replace("/履歴 言葉", "")


async def test_block(screen: Screen) -> None:
    """Who has blocked the bot cannot write to it until they unblock it."""
    await screen.be(2)
    await screen.part("presence").click()
    await screen.part("absent").wait_for()
    assert not await screen.part("text").is_visible()
    await screen.part("presence").click()
    await screen.part("text").wait_for()


async def test_apology(screen: Screen) -> None:
    """When the model fails the bot apologises instead of staying silent."""
    assert "ERROR" not in (answer := await screen.answer_to("エラー"))
    assert answer


async def test_markup_is_text(screen: Screen) -> None:
    """What people and the bot write is shown as it is, never run."""
    markup = "<img src=x onerror=alert(1)><b>bold</b>"
    assert markup in await screen.answer_to(markup)
    assert await screen.page.locator("#talk img, #talk b").count() == 0


async def test_enter_while_composing(screen: Screen) -> None:
    """Enter that chooses a Japanese word does not send, and with Shift it begins a new line."""
    field = screen.part("text")
    await field.fill("にほんご")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    await field.dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "bubbles": True})
    await field.press("Shift+Enter")
    assert await field.input_value() == "にほんご\n"


async def test_reload_keeps_messages(screen: Screen) -> None:
    """A reload loses neither the messages nor who one is."""
    await screen.be(2)
    await screen.answer_to("まだいるよ")
    await screen.page.reload()
    await screen.by("me").filter(has_text="まだいるよ").first.wait_for()
    assert await screen.part("person-2").get_attribute("aria-checked") == "true"


async def test_english(screen: Screen) -> None:
    """The page speaks English, too."""
    await screen.part("language").click()
    assert await screen.part("presence").inner_text() == "Block"
    assert "not an AI" in await screen.part("stand-in").inner_text()


async def test_narrow(screen: Screen) -> None:
    """On a phone's width list and chat take turns, and nothing sticks out."""
    await screen.page.set_viewport_size({"width": 360, "height": 640})
    assert not await screen.part("person-0").is_visible()
    await screen.part("back").click()
    await screen.part("person-1").click()
    await screen.part("chat-bot").click()
    assert await screen.part("text").is_visible()
    assert await screen.page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_an_error_shows_and_a_restart_remembers(context: "BrowserContext", tmp_path: Path) -> None:
    """A page whose server has gone says so; after a restart the bot still knows what was said."""
    async with local_run(tmp_path) as address:
        screen = await open_page(context, address)
        await screen.answer_to("合言葉はカワウソ")
    await screen.say("だれかいますか")
    await screen.part("notice").wait_for()
    async with local_run(tmp_path) as address:
        again = await open_page(context, address)
        assert "合言葉はカワウソ" in await again.answer_to("/履歴")
    assert (tmp_path / "kaiwa.sqlite").exists()
