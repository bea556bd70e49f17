"""A person of the operator's talks: the bot says nothing meanwhile, forgets nothing, and knows it all afterwards."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bot.conversation import Conversation, Outgoing
from bot.errors import Misconfigured, Unavailable
from bot.moderating import Moderation
from bot.ports import Change, Sent
from bot.store import update
from bot.texts import phrase
from bot.window import WITHHELD
from tests.fakes import FakeModel
from tests.pipeline import BlockedModel, Pipeline, conversation_id
from tests.webhooks import GROUP, NOW, USER, event, left, mention, said, unsent

HOUR = 3_600_000
SPEAKER = "U" + "a" * 32


async def pause(pipeline: Pipeline, until: int = NOW + HOUR, source_id: str = USER) -> None:
    """What the operator's command writes."""

    def silent(state: Conversation) -> Change[None]:
        return Change(replace(state, paused_until=until), None)

    await update(pipeline.store, conversation_id(source_id), silent)


async def paused(*answers: str, queue: bool = False) -> Pipeline:
    """A conversation of one turn, silent from now on for an hour."""
    pipeline = Pipeline(FakeModel("Hello!", *answers), queue=queue)
    await pipeline.take(said("hi", at=NOW - 10))
    await pause(pipeline)
    pipeline.messenger.calls.clear()
    pipeline.messenger.shown.clear()
    pipeline.messenger.loading.clear()
    pipeline.model.prompts.clear()
    return pipeline


def nothing_happened(pipeline: Pipeline) -> bool:
    state = pipeline.state()
    is_idle = (state.pending, state.outbox, state.lease) == ((), (), None)
    return is_idle and not (pipeline.messenger.calls or pipeline.messenger.loading or pipeline.model.prompts)


def kept(pipeline: Pipeline, source_id: str = USER) -> list[tuple[str, str]]:
    return [(turn.said[0].text, turn.answer) for turn in pipeline.state(source_id).turns]


@pytest.mark.parametrize("queue", [True, False])
async def test_not_a_word(queue: bool) -> None:
    """Messages are kept without an answer: no model, no animation, no sentence; and nothing waits to be done."""
    pipeline = await paused(queue=queue)
    await pipeline.take(said("is anybody there?", at=NOW + 1))
    await pipeline.take(said("hello?", at=NOW + 2))
    assert nothing_happened(pipeline)
    assert kept(pipeline) == [("hi", "Hello!"), ("is anybody there?", ""), ("hello?", "")]
    assert pipeline.state().usage.turns == 1
    assert pipeline.queue.tasks == []


@pytest.mark.parametrize("is_resumed", [True, False])
async def test_afterwards(is_resumed: bool) -> None:
    """Resumed, or when the time is over, the next answer knows what was said; what was not answered stays so."""
    pipeline = await paused("Now I see.")
    await pipeline.take(said("my order is 17", at=NOW + 1))
    if is_resumed:
        await pause(pipeline, 0)
    else:
        pipeline.clock.advance(3_601)
    await pipeline.take(said("which order?", at=pipeline.clock.now))
    assert [line.text for line in pipeline.model.prompts[-1].lines] == [
        "hi",
        "Hello!",
        "my order is 17",
        "which order?",
    ]
    assert pipeline.shown() == ["Now I see."]


ALBUM = {"imageSet": {"id": "A", "index": 1, "total": 1}}


@pytest.mark.parametrize(
    "raw",
    [
        event("message", message={"type": "image", "id": "61", "contentProvider": {"type": "line"}, **ALBUM}),
        event("message", message={"type": "audio", "id": "62", "contentProvider": {"type": "line"}, "duration": 9}),
        event("message", message={"type": "sticker", "id": "63", "packageId": "1", "stickerId": "1"}),
        event("message", message={"type": "unheard of", "id": "64"}),
        event("follow"),
        event("postback", postback={"data": "/retry t1"}),
        event("postback", postback={"data": "/again t1"}),
        event("postback", postback={"data": "/shorter t1"}),
        said("/draw a cat"),
        said("/again"),
    ],
    ids=lambda raw: str(raw.get("message") or raw.get("postback") or raw["type"]),
)
async def test_whatever_would_be_answered(raw: dict[str, Any]) -> None:
    """Pictures, voice, stickers, greetings, and every button and command that asks the model: silence."""
    pipeline = await paused()
    await pipeline.take({**raw, "timestamp": NOW + 1})
    assert nothing_happened(pipeline)
    assert (pipeline.content.asked, pipeline.painter.asked) == ([], [])


async def test_what_was_to_be_drawn() -> None:
    """It is something said: the next answer knows it; the press of a button is not."""
    pipeline = await paused()
    await pipeline.take(said("/draw a cat", at=NOW + 1), event("postback", at=NOW + 2, postback={"data": "/again t1"}))
    assert kept(pipeline) == [("hi", "Hello!"), ("/draw a cat", "")]


@pytest.mark.parametrize("text", ["/help", "/ヘルプ", "/status", "/history", "/language en", "/reset"])
async def test_commands(text: str) -> None:
    """What needs no model is answered as always: it was typed to the bot and to nobody else."""
    pipeline = await paused()
    await pipeline.take(said(text, at=NOW + 1))
    assert len(pipeline.shown()) == 1
    assert pipeline.model.prompts == []
    assert pipeline.state().paused_until == NOW + HOUR


async def test_more() -> None:
    """The button under a long answer goes on with it; the typed word is for the person who talks there."""
    pipeline = Pipeline(FakeModel("\n\n".join("paragraph " * 480 for _ in range(7))))
    await pipeline.take(said("a long one", at=NOW - 10))
    await pause(pipeline)
    await pipeline.take(said("続き", at=NOW + 1))
    assert len(pipeline.messenger.shown) == 1
    assert kept(pipeline)[-1] == ("続き", "")
    await pipeline.take(event("postback", at=NOW + 2, postback={"data": "/more"}))
    assert len(pipeline.messenger.shown) == 2


async def test_forget() -> None:
    """Everything is erased as always, and the pause with it."""
    pipeline = await paused("Nice to meet you.")
    await pipeline.take(said("a secret", at=NOW + 1))
    await pipeline.take(said("/forget", at=NOW + 2))
    assert pipeline.shown() == [phrase("erased", "en")]
    assert "a secret" not in pipeline.stored()
    assert pipeline.state().paused_until == 0
    await pipeline.take(said("hello", at=NOW + 3))
    assert pipeline.shown()[1:] == ["Nice to meet you."]


async def test_going() -> None:
    """Whoever blocks the bot and comes back meets it as on the first day."""
    pipeline = await paused("Hello again!")
    await pipeline.take(left("unfollow", at=NOW + 1))
    await pipeline.take(said("hi", at=NOW + 2))
    assert pipeline.shown() == ["Hello again!"]


async def test_unsend() -> None:
    """A message that was kept in the pause is withdrawn as any other."""
    pipeline = await paused()
    raw = said("oops", at=NOW + 1)
    await pipeline.take(raw)
    await pipeline.take(unsent(raw["message"]["id"], at=NOW + 2))
    assert kept(pipeline) == [("hi", "Hello!")]
    assert "oops" not in pipeline.stored()


async def test_an_answer_in_the_making() -> None:
    """It is shown; the pause that was set meanwhile holds for whatever comes after it."""
    model = BlockedModel("just in time")
    pipeline = Pipeline(model)
    turn = asyncio.create_task(pipeline.take(said("a question")))
    await model.reached.wait()
    await pause(pipeline)
    model.released.set()
    await turn
    assert pipeline.shown() == ["just in time"]
    assert pipeline.state().paused_until == NOW + HOUR
    await pipeline.take(said("thanks", at=NOW + 1))
    assert pipeline.shown() == ["just in time"]


async def test_a_message_that_waited_for_its_turn() -> None:
    """The second message of somebody whose first is being answered is already in the pause."""
    model = BlockedModel("the only answer")
    pipeline = Pipeline(model, queue=True)
    turn = asyncio.create_task(pipeline.take(said("first")))
    await model.reached.wait()
    await pipeline.take(said("second", at=NOW + 1))
    await pause(pipeline)
    model.released.set()
    await turn
    assert pipeline.shown() == ["the only answer"]
    assert kept(pipeline) == [("first", "the only answer"), ("second", "")]
    assert len(model.prompts) == 1


async def test_an_answer_that_waits() -> None:
    """What could not be pushed does not ride on the token of a pause; it comes with the next answer."""
    pipeline = Pipeline(FakeModel("old answer", "new answer"))
    pipeline.messenger.fail_next(Sent.QUOTA)
    await pipeline.take(said("old", at=NOW - 25 * 60_000))
    await pause(pipeline)
    await pipeline.take(said("are you there?", at=NOW + 1), said("/help", at=NOW + 2))
    waiting: tuple[Outgoing, ...] = pipeline.state().outbox
    assert [outgoing.way for outgoing in waiting] == ["wait"]
    assert [len(one.bubbles) for one in pipeline.messenger.shown] == [1]
    await pause(pipeline, 0)
    await pipeline.take(said("and now?", at=NOW + 3))
    assert pipeline.messenger.shown[-1].bubbles == ("old answer", "new answer")


async def test_no_summary() -> None:
    """However much is written in a pause, the model is not asked; the oldest leave for the archive, none is lost."""
    pipeline = await paused()
    for number in range(35):
        await pipeline.take(said(f"line {number}", at=NOW + 1 + number))
    assert pipeline.model.prompts == []
    assert len(pipeline.state().turns) <= 30
    assert pipeline.archived() + [text for text, _ in kept(pipeline)] == ["hi", *(f"line {n}" for n in range(35))]


async def test_a_group() -> None:
    """Mentions are kept with their writers' names, and not answered; what the others say is none of its business."""
    pipeline = Pipeline(FakeModel("Hello!", "Welcome back."))
    pipeline.profiles.add(SPEAKER, "太郎")

    def asks(text: str, at: int) -> dict[str, Any]:
        raw = said(f"@Kaiwa {text}", GROUP, at, mention=mention(0, 6))
        return {**raw, "source": {**raw["source"], "userId": SPEAKER}}

    await pipeline.take(asks("hi", NOW - 10))
    await pause(pipeline, source_id=GROUP)
    await pipeline.take(asks("where is it?", NOW + 1), said("not for the bot", GROUP, NOW + 2))
    assert pipeline.shown() == ["Hello!"]
    assert kept(pipeline, GROUP) == [("hi", "Hello!"), ("where is it?", "")]
    assert "not for the bot" not in pipeline.stored()
    await pause(pipeline, 0, GROUP)
    await pipeline.take(asks("and?", NOW + 3))
    assert [line.text for line in pipeline.model.prompts[-1].lines][2:] == ["太郎: where is it?", "太郎: and?"]


class Strict:
    async def flagged(self, text: str, attachments: Any) -> bool:
        return "forbidden" in text


async def test_moderation() -> None:
    """What must not reach the model does not reach it by way of a pause either."""
    pipeline = await paused()
    asker = pipeline.inbox.turns.replier.asker
    moderated = replace(pipeline.inbox.turns.replier, asker=replace(asker, moderation=Moderation(Strict())))
    pipeline.inbox = replace(pipeline.inbox, turns=replace(pipeline.inbox.turns, replier=moderated))
    await pipeline.take(said("forbidden words", at=NOW + 1))
    assert kept(pipeline)[1:] == [(WITHHELD, "")]
    assert nothing_happened(pipeline)


async def test_a_store_that_cannot_be_written() -> None:
    """No apology in a pause: it has to be tried again."""
    pipeline = await paused()
    pipeline.store.fail_next(Misconfigured("no permission"))
    with pytest.raises(Unavailable):
        await pipeline.take(said("hello?", at=NOW + 1))
    assert pipeline.messenger.calls == []


async def test_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Its line tells why there was no answer."""
    pipeline = await paused()
    await pipeline.take(said("hello?", at=NOW + 1))
    turns = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"turn"' in line]
    assert [(turn["paused"], turn["answered"]) for turn in turns] == [(False, True), (True, False)]
