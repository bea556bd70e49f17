"""Commands: every alias, typed as people type, and nothing else."""

import pytest

from bot import commands
from bot.commands import Command, asks_for_more, parse


@pytest.mark.parametrize(("alias", "known"), commands.ALIASES.items())
def test_aliases(alias: str, known: tuple[commands.Name, None]) -> None:
    """Each alias is its command; the Japanese ones tell the language."""
    assert parse(alias) == Command(known[0], "", known[1])


@pytest.mark.parametrize("text", ["/HELP", " /help\n", "\uff0fｈｅｌｐ", "/Help ", "\u3000/help"])
def test_as_people_type(text: str) -> None:
    """Case, width and surrounding blanks do not matter."""
    assert parse(text) == Command("help")


@pytest.mark.parametrize("text", ["/履歴 花 見", "/履歴\u3000花 見", "/履歴\n花 見 ", "/履歴   花 見"])
def test_the_rest_of_the_line(text: str) -> None:
    """Any blank ends the command's word, and its argument comes as typed."""
    assert parse(text) == Command("history", "花 見", "ja")


@pytest.mark.parametrize("text", ["", " ", "help", "/", "/helpme", "//help", "/ help", "please /help", "/dance"])
def test_no_commands(text: str) -> None:
    """Everything else is for the model."""
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "asks"), [("続き", True), (" つづき\n", True), ("MORE", True), ("続きを", False), ("", False)]
)
def test_typed_more(text: str, asks: bool) -> None:
    """The 「続き」 button can be typed as well."""
    assert asks_for_more(text) is asks


@pytest.mark.parametrize("text", ["/forget it, let us talk about cats", "/消去 とは何ですか"])
def test_a_sentence_does_not_erase(text: str) -> None:
    """Erasing cannot be undone: only the command alone erases, a sentence that begins with it is for the model."""
    assert parse(text) is None
