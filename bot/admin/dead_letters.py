"""Messages that could not be answered after all tries: list them, and have them answered after all."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from bot.app import App, now
from bot.claiming import alive
from bot.conversation import Conversation, DeadLetter, Source
from bot.errors import KaiwaError
from bot.events import SOURCE_IDS
from bot.gate import TASK, WEBHOOK, Request
from bot.signature import sign

OPERATOR = "U" + "0" * 32
"""In place of the bot's own id, which is not asked for: the gate wants one of LINE's form."""


class NotReplayed(KaiwaError):
    """The function did not take the letter; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """One dead letter, and where it lies."""

    conversation_id: str
    conversation: Conversation
    letter: DeadLetter

    def row(self, *, text: bool) -> dict[str, Any]:
        """What is listed; what people wrote only if asked for."""
        said = self.letter.said
        told = {"text": "\n".join(one.text for one in said)} if text else {}
        at = {"at": said[0].at if said else 0}
        return (
            {"conversation": self.conversation_id, "turn": self.letter.turn_id, "reason": self.letter.reason}
            | at
            | told
        )


async def dead_letters(app: App) -> AsyncIterator[Found]:
    """All of them, in no particular order."""
    async for conversation_id, conversation in (await app.store()).with_dead_letters():
        for letter in alive(conversation, now()).dead_letters:
            yield Found(conversation_id, conversation, letter)


async def replay(app: App, found: Found) -> None:
    """Send what the button under the apology would send, through the same gate. The answer goes by push."""
    source = found.conversation.source
    if source is None:
        raise NotReplayed("the conversation is erased")
    body = json.dumps({"destination": OPERATOR, "events": [_pressed(source, found.letter.turn_id)]}).encode()
    headers = {"x-line-signature": sign(await app.channel_secret.value(), body)}
    # A queue inside this process would end with it: then the turn is run here.
    path = TASK if app.settings.tasks_queue == "inprocess" else WEBHOOK
    response = await app.respond(Request("POST", path, headers, _pieces(body)))
    if response.status != 200:
        raise NotReplayed(f"the function answered {response.status}; its log says why")


def _pressed(source: Source, turn_id: str) -> dict[str, Any]:
    return {
        "type": "postback",
        "mode": "active",
        "webhookEventId": f"replay-{uuid4().hex}",
        "timestamp": now(),
        "source": {"type": source.type, SOURCE_IDS[source.type]: source.id},
        "postback": {"data": f"/retry {turn_id}"},
    }


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body
