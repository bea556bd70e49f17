"""The stand-in for the model over real HTTP, asked by OpenAI's own SDK where that matters."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from bot.context import summary_prompt
from bot.conversation import Said, Turn
from bot.local.model import ModelStandIn, Scripted
from tests.servers.uvicorn import serving

ASKED: dict[str, Any] = {"model": "m", "store": False, "input": "hello"}


class Asked:
    """The stand-in, the SDK's client for it, and bare HTTP."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.model = ModelStandIn(key="key")
        self.base = ""

    async def post(self, body: Any, key: str = "key") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with self.http.post(f"{self.base}/v1/responses", json=body, headers=headers) as response:
            return response.status, await response.json()

    async def ask(self, *lines: tuple[str, str], **more: Any) -> str:
        given: Any = [{"role": role, "content": text} for role, text in lines]
        async with openai.AsyncOpenAI(api_key="key", base_url=f"{self.base}/v1", max_retries=0) as client:
            response = await client.responses.create(model="m", store=False, input=given, **more)
            return str(response.output_text)


@pytest.fixture
async def asked(http: aiohttp.ClientSession) -> AsyncIterator[Asked]:
    asked = Asked(http)
    async with serving(asked.model.app) as asked.base:
        yield asked


async def test_says_what_it_is_in_japanese(asked: Asked) -> None:
    """It repeats what was said and says that it is no AI, in the language of the last message."""
    answer = await asked.ask(("user", "京都はどうですか"))
    assert "「京都はどうですか」" in answer
    assert "代役" in answer


async def test_says_what_it_is_in_english(asked: Asked) -> None:
    """It counts the messages it was shown, which proves that the conversation came along."""
    answer = await asked.ask(("user", "I like tea"), ("assistant", "ok"), ("user", "and cake"))
    assert "“and cake”" in answer
    assert "2 messages" in answer
    assert "“I like tea”" in answer
    assert "stand-in" in answer


async def test_shape(asked: Asked) -> None:
    """The response has the API's own shape, with usage."""
    status, body = await asked.post(ASKED)
    assert (status, body["object"], body["status"]) == (200, "response", "completed")
    assert body["output"][0]["content"][0]["type"] == "output_text"
    assert body["usage"]["input_tokens"] > 0
    assert body["usage"]["output_tokens"] > 0
    assert body["usage"]["input_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize("parts", [[{"type": "input_text", "text": "tea"}], "tea"])
async def test_content_as_text_or_parts(asked: Asked, parts: Any) -> None:
    """Content may be a text or a list of parts."""
    status, body = await asked.post(ASKED | {"input": [{"role": "user", "content": parts}]})
    assert status == 200
    assert "“tea”" in body["output"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": True},
        {"store": None},
        {"model": ""},
        {"input": []},
        {"input": None},
        {"input": [{"role": "robot", "content": "x"}]},
        {"input": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]},
        {"stream": True},
    ],
)
async def test_wrong_requests(asked: Asked, wrong: dict[str, Any]) -> None:
    """What the API would refuse is refused; so is storing the conversation with the provider."""
    status, body = await asked.post(ASKED | wrong)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")


async def test_wrong_key(asked: Asked) -> None:
    """Another key is refused in OpenAI's error shape."""
    status, body = await asked.post(ASKED, key="other")
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


async def test_summary(asked: Asked) -> None:
    """Asked for a summary as the bot asks, it gives a short one of what people said."""
    prompt = summary_prompt("", [Turn("t", (Said("1", "犬の名前はポチです", 1),), "はい")])
    lines = [(line.role, line.text) for line in prompt.lines]
    assert "犬の名前はポチです" in (answer := await asked.ask(*lines, instructions=prompt.instructions))
    assert answer.startswith("これまでの話題")


async def test_talk_about_a_summary(asked: Asked) -> None:
    """Somebody who talks about summaries is answered, also when an earlier summary came along."""
    answer = await asked.ask(("developer", "Summary of the earlier conversation: 要約"), ("user", "要約して"))
    assert "「要約して」" in answer


@pytest.mark.parametrize("word", ["エラー", "error", "@Kaiwa error"])
async def test_word_for_an_error(asked: Asked, word: str) -> None:
    """A magic word alone lets it fail."""
    with pytest.raises(openai.InternalServerError):
        await asked.ask(("user", word))
    assert "an error" in await asked.ask(("user", "an error happened"))


@pytest.mark.parametrize("word", ["長い", "long"])
async def test_word_for_a_long_answer(asked: Asked, word: str) -> None:
    """Another one brings an answer of 30,000 characters."""
    assert len(await asked.ask(("user", word))) == 30_000


async def test_script(asked: Asked) -> None:
    """A script's texts and failures come first, in order; every request is kept."""
    asked.model.script += ["one", 429, Scripted(status=429, code="insufficient_quota", headers={"Retry-After": "3"})]
    assert await asked.ask(("user", "a")) == "one"
    with pytest.raises(openai.RateLimitError) as limited:
        await asked.ask(("user", "b"))
    assert limited.value.code == "rate_limit_exceeded"
    with pytest.raises(openai.RateLimitError) as quota:
        await asked.ask(("user", "c"))
    assert (quota.value.code, quota.value.response.headers["retry-after"]) == ("insufficient_quota", "3")
    assert [request["input"][0]["content"] for request in asked.model.requests] == ["a", "b", "c"]


async def test_scripted_shapes(asked: Asked) -> None:
    """A script may change fields of the response, or replace it by any bytes."""
    asked.model.script += [Scripted("half", fields={"status": "incomplete"}), Scripted(raw=b"[]", status=202)]
    assert (await asked.post(ASKED))[1]["status"] == "incomplete"
    assert await asked.post(ASKED) == (202, [])


async def test_scripted_drop(asked: Asked) -> None:
    """A script may cut the connection."""
    asked.model.script.append(Scripted(fault="drop"))
    with pytest.raises(openai.APIConnectionError):
        await asked.ask(("user", "a"))


@pytest.mark.parametrize("fault", ["hang", "drip"])
async def test_scripted_slowness(asked: Asked, fault: Any) -> None:
    """A script may never come to an end."""
    asked.model.script.append(Scripted("text", fault=fault))
    with pytest.raises(openai.APITimeoutError):
        await asked.ask(("user", "a"), timeout=0.2)


async def test_delay(asked: Asked) -> None:
    """A scripted delay passes before the answer."""
    asked.model.script.append(Scripted("late", delay=0.3))
    with pytest.raises(openai.APITimeoutError):
        await asked.ask(("user", "a"), timeout=0.1)
