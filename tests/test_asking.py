"""Asking the model: the total deadline holds, retries are few, and there is always something to say."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import get_args

import pytest

from bot import asking
from bot.asking import Asker
from bot.breaker import Breaker
from bot.conversation import Conversation, Language, Pending, Said, Turn, Usage
from bot.errors import Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.ports import Completion, Model, Prompt
from bot.reading import Utterance
from bot.results import Result
from bot.texts import Phrase, phrase
from tests.fakes import FakeClock, FakeModel

NOW = 1_800_000_000_000


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are part of the promise, not their length."""
    monkeypatch.setattr(asking, "BACKOFF_SECONDS", 0.002)


def asker(model: Model, deadline_ms: int = 40_000, now: int = NOW) -> Asker:
    clock = FakeClock(now)
    return Asker(model, "Be kind.", deadline_ms, clock, Breaker(clock))


def asked(text: str = "hello", received_at: int = NOW) -> tuple[Utterance, ...]:
    return (Utterance(Pending("e", NOW, "text", received_at, text, "m", "t"), text),)


def conversation(turns: int = 0) -> Conversation:
    window = tuple(Turn(f"t{n}", (Said(f"m{n}", f"q{n}", n),), f"a{n}") for n in range(turns))
    return Conversation(turns=window, language="en")


async def answer(model: Model, state: Conversation | None = None, deadline_ms: int = 40_000) -> Result:
    return await asker(model, deadline_ms).answer(state or conversation(), asked())


class Hanging:
    """A model that never answers; with `faults` it first fails."""

    def __init__(self, faults: Sequence[ModelFailed] = ()) -> None:
        self.faults = list(faults)
        self.calls = 0

    async def complete(self, prompt: Prompt) -> Completion:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets")


class Dripping:
    """A model that is never silent for long, but never done: a per-read timeout would not end it."""

    async def complete(self, prompt: Prompt) -> Completion:
        while True:  # noqa: ASYNC110  # there is nothing to wait for
            await asyncio.sleep(0.01)


async def test_an_answer() -> None:
    """It is shown, kept as a turn, and its cost counted."""
    result = await answer(FakeModel(Completion(" Hi!\n", Usage(input_tokens=3, cached_tokens=2, output_tokens=1))))
    assert result == Result(("Hi!",), answer="Hi!", remembered=True, usage=Usage(1, 3, 2, 1))


async def test_a_cut_answer_says_so() -> None:
    """To the person, and in what is kept: history must not show half an answer as a whole one."""
    result = await answer(FakeModel(Completion("Once upon", Usage(), cut=True)))
    assert result.bubbles == ("Once upon\n" + phrase("cut", "en"),)
    assert result.answer == result.bubbles[0]


async def test_a_long_answer() -> None:
    """30,000 characters: all of them, in bubbles that LINE takes, and kept whole."""
    result = await answer(FakeModel("あ" * 30_000))
    assert len(result.bubbles) == 6
    assert result.answer == "あ" * 30_000


async def test_an_answer_can_be_stored() -> None:
    """What UTF-8 or a phone cannot hold is not kept."""
    assert (await answer(FakeModel("a\ud83d\x00b"))).answer == "ab"


@pytest.mark.parametrize("model", [Hanging(), Dripping()], ids=["hangs", "drips"])
async def test_the_total_deadline(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    """Past it there is an apology, at once, though the model may never end."""
    began = time.monotonic()
    result = await answer(model, deadline_ms=200)
    assert 0.15 < time.monotonic() - began < 0.7
    assert result == Result((phrase("busy", "en"),), remembered=True)
    assert '"fault": "timeout"' in capsys.readouterr().out


async def test_the_deadline_holds_over_retries() -> None:
    """It bounds the answer, not each try."""
    model = Hanging([ModelFailed("busy"), ModelFailed("too_long")])
    began = time.monotonic()
    await answer(model, conversation(2), deadline_ms=200)
    assert time.monotonic() - began < 0.7
    assert model.calls == 3


@pytest.mark.parametrize(
    ("deadline_ms", "waited_ms", "seconds"),
    [
        (40_000, 0, 40),
        (40_000, 4_000, 40),
        (40_000, 20_000, 25),
        (40_000, 44_000, 10),
        (40_000, 10**9, 10),
        (5_000, 10**9, 5),
        (300_000, 0, 300),
        (300_000, 100_000, 205),
    ],
)
def test_what_is_left(deadline_ms: int, waited_ms: int, seconds: float) -> None:
    """The deadline, or what is left of 45 s since receipt, at least 10 s; operators who raise it get what they set."""
    segment = (*asked(received_at=NOW), *asked(received_at=NOW - waited_ms))
    assert asker(FakeModel(), deadline_ms)._seconds(segment) == seconds


@pytest.mark.parametrize("fault", ["busy", "broken", "empty"])
async def test_what_may_pass_is_tried_again(fault: ModelFault) -> None:
    """Once failed, then answered: the person sees one answer."""
    model = FakeModel("Hi!")
    model.fail_next(ModelFailed(fault), times=2)
    assert (await answer(model)).answer == "Hi!"
    assert len(model.prompts) == 3


@pytest.mark.parametrize("fault", ["busy", "broken", "empty"])
async def test_tries_end(fault: ModelFault) -> None:
    """After three there is an apology."""
    model = FakeModel()
    model.fail_next(ModelFailed(fault), times=10)
    assert (await answer(model)).bubbles == (phrase("busy", "en"),)
    assert len(model.prompts) == 3


@pytest.mark.parametrize("fault", ["unauthorized", "quota", "refused", "rejected"])
async def test_what_will_not_pass_is_not_tried_again(fault: ModelFault) -> None:
    """It would cost time and change nothing."""
    model = FakeModel("too late")
    model.fail_next(ModelFailed(fault))
    result = await answer(model)
    assert len(model.prompts) == 1
    assert not result.answer
    assert result.remembered


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("fault", get_args(ModelFault))
async def test_an_apology_for_every_fault(
    fault: ModelFault, language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence in the person's language that fits the fault; the operator reads which it was."""
    model = FakeModel()
    model.fail_next(ModelFailed(fault), times=10)
    result = await answer(model, Conversation(language=language))
    fits: dict[ModelFault, Phrase] = {
        "refused": "cannot_answer",
        "too_long": "too_long",
        "busy": "busy",
        "broken": "busy",
        "empty": "busy",
    }
    expected = fits.get(fault, "trouble")
    assert result == Result((phrase(expected, language),), remembered=True)
    line = capsys.readouterr().out
    assert f'"fault": "{fault}"' in line
    assert ('"ERROR"' in line) == (fault in ("keyless", "quota", "unauthorized", "rejected"))


@pytest.mark.parametrize("text", ["", "  \n", "\u200b", "\x00"])
async def test_an_empty_answer_is_none(text: str) -> None:
    """Never silence: an answer of which nothing would be seen counts as failed."""
    assert (await answer(FakeModel(text, "Hi!"))).answer == "Hi!"


async def test_a_long_wait_is_not_begun() -> None:
    """A retry-after longer than what is left of the deadline: an apology now instead of later."""
    model = FakeModel("too late")
    model.fail_next(ModelFailed("busy", retry_after=30))
    began = time.monotonic()
    result = await answer(model, deadline_ms=10_000)
    assert result.bubbles == (phrase("busy", "en"),)
    assert time.monotonic() - began < 1


async def test_a_short_wait_is_kept() -> None:
    """A retry-after that fits is waited for in full."""
    model = FakeModel("Hi!")
    model.fail_next(ModelFailed("busy", retry_after=0.2))
    began = time.monotonic()
    assert (await answer(model)).answer == "Hi!"
    assert time.monotonic() - began >= 0.2


async def test_too_long_is_halved_once() -> None:
    """The older half of the window is left out; when that is still too long, the person is told."""
    model = FakeModel("Hi!")
    model.fail_next(ModelFailed("too_long"))
    assert (await answer(model, conversation(8))).answer == "Hi!"
    assert [len(prompt.lines) for prompt in model.prompts] == [17, 9]
    assert model.prompts[1].lines[0].text == "q4"
    model.fail_next(ModelFailed("too_long"), times=3)
    assert (await answer(model, conversation(8))).bubbles == (phrase("too_long", "en"),)
    assert len(model.prompts) == 4


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("the secret x is missing")])
async def test_a_key_that_cannot_be_read(error: Unavailable | Misconfigured) -> None:
    """Tried again, for it may just have been made; in the end an apology, never an exception."""
    model = FakeModel()
    model.fail_next(error, times=5)
    result = await answer(model)
    assert not result.answer
    assert len(model.prompts) == 3


async def test_what_is_cancelled_is_not_apologised_for() -> None:
    """When the process has to end, the message is left to the next one."""
    task = asyncio.create_task(answer(Hanging()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_summary() -> None:
    """Of the ten oldest turns and what was kept so far; bounded, and without what cannot be stored."""
    model = FakeModel(" likes\ud83d tea " + "あ" * 10_000)
    summary = await asker(model).summary(conversation(21))
    assert summary.startswith("likes tea")
    assert len(summary) == 6_000
    assert [line.text for line in model.prompts[0].lines if line.role == "user"] == [f"q{n}" for n in range(10)]


@pytest.mark.parametrize(
    "error", [ModelFailed("busy"), ModelFailed("quota"), Unavailable("down"), Misconfigured("no key")]
)
async def test_no_summary_is_harmless(error: Exception) -> None:
    """The model's failure leaves no summary, and raises nothing."""
    model = FakeModel()
    model.fail_next(error)
    assert await asker(model).summary(conversation(21)) == ""
    assert await asker(Hanging(), 50).summary(conversation(21)) == ""


async def test_logs_tell_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Every failure is logged by its name, without question, answer, history or the error's own words."""
    failures = {fault: ModelFailed(fault) for fault in get_args(ModelFault)}
    state = Conversation(turns=(Turn("t", (Said("m", "private", 0),), "private"),), summary="private")
    for failure in [*failures.values(), Unavailable("private"), Misconfigured("private")]:
        model = FakeModel()
        model.fail_next(failure, times=4)
        await asker(model).answer(state, asked("private"))
        await asker(model).summary(state)
    written = capsys.readouterr().out
    assert "private" not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert {line["fault"] for line in lines if line["event"] == "model_failed"} == failures.keys()
    assert any(line["event"] == "summary_failed" for line in lines)
