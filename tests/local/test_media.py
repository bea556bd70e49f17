"""The stand-ins' part in media: LINE gives the bytes that people sent, the model hears and tells what it got."""

from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import openai
import pytest

from bot.local.chats import Content
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn, form
from bot.local.webhook import Speaker
from bot.notes import INSTRUCTION, split
from tests.servers.uvicorn import serving

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1Pe"


@pytest.fixture
async def line(http: aiohttp.ClientSession) -> AsyncIterator[tuple[LineStandIn, str]]:
    made = LineStandIn("token", "secret")
    async with serving(made.app) as base:
        yield made, base


async def get(http: aiohttp.ClientSession, base: str, message_id: str, token: str = "token") -> tuple[int, str, bytes]:
    headers = {"Authorization": f"Bearer {token}"}
    async with http.get(f"{base}/v2/bot/message/{message_id}/content", headers=headers) as response:
        return response.status, response.headers["content-type"], await response.content.read(100)


async def test_content(http: aiohttp.ClientSession, line: tuple[LineStandIn, str]) -> None:
    """What somebody sent, to whoever has the token; unknown is 404, and after unsending it is gone."""
    made, base = line
    made.chats.contents["5"] = Content("image/png", b"bytes")
    assert await get(http, base, "5") == (200, "image/png", b"bytes")
    assert (await get(http, base, "5", "wrong"))[0] == 401
    assert (await get(http, base, "6"))[0] == 404
    made.events.unsend(Speaker("U1"), "5")
    made.chats.contents.pop("5", None)
    assert (await get(http, base, "5"))[0] in (404, 410)


async def test_content_that_goes_wrong(http: aiohttp.ClientSession, line: tuple[LineStandIn, str]) -> None:
    """Being prepared, as LINE tells it; and a body that never ends."""
    made, base = line
    made.chats.contents["5"] = Content("image/png", b"x" * 1_000, endless=True)
    made.fail_next("/5/content", 202)
    assert (await get(http, base, "5"))[0] == 202
    assert (await get(http, base, "5"))[2] == b"x" * 100


@pytest.fixture
async def model(http: aiohttp.ClientSession) -> AsyncIterator[tuple[ModelStandIn, openai.AsyncOpenAI]]:
    made = ModelStandIn(key="key")
    async with (
        serving(made.app) as base,
        openai.AsyncOpenAI(api_key="key", base_url=f"{base}/v1", max_retries=0) as client,
    ):
        yield made, client


def sound(name: str) -> Any:
    file = BytesIO(b"sound")
    file.name = name
    return file


async def test_it_hears_what_it_is_told_to(model: tuple[ModelStandIn, openai.AsyncOpenAI]) -> None:
    """The script's words or status, then words of its own; the form is there to be looked at."""
    made, client = model
    made.transcripts += ["See you at eight.", 429]
    heard = await client.audio.transcriptions.create(file=sound("a.m4a"), model="m")
    assert heard.text == "See you at eight."
    assert form(made.transcriptions[0])["file"] == (b"sound", "a.m4a")
    with pytest.raises(openai.RateLimitError):
        await client.audio.transcriptions.create(file=sound("a.m4a"), model="m")
    assert "stand-in" in (await client.audio.transcriptions.create(file=sound("a.m4a"), model="m")).text


async def test_a_name_that_tells_no_format(model: tuple[ModelStandIn, openai.AsyncOpenAI]) -> None:
    """OpenAI tells a sound's format by its name."""
    _, client = model
    with pytest.raises(openai.BadRequestError):
        await client.audio.transcriptions.create(file=sound("voice"), model="m")


async def test_it_writes_notes(model: tuple[ModelStandIn, openai.AsyncOpenAI]) -> None:
    """Where the bot asks for one it is there, of what came; else there is none."""
    _, client = model
    parts = [{"type": "input_text", "text": "what is it?"}, {"type": "input_image", "image_url": PNG, "detail": "auto"}]
    given: Any = [{"role": "user", "content": parts}]
    wanted: Any = [{"role": "developer", "content": INSTRUCTION}, *given]
    answered = await client.responses.create(model="m", store=False, input=wanted, instructions="Be kind.")
    answer, note = split(answered.output_text)
    assert "PNG" in note
    assert "memory" not in answer
    plain = await client.responses.create(model="m", store=False, input=given, instructions="Be kind.")
    assert "memory" not in plain.output_text
