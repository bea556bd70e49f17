"""Tools over the wire: what is offered, what the model calls, what goes back, what it has read on the web."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.openai import OpenAIModel
from bot.adapters.openai_tools import SEARCH_HISTORY, WEB_SEARCH
from bot.errors import ModelFailed
from bot.ports import Completion, Line, Link, Prompt, ToolCall
from tests.adapters.secret_of import rotating
from tests.servers.http import Answer, HttpServer

PROMPT = Prompt("Be kind.", (Line("user", "the trip?"),), 700, tools=("search_history",))
ARGUMENTS = '{"query": "trip hotel", "since": "2027-01-01", "until": null}'
PLAIN = {"model", "instructions", "input", "max_output_tokens", "store"}


def call(arguments: str = ARGUMENTS, name: str = "search_history", number: int = 1) -> dict[str, Any]:
    ids = {"id": f"fc_{number}", "call_id": f"call_{number}"}
    return {"type": "function_call", "name": name, "arguments": arguments, "status": "completed", **ids}


def reasoning(**more: Any) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], **more}


def said(text: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": list(annotations)}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def cites(text: str, marked: str, url: str, title: str | None = "A page") -> dict[str, Any]:
    begin = text.index(marked)
    place = {"start_index": begin, "end_index": begin + len(marked)}
    return {"type": "url_citation", "url": url, "title": title, **place}


def response(*output: dict[str, Any], **extra: Any) -> Answer:
    body = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    return Answer(200, {**body, "output": list(output), "parallel_tool_calls": False, "tools": [], **extra})


def refusal(message: str, status: int = 400) -> Answer:
    return Answer(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})


class OpenAI:
    """A model with the server it talks to."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.model = OpenAIModel("gpt-small", rotating("key-1")[0], effort="low")

    async def complete(self, prompt: Prompt, *answers: Answer) -> Completion:
        self.server.script(*answers)
        return await self.model.complete(prompt)


@pytest.fixture
async def openai(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAI]:
    async with HttpServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        made = OpenAI(server)
        yield made
        await made.model.close()


async def test_an_offer_on_the_wire(openai: OpenAI) -> None:
    """The tool's definition, one call at a time, and the thoughts to be carried back, which nobody stores."""
    await openai.complete(PROMPT, response(said("Hello.")))
    request = openai.server.requests[0].json
    assert request["tools"] == [SEARCH_HISTORY]
    assert request["parallel_tool_calls"] is False
    assert request["include"] == ["reasoning.encrypted_content"]
    assert request["store"] is False
    assert set(request) == PLAIN | {"reasoning", "tools", "parallel_tool_calls", "include"}


async def test_no_offer_costs_nothing(openai: OpenAI) -> None:
    """Without tools the request is what it was before there were any."""
    await openai.complete(replace(PROMPT, tools=()), response(said("Hello.")))
    assert set(openai.server.requests[0].json) == PLAIN | {"reasoning"}


async def test_models_that_may_not_reason(openai: OpenAI) -> None:
    """Those of which no effort is known are not asked for thoughts: some refuse a request for them."""
    model = OpenAIModel("gpt-plain", rotating("key-1")[0])
    openai.server.script(response(said("Hello.")))
    await model.complete(PROMPT)
    assert "include" not in openai.server.requests[0].json
    await model.close()


async def test_the_definition_is_strict() -> None:
    """Strict schemas name every property as required and allow no other."""
    parameters: Any = SEARCH_HISTORY["parameters"]
    assert SEARCH_HISTORY["strict"] is True
    assert parameters["required"] == list(parameters["properties"]) == ["query", "since", "until"]
    assert parameters["additionalProperties"] is False


async def test_a_call(openai: OpenAI) -> None:
    """What the model wants to search for; its own items are kept to be given back."""
    output = [reasoning(encrypted_content="gAAA", content=None), call()]
    completion = await openai.complete(PROMPT, response(*output))
    assert completion.calls == (ToolCall("call_1", "trip hotel", "2027-01-01", ""),)
    assert completion.text == ""
    assert completion.items == (reasoning(encrypted_content="gAAA"), call())


async def test_what_goes_back(openai: OpenAI) -> None:
    """The question, the model's items, and what each call has found, in this order; the tools stay as they were."""
    first = await openai.complete(PROMPT, response(reasoning(encrypted_content="gAAA"), call(), call(number=2)))
    again = replace(PROMPT, earlier=((first, ("found it", "nothing")),))
    assert (await openai.complete(again, response(said("In Kyoto.")))).text == "In Kyoto."
    before, after = (request.json for request in openai.server.requests)
    assert after["input"] == [
        {"role": "user", "content": "the trip?"},
        reasoning(encrypted_content="gAAA"),
        call(),
        call(number=2),
        {"type": "function_call_output", "call_id": "call_1", "output": "found it"},
        {"type": "function_call_output", "call_id": "call_2", "output": "nothing"},
    ]
    assert {**before, "input": None} == {**after, "input": None}


async def test_enough_searched(openai: OpenAI) -> None:
    """The tools stay named, for the cache, but none may be called; a call all the same is none."""
    with pytest.raises(ModelFailed) as raised:
        await openai.complete(replace(PROMPT, may_call=False), response(call()))
    assert raised.value.fault == "empty"
    request = openai.server.requests[0].json
    assert (request["tool_choice"], request["tools"]) == ("none", [SEARCH_HISTORY])


async def test_thoughts_that_cannot_be_read(openai: OpenAI) -> None:
    """Without their content they are not given back, and nothing points to them."""
    completion = await openai.complete(PROMPT, response(reasoning(), call()))
    assert completion.items == ({name: value for name, value in call().items() if name != "id"},)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("trip", ToolCall("call_1", "trip")),
        ("", ToolCall("call_1", "")),
        ('{"query": "tri', ToolCall("call_1", '{"query": "tri')),
        ('["trip"]', ToolCall("call_1", '["trip"]')),
        ("{}", ToolCall("call_1", "")),
        ('{"query": null, "since": 5}', ToolCall("call_1", "", "5")),
        ('{"query": "x", "conversation_id": "other"}', ToolCall("call_1", "x")),
    ],
)
async def test_odd_arguments(openai: OpenAI, arguments: str, expected: ToolCall) -> None:
    """Whatever is no JSON object is taken for the words; what was not asked for is passed over."""
    assert (await openai.complete(PROMPT, response(call(arguments)))).calls == (expected,)


async def test_calls_of_what_was_not_offered(openai: OpenAI) -> None:
    """They are no calls, whether something else was offered or nothing at all, and never go back."""
    both = response(call(name="forget"), call())
    completion = await openai.complete(PROMPT, both)
    assert [wanted.id for wanted in completion.calls] == ["call_1"]
    assert completion.items == (call(),)
    for prompt, answer in [(replace(PROMPT, tools=("web_search",)), both), (replace(PROMPT, tools=()), both)]:
        with pytest.raises(ModelFailed):
            await openai.complete(prompt, answer)


async def test_a_call_cut_at_the_limit(openai: OpenAI) -> None:
    """Half a call is none."""
    with pytest.raises(ModelFailed) as raised:
        await openai.complete(
            PROMPT, response(call(), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
        )
    assert raised.value.fault == "empty"


@pytest.mark.parametrize(
    "refused",
    [
        refusal("registry.ollama.ai/library/tiny does not support tools"),
        refusal("Unsupported parameter: 'tools'"),
        refusal("Hosted tool 'web_search' is not supported", 422),
        refusal("Encrypted content is not supported with this model."),
    ],
)
async def test_servers_without_tools(openai: OpenAI, refused: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    """They are asked once more without, so that there is an answer; the operator reads of it."""
    prompt = replace(PROMPT, tools=("web_search", "search_history"))
    assert (await openai.complete(prompt, refused, response(said("Hello.")))).text == "Hello."
    assert set(openai.server.requests[1].json) == PLAIN | {"reasoning"}
    assert '"tools_refused"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        (PROMPT, refusal("Invalid value for 'input'")),
        (PROMPT, refusal("tools are busy", 429)),
        (replace(PROMPT, tools=()), refusal("no tools here")),
    ],
)
async def test_other_refusals_stay(openai: OpenAI, prompt: Prompt, refused: Answer) -> None:
    """Only what the tools were refused for is asked without them."""
    with pytest.raises(ModelFailed):
        await openai.complete(prompt, refused)
    assert len(openai.server.requests) == 1


WEB = replace(PROMPT, tools=("web_search",))
URL = "https://example.com/a"


async def test_web_search_on_the_wire(openai: OpenAI) -> None:
    """The model's own tool, in Japan; no thoughts are asked for, for nothing goes back."""
    await openai.complete(WEB, response(said("Hello.")))
    request = openai.server.requests[0].json
    assert request["tools"] == [WEB_SEARCH]
    assert "include" not in request


async def test_searches_are_counted(openai: OpenAI) -> None:
    """Each search costs money; opening a page does not."""
    searches = [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action}
        for action in (
            {"type": "search", "query": "x"},
            {"type": "open_page", "url": URL},
            {"type": "search", "queries": ["y"]},
        )
    ]
    assert (await openai.complete(WEB, response(*searches, said("Found.")))).web_searches == 2


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("雨です。([example.com](https://example.com/a))", "([example.com](https://example.com/a))", "雨です。"),
        ("Rain ([example.com](https://example.com/a)).", "([example.com](https://example.com/a))", "Rain."),
        ("Rain ([example.com](https://example.com/a)).", "[example.com](https://example.com/a)", "Rain."),
        ("See [the page](https://example.com/a) for it.", "[the page](https://example.com/a)", "See the page for it."),
        ("It rains today.", "It rains", "It rains today."),
        ("f() and https://example.com/a end", "https://example.com/a", "f() and end"),
        ("雨\ue200cite\ue202turn0search0\ue201です", "雨", "雨です"),
    ],
)
async def test_citations_in_the_text(openai: OpenAI, text: str, marked: str, expected: str) -> None:
    """Links in the middle of a sentence are noise on a phone; sentences that are cited stay."""
    completion = await openai.complete(WEB, response(said(text, cites(text, marked, URL))))
    assert completion.text == expected
    assert completion.links == (Link("A page", URL),)


async def test_two_citations_in_one_bracket(openai: OpenAI) -> None:
    """Nothing is left of the bracket."""
    text = "Rain ([a.jp](https://a.jp/), [b.jp](https://b.jp/)). f() (x)"
    marks = [cites(text, f"[{host}](https://{host}/)", f"https://{host}/") for host in ("a.jp", "b.jp")]
    completion = await openai.complete(WEB, response(said(text, *marks)))
    assert completion.text == "Rain. f() (x)"
    assert [link.url for link in completion.links] == ["https://a.jp/", "https://b.jp/"]


async def test_links(openai: OpenAI) -> None:
    """Each page once, without the mark of where the reader comes from; ten at most; only what LINE takes for a link."""
    urls = [
        URL + "?utm_source=openai",
        URL,
        "javascript:alert(1)",
        "https://example.com/" + "x" * 1000,
        *(f"https://e.jp/{n}?a=1&utm_source=openai" for n in range(12)),
    ]
    text = "It rains."
    annotations = [cites(text, "rains", url, None if "e.jp" in url else "  A\n page ") for url in urls]
    completion = await openai.complete(WEB, response(said(text, *annotations)))
    assert completion.links[:2] == (Link("A page", URL), Link("e.jp", "https://e.jp/0?a=1"))
    assert len(completion.links) == 10


@pytest.mark.parametrize(
    "annotation",
    [
        {"type": "url_citation"},
        {"type": "url_citation", "url": URL, "start_index": 90, "end_index": 99, "title": "t"},
        {"type": "url_citation", "url": URL, "start_index": -5, "end_index": -1, "title": "t"},
        {"type": "file_citation", "file_id": "f", "filename": "n", "index": 0},
        {"type": "novelty"},
        None,
    ],
)
async def test_odd_annotations(openai: OpenAI, annotation: Any) -> None:
    """They cost no answer, and no word of it."""
    assert (await openai.complete(WEB, response(said("It rains.", annotation)))).text == "It rains."
