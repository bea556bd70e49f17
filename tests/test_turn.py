"""The turn: who holds the lease works until nothing is left, and leaves the conversation ready for the next."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bot import asking, spans
from bot.conversation import Conversation, Lease, Outgoing, Part, Pending, Source, Token, Usage
from bot.document import encode
from bot.errors import Misconfigured, ModelFailed, Unavailable
from bot.lease import Held
from bot.limits import Policy
from bot.ports import Completion, Sent
from bot.settling import Step
from tests.fakes import FakeModel
from tests.pipeline import BlockedModel, Pipeline, conversation_id
from tests.webhooks import NOW, USER

ID = conversation_id()
POLICY = Policy()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BACKOFF_SECONDS", 0.002)


def asked(*texts: str) -> tuple[Pending, ...]:
    return tuple(Pending(f"e{n}", NOW + n, "text", NOW, text, f"m{n}", f"t{n}", 1) for n, text in enumerate(texts))


def conversation(**fields: Any) -> Conversation:
    known: dict[str, Any] = {"source": Source("user", USER), "generation": 1, "lease": Lease("me", NOW + 20_000)}
    return Conversation(**(known | {"expire_at": NOW + 10**9} | fields))


async def held(pipeline: Pipeline, state: Conversation) -> Held:
    seen = await pipeline.store.write(ID, await pipeline.store.read(ID), state)
    pipeline.store.log.clear()
    return Held(pipeline.store, ID, "me", seen, pipeline.clock, POLICY)


async def run(pipeline: Pipeline, state: Conversation) -> Step:
    spans.begin()  # as the inbox does before its claim
    return await pipeline.inbox.turns.run(await held(pipeline, state))


async def test_neighbours_are_answered_together() -> None:
    """One question, one answer, by the newest token; the log counts both."""
    pipeline = Pipeline(FakeModel("both"))
    assert await run(pipeline, conversation(pending=asked("one", "two"))) is Step.RELEASED
    assert [prompt.lines[-1].text for prompt in pipeline.model.prompts] == ["one\ntwo"]
    assert pipeline.shown() == ["both"]
    assert pipeline.state().pending == ()


async def test_nothing_to_do() -> None:
    """The lease is given back."""
    pipeline = Pipeline()
    assert await run(pipeline, conversation()) is Step.RELEASED
    assert pipeline.state().lease is None


async def test_a_settled_answer_goes_first() -> None:
    """Found in the outbox after a crash: sent with the same token, before anything is asked."""
    waiting = Outgoing("old", (Part("old", NOW, ("m",), ("old answer",)),), "reply", (Token("old", NOW, NOW),))
    pipeline = Pipeline(FakeModel("new answer"))
    await run(pipeline, conversation(outbox=(waiting,), pending=asked("new")))
    assert pipeline.shown() == ["old answer", "new answer"]
    assert [one.to for one in pipeline.messenger.shown] == ["old", "t0"]
    assert len(pipeline.model.prompts) == 1


async def test_a_settled_answer_that_had_arrived() -> None:
    """400 for its token means that it was shown before the crash: nothing is shown twice."""
    waiting = Outgoing("old", (Part("old", NOW, ("m",), ("old answer",)),), "reply", (Token("old", NOW, NOW),))
    pipeline = Pipeline()
    pipeline.messenger.fail_next(Sent.REFUSED)
    assert await run(pipeline, conversation(outbox=(waiting,))) is Step.RELEASED
    assert [one.retry_key for one in pipeline.messenger.calls] == [""]
    assert pipeline.state().outbox == ()


async def test_a_lease_that_was_lost() -> None:
    """Somebody took over while the model was at work: nothing is written, nothing is sent."""
    pipeline = Pipeline(BlockedModel("late"))
    assert isinstance(pipeline.model, BlockedModel)
    turn = asyncio.create_task(run(pipeline, conversation(pending=asked("hello"))))
    await pipeline.model.reached.wait()
    theirs = conversation(pending=asked("hello"), lease=Lease("another", NOW + 40_000))
    await pipeline.store.write(ID, await pipeline.store.read(ID), theirs)
    pipeline.model.released.set()
    assert await turn is Step.LOST
    assert pipeline.document() == encode(theirs)
    assert pipeline.messenger.calls == []


async def test_long_work_keeps_its_lease() -> None:
    """While the model is at work the lease is renewed when half of it is gone, and nobody takes over."""
    pipeline = Pipeline(BlockedModel("Hi!"))
    assert isinstance(pipeline.model, BlockedModel)
    state = conversation(pending=asked("hello"), lease=Lease("me", NOW + 9_990))
    turn = asyncio.create_task(run(pipeline, state))
    await pipeline.model.reached.wait()
    async with asyncio.timeout(5):
        while (pipeline.state().lease or Lease("", 0)).until != NOW + 20_000:  # noqa: ASYNC110  # a fake store has no events
            await asyncio.sleep(0.01)
    pipeline.model.released.set()
    assert await turn is Step.RELEASED
    assert pipeline.shown() == ["Hi!"]


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("the access token is missing")])
async def test_trouble_gives_the_lease_back(error: Exception) -> None:
    """What went wrong is told to the caller, and whoever tries next need not wait; the answer is settled."""
    pipeline = Pipeline(FakeModel("Hi!"))
    pipeline.messenger.fail_next(error)
    with pytest.raises(type(error)):
        await run(pipeline, conversation(pending=asked("hello")))
    state = pipeline.state()
    assert state.lease is None
    assert [outgoing.bubbles for outgoing in state.outbox] == [("Hi!",)]


async def test_an_apology_is_settled_like_an_answer() -> None:
    """The message is done, its turn kept without an answer, and nothing follows the apology."""
    pipeline = Pipeline()
    pipeline.model.fail_next(ModelFailed("refused"))
    await run(pipeline, conversation(pending=asked("hello")))
    [turn] = pipeline.state().turns
    assert (turn.said[0].text, turn.answer) == ("hello", "")
    assert list(pipeline.state().done) == ["e0"]
    assert len(pipeline.messenger.shown) == 1


async def test_its_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a turn: counts, times and tokens, no words."""
    pipeline = Pipeline(FakeModel("private answer"))
    await run(pipeline, conversation(pending=asked("private words")))
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "turn"
    assert (line["messages"], line["tries"], line["bubbles"], line["answered"]) == (1, 1, 1, True)
    assert (line["input_tokens"], line["output_tokens"], line["outcome"]) == (10, 5, "released")
    assert line["conversation"] == ID[:12]
    assert "private" not in json.dumps(line)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_retries_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Every call of the model counts, and those of them that repeat one."""
    pipeline = Pipeline(FakeModel("Hi!"))
    pipeline.model.fail_next(ModelFailed("busy"), times=2)
    await run(pipeline, conversation(pending=asked("hello")))
    [line] = lines(capsys)
    assert (line["model_calls"], line["retries"], line["answered"]) == (3, 2, True)


async def test_how_long_people_waited(capsys: pytest.CaptureFixture[str]) -> None:
    """Counted from the receipt of the oldest message to the beginning of its turn."""
    pipeline = Pipeline(FakeModel("Hi!"))
    old, new = asked("one", "two")
    pending = (replace(old, received_at=NOW - 7_000), replace(new, received_at=NOW + 50))
    await run(pipeline, conversation(pending=pending))
    assert [line["wait_ms"] for line in lines(capsys)] == [7_000]


async def test_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """In yen, with what the tokens came to beside it."""
    spent = Usage(input_tokens=1000, cached_tokens=200, output_tokens=30, micro_yen=123_456)
    pipeline = Pipeline(FakeModel(Completion("Hi!", spent)))
    await run(pipeline, conversation(pending=asked("hello")))
    [line] = lines(capsys)
    assert (line["input_tokens"], line["cached_tokens"], line["output_tokens"]) == (1000, 200, 30)
    assert line["cost_yen"] == 0.123456


async def test_a_turn_that_is_not_delivered(capsys: pytest.CaptureFixture[str]) -> None:
    """It has cost what it has cost, and says that it failed."""
    pipeline = Pipeline(FakeModel("Hi!"))
    pipeline.messenger.fail_next(Unavailable("down"))
    with pytest.raises(Unavailable):
        await run(pipeline, conversation(pending=asked("hello")))
    [line] = [line for line in lines(capsys) if line["event"] == "turn"]
    assert (line["outcome"], line["input_tokens"], line["answered"]) == ("failed", 10, True)


async def test_every_turn_has_its_own_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Of two turns in one request, neither has the calls and retries of the other."""
    pipeline = Pipeline(FakeModel("Hi!"))
    pipeline.model.fail_next(ModelFailed("busy"))
    question, command = asked("hello", "/help")
    await run(pipeline, conversation(pending=(question, replace(command, kind="command"))))
    first, second = lines(capsys)
    assert (first["kind"], first["model_calls"], first["retries"]) == ("text", 2, 1)
    assert (second["kind"], second["model_calls"], second["retries"], second["model_ms"]) == ("command", 0, 0, 0)
