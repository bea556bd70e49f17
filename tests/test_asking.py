"""Asking the model: the total deadline holds, retries are few, and there is always something to say."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import pytest

from bot import asking
from bot.asking import Asker
from bot.breaker import Breaker
from bot.context import MAX_OUTPUT_TOKENS
from bot.conversation import Batch, Conversation, Language, Pending, Said, Source, Turn, Usage
from bot.errors import Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.metering import Meter, MeteredModel
from bot.moderating import Moderation
from bot.ports import Attachment, Completion, Model, Prompt, Seen, ToolCall
from bot.reading import Utterance
from bot.results import Result
from bot.searching import UNREADABLE, Search
from bot.texts import Phrase, phrase
from bot.window import WITHHELD
from tests.fakes import FakeClock, FakeModel, FakeStore

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


class Faulty:
    """A model that always fails in the same way."""

    def __init__(self, fault: ModelFault) -> None:
        self.fault: ModelFault = fault

    async def complete(self, prompt: Prompt) -> Completion:
        raise ModelFailed(self.fault)


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
        "unreadable": "media_wrong_type",
        "budget": "month_used",
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


SOURCE = Source("user", "U1")
FOUND = "合言葉は山と川"


def wants(*queries: str, tokens: int = 10, web_searches: int = 0) -> Completion:
    calls = tuple(ToolCall(f"call-{number}", query) for number, query in enumerate(queries))
    usage = Usage(input_tokens=tokens, output_tokens=1)
    return Completion("", usage, calls=calls, items=("reasoning", *queries), web_searches=web_searches)


class Remembering:
    """An asker with an archive that the model may search."""

    def __init__(self, *answers: str | Completion) -> None:
        self.model, self.store, self.clock = FakeModel(*answers), FakeStore(), FakeClock(NOW)
        self.state = Conversation(source=SOURCE, generation=7, archived=1, language="en", turns=conversation(4).turns)

    async def answer(self, deadline_ms: int = 40_000, web_search: bool = False) -> Result:
        batch = Batch(7, 0, (Turn("t", (Said("old", FOUND, NOW - 10**9),), "はい"),), NOW + 1)
        await self.store.write(SOURCE.conversation_id, Seen(Conversation(), None), self.state, [batch])
        search, breaker = Search(self.store, self.clock), Breaker(self.clock)
        made = Asker(self.model, "Be kind.", deadline_ms, self.clock, breaker, search, web_search=web_search)
        return await made.answer(self.state, asked())


async def test_an_ordinary_turn_is_one_call() -> None:
    """Also where there is a past to be searched: the archive is not read for nothing."""
    past = Remembering("Hi!")
    assert (await past.answer()).usage.turns == 1
    assert [prompt.tools for prompt in past.model.prompts] == [("search_history",)]
    assert past.store.calls("read_archive") == 0


async def test_a_new_conversation_offers_nothing() -> None:
    """What the model reads whole need not be searched: no token more, and no date."""
    past = Remembering("Hi!")
    past.state = Conversation(source=SOURCE, turns=past.state.turns)
    await past.answer()
    [prompt] = past.model.prompts
    assert prompt.tools == ()
    assert len(prompt.lines) == 9


async def test_a_search() -> None:
    """The model calls, reads what was found, and answers; what all of it cost is one sum."""
    past = Remembering(wants("合言葉"), Completion("It was that.", Usage(1, 20, 5, 3), web_searches=2))
    result = await past.answer()
    assert result.answer == "It was that."
    assert result.usage == Usage(2, 30, 5, 4)
    assert (result.searches, result.web_searches, result.read) == (1, 2, ("old",))
    first, second = past.model.prompts
    [(completion, [found])] = second.earlier
    assert completion.items == ("reasoning", "合言葉")
    assert FOUND in found
    assert second.may_call
    assert (second.lines, second.tools, second.instructions) == (first.lines, first.tools, first.instructions)


async def test_two_rounds_at_most() -> None:
    """Then the model may call no more and has to answer with what it has; a call all the same is no answer."""
    past = Remembering(wants("a"), wants("b"), "Enough.")
    assert (await past.answer()).answer == "Enough."
    assert [prompt.may_call for prompt in past.model.prompts] == [True, True, False]
    assert [len(prompt.earlier) for prompt in past.model.prompts] == [0, 1, 2]
    endless = Remembering(*(wants(str(number)) for number in range(20)))
    assert (await endless.answer()).bubbles == (phrase("busy", "en"),)
    assert len(endless.model.prompts) == 5
    assert endless.store.calls("read_archive") == 2


async def test_many_calls_at_once() -> None:
    """Three are searched for; the others hear that it was too much, for each call wants its answer."""
    past = Remembering(wants(*"abcdef"), "Hi!")
    await past.answer()
    [(_, found)] = past.model.prompts[1].earlier
    assert len(found) == 6
    assert found[3:] == (asking.ENOUGH.text,) * 3
    assert past.store.calls("read_archive") == 3


async def test_a_failed_second_call_does_not_repeat_the_first() -> None:
    """What was found is kept over the retry, and not searched for again."""
    past = Remembering(wants("合言葉"))
    past.model.answers += [ModelFailed("busy"), ModelFailed("empty"), "Hi!"]
    assert (await past.answer()).answer == "Hi!"
    assert [len(prompt.earlier) for prompt in past.model.prompts] == [0, 1, 1, 1]
    assert past.store.calls("read_archive") == 1


@pytest.mark.parametrize("fault", ["busy", "quota", "too_long"])
async def test_what_a_failed_answer_has_cost(fault: ModelFault) -> None:
    """Counted though nothing comes of it; it is no turn."""
    past = Remembering(wants("合言葉"))
    past.model.answers += [ModelFailed(fault)] * 5
    result = await past.answer()
    assert not result.answer
    assert result.usage == Usage(0, 10, 0, 1)


@pytest.mark.parametrize(
    ("model", "tokens"),
    [(Hanging(), MAX_OUTPUT_TOKENS), (Faulty("refused"), MAX_OUTPUT_TOKENS), (Faulty("quota"), 0)],
)
async def test_who_makes_calls_fail_pays_for_them(model: Model, tokens: int) -> None:
    """What the month's account takes for a call that failed is of the conversation's day, too."""
    metered = MeteredModel(model, Meter(), "gpt-5.6-luna")
    result = await replace(asker(metered, deadline_ms=500), lost=metered.lost).answer(conversation(), asked())
    assert (result.answer, result.usage.turns, result.usage.output_tokens) == ("", 0, tokens)
    assert (result.usage.micro_yen > 0) == (tokens > 0)


async def test_what_an_unreadable_answer_has_cost() -> None:
    """Tokens that became nothing to be seen are paid for too, and beside the answer that came in the end."""
    model = FakeModel(Completion(" ", Usage(input_tokens=3)), Completion("Hi!", Usage(input_tokens=4)))
    assert (await answer(model)).usage == Usage(1, 7)


async def test_an_archive_that_fails() -> None:
    """The model hears that the past cannot be read, and the person gets an answer all the same."""
    past = Remembering(wants("合言葉"), "I cannot look it up now.")
    past.store.fail_next(Unavailable("down"), method="read_archive")
    assert (await past.answer()).answer == "I cannot look it up now."
    assert past.model.prompts[1].earlier[0][1] == (UNREADABLE,)


async def test_one_deadline_over_all_rounds() -> None:
    """A model that searches and then falls silent is not waited for any longer."""

    class Searching(Hanging):
        async def complete(self, prompt: Prompt) -> Completion:
            return await super().complete(prompt) if prompt.earlier else wants("合言葉")

    past = Remembering()
    past.model = Searching()  # type: ignore[assignment]
    began = time.monotonic()
    result = await past.answer(deadline_ms=200)
    assert time.monotonic() - began < 0.7
    assert result == Result((phrase("busy", "en"),), remembered=True, usage=Usage(0, 10, 0, 1))


async def test_what_was_left_out_can_be_searched() -> None:
    """A question too long for the whole window: the half that the model does not read is offered instead."""
    past = Remembering(wants("q0"), "Found.")
    past.state = Conversation(source=SOURCE, turns=past.state.turns)
    past.model.fail_next(ModelFailed("too_long"))
    assert (await past.answer()).answer == "Found."
    assert [prompt.tools for prompt in past.model.prompts] == [(), ("search_history",), ("search_history",)]
    [(_, [found])] = past.model.prompts[2].earlier
    assert "q0" in found


async def test_the_date_comes_with_the_tools() -> None:
    """Whoever searches has to know what last month is; it stands behind what the cache can keep."""
    past = Remembering("Hi!")
    await past.answer()
    [prompt] = past.model.prompts
    assert [line.role for line in prompt.lines[-2:]] == ["developer", "user"]
    assert "2027-01-15 17:00" in prompt.lines[-2].text


@pytest.mark.parametrize("archived", [0, 1])
async def test_the_web(archived: int) -> None:
    """Where the operator wants it the web is offered in every conversation, first, so that the prefix is stable."""
    past = Remembering("Hi!")
    past.state = Conversation(source=SOURCE, archived=archived)
    await past.answer(web_search=True)
    assert past.model.prompts[0].tools == ("web_search", "search_history")[: 1 + archived]


async def test_a_call_that_nobody_offered() -> None:
    """It is no answer, and nothing is searched."""
    model = FakeModel(*[wants("合言葉")] * 3)
    assert (await answer(model)).bubbles == (phrase("busy", "en"),)
    assert not any(prompt.earlier for prompt in model.prompts)


class Judge:
    """`bot.ports.Moderator` that dislikes one word."""

    async def flagged(self, text: str, attachments: Sequence[Attachment]) -> bool:
        return "bad" in text


@pytest.mark.parametrize(("text", "prompts"), [("good", 1), ("bad", 0)])
async def test_moderation(text: str, prompts: int) -> None:
    """What is forbidden is not asked; it becomes a turn without its words and without an answer."""
    model, clock = FakeModel("Hi!"), FakeClock(NOW)
    made = Asker(model, "", 40_000, clock, Breaker(clock), moderation=Moderation(Judge()))
    result = await made.answer(conversation(), asked(text))
    assert len(model.prompts) == prompts
    if not prompts:
        withheld = (Said("m", WITHHELD, NOW),)
        assert result == Result((phrase("withheld", "en"),), remembered=True, said=withheld)
