"""Takes the picture of the chat page: `python -m tests.browser.picture bot/local/page.png`."""

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Browser, async_playwright

from tests.browser.conftest import ARGUMENTS, BROWSERS, local_run
from tests.browser.screen import open_page


async def take(browser: Browser, address: str, path: str) -> None:
    context = await browser.new_context(
        locale="ja-JP", timezone_id="Asia/Tokyo", viewport={"width": 900, "height": 700}, device_scale_factor=1.5
    )
    screen = await open_page(context, address)
    await screen.be(1, "chat-group-0")
    await screen.say("See you on Saturday!")
    await screen.part("read").first.wait_for()
    await screen.be(0)
    await screen.answer_to("週末に京都へ行きます🍁")
    await screen.say("おすすめはありますか？")
    await screen.part("loading").wait_for()
    await asyncio.sleep(0.4)  # until the last bubble has come to rest
    await screen.page.screenshot(path=path)


async def main(path: str) -> None:
    executable = next(filter(None, map(shutil.which, BROWSERS)))
    with TemporaryDirectory() as folder:
        async with local_run(Path(folder)) as address, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            await take(browser, address, path)
            await browser.close()


asyncio.run(main(sys.argv[1]))
