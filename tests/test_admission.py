"""What joins a conversation, and what it tells of its people."""

from typing import Any

import pytest

from bot.admission import admit
from bot.conversation import Conversation, Preferences
from bot.events import Event, read_event
from tests.webhooks import BOT, GROUP, NOW, said


def heard(raw: dict[str, Any]) -> Event:
    event = read_event(raw, BOT, NOW)
    assert event is not None
    return event


@pytest.mark.parametrize(
    "raw",
    [
        said("", type="sticker", keywords=["thank you"]),
        said("", type="location", title="Park", latitude=1, longitude=2),
        said("", type="image"),
        said("", type="file", fileName="report.pdf"),
    ],
)
def test_what_nobody_wrote_tells_no_language(raw: dict[str, Any]) -> None:
    """Stickers' keywords and names of files are English for everybody; the conversation's language stays."""
    state = admit(Conversation(language="ja"), heard(raw), NOW)
    assert (len(state.pending), state.language) == (1, "ja")


def test_what_is_overheard() -> None:
    """Words and stickers; what would have to be fetched is not kept for later."""
    listening = Conversation(preferences=Preferences(listening=True))
    sticker = said("", GROUP, type="sticker", keywords=["ok"])
    image = said("", GROUP, type="image", quotedMessageId="another's")
    assert [one.text for one in admit(listening, heard(sticker), NOW).overheard] == ["[sticker] ok"]
    assert admit(listening, heard(image), NOW).overheard == ()


def test_an_image_that_quotes_the_bot() -> None:
    """Should LINE ever let images quote, they are taken as what they are."""
    image = said("", GROUP, type="image", quotedMessageId="mine")
    state = admit(Conversation(shown_ids=("mine",)), heard(image), NOW)
    assert [one.media.kind for one in state.pending if one.media] == ["image"]
