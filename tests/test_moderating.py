"""Moderation: what is forbidden is refused with a sentence and kept without its words; trouble does not stop talk."""

import asyncio
from collections.abc import Sequence

import pytest

from bot import moderating
from bot.conversation import Conversation, Media, Pending, Said, Turn
from bot.errors import ModelFailed, Unavailable
from bot.moderating import Moderation
from bot.ports import Attachment
from bot.reading import Utterance
from bot.results import Result
from bot.texts import phrase
from bot.window import WITHHELD, unanswered

PICTURE = Attachment("image/png", b"png")


def utterance(text: str, **more: object) -> Utterance:
    pending = Pending("e" + text, 5, "text", 6, text, "m" + text, media=Media("image"))
    return Utterance(pending, text, **more)  # type: ignore[arg-type]


class Judge:
    """`bot.ports.Moderator` that dislikes one word; `asked` is what it was shown."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, tuple[Attachment, ...]]] = []

    async def flagged(self, text: str, attachments: Sequence[Attachment]) -> bool:
        self.asked.append((text, tuple(attachments)))
        if self.error:
            raise self.error
        return "bad" in text


@pytest.mark.parametrize(
    ("text", "quoted", "refused"), [("fine", "", False), ("bad", "", True), ("this?", "bad", True)]
)
async def test_what_is_judged(text: str, quoted: str, refused: bool) -> None:
    """All that the model would read of the messages: their words, what they quote, their pictures."""
    judge = Judge()
    segment = (utterance("first"), utterance(text, quoted=quoted, attachments=(PICTURE,)))
    assert await Moderation(judge).refuses(segment) is refused
    assert judge.asked == [("\n".join(filter(None, ("first", quoted, text))), (PICTURE,))]


def test_a_refusal() -> None:
    """A sentence, and turns that have no words: they would be read with every later question."""
    segment = (utterance("bad", speaker="花子"), utterance("words"))
    assert Moderation(Judge()).refusal(segment, "ja") == Result(
        (phrase("withheld", "ja"),),
        remembered=True,
        said=(
            Said("mbad", WITHHELD, 5, "花子", Media("image")),
            Said("mwords", WITHHELD, 5, "", Media("image")),
        ),
    )


def test_a_refusal_is_not_tried_again() -> None:
    """Nothing is left that could be asked; a turn that only failed can be."""
    refused, failed = (Turn(text, (Said("m", text, 5),), "") for text in (WITHHELD, "words"))
    state = Conversation(turns=(refused, failed))
    assert [unanswered(state, turn.id) for turn in state.turns] == [None, failed]


@pytest.mark.parametrize("error", [ModelFailed("busy"), ModelFailed("broken"), Unavailable("down")])
async def test_trouble(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing can be found out talk goes on, and the operator reads of it, without a word of what was said."""
    assert await Moderation(Judge(error)).refuses((utterance("bad"),)) is False
    written = capsys.readouterr().out
    assert '"moderation_failed"' in written
    assert '"ERROR"' in written
    assert "bad" not in written


async def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that says nothing is not waited for."""

    class Silent:
        async def flagged(self, text: str, attachments: Sequence[Attachment]) -> bool:
            await asyncio.Event().wait()
            return True

    monkeypatch.setattr(moderating, "MODERATION_SECONDS", 0.05)
    assert await Moderation(Silent()).refuses((utterance("bad"),)) is False
