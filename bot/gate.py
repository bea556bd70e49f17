"""The gate: size, method, signature over the raw bytes, JSON; then each event on its own. It imports nothing heavy."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from bot import log
from bot.dispatch import Delivery
from bot.errors import Misconfigured, Unavailable
from bot.events import read_event
from bot.ports import Clock
from bot.secrets import Secret
from bot.signature import is_plausible, verify

BODY_BYTES = 512 * 1024
WEBHOOK, TASK, EXPORT = "/", "/tasks/turn", "/export/"
BOT_ID = re.compile("U[0-9a-f]{32}")
"""LINE's form of `destination`. Whether it is our own bot need not be asked: the channel secret is that of one bot."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the gate reads of an HTTP request; names of `headers` are in lower case, `body` comes in pieces."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Response:
    """A body is JSON, or a text of this type in UTF-8."""

    status: int
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/plain"


Take = Callable[[Delivery], Awaitable[None]]
Export = Callable[[str], Awaitable[Response]]


async def no_export(_token: str) -> Response:
    raise Rejected(404, "no such path")


class Rejected(Exception):
    """The request is answered with this status, and nothing happens."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Gate:
    """`webhook` takes what LINE sends, `task` what the queue brings; `export` answers a link's token."""

    secret: Secret
    webhook: Take
    task: Take
    clock: Clock
    export: Export = no_export

    async def answer(self, request: Request) -> Response:
        """The contract's status for every request; 2xx only when the events are safe."""
        try:
            if (request.method, request.path) in (("GET", WEBHOOK), ("HEAD", WEBHOOK)):
                return Response(200, {"status": "ok", "name": "kaiwa"})
            if request.method in ("GET", "HEAD") and request.path.startswith(EXPORT):
                return await self.export(request.path.removeprefix(EXPORT))
            _check_route(request)
            delivery = await self._read(request)
            if delivery.events:
                await (self.webhook if request.path == WEBHOOK else self.task)(delivery)
        except Rejected as rejected:
            log.event("request_refused", status=rejected.status, why=str(rejected))
            return Response(rejected.status, {"error": str(rejected)})
        except (Unavailable, Misconfigured) as failure:
            log.event("request_refused", "ERROR", status=503, why=str(failure))
            return Response(503, {"error": "try again later"})
        return Response(200, {"status": "ok"})

    async def _read(self, request: Request) -> Delivery:
        body = await _bounded_body(request)
        if not await self._is_signed(body, request.headers.get("x-line-signature", "")):
            raise Rejected(401, "the signature does not match")
        return self._delivery(_parse(body), is_task=request.path == TASK)

    async def _is_signed(self, body: bytes, signature: str) -> bool:
        if not is_plausible(signature):
            return False
        secret = await self.secret.value()
        return verify(secret, body, signature) or verify(await self.secret.refresh(secret), body, signature)

    def _delivery(self, body: Mapping[str, Any], *, is_task: bool) -> Delivery:
        now, destination, received_at = self.clock(), body.get("destination"), body.get("receivedAt")
        if not is_task or type(received_at) is not int or not 0 < received_at <= now:
            received_at = now
        destination = destination if isinstance(destination, str) and BOT_ID.fullmatch(destination) else ""
        is_ours = bool(destination) or is_task  # a wake-up of our own is addressed to nobody
        events = [(read_event(raw, destination, received_at) if is_ours else None, raw) for raw in body["events"]]
        read = tuple((event, raw) for event, raw in events if event)
        if len(read) < len(events):
            log.event("events_skipped", count=len(events) - len(read))
        return Delivery(destination, received_at, read)


def _check_route(request: Request) -> None:
    if request.path not in (WEBHOOK, TASK):
        raise Rejected(404, "no such path")
    if request.method != "POST":
        raise Rejected(405, "only POST is answered here")


async def _bounded_body(request: Request) -> bytes:
    """The whole body; given up as soon as it, or its announced length, is over the limit."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > BODY_BYTES:
        raise Rejected(413, "the body is too large")
    body = bytearray()
    async for piece in request.body:
        body += piece
        if len(body) > BODY_BYTES:
            raise Rejected(413, "the body is too large")
    return bytes(body)


def _parse(body: bytes) -> Mapping[str, Any]:
    """A JSON object with a list of events, in strict UTF-8 JSON; whatever else was signed is refused."""
    try:
        parsed = json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise Rejected(400, "the body is not JSON") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("events"), list):
        raise Rejected(400, "the body is not an object with a list of events")
    return parsed


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _finite(number: str) -> float:
    # 1e999 would be read as infinity, which JSON cannot say: the queue could not carry it on.
    if not isfinite(float(number)):
        raise ValueError(number)
    return float(number)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a name stands twice")
    return mapping
