"""What people read: complete in both languages, and short enough for LINE."""

from typing import get_args

import pytest

from bot.bubbles import bubbles, units
from bot.texts import Phrase, language_of, phrase


@pytest.mark.parametrize("name", get_args(Phrase))
def test_every_phrase_in_both_languages(name: Phrase) -> None:
    """No phrase is missing or blank, and each fits one bubble."""
    for language in ("ja", "en"):
        assert bubbles(phrase(name, language)) == (phrase(name, language),)


@pytest.mark.parametrize("name", ["more_label", "earlier_label"])
def test_labels_fit_their_buttons(name: Phrase) -> None:
    """LINE takes labels of 20 characters at most."""
    assert max(units(phrase(name, "ja")), units(phrase(name, "en"))) <= 20


def test_help_names_every_command() -> None:
    """The help text lists what the contract promises, in the language's own aliases."""
    assert all(alias in phrase("help", "ja") for alias in ("/リセット", "/履歴", "/消去", "/ヘルプ"))
    assert all(alias in phrase("help", "en") for alias in ("/reset", "/history", "/forget", "/help"))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("こんにちは", "ja"),
        ("カナ", "ja"),
        ("漢字", "ja"),
        ("Kaiwaって何?", "ja"),
        ("Hello", "en"),
        ("ＡＢＣ", None),
        ("123 👍", None),
        ("", None),
        ("привет", None),
    ],
)
def test_language(text: str, language: str | None) -> None:
    """Told from the letters; where they tell nothing, nothing is changed."""
    assert language_of(text) == language
