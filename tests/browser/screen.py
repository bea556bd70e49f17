"""The chat page in somebody's hands."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Locator, Page

PATIENCE_MS = 20_000


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

    async def texts(self) -> str:
        return await self.part("talk").inner_text()


async def open_page(context: "BrowserContext", address: str) -> Screen:
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(address)
    await page.get_by_test_id("person-0").wait_for()
    return Screen(page)
