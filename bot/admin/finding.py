"""Conversations as operators name them: by the beginning of the hashed id, by all of it, or by LINE's own id."""

import argparse
import re
from dataclasses import dataclass
from hashlib import sha256

from bot.admin.printing import short
from bot.app import App, now
from bot.conversation import Conversation
from bot.errors import KaiwaError

WHOLE = re.compile("[0-9a-f]{64}")
BEGINNING = re.compile("[0-9a-f]{1,63}")
SHOWN = 5
"""So many of those that an ambiguous beginning may mean are listed."""


class NotFound(KaiwaError):
    """No conversation, or more than one, has this name; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A conversation as it is stored, expired or not; `damaged`: what could not be read of it."""

    id: str
    state: Conversation
    damaged: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return short(self.id)

    @property
    def is_expired(self) -> bool:
        return self.state.expire_at <= now()


def add_id(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """It is `arguments.id`; with `many` a list of one or more."""
    parser.add_argument(
        "id",
        metavar="ID",
        nargs="+" if many else None,
        help="the conversation: the beginning of its id as `conversations` and the log have it, "
        "the whole id, or LINE's own id of the person, group or room (which is never shown)",
    )


async def find(app: App, named: str) -> Found:
    """The one conversation of this name. Raises NotFound, Unavailable or Misconfigured."""
    if WHOLE.fullmatch(named):
        return await _read(app, named, short(named))
    if BEGINNING.fullmatch(named):
        return await _read(app, await _only(app, named), named)
    # LINE's ids begin with a capital letter. They are not repeated.
    return await _read(app, sha256(named.encode()).hexdigest(), "such an id")


async def _only(app: App, beginning: str) -> str:
    ids: list[str] = []
    async for conversation_id, _ in (await app.store()).conversations(beginning):
        ids.append(conversation_id)
        if len(ids) > SHOWN:
            break
    if not ids:
        raise NotFound(f"no conversation begins with {beginning}: `conversations` lists them all")
    if len(ids) > 1:
        most = "" if len(ids) <= SHOWN else ", and more"
        raise NotFound(f"several conversations begin with {beginning}; give more of: {', '.join(ids[:SHOWN])}{most}")
    return ids[0]


async def _read(app: App, conversation_id: str, named: str) -> Found:
    seen = await (await app.store()).read(conversation_id)
    if seen.version is None:
        raise NotFound(f"nothing is stored for {named}: `conversations` lists all that is")
    return Found(conversation_id, seen.conversation, seen.damaged)
