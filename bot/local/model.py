"""A stand-in for OpenAI's Responses API: says that it is one, repeats what it was told, and misbehaves on request.

Shapes follow https://platform.openai.com/docs/api-reference/responses.
"""

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import MIMEPart
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.local import painting, tools
from bot.local.calls import Call
from bot.local.chats import Json, now_ms
from bot.local.perceiving import perceived
from bot.local.server import Dropped, Hung
from bot.local.words import answer, noted, recalled, summary

KINDS = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error"}
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
ASKS_FOR_SUMMARY = re.compile(r"summar|要約", re.IGNORECASE)
NOTE_WANTED = "<memory>"
"""How the bot asks for a note on pictures and files, which it keeps in their place."""
SLOW_SECONDS = 6.0
TRANSCRIPT = "（代役のモデルには聞き取れない {0} KB の音声 / {0} KB of sound that the stand-in model cannot hear）"
OPERATOR = ("developer", "system")


@dataclass(frozen=True, slots=True)
class Scripted:
    """What the stand-in shall do once. `fields` override the response object; `raw` replaces it altogether.

    `hang`: never answers; `drop`: cuts the connection; `drip`: sends the body a byte a second.
    `searches`: calls of search_history instead of an answer, as words or whole arguments. `pages`: what it has found
    on the web, as title and address.
    """

    text: str = ""
    status: int = 200
    code: str = ""
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json"
    fault: Literal["", "hang", "drop", "drip"] = ""
    searches: tuple[str | Json, ...] = ()
    pages: tuple[tuple[str, str], ...] = ()


class ModelStandIn:
    """`script` is used first, one entry a request: a text, a status, or a Scripted; then it answers by itself.

    `requests` are the JSON bodies received, in order; `calls` everything else about them; `moderations` and
    `transcriptions` are apart. `transcripts`: what is heard next, or a status.
    `pictures`: what becomes of the next, a status or the code of a refusal; `paintings`: what was asked for.
    `key`: the only API key accepted; None accepts any. `unknown`: models that it does not have.
    """

    def __init__(self, key: str | None = None, delay: float = 0.0) -> None:
        self.key = key
        self.delay = delay
        self.script: list[str | int | Scripted] = []
        self.calls: list[Call] = []
        self.moderations: list[Call] = []
        self.transcripts: list[str | int] = []
        self.transcriptions: list[Call] = []
        self.pictures: list[int | str] = []
        self.paintings: list[Call] = []
        self.unknown: set[str] = set()
        self.routes = [
            Route("/v1/images/generations", self._paint, methods=["POST"]),
            Route("/v1/moderations", self._moderate, methods=["POST"]),
            Route("/v1/responses", self._respond, methods=["POST"]),
            Route("/v1/audio/transcriptions", self._transcribe, methods=["POST"]),
            Route("/v1/models/{model}", self._show_model, methods=["GET"]),
        ]
        self.app = Starlette(routes=self.routes)

    @property
    def requests(self) -> list[Any]:
        return [call.json for call in self.calls]

    async def _respond(self, request: Request) -> ASGIApp:
        call = await _record(request)
        self.calls.append(call)
        refused = self._refused(call)
        todo = Scripted(status=0) if refused else self._next(call.json)
        await asyncio.sleep(todo.delay)
        if todo.fault in ("hang", "drop"):
            return Hung() if todo.fault == "hang" else Dropped()
        response = refused or _response(todo, call.json)
        call.status = response.status_code
        response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
        return StreamingResponse(_drip(response.body), media_type=todo.content_type) if todo.fault else response

    async def _transcribe(self, request: Request) -> Response:
        """It has no ears, and says so; the size shows that the sound has come."""
        call = await _record(request)
        self.transcriptions.append(call)
        if refused := self._unauthorized(call):
            return refused
        sent = form(call)
        if not sent.get("model") or "." not in sent.get("file", (b"", ""))[1]:
            return error(400, "Invalid form: 'model', and 'file' under a name that tells its format, are required.")
        told = self.transcripts.pop(0) if self.transcripts else TRANSCRIPT.format(len(call.body) // 1000)
        return JSONResponse({"text": told}) if isinstance(told, str) else error(told, "scripted")

    async def _paint(self, request: Request) -> Response:
        """It paints one colour, which depends on the words."""
        call = await _record(request)
        self.paintings.append(call)
        if refused := self._unauthorized(call):
            return refused
        if not isinstance(call.json, dict) or not call.json.get("prompt") or not call.json.get("model"):
            return error(400, "Missing required parameter: 'model' and 'prompt' are.")
        todo = self.pictures.pop(0) if self.pictures else 200
        if todo != 200:
            return error(todo, "scripted") if isinstance(todo, int) else error(400, "scripted", todo)
        return JSONResponse(painting.painted(str(call.json["prompt"])))

    async def _show_model(self, request: Request) -> Response:
        if refused := self._unauthorized(await _record(request)):
            return refused
        name = request.path_params["model"]
        if name in self.unknown:
            return error(404, f"The model '{name}' does not exist", "model_not_found")
        return JSONResponse({"id": name, "object": "model", "created": 0, "owned_by": "openai"})

    async def _moderate(self, request: Request) -> Response:
        call = await _record(request)
        self.moderations.append(call)
        try:
            return JSONResponse(tools.moderated(call.json))
        except (TypeError, KeyError, ValueError):
            return error(400, "Invalid value for 'input'.")

    def _next(self, body: Json) -> Scripted:
        if not self.script:
            return self._own(body)
        todo = self.script.pop(0)
        if isinstance(todo, Scripted):
            return todo
        return Scripted(text=todo) if isinstance(todo, str) else Scripted(status=todo)

    def _own(self, body: Json) -> Scripted:
        lines = _lines(body["input"])
        said = [text for role, text in lines if role == "user"]
        # An answer is asked for by a person's message at the end, a summary by the operator's.
        if lines[-1][0] in OPERATOR and ASKS_FOR_SUMMARY.search(lines[-1][1]):
            return Scripted(summary(said), delay=self.delay)
        if found := tools.found(body["input"]):
            return Scripted(recalled(found), delay=self.delay)
        last = said[-1] if said else ""
        if tools.may_call(body, "search_history") and tools.REMEMBERS.search(last):
            return Scripted(searches=(tools.REMEMBERS.sub(" ", last),), delay=self.delay)
        word, text = answer(said)
        if word == "error":
            return Scripted(status=500, message="The stand-in was asked to fail.")
        if any(NOTE_WANTED in text for role, text in lines if role in OPERATOR):
            text += f"\n{NOTE_WANTED}{noted(last)}</memory>"
        pages = tools.PAGES if tools.may_call(body, "web_search") and tools.LOOKS_UP.search(last) else ()
        return Scripted(text, delay=SLOW_SECONDS if word == "slow" else self.delay, pages=pages)

    def _refused(self, call: Call) -> Response | None:
        if refused := self._unauthorized(call):
            return refused
        if wrong := _wrong(call.json):
            return error(400, wrong)
        return None

    def _unauthorized(self, call: Call) -> Response | None:
        authorization = call.headers.get("authorization", "")
        if not authorization.startswith("Bearer ") or self.key not in (None, authorization[len("Bearer ") :]):
            return error(401, "Incorrect API key provided.")
        return None


async def _record(request: Request) -> Call:
    body = await request.body()
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(request.method, request.url.path, headers, body, parsed, now_ms())


def form(call: Call) -> dict[str, tuple[bytes, str]]:
    """The fields of a form with files: each with its file's name, empty where it is none."""
    head = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode()
    message = message_from_bytes(head + call.body, policy=policy.HTTP)
    parts = message.iter_parts() if message.is_multipart() else ()
    return {str(part.get_param("name", header="content-disposition")): _field(part) for part in parts}


def _field(part: MIMEPart) -> tuple[bytes, str]:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b"", part.get_filename() or ""


def error(status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer in OpenAI's error shape."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    kind = "insufficient_quota" if code == "insufficient_quota" else kind
    told = {"message": message, "type": kind, "param": None, "code": code or CODES.get(status)}
    return JSONResponse({"error": told}, status, headers)


def _response(todo: Scripted, body: Json) -> Response:
    if todo.raw is not None:
        return Response(todo.raw, todo.status, todo.headers, todo.content_type)
    if todo.status != 200:
        return error(todo.status, todo.message, todo.code, todo.headers)
    output = tools.calls(todo.searches) if todo.searches else _said(todo.text, todo.pages)
    return JSONResponse(_answered(todo.text, body, output) | dict(todo.fields), headers=todo.headers)


def _said(text: str, pages: Sequence[tuple[str, str]]) -> list[Json]:
    searched = [tools.web_search("what was asked")] if pages else []
    text, annotations = tools.cited(text, pages)
    content = [{"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}]
    message = {"type": "message", "id": f"msg_{secrets.token_hex(24)}", "status": "completed", "role": "assistant"}
    return [*searched, message | {"content": content}]


def _answered(text: str, body: Json, output: list[Json]) -> Json:
    asked, said = (
        _tokens(json.dumps(body["input"], ensure_ascii=False) + str(body.get("instructions") or "")),
        _tokens(text),
    )
    return {
        "id": f"resp_{secrets.token_hex(24)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": {},
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": True,
        "store": False,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        },
    }


def _tokens(text: str) -> int:
    """Roughly: three bytes a token, in Japanese and English alike."""
    return len(text.encode("utf-8", "replace")) // 3 + 1


async def _drip(body: bytes | memoryview) -> AsyncIterator[bytes]:
    for byte in bytes(body):
        yield bytes([byte])
        await asyncio.sleep(1)


def _wrong(body: Any) -> str:
    """What is wrong with the request; empty when nothing is."""
    if not isinstance(body, dict):
        return "We could not parse the JSON body of your request."
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "Missing required parameter: 'model'."
    if body.get("store") is not False:
        return "This stand-in insists on store=false: conversations must not stay with the provider."
    if body.get("stream") or body.get("background"):
        return "This stand-in answers neither as a stream nor in the background."
    try:
        return tools.wrong(body) if _lines(body.get("input")) else "Missing required parameter: 'input'."
    except (TypeError, KeyError, ValueError):
        return "Invalid value for 'input'."


def _lines(given: Any) -> list[tuple[str, str]]:
    """The input as (role, text). Raises TypeError, KeyError or ValueError on what the API would refuse."""
    if isinstance(given, str):
        return [("user", given)]
    # What the model itself said before, and what its calls found, has a type and no role.
    return [(_role(message), _text(message)) for message in given if message.get("type", "message") == "message"]


def _role(message: Json) -> str:
    if message["role"] not in ("user", "assistant", *OPERATOR):
        raise ValueError(message["role"])
    return str(message["role"])


def _text(message: Json) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    if message["role"] != "assistant":
        return " ".join(perceived(part) for part in content)
    if any(part["type"] != "output_text" for part in content):
        raise ValueError("content type")
    return "".join(part["text"] for part in content)
