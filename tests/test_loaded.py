"""What a process has imported once it has answered a person: every SDK costs a cold start its time, and memory."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from bot.local.webhook import Speaker
from tests.servers.uvicorn import serving

ROOT = Path(__file__).parents[1]
UNWANTED = ("linebot", "pydantic.v1")
ANSWER = f"""
import asyncio, os, sys
from bot.app import App
from bot.gate import Request
from bot.settings import read

async def body():
    yield sys.stdin.buffer.read()

async def main():
    app = App(read(os.environ), os.environ)
    app.preload()
    response = await app.respond(Request("POST", "/", {{"x-line-signature": sys.argv[1]}}, body()))
    await app.close()
    print(response.status, *[name for name in sys.modules if name.startswith({UNWANTED})])

asyncio.run(main())
"""


@pytest.mark.parametrize("text", ["こんにちは", "/help"])
async def test_a_whole_turn_loads_no_sdk_of_line(text: str) -> None:
    """From the webhook to the reply: neither line-bot-sdk, nor what nothing but it needs."""
    line, model = LineStandIn("token", "secret"), ModelStandIn("key")
    user = line.chats.add_user("さくら")
    async with serving(line.app) as line_url, serving(model.app) as model_url:
        body, signature = line.signed(line.events.text(Speaker(user.id), text))
        done = await _python(ANSWER, signature, body, line_url, model_url)
    assert done.split() == ["200"]
    assert len(line.sent(user.id)) == 1


async def _python(code: str, argument: str, given: bytes, line_url: str, model_url: str) -> str:
    """What `code` prints in a fresh interpreter."""
    environment = {
        "PATH": os.environ["PATH"],
        "STORE": "sqlite::memory:",
        "LINE_CHANNEL_SECRET": "secret",
        "LINE_CHANNEL_ACCESS_TOKEN": "token",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "LINE_API_BASE_URL": line_url,
        "LINE_DATA_API_BASE_URL": line_url,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, argument, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate(given)
    return "\n".join(one for one in printed.decode().splitlines() if not one.startswith("{"))  # its log
