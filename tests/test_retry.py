"""The button under an apology: it runs the stored message again, once."""

from dataclasses import replace
from typing import Any

import pytest

from bot import asking
from bot.conversation import DeadLetter
from bot.errors import ModelFailed
from bot.texts import phrase
from tests.fakes import FakeModel
from tests.pipeline import Pipeline, conversation_id
from tests.webhooks import event, said, unsent


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BACKOFF_SECONDS", 0.002)


def pressed(data: str) -> dict[str, Any]:
    return event("postback", postback={"data": data})


async def apologised(text: str = "a question") -> tuple[Pipeline, str]:
    """A pipeline that has just apologised for `text`, and what the button under the apology sends."""
    pipeline = Pipeline(FakeModel())
    pipeline.model.fail_next(ModelFailed("busy"), times=asking.ATTEMPTS)
    await pipeline.take(said(text, id="m1"))
    (button,) = pipeline.messenger.shown[-1].quick_replies
    assert pipeline.shown() == [phrase("busy", "en")]
    return pipeline, button.data


async def test_the_button_runs_the_stored_message() -> None:
    """Pressed, it answers what was written then; the history has message and answer once."""
    pipeline, data = await apologised()
    pipeline.model.answers.append("the answer")
    await pipeline.take(pressed(data))
    assert pipeline.shown()[1:] == ["the answer"]
    assert data not in [button.data for button in pipeline.messenger.shown[-1].quick_replies]
    (turn,) = pipeline.state().turns
    assert ([one.text for one in turn.said], turn.answer) == (["a question"], "the answer")


async def test_what_came_between_is_read_too() -> None:
    """The model reads the other turns, and the question once, as the last thing said."""
    pipeline, data = await apologised()
    await pipeline.take(said("something else"))
    await pipeline.take(pressed(data))
    texts = [line.text for line in pipeline.model.prompts[-1].lines]
    assert texts == ["something else", "something else", "a question"]


async def test_pressed_twice() -> None:
    """The second press is told that there is nothing left to do; the model is asked once."""
    pipeline, data = await apologised()
    await pipeline.take(pressed(data))
    prompts = len(pipeline.model.prompts)
    await pipeline.take(pressed(data))
    assert len(pipeline.model.prompts) == prompts
    assert pipeline.shown()[2:] == [phrase("nothing_to_retry", "en")]


async def test_it_fails_again() -> None:
    """Another apology, with the button again; the message is still stored once."""
    pipeline, data = await apologised()
    pipeline.model.fail_next(ModelFailed("busy"), times=asking.ATTEMPTS)
    await pipeline.take(pressed(data))
    assert pipeline.shown() == [phrase("busy", "en")] * 2
    assert [button.data for button in pipeline.messenger.shown[-1].quick_replies] == [data]
    assert len(pipeline.state().turns) == 1


async def test_a_withdrawn_message_is_not_run() -> None:
    """What was unsent since cannot be asked again."""
    pipeline, data = await apologised()
    await pipeline.take(unsent("m1"))
    prompts = len(pipeline.model.prompts)
    await pipeline.take(pressed(data))
    assert len(pipeline.model.prompts) == prompts
    assert "a question" not in pipeline.stored()


async def test_unsending_takes_the_late_answer_along() -> None:
    """The answer that the button brought goes with its message."""
    pipeline, data = await apologised()
    pipeline.model.answers.append("the answer")
    await pipeline.take(pressed(data))
    assert "the answer" in pipeline.stored()
    await pipeline.take(unsent("m1"))
    assert "the answer" not in pipeline.stored()


async def test_a_dead_letter_whose_turn_is_archived() -> None:
    """It is answered, and no longer a dead letter; its message does not come into the history twice."""
    pipeline, data = await apologised()
    state = pipeline.state()
    letter = DeadLetter(state.turns[0].id, state.turns[0].said, "too many tries")
    seen = await pipeline.store.read(conversation_id())
    await pipeline.store.write(conversation_id(), seen, replace(state, turns=(), dead_letters=(letter,)))
    pipeline.model.answers.append("the answer")
    await pipeline.take(pressed(data))
    assert pipeline.shown()[-1] == "the answer"
    assert pipeline.state().turns == ()
    assert pipeline.state().dead_letters == ()
