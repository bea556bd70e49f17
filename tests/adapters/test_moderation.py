"""Moderation over the wire: everything that can be judged is asked about, and one yes is enough."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.adapters.moderation import MODEL, OpenAIModerator
from bot.adapters.openai import OpenAIModel
from bot.errors import ModelFailed
from bot.ports import Attachment
from tests.adapters.secret_of import rotating
from tests.servers.http import Answer, HttpServer

PNG = Attachment("image/png", b"png", "a.png")


def judged(*flags: bool) -> Answer:
    results = [{"flagged": flag, "categories": {}, "category_scores": {}} for flag in flags]
    return Answer(200, {"id": "modr_1", "model": MODEL, "results": results})


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    async with HttpServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        yield server


@pytest.fixture
async def moderator(server: HttpServer) -> AsyncIterator[OpenAIModerator]:
    model = OpenAIModel("gpt-small", rotating("key-1")[0])
    yield OpenAIModerator(model)
    await model.close()


@pytest.mark.parametrize("flags", [(True,), (False,), (False, True), (False, False)])
async def test_a_text(server: HttpServer, moderator: OpenAIModerator, flags: tuple[bool, ...]) -> None:
    """One request by the model that is free of charge; any of its results counts."""
    server.script(judged(*flags))
    assert await moderator.flagged("words", ()) is any(flags)
    [request] = server.requests
    assert request.path == "/v1/moderations"
    assert request.json == {"model": "omni-moderation-latest", "input": ["words"]}


async def test_a_long_text(server: HttpServer, moderator: OpenAIModerator) -> None:
    """In pieces, none of which is left out: a text that is too long to be judged would pass unread."""
    server.script(judged(False), judged(False), judged(True))
    assert await moderator.flagged("あ" * 401_234, ()) is True
    sent = [piece for request in server.requests for piece in request.json["input"]]
    assert sorted(map(len, sent)) == [1_234, *[10_000] * 40]
    assert max(len(request.json["input"]) for request in server.requests) == 20


async def test_attachments(server: HttpServer, moderator: OpenAIModerator) -> None:
    """Images one a request, which is all that the API takes; text files as text; others cannot be judged."""
    server.script(judged(False), judged(False), judged(True))
    text = Attachment("text/plain; charset=utf-8", "ファイル".encode(), "a.txt")
    assert await moderator.flagged("look", (PNG, text, PNG, Attachment("application/pdf", b"%PDF", "a.pdf"))) is True
    image: Any = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}]
    sent = [request.json["input"] for request in server.requests]
    assert sorted(sent, key=str) == sorted([["look", "ファイル"], image, image], key=str)


async def test_nothing_to_judge(server: HttpServer, moderator: OpenAIModerator) -> None:
    """No request is made for nothing."""
    assert await moderator.flagged("", (Attachment("application/pdf", b"%PDF", "a.pdf"),)) is False
    assert not server.requests


@pytest.mark.parametrize("answer", [Answer(500), Answer(401), Answer(200, {}), Answer(200, b"<html>")])
async def test_failures(server: HttpServer, moderator: OpenAIModerator, answer: Answer) -> None:
    """They are named as the model's are."""
    server.script(answer)
    with pytest.raises(ModelFailed):
        await moderator.flagged("words", ())


@pytest.mark.parametrize("results", [[], [1], ["safe"], [None], [[]], [{}], [{"flagged": None}], [{"flagged": "no"}]])
async def test_no_verdict_is_no_pass(server: HttpServer, moderator: OpenAIModerator, results: list[Any]) -> None:
    """An answer that judges nothing is a failure, which is logged, and not a quiet yes."""
    server.script(Answer(200, {"id": "modr_1", "model": MODEL, "results": results}))
    with pytest.raises(ModelFailed):
        await moderator.flagged("words", ())
