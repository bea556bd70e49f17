"""Drawing: a picture or an apology, and nothing left behind of what was withdrawn or erased meanwhile."""

import asyncio
from dataclasses import replace

import pytest

from bot.conversation import Conversation, Pending, Source, Usage
from bot.drawing import Studio
from bot.errors import KaiwaError, Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.metering import Meter, MeteredPainter
from bot.moderating import Moderation
from bot.ports import Attachment, Painted, Seen
from bot.results import Result
from bot.shapes import Picture, shape
from bot.texts import Phrase, phrase
from tests.fakes import FakeModel, FakePainter, FakePictures, FakeStore
from tests.pipeline import Pipeline
from tests.webhooks import NOW, USER, event, left, said, unsent

SOURCE = Source("user", USER)
ID = SOURCE.conversation_id
STATE = Conversation(source=SOURCE, generation=7, language="en", expire_at=NOW * 2)
PENDING = Pending("e", NOW, "command", NOW, "/draw a cat", "m1", "t")


class Room:
    """A studio on fakes."""

    def __init__(self, moderation: Moderation | None = None, deadline_ms: int = 40_000) -> None:
        self.painter, self.pictures, self.store = FakePainter(), FakePictures(), FakeStore()
        self.studio = Studio(self.painter, self.pictures, self.store, deadline_ms, moderation)

    async def draw(self, words: str = "a cat", stored: Conversation = STATE) -> Result:
        await self.store.write(ID, Seen(Conversation(), None), stored)
        return await self.studio.draw(ID, STATE, PENDING, words)


async def test_a_picture_that_came_too_late_is_paid_for() -> None:
    """The day is charged with what the month's account takes for it."""

    class Hanging(FakePainter):
        async def paint(self, words: str) -> Painted:
            await asyncio.Event().wait()
            raise AssertionError("an event that nobody sets")

    painter = MeteredPainter(Hanging(), Meter(), "gpt-image-2.5-flare")
    studio = Studio(painter, FakePictures(), FakeStore(), 50, lost=painter.lost)
    pending = Pending("e", NOW, "command", NOW, "/draw a cat", "m", "t")
    result = await studio.draw("c", Conversation(), pending, "a cat")
    assert result.usage == painter.lost("a cat", TimeoutError())
    assert (result.answer, result.usage.turns, result.usage.micro_yen > 1_000_000) == ("", 0, True)


async def test_a_picture() -> None:
    """It is shown as one, remembered in words, and counted with its tokens."""
    room = Room()
    result = await room.draw()
    address = "https://pictures.example/1"
    assert [shape(bubble) for bubble in result.bubbles] == [Picture("a cat", address, address)]
    assert (result.remembered, result.pictures) == (True, 1)
    assert "a cat" in result.answer
    assert result.usage == Usage(turns=1, input_tokens=7, output_tokens=900)
    assert room.pictures.kept == [(ID, "m1")]


@pytest.mark.parametrize("words", ['a](https://x "y") cat', "two\nlines", "猫" * 1000, "a\u0000cat"])
async def test_any_words(words: str) -> None:
    """Whatever is asked for, the bubble is a picture, and the painter gets the words as they were written."""
    room = Room()
    [bubble] = (await room.draw(words)).bubbles
    assert isinstance(shape(bubble), Picture)
    assert room.painter.asked == [words]


async def test_no_words() -> None:
    """It is told how to ask; nothing is painted."""
    room = Room()
    assert await room.draw("") == Result((phrase("draw_how", "en"),))
    assert room.painter.asked == []


@pytest.mark.parametrize(
    ("fault", "name"), [("refused", "cannot_answer"), ("busy", "busy"), ("broken", "busy"), ("quota", "trouble")]
)
async def test_no_picture_comes(fault: ModelFault, name: Phrase) -> None:
    """An apology that fits, once asked; the turn stays unanswered, so that a button can ask again."""
    room = Room()
    room.painter.failures.append(ModelFailed(fault))
    result = await room.draw()
    assert (result.bubbles, result.answer, result.remembered) == ((phrase(name, "en"),), "", True)
    assert len(room.painter.asked) == 1
    assert room.pictures.kept == []


@pytest.mark.parametrize(("error", "name"), [(Unavailable("down"), "busy"), (Misconfigured("no bucket"), "trouble")])
async def test_it_cannot_be_kept(error: KaiwaError, name: Phrase) -> None:
    """An apology; what the picture has cost is counted all the same."""
    room = Room()
    room.pictures.failures.append(error)
    result = await room.draw()
    assert (result.bubbles, result.answer) == ((phrase(name, "en"),), "")
    assert result.usage.output_tokens == 900


async def test_it_takes_too_long() -> None:
    """At the deadline there is an apology."""
    room = Room(deadline_ms=0)

    class Slow(FakePictures):
        async def keep(self, conversation_id: str, message_id: str, picture: Attachment) -> str:
            await asyncio.Event().wait()
            raise AssertionError

    room.studio = replace(room.studio, pictures=Slow())
    assert (await room.draw()).bubbles == (phrase("busy", "en"),)


@pytest.mark.parametrize("stored", [replace(STATE, generation=8), replace(STATE, unsent={"m1": NOW}), Conversation()])
async def test_erased_or_withdrawn_meanwhile(stored: Conversation) -> None:
    """Whoever erased may have come before the picture: then it deletes itself."""
    room = Room()
    await room.draw(stored=stored)
    assert room.pictures.kept == []


class Strict:
    """A moderator that forbids cats."""

    async def flagged(self, text: str, attachments: object) -> bool:
        return "cat" in text


async def test_moderation() -> None:
    """What is forbidden is not painted, nor kept."""
    room = Room(Moderation(Strict()))
    result = await room.draw()
    assert result.bubbles == (phrase("withheld", "en"),)
    assert room.painter.asked == []
    assert "cat" not in str(result.said)
    assert (await Room(Moderation(Strict())).draw("a dog")).pictures == 1


async def test_through_the_pipeline() -> None:
    """The picture is answered with, and later read to the model as words; asking again paints anew."""
    pipeline = Pipeline(FakeModel("You are welcome."))
    await pipeline.take(said("/draw a cat", id="m1"))
    assert [shape(bubble) for bubble in pipeline.shown()] == [Picture("a cat", *["https://pictures.example/1"] * 2)]
    buttons = [button.data.split()[0] for button in pipeline.messenger.shown[0].quick_replies]
    assert buttons == ["/again"]
    await pipeline.take(said("thanks", at=NOW + 1))
    assert "a cat" in str(pipeline.model.prompts[0].lines)
    assert "pictures.example" not in str(pipeline.model.prompts[0].lines)
    again = f"/again {pipeline.state().turns[0].id}"
    await pipeline.take(event("postback", at=NOW + 2, postback={"data": again}))
    assert pipeline.painter.asked == ["a cat", "a cat"]
    assert len(pipeline.model.prompts) == 1


async def test_the_button_paints_again() -> None:
    """After an apology the stored words are painted, not read to the model."""
    pipeline = Pipeline()
    pipeline.painter.failures.append(ModelFailed("busy"))
    await pipeline.take(said("/draw a cat", id="m1"))
    [turn] = pipeline.state().turns
    assert turn.answer == ""
    await pipeline.take(event("postback", at=NOW + 1, postback={"data": f"/retry {turn.id}"}))
    assert isinstance(shape(pipeline.shown()[-1]), Picture)
    assert pipeline.model.prompts == []


async def test_erasing() -> None:
    """Pictures go with the message that asked for them, and all of them with the conversation; nobody else's."""
    pipeline = Pipeline()
    other = "U" + "2" * 32
    await pipeline.take(said("/draw a cat", id="m1"), said("/draw a dog", id="m2", at=NOW + 1))
    await pipeline.take(said("/draw a bird", other, id="m3"))
    await pipeline.take(unsent("m1", at=NOW + 2))
    assert [message_id for _, message_id in pipeline.pictures.kept] == ["m2", "m3"]
    await pipeline.take(said("/forget", at=NOW + 3))
    assert [message_id for _, message_id in pipeline.pictures.kept] == ["m3"]
    await pipeline.take(left("unfollow", other, at=NOW + 4))
    assert pipeline.pictures.kept == []


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("no rights")])
async def test_erasing_fails(error: KaiwaError) -> None:
    """It is not acknowledged before it is done: the event comes again, and erases what is left."""
    pipeline = Pipeline()
    await pipeline.take(said("/draw a cat", id="m1"))
    forget = said("/forget", at=NOW + 1)
    pipeline.pictures.failures.append(error)
    with pytest.raises(Unavailable):
        await pipeline.take(forget)
    assert len(pipeline.pictures.kept) == 1
    assert len(pipeline.shown()) == 1
    await pipeline.take(forget)
    assert pipeline.pictures.kept == []
    assert pipeline.shown()[1:] == [phrase("erased", "ja")]


async def test_a_bucket_that_refuses_keeps_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said is erased from the archive even while the pictures cannot be."""
    pipeline, erased = Pipeline(), []
    erase_archive = pipeline.store.erase_archive

    async def watched(conversation_id: str, keep: int) -> None:
        erased.append(conversation_id)
        await erase_archive(conversation_id, keep)

    monkeypatch.setattr(pipeline.store, "erase_archive", watched)
    await pipeline.take(said("hello", id="m1"))
    pipeline.pictures.failures.append(Misconfigured("no rights"))
    with pytest.raises(Unavailable):
        await pipeline.take(said("/forget", at=NOW + 1))
    assert len(erased) == 1


async def test_unsending_fails() -> None:
    """So is the withdrawal of a message."""
    pipeline = Pipeline()
    await pipeline.take(said("/draw a cat", id="m1"))
    withdrawal = unsent("m1", at=NOW + 1)
    pipeline.pictures.failures.append(Unavailable("down"))
    with pytest.raises(Unavailable):
        await pipeline.take(withdrawal)
    await pipeline.take(withdrawal)
    assert pipeline.pictures.kept == []


async def test_where_nothing_can_be_drawn() -> None:
    """The command is a message as any other."""
    pipeline = Pipeline(FakeModel("Imagine a cat."))
    turns = pipeline.inbox.turns
    off = replace(turns, replier=replace(turns.replier, studio=None))
    pipeline.inbox = replace(pipeline.inbox, turns=off, pictures=None)
    await pipeline.take(said("/draw a cat", id="m1"))
    assert pipeline.shown() == ["Imagine a cat."]
    assert pipeline.model.prompts[0].lines[-1].text.endswith("/draw a cat")
    await pipeline.take(unsent("m1", at=NOW + 1), said("/forget", at=NOW + 2))
    assert pipeline.painter.asked == []


async def test_a_forbidden_persona() -> None:
    """What may not be painted or asked may not describe the bot either."""
    pipeline = Pipeline()
    turns = pipeline.inbox.turns
    asker = replace(turns.replier.asker, moderation=Moderation(Strict()))
    strict = replace(turns, replier=replace(turns.replier, asker=asker))
    pipeline.inbox = replace(pipeline.inbox, turns=strict)
    await pipeline.take(said("/persona a cat", id="m1"))
    assert pipeline.state().preferences.persona == ""
    await pipeline.take(said("/persona a dog", id="m2", at=NOW + 1), said("/persona", at=NOW + 2))
    assert pipeline.state().preferences.persona == "a dog"
    assert pipeline.shown()[0] == phrase("withheld", "ja")
