"""Updating one conversation: read, decide, write if nobody else did; on conflict decide anew on fresh state."""

import asyncio
import random
from collections.abc import Callable
from typing import TypeVar

from bot import log
from bot.conversation import Conversation
from bot.errors import Conflict, Unavailable
from bot.ports import Change, Seen, Store

T = TypeVar("T")

CONFLICTS = 25
FAILURES = 3


async def update(
    store: Store,
    conversation_id: str,
    transition: Callable[[Conversation], Change[T]],
    seen: Seen | None = None,
) -> tuple[Seen, T]:
    """Apply `transition`; with `seen`, the first try needs no read. A state left as it was is not written.

    A write whose acknowledgement was lost is met again as a conflict: transitions must recognise their own
    result (by the lease's owner or the turn's id) and answer as they did the first time.
    """
    conflicts = failures = 0
    while True:
        try:
            seen = seen or await _read(store, conversation_id)
            change = transition(seen.conversation)
            if change.conversation == seen.conversation and not change.archive:
                return seen, change.outcome
            written = await store.write(conversation_id, seen, change.conversation, change.archive)
            return written, change.outcome
        except Conflict:
            conflicts += 1
            if conflicts > CONFLICTS:
                raise Unavailable("the conversation is written too often; try again") from None
            await asyncio.sleep(random.uniform(0, 0.02 * conflicts))
        except Unavailable:
            failures += 1
            if failures > FAILURES:
                raise
            await asyncio.sleep(random.uniform(0.05, 0.1) * 2**failures)
        seen = None


async def _read(store: Store, conversation_id: str) -> Seen:
    seen = await store.read(conversation_id)
    if seen.damaged:
        log.event("document_damaged", "ERROR", conversation=log.anonymous(conversation_id), fields=seen.damaged)
    return seen
