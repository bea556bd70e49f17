"""The stand-in's tools over real HTTP: as strict as the API about what comes back, and usable without a script."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.openai_tools import SEARCH_HISTORY, WEB_SEARCH
from bot.local.model import ModelStandIn, Scripted
from bot.local.tools import THOUGHT
from bot.ports import Completion, Line, Link, Prompt
from bot.searching import Findings
from tests.adapters.secret_of import rotating
from tests.servers.uvicorn import serving

CALL = {"type": "function_call", "call_id": "c", "name": "search_history", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "found"}
USER = {"role": "user", "content": "前に話した旅行のこと、思い出して"}


class Asked:
    """The stand-in, and the bot's own adapter for it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.model = ModelStandIn(key="key")
        self.base = ""

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer key"}
        given = {"model": "m", "store": False, **body}
        async with self.http.post(f"{self.base}/v1/{path}", json=given, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def asked(http: aiohttp.ClientSession) -> AsyncIterator[Asked]:
    asked = Asked(http)
    async with serving(asked.model.app) as asked.base:
        yield asked


@pytest.fixture
async def adapter(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIModel]:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{asked.base}/v1")
    model = OpenAIModel("m", rotating("key")[0], effort="low")
    yield model
    await model.close()


def prompt(text: str, *tools: Any, earlier: Sequence[tuple[Completion, tuple[str, ...]]] = ()) -> Prompt:
    return Prompt("", (Line("user", text),), 100, tools=tools, earlier=tuple(earlier))


async def test_it_remembers_when_asked(adapter: OpenAIModel) -> None:
    """Asked of earlier days it searches, and tells what came back."""
    question = "前に話した旅行のこと、思い出して"
    first = await adapter.complete(prompt(question, "search_history"))
    assert "旅行" in first.calls[0].query
    found = Findings("[2026-10-01] 京都へ行った")
    second = await adapter.complete(prompt(question, "search_history", earlier=[(first, (found.text,))]))
    assert "京都へ行った" in second.text
    assert not second.calls


@pytest.mark.parametrize(("text", "tools"), [("前に話した?", ()), ("こんにちは", ("search_history",))])
async def test_it_answers_otherwise(adapter: OpenAIModel, text: str, tools: tuple[Any, ...]) -> None:
    """Without the tool, or without a reason, it does not call."""
    assert (await adapter.complete(prompt(text, *tools))).text


async def test_it_cites_pages(adapter: OpenAIModel) -> None:
    """Asked for news, where it may look into the web, it lists two pages; otherwise none."""
    looked = await adapter.complete(prompt("最新のニュースは?", "web_search"))
    assert looked.links[0] == Link("Example Domain", "https://example.com/")
    assert (len(looked.links), looked.web_searches) == (2, 1)
    assert "example.com" not in looked.text
    assert not (await adapter.complete(prompt("最新のニュースは?"))).links


async def test_scripted_calls(asked: Asked, adapter: OpenAIModel) -> None:
    """A script may call several times at once, with any arguments, and cite any page."""
    asked.model.script += [
        Scripted(searches=("a", {"query": "b", "since": "2026-01-01"})),
        Scripted("Read.", pages=(("T", "https://t.jp/x"),)),
    ]
    calls = (await adapter.complete(prompt("hi", "search_history"))).calls
    assert [(call.query, call.since) for call in calls] == [("a", ""), ("b", "2026-01-01")]
    assert (await adapter.complete(prompt("hi", "web_search"))).links == (Link("T", "https://t.jp/x"),)


@pytest.mark.parametrize(
    "given",
    [
        [USER, CALL],
        [USER, OUTPUT],
        [USER, OUTPUT, CALL],
        [USER, CALL, OUTPUT, OUTPUT],
        [USER, CALL, OUTPUT | {"call_id": "other"}],
        [USER, {"type": "reasoning", "id": "rs", "summary": []}],
        [USER, {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "another's"}],
        [USER, {"type": "novelty"}],
    ],
)
async def test_what_must_not_come_back(asked: Asked, given: list[Any]) -> None:
    """Calls without outputs, outputs without calls, and thoughts that it never had are refused."""
    assert (await asked.post("responses", input=given))[0] == 400


async def test_what_may_come_back(asked: Asked) -> None:
    """Its own thought, a call, and one output for it."""
    thought = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": f"{THOUGHT}1"}
    status, body = await asked.post("responses", input=[USER, thought, CALL, OUTPUT], tools=[SEARCH_HISTORY])
    assert status == 200
    assert body["tools"] == [SEARCH_HISTORY]


@pytest.mark.parametrize(
    "changes", [{"strict": False}, {"parameters": {**dict(SEARCH_HISTORY["parameters"] or {}), "required": []}}]
)
async def test_schemas_are_strict(asked: Asked, changes: dict[str, Any]) -> None:
    """A schema that the API would not take is refused here too."""
    assert (await asked.post("responses", input=[USER], tools=[{**SEARCH_HISTORY, **changes}]))[0] == 400
    assert (await asked.post("responses", input="hi", tools=[SEARCH_HISTORY, WEB_SEARCH]))[0] == 200


async def test_moderation(asked: Asked) -> None:
    """It dislikes one word; it takes one picture a request, and counts apart from questions."""
    status, body = await asked.post("moderations", input=["こんにちは", "これは禁止ワードです"])
    assert (status, [result["flagged"] for result in body["results"]]) == (200, [False, True])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
    assert (await asked.post("moderations", input=[picture]))[0] == 200
    assert (await asked.post("moderations", input=[picture, picture]))[0] == 400
    assert len(asked.model.moderations) == 3
    assert not asked.model.calls
