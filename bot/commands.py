"""What people can type to command the bot, and what its buttons send back."""

from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from bot.conversation import Language

Name = Literal[
    "help",
    "reset",
    "history",
    "forget",
    "more",
    "retry",
    "persona",
    "model",
    "language",
    "status",
    "usage",
    "export",
    "draw",
    "listen",
    "again",
    "shorter",
]

ALIASES: dict[str, tuple[Name, Language | None]] = {
    "/help": ("help", None),
    "/ヘルプ": ("help", "ja"),
    "/reset": ("reset", None),
    "/リセット": ("reset", "ja"),
    "/history": ("history", None),
    "/履歴": ("history", "ja"),
    "/forget": ("forget", None),
    "/消去": ("forget", "ja"),
    "/persona": ("persona", None),
    "/性格": ("persona", "ja"),
    "/model": ("model", None),
    "/モデル": ("model", "ja"),
    "/language": ("language", None),
    "/言語": ("language", "ja"),
    "/status": ("status", None),
    "/状態": ("status", "ja"),
    "/usage": ("usage", None),
    "/使用量": ("usage", "ja"),
    "/draw": ("draw", None),
    "/描いて": ("draw", "ja"),
    "/export": ("export", None),
    "/書き出し": ("export", "ja"),
    "/listen": ("listen", None),
    "/聞く": ("listen", "ja"),
    "/more": ("more", None),
    "/retry": ("retry", None),
    "/again": ("again", None),
    "/shorter": ("shorter", None),
}

MORE_WORDS = frozenset({"続き", "つづき", "more"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command with the rest of its line; `language` only where the alias tells it."""

    name: Name
    argument: str = ""
    language: Language | None = None


def parse(text: str) -> Command | None:
    """The command that `text` is, or None: an unknown word after a slash is for the model."""
    word, *rest = text.split(maxsplit=1) or [""]
    known, argument = ALIASES.get(normalize("NFKC", word).casefold()), "".join(rest).strip()
    # Erasing cannot be undone: it takes the command alone, not a sentence that begins with it.
    if known is None or (known[0] == "forget" and argument):
        return None
    return Command(known[0], argument, known[1])


def asks_for_more(text: str) -> bool:
    """Whether the text is the typed form of the 「続き」 button."""
    return text.strip().casefold() in MORE_WORDS
