"""In which language the bot speaks: what was set, then LINE, then what is written, then as before."""

from dataclasses import replace

import pytest

from bot.conversation import Conversation, Language, Preferences, Profile, Source
from bot.languages import spoken
from tests.webhooks import GROUP, NOW, USER

STORED = Conversation(source=Source("user", USER), language="ja")


def profiled(tag: str) -> Conversation:
    return replace(STORED, profiles=(Profile(USER, "Taro", NOW, tag),))


def test_in_order() -> None:
    """Each level wins over all below it."""
    assert spoken(STORED) == "ja"
    assert spoken(STORED, "en") == "en"
    assert spoken(profiled("ja"), "en") == "ja"
    assert spoken(profiled("en"), "ja") == "en"
    assert spoken(replace(profiled("ja"), preferences=Preferences(language="en")), "ja") == "en"


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("ja", "ja"),
        ("JA", "ja"),
        ("ja-JP", "ja"),
        ("en", "en"),
        ("en-US", "en"),
        ("th", "en"),
        ("jam", "en"),
        ("", "ja"),
    ],
)
def test_tags(tag: str, language: Language) -> None:
    """Japanese for the Japanese, English for all others; without a language LINE tells nothing."""
    assert spoken(profiled(tag)) == language


def test_a_group_has_no_profile() -> None:
    """No member's language is the group's."""
    state = replace(profiled("en"), source=Source("group", GROUP))
    assert spoken(state) == "ja"
    assert spoken(replace(profiled("en"), source=None)) == "ja"


def test_somebody_elses_profile_does_not_count() -> None:
    """In a one-to-one chat only the person's own does."""
    state = replace(STORED, profiles=(Profile("U" + "9" * 32, "Bob", NOW, "en"),))
    assert spoken(state) == "ja"
