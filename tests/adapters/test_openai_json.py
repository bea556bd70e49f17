"""OpenAI's API as plain JSON: the same on the wire as by the SDK's typed calls, and nothing loaded for those."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.adapters.openai import OpenAIModel
from bot.conversation import Usage
from bot.ports import Attachment, Completion, Line, Prompt, ToolCall
from tests.adapters.secret_of import rotating
from tests.servers.http import Answer, HttpServer
from tests.servers.uvicorn import serving

ROOT = Path(__file__).parents[2]
RECORDED = (Path(__file__).parent / "openai_request.json").read_bytes()
"""What `client.responses.create(...)` of the SDK sent for RICH."""
FILES = (
    Attachment("image/png", b"\x89PNG", "画像 1"),
    Attachment("text/plain", '合計 <1>\u2028"q" \x00/'.encode(), "memo.txt"),
    Attachment("application/pdf", b"%PDF-1.7", "見積.pdf"),
)
SEARCHED = {"type": "function_call", "name": "search_history", "arguments": '{"query":"京都"}', "call_id": "call_1"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
EARLIER = Completion("", Usage(), calls=(ToolCall("call_1", "京都"),), items=(THOUGHT, SEARCHED))
RICH = Prompt(
    "親切に。",
    (
        Line("developer", "Summary: お茶"),
        Line("user", "見て", FILES),
        Line("assistant", "はい😀"),
        Line("user", "旅行は?"),
    ),
    700,
    tools=("web_search", "search_history"),
    may_call=False,
    earlier=((EARLIER, ("見つけた",)),),
)
PLAIN = Prompt("Be kind.", (Line("user", "Hi"),), 700)
HELLO: dict[str, Any] = {
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello."}]}],
}
LOADED = """
import asyncio, sys
from bot.adapters.openai import OpenAIModel
from bot.ports import Line, Prompt
from tests.adapters.secret_of import rotating

async def main():
    model = OpenAIModel("gpt-small", rotating("key-1")[0])
    print((await model.complete(Prompt("", (Line("user", "Hi"),), 700))).text)
    await model.close()
    print(*[name for name in sys.modules if name.startswith("openai.resources")])

asyncio.run(main())
"""


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    async with HttpServer(Answer(200, HELLO)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        yield server


@pytest.fixture
async def model(server: HttpServer) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel("gpt-small", rotating("key-1")[0], effort="low")
    yield model
    await model.close()


async def test_the_same_on_the_wire(server: HttpServer, model: OpenAIModel) -> None:
    """Attachments, tools and earlier items go as by the SDK's typed call: the same JSON in as many bytes."""
    await model.complete(RICH)
    [request] = server.requests
    assert request.json == json.loads(RECORDED)
    assert len(request.body) == len(RECORDED)
    assert request.headers["content-type"] == "application/json"


async def test_nothing_is_loaded_for_typed_calls(server: HttpServer) -> None:
    """A process that has had an answer has none of the SDK's resources, which take a while to load."""
    environment = {"PATH": os.defpath, "OPENAI_BASE_URL": f"{server.url}/v1"}
    run = [sys.executable, "-c", LOADED]
    done = await asyncio.to_thread(
        subprocess.run, run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split("\n") == ["Hello.", "", ""], done.stderr


async def test_eighty_at_once(model: OpenAIModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits for another to end: here none is answered before all are there."""
    everybody = asyncio.Barrier(80)

    async def answer(request: Request) -> Response:
        await request.body()
        await everybody.wait()
        return JSONResponse(HELLO)

    async with serving(Starlette(routes=[Route("/v1/responses", answer, methods=["POST"])])) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*(model.complete(PLAIN) for _ in range(80)))
    assert [answer.text for answer in answers] == ["Hello."] * 80


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", "application/octet-stream"])
async def test_json_by_any_name(server: HttpServer, model: OpenAIModel, content_type: str) -> None:
    """Compatible servers name it as they like."""
    server.script(Answer(200, HELLO, {"content-type": content_type}))
    assert (await model.complete(PLAIN)).text == "Hello."


async def test_a_compressed_answer(server: HttpServer, model: OpenAIModel) -> None:
    """Compression is offered, and what comes compressed is read."""
    server.script(Answer(200, gzip.compress(json.dumps(HELLO).encode()), {"content-encoding": "gzip"}))
    assert (await model.complete(PLAIN)).text == "Hello."
    assert "gzip" in server.requests[0].headers["accept-encoding"]


@pytest.mark.parametrize("odd", [-1, "7", True, 1.5, None, [], 10**30])
async def test_odd_counts(server: HttpServer, model: OpenAIModel, odd: object) -> None:
    """What is no number of tokens counts nothing, and costs no answer."""
    usage = {"input_tokens": odd, "output_tokens": 5, "input_tokens_details": {"cached_tokens": odd}}
    server.script(Answer(200, HELLO | {"usage": usage}))
    assert (await model.complete(PLAIN)).usage == Usage(output_tokens=5)


async def test_lone_surrogates(server: HttpServer, model: OpenAIModel) -> None:
    """Half a character, which JSON may carry, does not reach those who must encode it."""
    part = {"type": "output_text", "text": "Hi \ud83d"}
    server.script(Answer(200, HELLO | {"output": [{"type": "message", "content": [part]}]}))
    assert (await model.complete(PLAIN)).text == "Hi \ufffd"
