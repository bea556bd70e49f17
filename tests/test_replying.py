"""What is said to a segment: the model's answer, a command's, or a fixed sentence in the person's language."""

import asyncio
from dataclasses import replace

import pytest

from bot import commands
from bot.asking import Asker
from bot.breaker import Breaker
from bot.conversation import (
    Conversation,
    Kind,
    Language,
    Media,
    Part,
    Pending,
    Preferences,
    Profile,
    Said,
    Source,
    Turn,
)
from bot.errors import ContentFailed, ModelFailed, Unavailable
from bot.fetching import Fetcher
from bot.introducing import Introducer
from bot.limits import TRIES
from bot.media import label
from bot.ports import Attachment
from bot.reading import Reader
from bot.replying import Replier
from bot.results import Result
from bot.texts import Phrase, phrase
from tests.fakes import FakeClock, FakeContent, FakeModel, FakeProfiles, FakeStore, FakeTranscriber
from tests.webhooks import GROUP, NOW, USER

ID = "0" * 64
PRIVATE = Conversation(source=Source("user", USER), generation=1, language="en")
IN_GROUP = replace(PRIVATE, source=Source("group", GROUP))


class Desk:
    """A replier on fakes."""

    def __init__(self, *answers: str) -> None:
        self.model, self.store, clock = FakeModel(*answers), FakeStore(), FakeClock(NOW)
        self.content, self.transcriber = FakeContent(), FakeTranscriber()
        self.profiles = FakeProfiles(clock)
        fetcher = Fetcher(self.content, self.transcriber, pauses=(0, 0))
        reader = Reader(fetcher, self.store, Introducer(self.profiles, clock))
        self.replier = Replier(self.store, reader, Asker(self.model, "", 40_000, clock, Breaker(clock)), clock)

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
    ("tag", "language"), [("ja", "ja"), ("ja-JP", "ja"), ("en", "en"), ("zh-Hant", "en"), ("", "ja")]
)
async def test_a_welcome_in_the_persons_language(tag: str, language: Language) -> None:
    """Nothing is written yet: LINE is asked for the language; buttons offer help, settings and the other language."""
    desk = Desk()
    desk.profiles.add(USER, "Taro", tag)
    result = await desk.reply("greeting", state=replace(PRIVATE, language="ja"))
    assert result.bubbles == (phrase("greeting", language),)
    assert [button.data for button in result.quick_replies][:2] == ["/help", "/status"]
    assert result.quick_replies[2].data == ("/language en" if language == "ja" else "/language ja")
    assert result.profiles == (Profile(USER, "Taro", NOW, tag),)
    assert result.quiet


async def test_a_welcome_without_line() -> None:
    """Where LINE cannot be asked the person is greeted all the same."""
    desk = Desk()
    desk.profiles.reachable = False
    assert (await desk.reply("greeting")).bubbles == (phrase("greeting", "en"),)


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_a_group_is_told_what_is_kept(language: Language) -> None:
    """With buttons for help, settings and listening; nobody is looked up for it."""
    desk = Desk()
    result = await desk.reply("greeting", state=replace(IN_GROUP, language=language))
    assert result.bubbles == (phrase("group_greeting", language),)
    assert [button.data for button in result.quick_replies] == ["/help", "/status", "/listen"]
    assert desk.profiles.asked == []


async def test_the_buttons_of_a_welcome_are_commands() -> None:
    """Every one does something."""
    for state in (PRIVATE, IN_GROUP):
        for button in (await Desk().reply("greeting", state=state)).quick_replies:
            assert commands.parse(button.data)


async def test_a_person_is_learned_beside_the_answer() -> None:
    """The model is asked at once; what LINE tells meanwhile is kept."""
    desk = Desk("Hi!")
    desk.profiles.add(USER, "Taro", "ja")
    assert (await desk.reply("text", "hello")).profiles == (Profile(USER, "Taro", NOW, "ja"),)


async def test_nobody_waits_for_a_profile() -> None:
    """LINE is silent: the answer comes all the same, and LINE is not asked again for a while."""
    desk = Desk("Hi!")
    desk.profiles.silent = True
    result = await asyncio.wait_for(desk.reply("text", "hello"), 1)
    assert result.bubbles == ("Hi!",)
    known = replace(PRIVATE, profiles=result.profiles)
    await desk.reply("text", "hello again", known)
    assert len(desk.profiles.asked) == 1


async def test_names_stand_before_what_is_said() -> None:
    """In a group they are awaited, and kept with the words."""
    desk = Desk("Hi!")
    desk.profiles.add(USER, "Taro")
    segment = [Pending("e", NOW, "text", NOW, "hello", "m", "t", 1, speaker=USER)]
    result = await desk.replier.reply(ID, IN_GROUP, segment)
    assert desk.model.prompts[0].lines[-1].text == "Taro: hello"
    assert [said.speaker for said in result.said] == ["Taro"]


async def test_a_retry_keeps_its_speakers() -> None:
    """Whoever presses the button does not become the one who asked."""
    desk = Desk("Hi!")
    said = Said("m-1", "what is it?", NOW - 5, "Hanako")
    state = replace(IN_GROUP, turns=(Turn("t-1", (said,), ""),), profiles=(Profile(USER, "Taro", NOW),))
    pressed = Pending("e", NOW, "command", NOW, "/retry t-1", token="t", speaker=USER)
    await desk.replier.reply(ID, state, [pressed])
    assert desk.model.prompts[0].lines[-1].text == "Hanako: what is it?"
    assert desk.profiles.asked == []


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


async def test_given_up_in_a_group() -> None:
    """Who said it is kept with it, so that the button asks again in that person's name."""
    desk = Desk()
    desk.profiles.add(USER, "Taro")
    poison = Pending("e", NOW, "text", NOW, "hello", "m", "t", TRIES + 1, speaker=USER)
    result = await desk.replier.reply(ID, IN_GROUP, [poison])
    assert result.said == (Said("m", "hello", NOW, "Taro"),)
    assert [profile.name for profile in result.profiles] == ["Taro"]


async def test_a_persona_is_part_of_the_answer() -> None:
    """The message that it was written in is among what the answer was made from."""
    state = replace(PRIVATE, preferences=Preferences(persona="a pirate", persona_id="m-1"))
    assert (await Desk("Arr!").reply("text", "hello", state)).read == ("m-1",)
    ours = replace(PRIVATE, preferences=Preferences(persona="friendly"))
    assert (await Desk("Hi!").reply("text", "hello", ours)).read == ()


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


def message(number: int, media: Media | None, text: str = "") -> Pending:
    words = text or (label(media) if media else "what is it?")
    return Pending(f"e{number}", NOW + number, "text", NOW, words, f"m{number}", "t", 1, media=media)


def desk_with_images(*answers: str) -> Desk:
    desk = Desk(*answers)
    desk.content.kept |= {name: Attachment("image/png", PNG) for name in ("m1", "m2")}
    return desk


async def test_what_was_seen_is_kept_as_a_note() -> None:
    """The model's own note goes into what is kept of the message, and nobody sees it."""
    desk = desk_with_images("A cat.\n<memory>A black cat on a roof.</memory>")
    result = await desk.replier.reply(ID, PRIVATE, [message(1, Media("image")), message(2, None)])
    assert (result.bubbles, result.answer) == (("A cat.",), "A cat.")
    assert [said.text for said in result.said] == ["[image: A black cat on a roof.]", "what is it?"]
    assert [said.media for said in result.said] == [Media("image"), None]


async def test_nothing_that_can_be_read() -> None:
    """One sentence for each kind of trouble, no model call; history has it, and what will not pass is answered."""
    desk = Desk()
    video = await desk.replier.reply(ID, PRIVATE, [message(1, Media("video")), message(2, Media("image"))])
    assert video.bubbles == (phrase("video", "en") + "\n" + phrase("media_gone", "en"),)
    assert video.answer == video.bubbles[0]
    assert video.remembered
    assert [said.text for said in video.said] == ["[video: could not be opened]", "[image: could not be opened]"]
    assert desk.model.prompts == []


async def test_what_the_model_cannot_open() -> None:
    """The person is told what can be read; the operator need do nothing."""
    desk = desk_with_images()
    desk.model.fail_next(ModelFailed("unreadable"))
    result = await desk.replier.reply(ID, PRIVATE, [message(1, Media("image"))])
    assert result.bubbles == (phrase("media_wrong_type", "en"),)


async def test_what_may_be_there_later() -> None:
    """It stays without an answer, so that it can be asked for again."""
    desk = desk_with_images()
    desk.content.fail_next(ContentFailed("not_ready"), times=9)
    result = await desk.replier.reply(ID, PRIVATE, [message(1, Media("image"))])
    assert (result.bubbles, result.answer, result.remembered) == ((phrase("media_not_ready", "en"),), "", True)


async def test_part_of_it_can_be_read() -> None:
    """What can be is answered, then the person is told of the rest; the model knows that something is missing."""
    desk = desk_with_images("A cat.")
    result = await desk.replier.reply(ID, PRIVATE, [message(1, Media("image")), message(9, Media("image"))])
    assert result.bubbles == ("A cat.", phrase("media_gone", "en"))
    assert result.answer == "A cat."
    assert desk.model.prompts[0].lines[-1].text == "[image 1]\n[image 2: could not be opened]"


async def test_asked_again() -> None:
    """The retry fetches once more; after it is gone the note stands in for it."""
    media = Media("image")
    turns = (Turn("a", (Said("m1", "[image: a cat]", NOW, media=media),), ""),)
    desk = desk_with_images("Still a cat.")
    await desk.reply("command", "/retry a", replace(PRIVATE, turns=turns))
    assert desk.model.prompts[0].lines[-1].attachments
    gone = Desk("It was a cat.")
    result = await gone.reply("command", "/retry a", replace(PRIVATE, turns=turns))
    assert (gone.model.prompts[0].lines[-1].text, result.answer) == ("[image: a cat]", "It was a cat.")
