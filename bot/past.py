"""The past as others may read it again: batches that have not expired, turns that nobody has withdrawn, dates."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from unicodedata import normalize

from bot.conversation import Batch, Conversation, Turn
from bot.ports import Store

BATCHES = 20
"""So many are read at once, at most."""
JAPAN = timezone(timedelta(hours=9))
"""LINE tells no time zone of its users."""


async def read_batches(
    store: Store, conversation_id: str, state: Conversation, before: int, now: int
) -> tuple[Sequence[int], list[Batch]]:
    """The newest twenty batches before this number, newest first, and the numbers that were asked for.

    Only of the current generation, which erasing ends, and of this conversation: the id is the turn's own.
    """
    numbers = range(before - 1, max(before - 1 - BATCHES, -1), -1)
    batches = await store.read_archive(conversation_id, state.generation, numbers) if numbers else []
    return numbers, [batch for batch in batches if batch.expire_at > now]


def is_unsent(state: Conversation, turn: Turn) -> bool:
    """Withdrawn a moment ago, and not yet taken out of the archive."""
    return any(message_id in state.unsent for message_id in turn.message_ids)


def words_of(turn: Turn) -> str:
    """Everything said in a turn, as `plain` text to search in."""
    return plain("\n".join([*(said.text for said in turn.said), turn.answer]))


def plain(text: str) -> str:
    """Without differences of width and case."""
    return normalize("NFKC", text).casefold()


def date(at: int) -> str:
    """Japanese time."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(JAPAN).strftime("%Y-%m-%d %H:%M")
