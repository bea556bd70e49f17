"""The chat page in somebody's hands."""

from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from playwright.async_api import APIResponse, BrowserContext, FilePayload, Locator, Page

PATIENCE_MS = 60_000


class Screen:
    """The page as somebody uses it: さくら (0), Ken (1) or Mei (2)."""

    def __init__(self, page: "Page") -> None:
        self.page = page

    def by(self, who: str) -> "Locator":
        return self.page.locator(f"[data-testid=bubble][data-by={who}]")

    def part(self, name: str) -> "Locator":
        return self.page.get_by_test_id(name)

    async def be(self, person: int, chat: str = "chat-bot") -> None:
        await self.part(f"person-{person}").click()
        await self.part(chat).click()

    async def say(self, text: str) -> None:
        await self.part("text").fill(text)
        await self.page.keyboard.press("Enter")

    async def answer_to(self, text: str) -> str:
        """Say it and wait for the bubble that the bot adds."""
        before = await self.by("bot").count()
        await self.say(text)
        await self.by("bot").nth(before).wait_for()
        return await self.by("bot").nth(before).inner_text()

    async def says(self, words: str) -> str:
        """The bot's bubble with these words, as soon as it is there."""
        bubble = self.by("bot").filter(has_text=words).last
        await bubble.wait_for()
        return await bubble.inner_text()

    async def attach(self, how: str, *files: "FilePayload") -> None:
        """Choose files: `photo`, `file` or `audio` behind the plus sign."""
        before = await self.part("attachment").count()
        await self.part(f"pick-{how}").set_input_files(files)
        await self.part("attachment").nth(before + len(files) - 1).wait_for()

    async def choose(self, bubble: "Locator", item: str) -> None:
        """An entry of a bubble's menu."""
        await bubble.click(button="right")
        await self.part(item).click()

    async def fetched(self, path: str | None) -> "APIResponse":
        """What the page's server answers there."""
        return await self.page.request.get(urljoin(self.page.url, path))

    async def texts(self) -> str:
        return await self.part("talk").inner_text()


async def open_page(context: "BrowserContext", address: str) -> Screen:
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(address)
    await page.get_by_test_id("person-0").wait_for(state="attached")
    return Screen(page)
