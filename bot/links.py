"""Links to exports: each holds what it opens and until when, and a signature; nothing is stored for it.

The key is derived from the channel secret, so that a rotated one still opens what it has signed.
"""

import base64
import hmac
import re
import struct
from dataclasses import dataclass

from bot.conversation import Conversation
from bot.gate import EXPORT
from bot.limits import EXPORT_MS
from bot.ports import Clock
from bot.results import Result
from bot.secrets import Secret
from bot.texts import phrase

FIELDS = struct.Struct(">32sQQB")
"""The conversation's id, its generation, the link's end (both in milliseconds), and the kind of file."""
TEXT, JSON = 0, 1
TOKEN = re.compile("[A-Za-z0-9_-]{108}")
"""81 bytes in base64: FIELDS and the signature."""
PURPOSE = b"kaiwa: links to exports, 1"
"""So that no signature of a webhook can ever be one of a link."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a link opens."""

    conversation_id: str
    generation: int
    until: int
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links and reads them; `service_url` is where the function can be reached, empty when nobody has told."""

    secret: Secret
    service_url: str
    clock: Clock

    async def result(self, conversation_id: str, state: Conversation, argument: str) -> Result:
        """What `/export [json]` says. Raises Unavailable or Misconfigured when the secret cannot be read."""
        if not self.service_url:
            return Result((phrase("export_impossible", state.language),))
        until = self.clock() + EXPORT_MS
        grant = Grant(conversation_id, state.generation, until, argument.casefold() == "json")
        token = signed(grant, await self.secret.value())
        # LINE's own browser cannot save files; with this parameter it opens the phone's.
        link = f"{self.service_url}{EXPORT}{token}?openExternalBrowser=1"
        return Result((phrase("export", state.language).format(link=link),))

    async def read(self, token: str) -> Grant | None:
        """What the token opens; None when it is malformed, forged or expired. Raises as `result` does."""
        if not TOKEN.fullmatch(token):
            return None
        secret = await self.secret.value()
        grant = opened(token, secret) or opened(token, await self.secret.refresh(secret))
        return grant if grant and self.clock() < grant.until else None


def signed(grant: Grant, secret: str) -> str:
    """The token of a grant, signed with the newest line of the secret."""
    kind = JSON if grant.is_json else TEXT
    fields = FIELDS.pack(bytes.fromhex(grant.conversation_id), grant.generation, grant.until, kind)
    return base64.urlsafe_b64encode(fields + _signature(fields, secret.splitlines()[0])).decode()


def opened(token: str, secret: str) -> Grant | None:
    """The grant in a well-formed token, if any line of the secret has signed it."""
    raw = base64.urlsafe_b64decode(token)
    fields, signature = raw[: FIELDS.size], raw[FIELDS.size :]
    # A blank line would be an empty key, with which anybody can sign.
    keys = [line for line in secret.splitlines() if line.strip()]
    if not any(hmac.compare_digest(_signature(fields, key), signature) for key in keys):
        return None
    conversation, generation, until, kind = FIELDS.unpack(fields)
    return Grant(conversation.hex(), generation, until, kind == JSON)


def _signature(fields: bytes, line: str) -> bytes:
    key = hmac.digest(line.strip().encode(), PURPOSE, "sha256")
    return hmac.digest(key, fields, "sha256")
