"""What an operator does as people do it: a signed webhook through the function's own gate, in this process."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

from bot.app import App, now
from bot.conversation import Source
from bot.errors import KaiwaError
from bot.events import SOURCE_IDS
from bot.gate import Request
from bot.signature import sign

OPERATOR = "U" + "0" * 32
"""In place of the bot's own id, which is not asked for: the gate wants one of LINE's form."""


class NotTaken(KaiwaError):
    """The gate did not take it; the message says why."""


def event(source: Source, what: Mapping[str, Any]) -> dict[str, Any]:
    """A webhook event of this moment, without a reply token. `what`: its type, and what belongs to that."""
    return {
        "mode": "active",
        "webhookEventId": f"operator-{uuid4().hex}",
        "timestamp": now(),
        "source": {"type": source.type, SOURCE_IDS[source.type]: source.id},
        **what,
    }


async def send(app: App, path: str, *events: Mapping[str, Any]) -> None:
    """Returns when the gate has answered 200. Raises NotTaken, Unavailable or Misconfigured."""
    body = json.dumps({"destination": OPERATOR, "events": events}).encode()
    headers = {"x-line-signature": sign(await app.channel_secret.value(), body)}
    response = await app.respond(Request("POST", path, headers, _pieces(body)))
    if response.status != 200:
        raise NotTaken(f"the bot's own gate answered {response.status}; the log lines above say why")


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body
