"""Pausing: a person of the operator's talks there, and the bot keeps silent until a moment. Pure: no clock, no I/O.

What people write meanwhile is kept as turns without an answer, so that the next answer knows it. Commands that need no
model work as always: they are for the bot and for nobody else.
"""

from bot import commands
from bot.conversation import Conversation, Pending

ASKING = ("retry", "again", "shorter", "draw")
"""Commands that ask the model."""


def is_paused(state: Conversation, now: int) -> bool:
    return state.paused_until > now


def asks_model(pending: Pending) -> bool:
    """Whether the model would be asked, so that an answer takes its time."""
    return pending.kind == "text" or _command(pending) in ASKING


def is_answered(pending: Pending) -> bool:
    """Whether it gets its answer in a pause, too."""
    return pending.kind == "command" and not asks_model(pending)


def is_kept(pending: Pending) -> bool:
    """Whether it is something said, which the next answer should know; the press of a button is not."""
    return pending.kind == "text" or _command(pending) == "draw"


def _command(pending: Pending) -> str:
    command = commands.parse(pending.text) if pending.kind == "command" else None
    return command.name if command else ""
