"""OpenAIModel against a server that plays OpenAI: what is asked, and what every kind of answer is taken for."""

import asyncio
import socket
import time
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.openai import OpenAIModel
from bot.conversation import Usage
from bot.errors import ModelFailed, ModelFault, Unavailable
from bot.ports import Attachment, Completion, Line, Prompt
from tests.adapters.secret_of import VERSION, rotating, unreadable
from tests.servers.http import Answer, HttpServer

PRIVATE = "the user's private words"
PROMPT = Prompt("Be kind.", (Line("developer", "Summary: tea"), Line("user", PRIVATE), Line("assistant", "Yes?")), 700)
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}
FILTERED = {"reason": "content_filter"}
LIMIT = {"reason": "max_output_tokens"}
REFUSAL = {"type": "refusal", "refusal": PRIVATE}


def message(*parts: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": list(parts), **extra}


def text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def response(*output: dict[str, Any], status: str = "completed", **extra: Any) -> Answer:
    body = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": status, "output": list(output)}
    return Answer(200, {**body, "usage": USAGE, "parallel_tool_calls": True, "tools": [], **extra})


def error(status: int, code: str | None, headers: dict[str, str] | None = None, words: str = PRIVATE) -> Answer:
    return Answer(status, {"error": {"message": words, "type": "t", "param": None, "code": code}}, headers or {})


class OpenAI:
    """A model with the server it talks to."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.secret, self.source = rotating("key-1")
        self.model = OpenAIModel("gpt-small", self.secret)

    async def complete(self, *answers: Answer) -> Completion:
        self.server.script(*answers)
        return await self.model.complete(PROMPT)

    async def fails(self, *answers: Answer) -> ModelFailed:
        with pytest.raises(ModelFailed) as raised:
            await self.complete(*answers)
        return raised.value


@pytest.fixture
async def openai(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAI]:
    async with HttpServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        openai = OpenAI(server)
        yield openai
        await openai.model.close()


async def test_the_question_on_the_wire(openai: OpenAI) -> None:
    """The whole context goes in one request that OpenAI must not store; no effort is named unless one is set."""
    await openai.complete(response(message(text("Hello."))))
    [request] = openai.server.requests
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["authorization"] == "Bearer key-1"
    assert request.json == {
        "model": "gpt-small",
        "instructions": "Be kind.",
        "input": [
            {"role": "developer", "content": "Summary: tea"},
            {"role": "user", "content": PRIVATE},
            {"role": "assistant", "content": "Yes?"},
        ],
        "max_output_tokens": 700,
        "store": False,
    }


async def test_attachments_on_the_wire(openai: OpenAI) -> None:
    """An image under its name, a text as text, a PDF as a file: beside the words of the line that they came with."""
    attachments = (
        Attachment("image/png", b"\x89PNG", "image 1"),
        Attachment("text/plain", "合計 1,200円".encode(), "memo.txt"),
        Attachment("application/pdf", b"%PDF-1.7", "見積.pdf"),
    )
    openai.server.script(response(message(text("Hello."))))
    await openai.model.complete(Prompt("Be kind.", (Line("user", "before"), Line("user", "look", attachments)), 700))
    before, line = openai.server.requests[0].json["input"]
    assert before["content"] == "before"
    assert line["content"] == [
        {"type": "input_text", "text": "look"},
        {"type": "input_text", "text": "[image 1]"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
        {"type": "input_text", "text": "[file: memo.txt]\n合計 1,200円"},
        {"type": "input_file", "filename": "見積.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="},
    ]


async def test_effort_on_the_wire(openai: OpenAI) -> None:
    """A chosen effort is passed on."""
    model = OpenAIModel("gpt-small", openai.secret, effort="low")
    openai.server.script(response(message(text("Hello."))))
    await model.complete(PROMPT)
    assert openai.server.requests[0].json["reasoning"] == {"effort": "low"}
    await model.close()


@pytest.mark.parametrize(
    ("wanted", "model", "effort"),
    [
        ("", "gpt-small", "low"),
        ("gpt-small", "gpt-small", "low"),
        ("gpt-large", "gpt-large", None),
        ("gone", "gpt-small", "low"),
    ],
)
async def test_another_model(openai: OpenAI, wanted: str, model: str, effort: str | None) -> None:
    """One that is on offer answers, with its own effort; where it no longer is, the operator's own."""
    offering = OpenAIModel("gpt-small", openai.secret, effort="low", others={"gpt-large": ""})
    openai.server.script(response(message(text("Hello."))))
    await offering.complete(replace(PROMPT, model=wanted))
    sent = openai.server.requests[0].json
    assert (sent["model"], sent.get("reasoning")) == (model, {"effort": effort} if effort else None)
    await offering.close()


async def test_a_completed_answer(openai: OpenAI) -> None:
    """All text parts make the answer, reasoning and commentary do not, and the usage is told."""
    reasoning = {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "thinking"}]}
    output = (reasoning, message(text("aside"), phase="commentary"), message(text("Hello, "), text("you.")))
    usage = Usage(input_tokens=100, cached_tokens=64, output_tokens=20)
    assert await openai.complete(response(*output)) == Completion("Hello, you.", usage)


async def test_an_answer_cut_at_the_limit(openai: OpenAI) -> None:
    """Text that ended at the output limit is marked as cut, never passed off as whole."""
    answer = response(message(text("Once upon")), status="incomplete", incomplete_details=LIMIT)
    completion = await openai.complete(answer)
    assert (completion.text, completion.cut) == ("Once upon", True)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 7}, {"input_tokens": None, "input_tokens_details": None}])
async def test_missing_usage_costs_no_answer(openai: OpenAI, usage: Any) -> None:
    """A server that counts only partly, or not at all, is still listened to."""
    completion = await openai.complete(response(message(text("Hello.")), usage=usage))
    assert completion.text == "Hello."
    assert completion.usage.output_tokens == 0


async def test_unknown_parts_are_passed_over(openai: OpenAI) -> None:
    """Items and parts that a compatible server adds do not hide the answer."""
    parts = message({"type": "thinking", "thinking": "hm"}, text("Hello."))
    assert (await openai.complete(response({"type": "novelty", "id": "n"}, parts))).text == "Hello."


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (response(), "empty"),
        (response(message()), "empty"),
        (response(message(text(" \n"))), "empty"),
        (response({"type": "reasoning", "id": "r", "summary": []}), "empty"),
        (response(status="incomplete", incomplete_details=LIMIT), "empty"),
        (response(message(text("Half")), status="incomplete", incomplete_details=FILTERED), "refused"),
        (response(message(REFUSAL)), "refused"),
        (response(status="failed", error={"code": "server_error", "message": PRIVATE}), "busy"),
        (response(status="failed", error={"code": "rate_limit_exceeded", "message": PRIVATE}), "busy"),
        (response(status="failed", error={"code": "invalid_prompt", "message": PRIVATE}), "refused"),
        (response(status="failed", error={"code": "vector_store_timeout", "message": PRIVATE}), "broken"),
        (response(status="failed", error=None), "broken"),
        (response(status="failed", error={}), "broken"),
        (response(message(text("Later")), status="in_progress"), "broken"),
        (Answer(200, b"<html>busy</html>", {"content-type": "text/html"}), "broken"),
        (Answer(200, b'{"id": "r", "outp'), "broken"),
        (Answer(200, b""), "broken"),
        (Answer(200, b"\xff\xfe"), "broken"),
        (Answer(200, {}), "broken"),
        (Answer(200, []), "broken"),
        (Answer(200, b"null"), "broken"),
        (response(output=None), "broken"),
        (response(output=[{"type": "message", "content": None}]), "broken"),
    ],
)
async def test_an_answer_that_is_none(openai: OpenAI, answer: Answer, fault: ModelFault) -> None:
    """A 200 without a usable answer is a named fault: never silence, never half an answer, never an SDK's exception."""
    assert (await openai.fails(answer)).fault == fault
    assert len(openai.server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (error(429, "rate_limit_exceeded"), "busy"),
        (error(429, None), "busy"),
        (error(429, "insufficient_quota"), "quota"),
        (error(401, "invalid_api_key"), "unauthorized"),
        (error(403, "unsupported_country"), "rejected"),
        (error(404, "model_not_found"), "rejected"),
        (error(400, "context_length_exceeded"), "too_long"),
        (error(400, None, words="This model's maximum context length is 8192 tokens."), "too_long"),
        (error(413, None), "too_long"),
        (error(400, "content_filter"), "refused"),
        (error(400, "invalid_value"), "rejected"),
        (error(422, None), "rejected"),
        (error(500, "server_error"), "busy"),
        (Answer(502, b"<html>\xff</html>", {"content-type": "text/html"}), "busy"),
        (error(503, None), "busy"),
        (Answer(drop="before_reading"), "busy"),
        (Answer(drop="after_reading"), "busy"),
        (Answer(200, {"output": "x" * 100}, drop="in_body"), "busy"),
    ],
)
async def test_what_an_error_means(openai: OpenAI, answer: Answer, fault: ModelFault) -> None:
    """Every error is named after what the caller can do, in one request: retries are the caller's."""
    failed = await openai.fails(answer)
    assert failed.fault == fault
    assert len(openai.server.requests) <= 1
    assert openai.server.connections == 1


async def test_nobody_listening_is_busy(openai: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection may pass."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
        assert (await openai.fails()).fault == "busy"


@pytest.mark.parametrize("odd", [7, 1.5, True, ["quota"], {"a": 1}])
@pytest.mark.parametrize(("status", "fault"), [(400, "rejected"), (422, "rejected"), (429, "busy")])
async def test_an_error_of_odd_kinds(openai: OpenAI, odd: Any, status: int, fault: ModelFault) -> None:
    """Compatible servers put other things than words where a code is expected: an error is one all the same."""
    told = {"message": odd, "type": odd, "code": odd, "param": odd}
    assert (await openai.fails(Answer(status, {"error": told}))).fault == fault


@pytest.mark.parametrize(
    ("code", "param"),
    [
        ("image_parse_error", None),
        ("unsupported_image_media_type", "input"),
        (None, "input[3].content[1].file_data"),
        ("invalid_value", "input[0].content[2]"),
    ],
)
async def test_what_the_model_cannot_open(openai: OpenAI, code: str | None, param: str | None) -> None:
    """A broken image or a locked PDF is the person's to hear of, not the operator's."""
    body = {"error": {"message": PRIVATE, "type": "t", "param": param, "code": code}}
    assert (await openai.fails(Answer(400, body))).fault == "unreadable"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1.0),
        ("600", 600.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_told(openai: OpenAI, status: int, header: str, seconds: float) -> None:
    """The wait that the server asks for reaches the caller in seconds; nonsense is no wait; nothing is slept here."""
    started = time.monotonic()
    assert (await openai.fails(error(status, None, {"retry-after": header}))).retry_after == seconds
    assert time.monotonic() - started < 5


async def test_401_reads_the_key_again(openai: OpenAI) -> None:
    """A rotated key is picked up by the call that was refused, and kept for the next."""
    await openai.secret.value()
    openai.source.values[VERSION] = "key-2"
    hello = response(message(text("Hello.")))
    assert (await openai.complete(error(401, None), hello, hello)).text == "Hello."
    await openai.complete()
    keys = [request.headers["authorization"] for request in openai.server.requests]
    assert keys == ["Bearer key-1", "Bearer key-2", "Bearer key-2"]


async def test_401_without_a_new_key(openai: OpenAI) -> None:
    """The same key is not tried twice, and a new one not three times."""
    assert (await openai.fails(error(401, None))).fault == "unauthorized"
    assert len(openai.server.requests) == 1


async def test_401_with_both_keys(openai: OpenAI) -> None:
    """When the new key is refused as well, that is the end of it."""
    await openai.secret.value()
    openai.source.values[VERSION] = "key-2"
    assert (await openai.fails(error(401, None), error(401, None))).fault == "unauthorized"
    assert len(openai.server.requests) == 2


async def test_an_unreadable_key(openai: OpenAI) -> None:
    """Without a key nothing is asked and the caller hears why."""
    model = OpenAIModel("gpt-small", unreadable(Unavailable("down")))
    with pytest.raises(Unavailable):
        await model.complete(PROMPT)
    assert openai.server.connections == 0


@pytest.mark.parametrize(
    "answer",
    [error(400, None), error(401, None), error(500, None), response(message(REFUSAL)), Answer(200, PRIVATE.encode())],
)
async def test_errors_carry_no_words(openai: OpenAI, answer: Answer) -> None:
    """Nothing that the provider says, which may quote the user or the key, is in the error or its causes."""
    failed = await openai.fails(answer)
    written = "".join(traceback.format_exception(failed, chain=True))
    assert PRIVATE not in written
    assert "key-1" not in written
    assert failed.__cause__ is failed.__context__ is None


@pytest.mark.parametrize(
    "answer", [Answer(delay=30), Answer(200, b" " * 1000 + b"{}", drip=0.05)], ids=["hang", "drip"]
)
async def test_the_callers_deadline_holds(openai: OpenAI, answer: Answer) -> None:
    """A total deadline around the call ends it, also while bytes trickle in, and the next call works."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await openai.complete(answer)
    assert time.monotonic() - started < 1.0
    assert (await openai.complete(response(message(text("Hello."))))).text == "Hello."


async def test_an_empty_base_url_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_BASE_URL="" means OpenAI itself, as everywhere empty means unset."""
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    model = OpenAIModel("gpt-small", rotating("key-1")[0])
    assert str(model._connected("key-1").base_url) == "https://api.openai.com/v1/"
    await model.close()


async def test_one_connection_for_many_questions(openai: OpenAI) -> None:
    """The client lives as long as the process: questions in a row share a connection."""
    for _ in range(5):
        await openai.complete(response(message(text("Hello."))))
    assert openai.server.connections == 1
