"""OpenAITranscriber against a server that plays OpenAI: the form that is sent, and what every answer means."""

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import MIMEPart

import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.transcription import OpenAITranscriber
from bot.errors import ModelFailed, ModelFault
from bot.ports import Attachment
from tests.adapters.secret_of import VERSION, rotating
from tests.servers.http import Answer, HttpServer, Received

AUDIO = Attachment("audio/x-m4a", b"\x00\x00\x00\x18ftypM4A \r\n--x", "voice.m4a")


class OpenAI:
    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.secret, self.source = rotating("key-1")
        self.model = OpenAIModel("gpt-small", self.secret)
        self.transcriber = OpenAITranscriber(self.model, "gpt-hear")

    async def hear(self, *answers: Answer) -> str:
        self.server.script(*answers)
        return (await self.transcriber.transcribe(AUDIO)).words


@pytest.fixture
async def openai(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAI]:
    async with HttpServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        made = OpenAI(server)
        yield made
        await made.model.close()


def form(received: Received) -> dict[str, MIMEPart]:
    head = f"Content-Type: {received.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + received.body, policy=policy.HTTP)
    return {str(part.get_param("name", header="content-disposition")): part for part in message.iter_parts()}


async def test_the_form_on_the_wire(openai: OpenAI) -> None:
    """The audio under a name that tells its format, and the model; nothing else."""
    assert await openai.hear(Answer(200, {"text": " See you at eight. "})) == "See you at eight."
    [request] = openai.server.requests
    assert (request.method, request.path) == ("POST", "/v1/audio/transcriptions")
    assert request.headers["authorization"] == "Bearer key-1"
    parts = form(request)
    assert set(parts) <= {"file", "model", "response_format"}
    assert parts["file"].get_filename() == "voice.m4a"
    assert parts["file"].get_payload(decode=True) == AUDIO.data
    assert str(parts["model"].get_payload()) == "gpt-hear"


@pytest.mark.parametrize(
    ("told", "tokens", "seconds"),
    [
        ({"type": "duration", "seconds": 12.5}, 0, 12.5),
        ({"type": "tokens", "input_tokens": 40, "output_tokens": 9, "total_tokens": 49}, 49, 0.0),
        (None, 0, 0.0),
    ],
)
async def test_what_it_took(openai: OpenAI, told: object, tokens: int, seconds: float) -> None:
    """Tokens or seconds, as the model is billed; nothing where a server tells nothing."""
    openai.server.script(Answer(200, {"text": "Hi", "usage": told} if told else {"text": "Hi"}))
    heard = await openai.transcriber.transcribe(AUDIO)
    assert (heard.usage.tokens, heard.seconds) == (tokens, seconds)


async def test_a_rotated_key(openai: OpenAI) -> None:
    """401 reads the secret again, once, for both kinds of calls."""
    await openai.secret.value()
    openai.source.values[VERSION] = "key-2"
    refused = Answer(401, {"error": {"message": "no", "code": "invalid_api_key"}})
    assert await openai.hear(refused, Answer(200, {"text": "Hi"})) == "Hi"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(400, {"error": {"message": "Invalid file format.", "code": None}}), "rejected"),
        (Answer(429, {"error": {"message": "slow", "code": "rate_limit_exceeded"}}), "busy"),
        (Answer(429, {"error": {"message": "paid?", "code": "insufficient_quota"}}), "quota"),
        (Answer(500, {}), "busy"),
        (Answer(200, b"<html>", {"content-type": "text/html"}), "broken"),
        (Answer(200, {}), "broken"),
        (Answer(drop="after_reading"), "busy"),
    ],
)
async def test_what_goes_wrong(openai: OpenAI, answer: Answer, fault: ModelFault) -> None:
    """Named as for answers, whatever the SDK makes of it."""
    with pytest.raises(ModelFailed) as raised:
        await openai.hear(answer)
    assert raised.value.fault == fault
    assert raised.value.__cause__ is None
