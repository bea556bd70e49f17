"""`python -m bot.local` as people start it, and a real browser in front of it."""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.screen import Screen, open_page
from tests.requirements import missing

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # A microphone that hums, and a person who allows its use.
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
START_SECONDS = 60
STOP_SECONDS = 20
LEFT_OUT = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DISPLAY", "WAYLAND_DISPLAY")


@asynccontextmanager
async def local_run(folder: Path, options: Sequence[str] = ()) -> AsyncIterator[str]:
    """The page's address, while the program runs in a folder of its own; it must end cleanly on Ctrl-C."""
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.local", "--no-browser", "--port", "0", *options),
            cwd=folder,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
    try:
        yield await _address(log, process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), STOP_SECONDS) == 0, log.read_text()


async def _address(log: Path, process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(START_SECONDS):
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.05)
    return found[0]


@pytest.fixture(scope="session")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with local_run(tmp_path_factory.mktemp("local")) as url:
        yield url


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator["Browser"]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        missing("A Chromium browser", "apt install chromium (or Google Chrome)")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        missing("Playwright for Python", "pip install -r requirements-dev.txt")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def context(browser: "Browser") -> AsyncIterator["BrowserContext"]:
    context = await browser.new_context(locale="ja-JP", viewport={"width": 1000, "height": 760})
    yield context
    await context.close()


@pytest.fixture
async def screen(context: "BrowserContext", address: str) -> AsyncIterator[Screen]:
    screen = await open_page(context, address)
    errors: list[object] = []
    screen.page.on("pageerror", lambda error: errors.append(error))
    yield screen
    assert errors == []
