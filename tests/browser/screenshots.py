"""Takes the README's pictures of the chat page: `make screenshots`, or `python -m tests.browser.screenshots docs`."""

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, FilePayload, Page, async_playwright

from tests.browser.conftest import ARGUMENTS, BROWSERS, local_run
from tests.browser.files import document
from tests.browser.screen import Screen, open_page

LARGEST = 300_000
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCENE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 320" width="480" height="320">
<rect width="480" height="320" fill="#fde3c4"/><circle cx="360" cy="96" r="38" fill="#fff6e0"/>
<path d="M0 190 90 92l74 74 86-112 110 132 60-52 60 60v140H0Z" fill="#b7a3c7"/>
<path d="M0 214q120-74 240-22t240-28v160H0Z" fill="#c8553d"/>
<path d="M0 240q140-58 260-16t220-20v120H0Z" fill="#e07a3f"/>
<path d="M0 262h480v58H0Z" fill="#7fb0bf"/>
<path d="M40 262q200-92 400 0" fill="none" stroke="#8c3a2b" stroke-width="12"/>
<path d="M96 240v36M168 222v54M240 216v60M312 222v54M384 240v36" stroke="#8c3a2b" stroke-width="7"/>
<g fill="#d64530"><circle cx="44" cy="60" r="34"/><circle cx="88" cy="34" r="30"/><circle cx="18" cy="20" r="32"/></g>
</svg>"""
"""A bridge in autumn."""


async def photo(page: Page) -> FilePayload:
    await page.set_content(SCENE)
    return {"name": "bridge.png", "mimeType": "image/png", "buffer": await page.locator("svg").screenshot()}


async def greeted(screen: Screen) -> None:
    """A first message, so that the function has loaded all it needs."""
    await screen.be(1)
    await screen.answer_to("Hello!")
    await screen.page.context.close()


async def private_chat(screen: Screen, scene: FilePayload) -> None:
    """A picture, and an answer with a table."""
    await screen.be(0)
    await screen.attach("photo", scene)
    await screen.say("この橋、週末に見に行きたいな🍁")
    await screen.says("を受け取りました")
    await screen.say("表")
    await screen.part("flex").last.wait_for()
    await screen.part("quick-reply").first.wait_for()


async def group_chat(screen: Screen) -> None:
    """A talk in which the bot is mentioned once, and quotes what it answers."""
    await screen.be(0, "chat-group-0")
    await screen.say("土曜日、どこに行く？")
    await screen.be(1, "chat-group-0")
    await screen.say("@Kaiwa can you suggest a place?")
    await screen.says("can you suggest")
    await screen.be(2, "chat-group-0")
    await screen.choose(screen.by("other").filter(has_text="土曜日").last, "quote")
    await screen.say("お弁当を持っていこう！")
    await screen.be(1, "chat-group-0")
    await screen.part("stickers").click()
    await screen.part("sticker-choice").nth(8).click()
    await screen.part("sticker").wait_for()
    await screen.part("text").press_sequentially("@")
    await screen.part("name").first.wait_for()


async def on_a_phone(screen: Screen) -> None:
    """A PDF and a place, and the stickers."""
    await screen.part("back").click()
    await screen.part("person-2").click()
    await screen.part("chat-bot").click()
    await screen.attach("file", document("旅行の計画.pdf"))
    await screen.part("send").click()
    await screen.says("旅行の計画.pdf")
    await screen.part("add").click()
    await screen.part("add-place").click()
    await screen.part("example").click()
    await screen.part("send-place").click()
    await screen.says("京都駅")
    await screen.part("stickers").click()
    await screen.part("sticker-choice").last.wait_for()


async def taken(screen: Screen, path: Path) -> None:
    await screen.part("loading").wait_for(state="detached")
    await screen.page.evaluate("document.fonts.ready")
    await screen.page.screenshot(path=path, animations="disabled", caret="initial")
    assert path.stat().st_size <= LARGEST, f"{path} is larger than {LARGEST} bytes"


async def opened(browser: Browser, address: str, language: str, **options: Any) -> Screen:
    wide: dict[str, Any] = {"viewport": {"width": 960, "height": 900}} | options
    context = await browser.new_context(
        locale=language, timezone_id="Asia/Tokyo", device_scale_factor=1.25, reduced_motion="reduce", **wide
    )
    return await open_page(context, address)


async def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with TemporaryDirectory() as store:
        async with local_run(Path(store)) as address, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            scene = await photo(await browser.new_page())
            await greeted(await opened(browser, address, "en-US"))
            await private_chat(screen := await opened(browser, address, "ja-JP"), scene)
            await taken(screen, folder / "chat.png")
            await group_chat(screen := await opened(browser, address, "en-US"))
            await taken(screen, folder / "group.png")
            await on_a_phone(screen := await opened(browser, address, "ja-JP", **PHONE))
            await taken(screen, folder / "phone.png")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
