"""The buttons under an answer: another one, or a shorter one, in the place of the old."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot import asking, context
from bot.conversation import Conversation
from bot.errors import ModelFailed
from bot.texts import phrase
from tests.fakes import Delivery, FakeModel
from tests.pipeline import BlockedModel, Pipeline, conversation_id
from tests.webhooks import GROUP, NOW, USER, event, mention, said, unsent

BOTH = pytest.mark.parametrize("command", ["/again", "/shorter"])


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BACKOFF_SECONDS", 0.002)


def pressed(data: str, source_id: str = USER, at: int = NOW) -> dict[str, Any]:
    return event("postback", source_id, at, postback={"data": data})


def buttons(delivery: Delivery) -> dict[str, str]:
    return {button.data.partition(" ")[0]: button.data for button in delivery.quick_replies}


async def answered(model: FakeModel | None = None) -> Pipeline:
    """A pipeline that has answered "a question" with "the answer"."""
    pipeline = Pipeline(model or FakeModel("the answer"))
    await pipeline.take(said("a question", id="m1"))
    return pipeline


def data(pipeline: Pipeline, command: str) -> str:
    return buttons(pipeline.messenger.shown[0])[command]


def kept(state: Conversation) -> list[tuple[list[str], str]]:
    return [([one.text for one in turn.said], turn.answer) for turn in state.turns]


async def test_the_buttons() -> None:
    """Under every answer, in the person's language; under what is no answer there are none."""
    pipeline = await answered()
    await pipeline.take(said("質問", at=NOW + 1))
    await pipeline.take(said("/help", at=NOW + 2))
    labels = [[button.label for button in one.quick_replies] for one in pipeline.messenger.shown]
    assert labels == [["Once more", "Shorter"], ["もう一度", "短く"], []]


@BOTH
async def test_another_answer_takes_the_place_of_the_old(command: str) -> None:
    """The history has message and answer once, and the new answer has the buttons again."""
    pipeline = await answered()
    pipeline.model.answers.append("another answer")
    await pipeline.take(pressed(data(pipeline, command)))
    assert pipeline.shown() == ["the answer", "another answer"]
    assert kept(pipeline.state()) == [(["a question"], "another answer")]
    assert buttons(pipeline.messenger.shown[1]) == buttons(pipeline.messenger.shown[0])


@BOTH
async def test_what_the_model_reads(command: str) -> None:
    """The other turns and the question once, as the last thing said; the old answer not; before it the wish."""
    pipeline = await answered()
    await pipeline.take(said("something else", at=NOW + 1))
    await pipeline.take(pressed(data(pipeline, command)))
    prompt = pipeline.model.prompts[-1]
    wish = [context.SHORTER] if command == "/shorter" else []
    assert [line.text for line in prompt.lines] == ["something else", "something else", *wish, "a question"]
    await pipeline.take(said("more", at=NOW + 2))
    assert prompt.instructions == pipeline.model.prompts[-1].instructions
    assert context.SHORTER not in [line.text for line in pipeline.model.prompts[-1].lines]


@BOTH
async def test_what_was_quoted_is_quoted_again(command: str) -> None:
    """The new answer is to the same question, which may be about nothing but the quotation."""
    pipeline = await answered()
    await pipeline.take(said("what does it mean?", at=NOW + 1, id="m2", quotedMessageId="m1"))
    pipeline.model.prompts.clear()
    await pipeline.take(pressed(buttons(pipeline.messenger.shown[-1])[command], at=NOW + 2))
    assert pipeline.model.prompts[0].lines[-1].text == '[quoting the user: "a question"] what does it mean?'


@BOTH
async def test_a_failure_leaves_the_old_answer(command: str) -> None:
    """The person is told, and can press again."""
    pipeline = await answered()
    pipeline.model.fail_next(ModelFailed("busy"), times=asking.ATTEMPTS)
    await pipeline.take(pressed(data(pipeline, command)))
    assert pipeline.shown() == ["the answer", phrase("busy", "en")]
    assert kept(pipeline.state()) == [(["a question"], "the answer")]
    assert buttons(pipeline.messenger.shown[1]).keys() == {"/again", "/shorter"}


@BOTH
async def test_one_press_is_one_answer(command: str) -> None:
    """The same event, sent again, does nothing; another press is another answer."""
    pipeline = await answered()
    press = pressed(data(pipeline, command))
    await pipeline.take(press)
    await pipeline.take(press | {"deliveryContext": {"isRedelivery": True}})
    assert len(pipeline.model.prompts) == 2
    await pipeline.take(pressed(data(pipeline, command)))
    assert len(pipeline.model.prompts) == 3


@BOTH
@pytest.mark.parametrize("turn_id", ["", "unknown", "0" * 32])
async def test_an_answer_that_is_gone(command: str, turn_id: str) -> None:
    """A sentence says so; the model is not asked."""
    pipeline = await answered()
    await pipeline.take(pressed(f"{command} {turn_id}"))
    assert pipeline.shown()[1:] == [phrase("nothing_to_redo", "en")]
    assert len(pipeline.model.prompts) == 1


@BOTH
async def test_after_a_reset(command: str) -> None:
    """An answer of the conversation before it is not given anew."""
    pipeline = await answered()
    await pipeline.take(said("/reset", at=NOW + 1))
    await pipeline.take(pressed(data(pipeline, command), at=NOW + 2))
    assert pipeline.shown()[-1] == phrase("nothing_to_redo", "en")


async def test_a_withdrawn_message_is_not_answered_anew() -> None:
    """It is gone, and its answer with it."""
    pipeline = await answered()
    press = pressed(data(pipeline, "/again"), at=NOW + 2)
    await pipeline.take(unsent("m1", at=NOW + 1))
    await pipeline.take(press)
    assert len(pipeline.model.prompts) == 1
    assert "a question" not in pipeline.stored()


async def test_the_new_answer_goes_with_its_message() -> None:
    """Unsending takes along whatever was answered to it."""
    pipeline = await answered()
    pipeline.model.answers.append("another answer")
    await pipeline.take(pressed(data(pipeline, "/again"), at=NOW + 1))
    await pipeline.take(unsent("m1", at=NOW + 2))
    assert "answer" not in pipeline.stored().replace("'answer'", "")


@pytest.mark.parametrize("command", ["/forget", "unsend"])
async def test_taken_back_while_the_model_thinks(command: str) -> None:
    """An answer to what was erased or withdrawn meanwhile is not shown, and nothing of it is stored."""
    model = BlockedModel("the answer", "another answer")
    model.released.set()
    pipeline = await answered(model)
    model.released.clear()
    model.reached.clear()
    pressing = asyncio.create_task(pipeline.take(pressed(data(pipeline, "/again"), at=NOW + 1)))
    await model.reached.wait()
    other = Pipeline(store=pipeline.store, messenger=pipeline.messenger, clock=pipeline.clock, queue=True)
    taking = said("/forget", at=NOW + 2) if command == "/forget" else unsent("m1", at=NOW + 2)
    await other.take(taking)
    model.released.set()
    await pressing
    assert "another answer" not in pipeline.shown()
    assert "a question" not in pipeline.stored()
    assert "another answer" not in pipeline.stored()


async def test_in_a_group_no_mention_is_needed() -> None:
    """A press is for the bot, whoever in the group makes it."""
    pipeline = Pipeline(FakeModel("the answer", "another answer"))
    await pipeline.take(said("@Kaiwa a question", GROUP, mention=mention(0, 6)))
    await pipeline.take(pressed(data(pipeline, "/again"), GROUP, at=NOW + 1))
    assert pipeline.shown() == ["the answer", "another answer"]
    assert [turn.answer for turn in pipeline.state(GROUP).turns] == ["another answer"]


async def test_both_answers_can_be_quoted() -> None:
    """The old bubbles are still in the chat: quoting one is recognised as well as the new."""
    pipeline = await answered()
    await pipeline.take(pressed(data(pipeline, "/again"), at=NOW + 1))
    assert pipeline.state().turns[0].sent_ids == ("sent-1-0", "sent-2-0")


async def test_a_turn_of_several_messages() -> None:
    """It is answered anew as a whole, and its messages stay as they were."""
    pipeline = Pipeline(FakeModel("the answer"))
    await pipeline.take(said("one", at=NOW, id="m1"), said("two", at=NOW + 1, id="m2"))
    before = pipeline.state().turns[0]
    await pipeline.take(pressed(data(pipeline, "/again"), at=NOW + 2))
    assert pipeline.model.prompts[-1].lines[-1].text == "one\ntwo"
    assert pipeline.state().turns[0].said == before.said


async def test_more_comes_first() -> None:
    """While a long answer goes on, 「続き」 is the first button, and the others are there too."""
    pipeline = await answered(FakeModel("x" * 30_000))
    assert list(buttons(pipeline.messenger.shown[0])) == ["/more", "/again", "/shorter"]
    await pipeline.take(pressed("/more", at=NOW + 1))
    assert list(buttons(pipeline.messenger.shown[1])) == ["/again", "/shorter"]


async def test_the_rest_of_the_old_answer_is_not_served() -> None:
    """Once there is a new answer, 「続き」 does not go on with the one that it took the place of."""
    pipeline = await answered(FakeModel("x" * 30_000, "short"))
    await pipeline.take(pressed(data(pipeline, "/shorter"), at=NOW + 1))
    assert list(buttons(pipeline.messenger.shown[1])) == ["/again", "/shorter"]
    assert pipeline.state().rest == ()


async def test_the_animation_runs() -> None:
    """It takes as long as an answer does."""
    pipeline = await answered()
    await pipeline.take(pressed(data(pipeline, "/again"), at=NOW + 1))
    await asyncio.sleep(0)
    assert len(pipeline.messenger.loading) == 2


async def test_an_archived_answer() -> None:
    """What has left the window can be read, but not answered anew."""
    pipeline = await answered()
    seen = await pipeline.store.read(conversation_id())
    await pipeline.store.write(conversation_id(), seen, replace(pipeline.state(), turns=()))
    await pipeline.take(pressed(data(pipeline, "/again"), at=NOW + 1))
    assert pipeline.shown()[-1] == phrase("nothing_to_redo", "en")


@BOTH
async def test_an_edit_while_it_is_answered_anew(command: str) -> None:
    """The old words do not come back with the answer to them."""
    model = BlockedModel("the answer", "to the old words", "to the new words")
    model.released.set()
    pipeline = Pipeline(model, queue=True)
    await pipeline.take(said("@Kaiwa old", GROUP, id="m1", mention=mention(0, 6)))
    model.released.clear()
    model.reached.clear()
    press = asyncio.create_task(pipeline.take(pressed(data(pipeline, command), GROUP, NOW + 1)))
    await model.reached.wait()
    content = {"type": "text", "id": "m1", "text": "@Kaiwa new", "mention": mention(0, 6)}
    await pipeline.take(event("messageEdited", GROUP, NOW + 2, message=content))
    model.released.set()
    await press
    assert kept(pipeline.state(GROUP)) == [(["new"], "to the new words")]
    assert "old" not in pipeline.stored()
    assert pipeline.shown() == ["the answer", "to the new words"]
