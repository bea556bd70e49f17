"""What is said to a segment: the model's answer, a command's, or a fixed sentence in the person's language."""

from dataclasses import replace

import pytest

from bot.asking import Asker
from bot.breaker import Breaker
from bot.conversation import Conversation, Kind, Language, Part, Pending, Said, Source, Turn
from bot.errors import Unavailable
from bot.limits import TRIES
from bot.reading import Reader
from bot.replying import Replier
from bot.results import Result
from bot.texts import Phrase, phrase
from tests.fakes import FakeClock, FakeModel, FakeStore
from tests.webhooks import GROUP, NOW, USER

ID = "0" * 64
PRIVATE = Conversation(source=Source("user", USER), generation=1, language="en")
IN_GROUP = replace(PRIVATE, source=Source("group", GROUP))


class Desk:
    """A replier on fakes."""

    def __init__(self, *answers: str) -> None:
        self.model, self.store, clock = FakeModel(*answers), FakeStore(), FakeClock(NOW)
        self.replier = Replier(self.store, Reader(), Asker(self.model, "", 40_000, clock, Breaker(clock)), clock)

    async def reply(self, kind: Kind, text: str = "", state: Conversation = PRIVATE, tries: int = 1) -> Result:
        return await self.replier.reply(ID, state, [Pending("e", NOW, kind, NOW, text, "m", "t", tries)])


async def test_words_go_to_the_model() -> None:
    """And its answer is remembered."""
    desk = Desk("Hi!")
    result = await desk.reply("text", "hello")
    assert (result.bubbles, result.answer, result.remembered) == (("Hi!",), "Hi!", True)


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(
    ("kind", "state", "name"),
    [
        ("greeting", PRIVATE, "greeting"),
        ("greeting", IN_GROUP, "group_greeting"),
        ("unsupported", PRIVATE, "unsupported"),
        ("refused", PRIVATE, "refused"),
        ("refused", IN_GROUP, "refused"),
    ],
)
async def test_fixed_sentences(kind: Kind, state: Conversation, name: Phrase, language: Language) -> None:
    """In the conversation's language, without the model, and not worth a push."""
    desk = Desk()
    result = await desk.reply(kind, state=replace(state, language=language))
    assert result == Result((phrase(name, language),), quiet=True)
    assert desk.model.prompts == []


@pytest.mark.parametrize(
    ("text", "name"), [("/help", "help"), ("/ヘルプ", "help"), ("/reset", "reset"), ("/more", "nothing_more")]
)
async def test_commands(text: str, name: Phrase) -> None:
    """Each says its sentence, without the model and without a turn."""
    desk = Desk()
    result = await desk.reply("command", text)
    assert result.bubbles == (phrase(name, "en"),)
    assert not result.remembered
    assert result.reset == (text == "/reset")
    assert desk.model.prompts == []


async def test_more() -> None:
    """The stored rest is served when there is one."""
    rest = (Part("t", NOW, ("m",), ("the rest",)),)
    assert (await Desk().reply("command", "/more", replace(PRIVATE, rest=rest))).serves_rest


async def test_history() -> None:
    """Reads the conversation as it is, with the words that were typed."""
    turns = (Turn("a", (Said("1", "tea", NOW),), "ok"), Turn("b", (Said("2", "coffee", NOW),), "ok"))
    result = await Desk().reply("command", "/履歴\u3000tea", replace(PRIVATE, turns=turns))
    assert "tea" in result.bubbles[0]
    assert "coffee" not in result.bubbles[0]


async def test_an_archive_that_cannot_be_read() -> None:
    """It is tried again instead of showing half a history."""
    desk = Desk()
    desk.store.fail_next(Unavailable("down"), method="read_archive")
    with pytest.raises(Unavailable):
        await desk.reply("command", "/history", replace(PRIVATE, archived=1))


@pytest.mark.parametrize("kind", ["text", "command", "greeting"])
async def test_given_up(kind: Kind) -> None:
    """After all tries an apology, and a dead letter of what was said, without anything that may fail."""
    desk = Desk()
    desk.store.fail_next(Unavailable("down"), method="read_archive")
    result = await desk.reply(kind, "/history", replace(PRIVATE, archived=1), tries=TRIES + 1)
    assert result.bubbles == (phrase("given_up", "en"),)
    assert bool(result.dead) == (kind == "text")
    assert result.remembered == (kind == "text")
    assert desk.model.prompts == []
