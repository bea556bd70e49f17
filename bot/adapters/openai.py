"""OpenAI's Responses API. Every way in which an answer can fail to be one gets its name here.

Source: https://platform.openai.com/docs/api-reference/responses
"""

import base64
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import openai

from bot import log, spans
from bot.adapters import openai_tools
from bot.adapters.openai_json import cache_written, objects, post, usage
from bot.errors import ModelFailed, ModelFault
from bot.lenient import Json, mapping, text
from bot.ports import Attachment, Completion, Line, Prompt
from bot.secrets import Secret

if TYPE_CHECKING:
    from openai.types.responses import ResponseInputMessageContentListParam, ResponseInputParam, ResponseInputTextParam

T = TypeVar("T")

TIMEOUT = openai.Timeout(600.0, connect=5.0)
"""Seconds a read: the SDK's own is per read and cannot bound a call, so the caller's deadline does."""

CONNECTIONS = httpx2.Limits(max_connections=1000, keepalive_expiry=30.0)
"""As many as there are turns; an unused one is kept for as long as people take to write again, in seconds."""

SAME_FAULT: dict[str, ModelFault] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "context_length_exceeded": "too_long",
    "string_above_max_length": "too_long",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "moderation_blocked": "refused",
    "invalid_prompt": "refused",
    "bio_policy": "refused",
    "misalignment_policy_violation": "refused",
    "image_content_policy_violation": "refused",
    "server_error": "busy",
    "rate_limit_exceeded": "busy",
    "invalid_image": "unreadable",
    "invalid_image_format": "unreadable",
    "invalid_image_mode": "unreadable",
    "invalid_base64_image": "unreadable",
    "image_parse_error": "unreadable",
    "image_too_large": "unreadable",
    "image_too_small": "unreadable",
    "image_file_too_large": "unreadable",
    "unsupported_image_media_type": "unreadable",
    "empty_image_file": "unreadable",
}
"""What a code means, wherever it turns up: in an HTTP error or in a response that failed."""

ATTACHED = re.compile(r"file_data|image_url|\.content\[")
"""Where in a question a part is that has no code of its own when it cannot be read: a locked PDF, say."""
TOO_LONG_WORDS = ("context length", "context window", "context size", "maximum context")
"""How compatible servers, which have no code for it, say that a question is too long."""


class OpenAIModel:
    """`ports.Model` for OpenAI or, with OPENAI_BASE_URL, any compatible server. Nothing is stored there."""

    def __init__(
        self, model: str, key: Secret, *, effort: str | None = None, others: Mapping[str, str] | None = None
    ) -> None:
        """`others`: what a prompt may ask for instead, with the effort of each, empty for its own."""
        self._model = model
        self._efforts = {**(others or {}), model: effort or ""}
        self._key = key
        self._client: openai.AsyncOpenAI | None = None

    async def complete(self, prompt: Prompt) -> Completion:
        async def ask(client: openai.AsyncOpenAI) -> Completion:
            return _completion(await self._create(client, prompt), prompt)

        return await self.call(ask)

    async def call(self, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
        """What `ask` gets with the current key; every failure as a ModelFailed, a key that could not be read aside."""
        key = await self._key.value()
        try:
            return await self._attempt(key, ask)
        except ModelFailed as failed:
            fresh = await self._key.refresh(key) if failed.fault == "unauthorized" else key
            if fresh == key:
                raise
        return await self._attempt(fresh, ask)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _attempt(self, key: str, ask: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
        try:
            return await ask(self._connected(key))
        except ModelFailed as error:
            failed = error
        except openai.APIError as error:
            failed = _api_failure(error)
        except Exception:  # noqa: BLE001  # HTML and cut JSON are a ValueError, to the SDK's own calls much else
            failed = ModelFailed("broken")
        # Outside of the handlers: the SDK's errors quote prompts and keys, and must not travel along as a cause.
        raise failed

    def _connected(self, key: str) -> openai.AsyncOpenAI:
        if self._client is None:
            # To the SDK an empty OPENAI_BASE_URL is an address; here empty means unset.
            base_url = None if os.environ.get("OPENAI_BASE_URL", "unset") else "https://api.openai.com/v1"
            self._client = openai.AsyncOpenAI(
                api_key=key,
                base_url=base_url,
                timeout=TIMEOUT,
                max_retries=0,
                # By aiohttp, which is loaded anyway: half the CPU of the SDK's own when many calls are under way.
                http_client=openai.DefaultAioHttpClient(timeout=TIMEOUT, limits=CONNECTIONS),
            )
        elif self._client.api_key != key:
            self._client = self._client.with_options(api_key=key)  # shares the connections
        return self._client

    async def _create(self, client: openai.AsyncOpenAI, prompt: Prompt) -> Json:
        try:
            return await self._request(client, prompt)
        except openai.APIStatusError as error:
            if not prompt.tools or not openai_tools.are_refused(error.status_code, error.message):
                raise
        log.event("tools_refused", "WARNING", tools=prompt.tools)
        return await self._request(client, replace(prompt, tools=(), earlier=()))

    async def _request(self, client: openai.AsyncOpenAI, prompt: Prompt) -> Json:
        # What was chosen may have been taken off the list since.
        model = prompt.model if prompt.model in self._efforts else self._model
        spans.answered_by(model)
        return await post(client, "/responses", _body(prompt, model, self._efforts[model]))


def _body(prompt: Prompt, model: str, effort: str) -> dict[str, Any]:
    lines: ResponseInputParam = [{"role": line.role, "content": _content(line)} for line in prompt.lines]
    body = {
        "model": model,
        "instructions": prompt.instructions,
        "input": [*lines, *openai_tools.carried_back(prompt.earlier)],
        "max_output_tokens": prompt.max_output_tokens,
        "store": False,
        **openai_tools.parameters(prompt, reasons=bool(effort)),
    }
    return body | {"reasoning": {"effort": effort}} if effort else body


def _content(line: Line) -> "str | ResponseInputMessageContentListParam":
    """The line's text, and its attachments as parts of their own."""
    if not line.attachments:
        return line.text
    parts: ResponseInputMessageContentListParam = [{"type": "input_text", "text": line.text}]
    for attachment in line.attachments:
        parts += _parts(attachment)
    return parts


def _parts(attachment: Attachment) -> "ResponseInputMessageContentListParam":
    """An image under its name, a text as text, anything else as a file for the model's own reader (PDF)."""
    if attachment.content_type.startswith("text/"):
        return [
            {"type": "input_text", "text": f"[file: {attachment.name}]\n{attachment.data.decode(errors='replace')}"}
        ]
    data = f"data:{attachment.content_type};base64,{base64.b64encode(attachment.data).decode()}"
    if attachment.content_type.startswith("image/"):
        name: ResponseInputTextParam = {"type": "input_text", "text": f"[{attachment.name}]"}
        return [name, {"type": "input_image", "image_url": data, "detail": "auto"}]
    return [{"type": "input_file", "filename": attachment.name, "file_data": data}]


def _completion(response: Json, prompt: Prompt) -> Completion:
    """The answer in a response. No exception of the SDK tells a failed, filtered, refused or empty one."""
    status = response.get("status")
    if status == "failed":
        raise ModelFailed(SAME_FAULT.get(text(mapping(response.get("error")), "code"), "broken"))
    if status not in ("completed", "incomplete", None):
        raise ModelFailed("broken")
    output = objects(response, "output")
    parts = _parts_said(output)
    if text(mapping(response.get("incomplete_details")), "reason") == "content_filter":
        raise ModelFailed("refused")
    used, written = usage(response), cache_written(response)
    searches = openai_tools.web_searches(output)
    is_cut = status == "incomplete"
    calls = () if is_cut else openai_tools.calls(output, prompt)
    if calls:
        items = openai_tools.items(output)
        return Completion("", used, calls=calls, items=items, web_searches=searches, cache_written=written)
    words = "".join(openai_tools.uncited(part) for part in parts)
    if not words.strip():
        raise ModelFailed("empty")
    links = openai_tools.links(parts)
    return Completion(words, used, cut=is_cut, links=links, web_searches=searches, cache_written=written)


def _parts_said(output: Sequence[Json]) -> list[Json]:
    """The parts of text that make the answer."""
    said = [item for item in output if item.get("type") == "message" and item.get("phase") != "commentary"]
    parts = [part for item in said for part in objects(item, "content")]
    if any(part.get("type") == "refusal" for part in parts):
        raise ModelFailed("refused")
    return [part for part in parts if part.get("type") == "output_text"]


def _api_failure(error: openai.APIError) -> ModelFailed:
    if isinstance(error, openai.APIStatusError):
        fault = _status_fault(error)
        return ModelFailed(fault, _retry_after(error.response.headers) if fault == "busy" else 0.0)
    return ModelFailed("busy" if isinstance(error, openai.APIConnectionError) else "broken")


def _status_fault(error: openai.APIStatusError) -> ModelFault:
    status = error.status_code
    if status == 401:
        return "unauthorized"
    if status == 429:
        known = SAME_FAULT.get(_word(error.code)) or SAME_FAULT.get(_word(error.type))
        return "quota" if known == "quota" else "busy"
    if status >= 500 or status in (408, 409):
        return "busy"
    return _question_fault(error)


def _question_fault(error: openai.APIStatusError) -> ModelFault:
    """What is wrong with the question itself (400, 413, 422), or with the model's name or our rights (403, 404)."""
    if error.status_code == 413:
        return "too_long"
    if error.status_code not in (400, 422):
        return "rejected"
    known = SAME_FAULT.get(_word(error.code))
    if known in ("too_long", "refused", "quota", "unreadable"):
        return known
    if ATTACHED.search(_word(error.param)):
        return "unreadable"
    return "too_long" if any(words in error.message.lower() for words in TOO_LONG_WORDS) else "rejected"


def _word(told: object) -> str:
    """The SDK hands on whatever compatible servers put in the place of a code: numbers, lists, objects."""
    return told if isinstance(told, str) else ""


def _retry_after(headers: Any) -> float:
    """Seconds, 0 where the header is missing, a date or nonsense."""
    try:
        seconds = float(headers.get("retry-after", "0"))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
