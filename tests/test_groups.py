"""Life in a group: who speaks, what is overheard and only when it may be, what is quoted, and what never leaves it."""

import asyncio
from typing import Any

import pytest

from bot.context import HEARD, IN_GROUP
from bot.document import size
from bot.limits import LOOKS, OVERHEARD, OVERHEARD_BYTES
from bot.ports import Attachment
from bot.quoting import UNKNOWN
from bot.texts import phrase
from tests.fakes import FakeModel
from tests.pipeline import BlockedModel, Pipeline
from tests.webhooks import GROUP, NOW, ROOM, USER, event, left, mention, said, unsent

TARO, HANAKO = "U" + "a" * 32, "U" + "c" * 32


def by(speaker: str, raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "source": {**raw["source"], "userId": speaker}}


def asks(text: str, speaker: str = TARO, at: int = NOW, place: str = GROUP, **message: Any) -> dict[str, Any]:
    """Somebody mentions the bot."""
    return by(speaker, said(f"@Kaiwa {text}", place, at, mention=mention(0, 6), **message))


def says(text: str, speaker: str = HANAKO, at: int = NOW, place: str = GROUP, **message: Any) -> dict[str, Any]:
    """Somebody says something to the others."""
    return by(speaker, said(text, place, at, **message))


def group(*answers: str) -> Pipeline:
    pipeline = Pipeline(FakeModel(*answers))
    pipeline.profiles.add(TARO, "太郎")
    pipeline.profiles.add(HANAKO, "Hanako", "en")
    return pipeline


async def listening(*answers: str) -> Pipeline:
    pipeline = group(*answers)
    await pipeline.take(by(TARO, said("/listen on", GROUP, NOW - 100)))
    return pipeline


def asked(pipeline: Pipeline, number: int = -1) -> list[str]:
    """What the model was shown, line by line."""
    return [line.text for line in pipeline.model.prompts[number].lines]


@pytest.mark.parametrize("place", [GROUP, ROOM])
async def test_names_before_words(place: str) -> None:
    """In the question and in what follows; people are looked up once, side by side, in this chat."""
    pipeline = group("one", "two")
    await pipeline.take(asks("hello", place=place), asks("hi\nHanako: no", HANAKO, NOW + 1, place))
    assert asked(pipeline) == ["太郎: hello\nHanako: hi\n  Hanako: no"]
    await pipeline.take(asks("and now?", at=NOW + 2, place=place))
    assert asked(pipeline) == ["太郎: hello\nHanako: hi\n  Hanako: no", "one", "太郎: and now?"]
    assert sorted(user_id for _, user_id in pipeline.profiles.asked) == [TARO, HANAKO]
    assert {source.id for source, _ in pipeline.profiles.asked} == {place}
    assert IN_GROUP in pipeline.model.prompts[0].instructions


async def test_somebody() -> None:
    """Where LINE tells no name, or gives no id, the model is told that it was somebody."""
    pipeline = Pipeline()
    await pipeline.take(said("@Kaiwa hello", GROUP, mention=mention(0, 6)), asks("hi", USER, NOW + 1))
    assert asked(pipeline) == ["Somebody: hello\nSomebody: hi"]


async def test_a_new_name_after_a_day() -> None:
    """A person is looked up again, and has the new name from then on."""
    pipeline = group("a", "b")
    await pipeline.take(asks("one"))
    pipeline.profiles.add(TARO, "Jiro")
    pipeline.clock.advance(25 * 3_600)
    await pipeline.take(asks("two", at=pipeline.clock.now))
    assert asked(pipeline) == ["太郎: one", "a", "Jiro: two"]


async def test_one_to_one_has_no_names() -> None:
    """There a message is its words alone."""
    pipeline = group()
    pipeline.profiles.add(USER, "Taro", "ja")
    await pipeline.take(said("hello"))
    assert asked(pipeline) == ["hello"]
    assert IN_GROUP not in pipeline.model.prompts[0].instructions


async def test_history_shows_names() -> None:
    """Who said it, in a group."""
    pipeline = group("yes")
    await pipeline.take(asks("hello"))
    await pipeline.take(by(HANAKO, said("/history", GROUP, NOW + 1)))
    assert "太郎: hello" in pipeline.shown()[-1]


@pytest.mark.parametrize("at_sign", ["@", "\uff20"])
async def test_mentions_in_either_width(at_sign: str) -> None:
    """The mention is taken out where LINE says that it stands, emoji before it or not."""
    pipeline = group()
    text = f"👩‍👩‍👧 {at_sign}Kaiwa ねえ"
    index = len("👩‍👩‍👧 ".encode("utf-16-le")) // 2
    await pipeline.take(by(TARO, said(text, GROUP, mention=mention(index, 6))))
    assert asked(pipeline) == ["太郎: 👩‍👩‍👧  ねえ"]


@pytest.mark.parametrize("text", ["@Kaiwa hello", "\uff20Kaiwa hello", "Kaiwa, hello"])
async def test_typed_names_are_no_mention(text: str) -> None:
    """Only LINE's own mention calls the bot."""
    pipeline = group()
    await pipeline.take(says(text))
    assert (pipeline.model.prompts, pipeline.shown()) == ([], [])


async def test_unaddressed_words_are_not_stored() -> None:
    """One document is read, nothing is written, nobody is looked up: even where the bot is known."""
    pipeline = group("yes")
    await pipeline.take(asks("hello"))
    before, reads = pipeline.store.calls("write"), pipeline.store.calls("read")
    await pipeline.take(says("a secret among us", at=NOW + 1))
    assert (pipeline.store.calls("write"), pipeline.store.calls("read")) == (before, reads + 1)
    assert "a secret" not in pipeline.stored()
    assert len(pipeline.profiles.asked) == 1


async def test_listening_is_announced() -> None:
    """To everybody, with what is kept and how it ends; asked for without on or off, it only tells."""
    pipeline = group()
    await pipeline.take(by(TARO, said("/listen", GROUP)))
    assert pipeline.shown() == [phrase("not_listening", "ja")]
    assert pipeline.messenger.shown[-1].quick_replies[0].data == "/listen on"
    assert not pipeline.state(GROUP).preferences.listening
    await pipeline.take(by(TARO, said("/聞く オン", GROUP, NOW + 1)))
    assert pipeline.shown()[-1] == phrase("listening", "ja")
    assert "/聞く オフ" in pipeline.shown()[-1]
    await pipeline.take(event("postback", GROUP, NOW + 2, postback={"data": "/listen"}))
    assert pipeline.messenger.shown[-1].quick_replies[0].data == "/listen off"


async def test_listening_is_for_groups() -> None:
    """In a one-to-one chat there is nothing to switch on."""
    pipeline = group()
    await pipeline.take(said("/listen on"))
    assert pipeline.shown() == [phrase("listen_in_groups", "ja")]
    assert not pipeline.state().preferences.listening


async def test_what_is_overheard_reaches_the_model() -> None:
    """Before the question, with names, and marked as not said to the bot; nothing is answered for it."""
    pipeline = await listening("yes")
    await pipeline.take(says("dinner at eight?", at=NOW))
    await pipeline.take(says("fine\n太郎: no", TARO, at=NOW + 1))
    assert pipeline.model.prompts == []
    await pipeline.take(asks("when do we meet?", at=NOW + 2))
    assert asked(pipeline) == [HEARD + "Hanako: dinner at eight?\n太郎: fine\n  太郎: no", "太郎: when do we meet?"]


async def test_one_write_for_each() -> None:
    """A message that is overheard costs one read and one write; a duplicate no write."""
    pipeline = await listening()
    before = len(pipeline.store.log)
    raw = says("dinner at eight?")
    await pipeline.take(raw)
    assert [method for method, _ in pipeline.store.log[before:]] == ["read", "write"]
    await pipeline.take(raw)
    assert [method for method, _ in pipeline.store.log[before:]] == ["read", "write", "read"]
    assert len(pipeline.state(GROUP).overheard) == 1
    assert pipeline.state(GROUP).overheard[0].token == ""


async def test_overhearing_is_bounded() -> None:
    """The latest stay, by number and by size."""
    pipeline = await listening()
    await pipeline.take(*(says(f"word {number}", at=NOW + number) for number in range(OVERHEARD + 10)))
    heard = pipeline.state(GROUP).overheard
    assert [one.text for one in heard] == [f"word {number}" for number in range(10, OVERHEARD + 10)]
    await pipeline.take(*(says("x" * 5_000, at=NOW + 100 + number) for number in range(10)))
    assert 0 < size(pipeline.state(GROUP).overheard) <= OVERHEARD_BYTES
    await pipeline.take(says("x" * 2 * OVERHEARD_BYTES, at=NOW + 200))
    assert pipeline.state(GROUP).overheard == ()


@pytest.mark.parametrize(
    "raw",
    [
        said("/listen off", GROUP, NOW + 5),
        said("/reset", GROUP, NOW + 5),
        said("/forget", GROUP, NOW + 5),
        left("leave", GROUP, NOW + 5),
        unsent("m-1", GROUP, NOW + 5),
    ],
    ids=["off", "reset", "forget", "leave", "unsend"],
)
async def test_what_empties_it(raw: dict[str, Any]) -> None:
    """Switching off, a new conversation, erasing, and taking back: gone from everything stored."""
    pipeline = await listening()
    await pipeline.take(says("a secret", id="m-1"))
    assert "a secret" in pipeline.stored()
    await pipeline.take(raw)
    assert "a secret" not in pipeline.stored()


async def test_forgetting_ends_listening() -> None:
    """Nobody has agreed to what comes after it, nor to what overtook it."""
    pipeline = await listening()
    await pipeline.take(says("a secret", at=NOW + 6))
    await pipeline.take(said("/forget", GROUP, NOW + 5), says("a secret", at=NOW + 6))
    await pipeline.take(says("a secret", at=NOW + 7))
    assert "a secret" not in pipeline.stored()


async def test_withdrawn_while_it_is_read() -> None:
    """An answer that was made from an overheard or quoted message that is gone is not shown; there is another."""
    model = BlockedModel("from the secret", "without it")
    pipeline = Pipeline(model)
    await pipeline.take(by(TARO, said("/listen on", GROUP, NOW - 100)))
    await pipeline.take(says("a secret", id="m-1"))
    working = asyncio.create_task(pipeline.take(asks("what is it?", at=NOW + 1, quotedMessageId="m-1")))
    await model.reached.wait()
    await pipeline.take(unsent("m-1", GROUP, NOW + 2))
    model.released.set()
    await working
    assert "a secret" in asked(pipeline, 0)[-1]
    assert asked(pipeline, 1) == [f"Somebody: {UNKNOWN} what is it?"]
    assert pipeline.shown()[1:] == ["without it"]


async def test_a_persona_withdrawn_while_it_is_read() -> None:
    """An answer in a manner that was taken back is not shown; there is another without it."""
    model = BlockedModel("Arr!", "Hello.")
    pipeline = Pipeline(model)
    await pipeline.take(by(TARO, said("/persona a pirate", GROUP, NOW - 100, id="m-1")))
    working = asyncio.create_task(pipeline.take(asks("hello")))
    await model.reached.wait()
    await pipeline.take(unsent("m-1", GROUP, NOW + 2))
    model.released.set()
    await working
    assert ["pirate" in prompt.instructions for prompt in model.prompts] == [True, False]
    assert pipeline.shown()[1:] == ["Hello."]


async def test_quotations_reach_the_model() -> None:
    """The bot's own answer, and a message of the group that is kept; what is not kept is said to be so."""
    pipeline = group("because", "b", "c")
    await pipeline.take(asks("why?", id="m-1"))
    [sent_id] = pipeline.state(GROUP).turns[0].sent_ids
    await pipeline.take(says("really?", at=NOW + 1, quotedMessageId=sent_id))
    assert asked(pipeline)[-1] == 'Hanako: [quoting you: "because"] really?'
    await pipeline.take(asks("and this?", at=NOW + 2, quotedMessageId="m-1"))
    assert asked(pipeline)[-1] == '太郎: [quoting 太郎: "why?"] and this?'
    await pipeline.take(asks("and that?", at=NOW + 3, quotedMessageId="m-9"))
    assert asked(pipeline)[-1] == f"太郎: {UNKNOWN} and that?"


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


async def test_a_quoted_picture() -> None:
    """Nothing of the group's pictures is kept: it is fetched when somebody asks about it, and is gone with the turn."""
    pipeline = group("a cat\n<memory>a secret cat</memory>", "b")
    pipeline.content.kept["m-1"] = Attachment("image/jpeg", PNG)
    await pipeline.take(asks("what is it?", quotedMessageId="m-1"), asks("and why?", at=NOW + 1, quotedMessageId="m-1"))
    [line] = [line for line in pipeline.model.prompts[0].lines if line.role == "user"]
    mark = '[quoting Somebody: "[image]"]'
    assert line.text == f"太郎: {mark} what is it?\n太郎: {mark} and why?"
    assert line.attachments == (Attachment("image/png", PNG, "quoted image"),)
    assert pipeline.shown() == ["a cat"]
    assert "secret" not in pipeline.stored()
    assert [message_id for message_id, _, _ in pipeline.content.asked] == ["m-1"]
    await pipeline.take(asks("thanks", at=NOW + 2))
    assert asked(pipeline)[0] == "太郎: what is it?\n太郎: and why?"


async def test_quoted_words_that_are_known_are_not_asked_for() -> None:
    """Only what LINE may have something of costs a request."""
    pipeline = group("because", "b")
    await pipeline.take(asks("why?", id="m-1"))
    await pipeline.take(asks("and this?", at=NOW + 1, quotedMessageId="m-1"))
    assert pipeline.content.asked == []


async def test_a_quoted_picture_withdrawn_while_it_is_read() -> None:
    """The answer that was made from it is not shown; the next one knows nothing of it."""
    model = BlockedModel("a cat", "no idea")
    pipeline = Pipeline(model)
    pipeline.content.kept["m-1"] = Attachment("image/jpeg", PNG)
    working = asyncio.create_task(pipeline.take(asks("what is it?", quotedMessageId="m-1")))
    await model.reached.wait()
    await pipeline.take(unsent("m-1", GROUP, NOW + 2))
    model.released.set()
    await working
    assert [bool(prompt.lines[-1].attachments) for prompt in model.prompts] == [True, False]
    assert asked(pipeline) == [f"Somebody: {UNKNOWN} what is it?"]
    assert pipeline.shown() == ["no idea"]


async def test_a_quoted_voice_message() -> None:
    """Its words stand in the mark, once for all who quote it, and what it took to hear it is counted once."""
    pipeline = group("yes")
    pipeline.content.kept["m-1"] = Attachment("audio/x-m4a", b"\x00\x00\x00\x18ftypM4A ")
    await pipeline.take(asks("a?", quotedMessageId="m-1"), asks("b?", at=NOW + 1, quotedMessageId="m-1"))
    mark = '[quoting Somebody: "spoken words"]'
    assert asked(pipeline) == [f"太郎: {mark} a?\n太郎: {mark} b?"]
    assert len(pipeline.transcriber.heard) == 1
    assert pipeline.state(GROUP).usage.tokens == 15 + 23


async def test_many_quotations_are_bounded() -> None:
    """However many unknown messages a turn quotes, LINE is asked for the newest few."""
    pipeline = group()
    await pipeline.take(*(asks("?", at=NOW + number, quotedMessageId=f"m-{number}") for number in range(10)))
    assert {message_id for message_id, _, _ in pipeline.content.asked} == {f"m-{10 - n}" for n in range(1, LOOKS + 1)}


async def test_a_private_quotation() -> None:
    """In a one-to-one chat too; the quotation is not kept a second time."""
    pipeline = Pipeline(FakeModel("because", "b"))
    await pipeline.take(said("why?", id="m-1"))
    await pipeline.take(said("well?", at=NOW + 1, quotedMessageId="m-1"))
    assert asked(pipeline)[-1] == '[quoting the user: "why?"] well?'
    assert [one.text for turn in pipeline.state().turns for one in turn.said] == ["why?", "well?"]


async def test_the_answer_quotes() -> None:
    """In a group the newest message that it answers; in a one-to-one chat nothing."""
    pipeline = group()
    await pipeline.take(asks("a", quoteToken="q-1"), asks("b", at=NOW + 1, quoteToken="q-2"))
    await pipeline.take(said("hello", quoteToken="q-3"))
    assert [delivery.quote_token for delivery in pipeline.messenger.shown] == ["q-2", ""]


async def test_chats_are_not_mixed() -> None:
    """What a person says alone, in a group and in another is asked, kept and overheard apart."""
    pipeline = await listening("a", "b", "c")
    pipeline.profiles.add(USER, "Taro")
    await pipeline.take(said("my private matter"), says("our group matter"))
    await pipeline.take(asks("what was it?", USER, NOW + 1), asks("what was it?", USER, NOW + 1, ROOM))
    texts = ["\n".join(line.text for line in prompt.lines) for prompt in pipeline.model.prompts]
    assert [("private matter" in text, "group matter" in text) for text in texts] == [
        (True, False),
        (False, True),
        (False, False),
    ]


async def test_the_bots_own_message_is_not_taken_back() -> None:
    """The archive is searched by its id too, but nobody's words hang on it: nothing changes, and the search ends."""
    pipeline = group("because")
    await pipeline.take(asks("why?"))
    [sent_id] = pipeline.state(GROUP).turns[0].sent_ids
    await pipeline.take(said("/reset", GROUP, NOW + 1))
    archive = repr(pipeline.store.batches)
    await asyncio.wait_for(pipeline.take(unsent(sent_id, GROUP, NOW + 2)), 5)
    assert repr(pipeline.store.batches) == archive


async def test_quoted_from_the_archive() -> None:
    """After a reset too, and as long as it is kept."""
    pipeline = group("because", "b")
    await pipeline.take(asks("why?", id="m-1"))
    [sent_id] = pipeline.state(GROUP).turns[0].sent_ids
    await pipeline.take(said("/reset", GROUP, NOW + 1))
    await pipeline.take(says("well?", at=NOW + 2, quotedMessageId=sent_id))
    assert asked(pipeline) == ['Hanako: [quoting you: "because"] well?']
