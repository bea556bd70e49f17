"""`dead-letters`: messages that could not be answered after all tries."""

import argparse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from bot.admin.printing import Column, add_json, minute, short, show
from bot.app import App, now
from bot.claiming import alive
from bot.conversation import Conversation, DeadLetter

HELP = "list messages that could not be answered after all tries"

COLUMNS = (
    Column("Time", "at", minute, is_whole=True),
    Column("Turn", "turn", is_whole=True),
    Column("Conversation", "conversation", short, is_whole=True),
    Column("Reason", "reason"),
)
TEXT = Column("Text", "text")


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


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", action="store_true", help="show what was written, too")
    add_json(parser)


async def run(app: App, arguments: argparse.Namespace) -> int:
    rows = [found.row(text=arguments.text) async for found in dead_letters(app)]
    columns = (*COLUMNS, TEXT) if arguments.text else COLUMNS
    show(sorted(rows, key=lambda row: int(row["at"])), columns, as_json=arguments.json, nothing="no dead letters")
    return 0


async def dead_letters(app: App) -> AsyncIterator[Found]:
    """All of them, in no particular order."""
    async for conversation_id, conversation in (await app.store()).with_dead_letters():
        for letter in alive(conversation, now()).dead_letters:
            yield Found(conversation_id, conversation, letter)
