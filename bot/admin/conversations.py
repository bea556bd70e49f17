"""`conversations`: who talks with the bot, as numbers; never a word or a name."""

import argparse
from collections.abc import AsyncIterator
from typing import Any

from bot.admin.printing import Column, add_json, minute, number, positive, progress, short, show, some, whole, yen
from bot.app import App, now
from bot.conversation import Conversation
from bot.erasing import newest
from bot.limits import DAY_MS
from bot.pausing import is_paused

HELP = "list the conversations: how much was said, what it cost, and what waits"

COLUMNS = (
    Column("Conversation", "conversation", short, is_whole=True),
    Column("Type", "type"),
    Column("Last message", "last_at", minute, is_whole=True),
    Column("Turns", "turns", number, is_number=True),
    Column("Tokens", "tokens", number, is_number=True),
    Column("Yen", "micro_yen", yen, is_number=True),
    Column("Pending", "pending", some, is_number=True),
    Column("Outbox", "outbox", some, is_number=True),
    Column("Dead", "dead_letters", some, is_number=True),
    Column("Paused until", "paused_until", minute, is_whole=True),
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--active", type=positive, metavar="DAYS", help="only those that wrote in the last DAYS days")
    parser.add_argument("--paused", action="store_true", help="only those in which the bot keeps silent")
    parser.add_argument("--dead", action="store_true", help="only those that keep dead letters")
    parser.add_argument("--limit", type=whole, metavar="N", help="the latest N of them")
    add_json(parser)


async def run(app: App, arguments: argparse.Namespace) -> int:
    found = [row(one, state) async for one, state in scan(app, "Reading") if _is_wanted(state, arguments)]
    rows = sorted(found, key=lambda one: int(one["last_at"]), reverse=True)
    show(rows[: arguments.limit], COLUMNS, as_json=arguments.json, nothing="no conversations")
    return 0


async def scan(app: App, title: str) -> AsyncIterator[tuple[str, Conversation]]:
    """Every conversation that has not expired, with a progress bar."""
    store = await app.store()
    with progress(title, await store.count()) as advance:
        async for conversation_id, state in store.conversations():
            advance()
            if state.expire_at > now():
                yield conversation_id, state


def row(conversation_id: str, state: Conversation) -> dict[str, Any]:
    """What is listed of one. `last_at` and `paused_until` in milliseconds, 0 for never; millionths of a yen."""
    return {
        "conversation": conversation_id,
        "type": type_of(state),
        "last_at": newest(state),
        "turns": state.usage.turns,
        "tokens": state.usage.tokens,
        "micro_yen": state.usage.micro_yen,
        "pending": len(state.pending),
        "outbox": len(state.outbox),
        "dead_letters": len(state.dead_letters),
        "paused_until": state.paused_until if is_paused(state, now()) else 0,
    }


def type_of(state: Conversation) -> str:
    """LINE's type of chat; of what was erased only a mark is left, which does not tell."""
    return state.source.type if state.source else "erased" if state.erased_at else "unknown"


def _is_wanted(state: Conversation, arguments: argparse.Namespace) -> bool:
    is_active = arguments.active is None or newest(state) > now() - arguments.active * DAY_MS
    is_silent = is_paused(state, now()) or not arguments.paused
    return is_active and is_silent and bool(state.dead_letters or not arguments.dead)
