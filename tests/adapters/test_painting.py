"""Pictures by OpenAI's images API, on a server that plays it: what is asked, and what is taken for a picture."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.painting import MOST_BYTES, OpenAIPainter
from bot.conversation import Usage
from bot.errors import ModelFailed, ModelFault
from bot.local.painting import painted, png
from bot.ports import Attachment, Painted
from tests.adapters.secret_of import rotating
from tests.servers.http import Answer, HttpServer

JPEG = b"\xff\xd8\xff\xe0 picture"


class Studio:
    """A painter with the server it talks to."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.model = OpenAIModel("gpt-small", rotating("key-1")[0])
        self.painter = OpenAIPainter(self.model, "gpt-image")

    async def paint(self, answer: Answer) -> Painted:
        self.server.script(answer)
        return await self.painter.paint("a cat")


@pytest.fixture
async def studio(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Studio]:
    async with HttpServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        studio = Studio(server)
        yield studio
        await studio.model.close()


def answered(data: bytes, **fields: Any) -> Answer:
    return Answer(200, {"created": 1, "data": [{"b64_json": base64.b64encode(data).decode()}], **fields})


async def test_on_the_wire(studio: Studio) -> None:
    """One picture, in a form and size that LINE shows."""
    usage = {"input_tokens": 9, "output_tokens": 1000, "total_tokens": 1009}
    made = await studio.paint(answered(JPEG, usage=usage))
    assert made == Painted(Attachment("image/jpeg", JPEG, "picture.jpg"), Usage(input_tokens=9, output_tokens=1000))
    [request] = studio.server.requests
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert request.headers["authorization"] == "Bearer key-1"
    assert request.json == {
        "model": "gpt-image",
        "prompt": "a cat",
        "n": 1,
        "size": "1024x1024",
        "quality": "medium",
        "output_format": "jpeg",
        "output_compression": 80,
    }


async def test_the_stand_in(studio: Studio) -> None:
    """What the local model paints is taken, and its colour follows the words."""
    made = await studio.paint(Answer(200, painted("a cat")))
    assert made.picture == Attachment("image/png", png("a cat"), "picture.png")
    assert png("a cat") != png("a dog")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"created": 1, "data": []}),
        Answer(200, {"created": 1}),
        Answer(200, {"created": 1, "data": [{"url": "https://pictures.example/1"}]}),
        Answer(200, {"created": 1, "data": [{"b64_json": "not base64!"}]}),
        answered(b"GIF89a"),
        answered(JPEG + b"x" * MOST_BYTES),
        Answer(200, b"<html>"),
    ],
)
async def test_no_picture(studio: Studio, answer: Answer) -> None:
    """What LINE could not show, or a megabyte would be too small for, is none."""
    with pytest.raises(ModelFailed) as failed:
        await studio.paint(answer)
    assert failed.value.fault == "broken"


@pytest.mark.parametrize(
    ("status", "code", "fault"),
    [(400, "moderation_blocked", "refused"), (400, "billing_hard_limit_reached", "quota"), (500, None, "busy")],
)
async def test_refused(studio: Studio, status: int, code: str | None, fault: ModelFault) -> None:
    """Each way in which no picture comes has its name, and is tried only once."""
    with pytest.raises(ModelFailed) as failed:
        await studio.paint(Answer(status, {"error": {"message": "no", "type": "t", "param": None, "code": code}}))
    assert failed.value.fault == fault
    assert len(studio.server.requests) == 1
