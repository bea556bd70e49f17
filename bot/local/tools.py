"""Tools as the stand-in model knows them: it searches when asked to remember, and is strict about what comes back.

Shapes follow https://developers.openai.com/api/docs/guides/function-calling and .../guides/tools-web-search.
"""

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

from bot.local.chats import Json

REMEMBERS = re.compile(
    r"前に|以前|思い出し|覚えて|先月|\b(?:earlier|remember|last (?:week|month|year))\b", re.IGNORECASE
)
"""A message with one of these makes the stand-in search the past, if it may."""
LOOKS_UP = re.compile(r"検索|ニュース|\b(?:search|look up|news)\b", re.IGNORECASE)
FORBIDDEN = re.compile(r"禁止ワード|\bforbidden word\b", re.IGNORECASE)
"""What the stand-in's moderation dislikes."""
THOUGHT = "made-up-thought-"
PAGES = (
    ("Example Domain", "https://example.com/"),
    ("Example の解説 / About examples", "https://www.iana.org/help/example-domains"),
)


def may_call(body: Json, name: str) -> bool:
    """Whether the request offers this tool and does not forbid to use it."""
    offered = (tool.get("name") or tool["type"] for tool in body.get("tools") or [])
    return name in offered and body.get("tool_choice") != "none"


def found(given: Any) -> list[str]:
    """What earlier calls have found, as the input tells."""
    items = given if isinstance(given, list) else []
    return [str(item["output"]) for item in items if item.get("type") == "function_call_output"]


def calls(searches: Sequence[str | Json]) -> list[Json]:
    """A thought, and a call for each search: words, or the whole arguments."""
    thought = {"type": "reasoning", "id": f"rs_{secrets.token_hex(24)}", "summary": []}
    return [thought | {"encrypted_content": THOUGHT + secrets.token_hex(8)}, *(_call(search) for search in searches)]


def _call(search: str | Json) -> Json:
    arguments = {"query": search, "since": None, "until": None} if isinstance(search, str) else search
    return {
        "type": "function_call",
        "id": f"fc_{secrets.token_hex(24)}",
        "call_id": f"call_{secrets.token_hex(12)}",
        "name": "search_history",
        "arguments": json.dumps(arguments, ensure_ascii=False),
        "status": "completed",
    }


def web_search(query: str) -> Json:
    action = {"type": "search", "query": query, "queries": [query]}
    return {"type": "web_search_call", "id": f"ws_{secrets.token_hex(24)}", "status": "completed", "action": action}


def cited(text: str, pages: Sequence[tuple[str, str]]) -> tuple[str, list[Json]]:
    """The text with a link behind it for every page, as the model writes them, and what tells where they stand."""
    annotations: list[Json] = []
    for title, url in pages:
        link = f"([{url.split('/')[2]}]({url}?utm_source=openai))"
        text += f" {link}"
        place = {"start_index": len(text) - len(link), "end_index": len(text)}
        annotations.append({"type": "url_citation", "title": title, "url": f"{url}?utm_source=openai", **place})
    return text, annotations


def wrong(body: Json) -> str:
    """What the API would refuse about tools; empty when it would take them."""
    for tool in body.get("tools") or []:
        if tool.get("type") == "function" and not _is_strict(tool):
            return "Invalid schema for function: 'required' must name every property, and no other may be allowed."
    given = body.get("input")
    return _wrong_items(given) if isinstance(given, list) else ""


def _is_strict(tool: Json) -> bool:
    schema = tool["parameters"]
    is_closed = schema.get("additionalProperties") is False
    return bool(tool.get("strict") and is_closed and set(schema["required"]) == set(schema["properties"]))


def _wrong_items(given: Sequence[Json]) -> str:
    """Every call has one output behind it, every output a call before it, and thoughts come as they were given."""
    open_calls: set[str] = set()
    for item in given:
        kind = item.get("type", "message")
        if kind == "function_call":
            open_calls.add(item["call_id"])
        elif kind == "function_call_output":
            if item.get("call_id") not in open_calls:
                return f"No tool call found for function call output with call_id {item.get('call_id')}."
            open_calls.discard(item["call_id"])
        elif kind == "reasoning" and not str(item.get("encrypted_content") or "").startswith(THOUGHT):
            return f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
        elif kind not in ("message", "reasoning", "web_search_call"):
            return f"Invalid value: '{kind}'."
    return f"No tool output found for function call {min(open_calls)}." if open_calls else ""


def moderated(body: Json) -> Json:
    """The answer of the moderation endpoint: one result for each input, and one for a picture."""
    given = body["input"] if isinstance(body["input"], list) else [body["input"]]
    if sum(isinstance(one, dict) and one["type"] == "image_url" for one in given) > 1:
        raise ValueError("too many images")
    flags = [bool(FORBIDDEN.search(one)) if isinstance(one, str) else False for one in given]
    results = [{"flagged": flag, "categories": {"violence": flag}, "category_scores": {}} for flag in flags]
    return {"id": f"modr_{secrets.token_hex(12)}", "model": body["model"], "results": results}
