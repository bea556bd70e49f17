"""Calls that cost money are priced, held and settled."""

import asyncio

import pytest

from bot.conversation import Usage
from bot.errors import KaiwaError, ModelFailed, Unavailable
from bot.metering import Meter, MeteredModel, MeteredPainter, MeteredTranscriber
from bot.ports import Attachment, Completion, Line, Prompt
from bot.prices import IMAGES, PRICES, VOICES, Prices, cost
from bot.purse import BudgetUsed, Purse
from bot.spending import Limit
from tests.fakes import FakeClock, FakeModel, FakePainter, FakeStore, FakeTranscriber

PROMPT = Prompt("Be kind.", (Line("user", "こんにちは"),), 1_000)
LUNA, SOL = PRICES["gpt-5.6-luna"], PRICES["gpt-5.6-sol"]
USED = Usage(input_tokens=100, cached_tokens=60, output_tokens=20)


class Till:
    """A meter with a purse, and its ledger."""

    def __init__(self, limit: int = 10**9) -> None:
        self.ledger, clock = FakeStore(), FakeClock()
        self.purse = Purse(self.ledger, Limit(0, limit), clock)
        self.meter = Meter(Prices(), self.purse)

    async def spent(self) -> int:
        await self.purse.give_back()
        [month] = self.ledger.months.values()
        assert month.reserved.micro_yen == month.usage.micro_yen
        return month.usage.micro_yen


def metered(model: FakeModel, meter: Meter) -> MeteredModel:
    return MeteredModel(model, meter, "gpt-5.6-luna", ("gpt-5.6-sol",))


@pytest.mark.parametrize(("asked", "price"), [("", LUNA), ("gpt-5.6-sol", SOL), ("not on offer", LUNA)])
async def test_the_price_of_the_model_that_answers(asked: str, price: object) -> None:
    """One that is not on offer is answered by the operator's own."""
    model = metered(FakeModel(Completion("Hi", USED)), Meter())
    completion = await model.complete(Prompt("", PROMPT.lines, 1_000, asked))
    assert completion.usage.micro_yen == cost(SOL if price is SOL else LUNA, USED)


async def test_what_is_beside_the_tokens() -> None:
    """Web searches and writing to the cache."""
    model = metered(FakeModel(Completion("Hi", USED, web_searches=2, cache_written=40)), Meter())
    assert (await model.complete(PROMPT)).usage.micro_yen == cost(LUNA, USED, searches=2, written=40)


async def test_the_ledger_is_told_what_was_used() -> None:
    """In the end as much is set aside as was spent."""
    till = Till()
    await metered(FakeModel(Completion("Hi", USED)), till.meter).complete(PROMPT)
    assert await till.spent() == cost(LUNA, USED)


@pytest.mark.parametrize("error", [ModelFailed("busy"), ModelFailed("rejected"), Unavailable("no key")])
async def test_a_definite_failure_costs_nothing(error: KaiwaError) -> None:
    """Nothing was made."""
    till, model = Till(), FakeModel()
    model.fail_next(error)
    with pytest.raises(type(error)):
        await metered(model, till.meter).complete(PROMPT)
    assert await till.spent() == 0


@pytest.mark.parametrize("fault", ["empty", "broken", "refused"])
async def test_an_answer_of_no_use_may_have_cost_all_that_was_held(fault: str) -> None:
    """It was made, in part at least."""
    till, model = Till(), FakeModel()
    model.fail_next(ModelFailed(fault))  # type: ignore[arg-type]
    with pytest.raises(ModelFailed):
        await metered(model, till.meter).complete(PROMPT)
    assert await till.spent() >= cost(LUNA, Usage(output_tokens=PROMPT.max_output_tokens))


async def test_a_call_that_is_cut_off_may_have_cost_all_that_was_held() -> None:
    """The deadline, or the end of the process."""

    class Hanging(FakeModel):
        async def complete(self, prompt: Prompt) -> Completion:
            await asyncio.Event().wait()
            raise AssertionError

    till = Till()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(metered(Hanging(), till.meter).complete(PROMPT), 0.01)
    assert await till.spent() >= cost(LUNA, Usage(output_tokens=PROMPT.max_output_tokens))


async def test_without_money_nothing_is_asked() -> None:
    """Of none of the three."""
    till = Till(limit=10)
    model, painter, transcriber = FakeModel(), FakePainter(), FakeTranscriber()
    with pytest.raises(BudgetUsed):
        await metered(model, till.meter).complete(PROMPT)
    with pytest.raises(BudgetUsed):
        await MeteredPainter(painter, till.meter, "gpt-image-2.5-flare").paint("a cat")
    audio = Attachment("audio/m4a", b"x" * 100_000)
    with pytest.raises(BudgetUsed):
        await MeteredTranscriber(transcriber, till.meter, "gpt-transcribe").transcribe(audio)
    assert (model.prompts, painter.asked, transcriber.heard) == ([], [], [])


async def test_a_picture() -> None:
    """By its tokens."""
    till = Till()
    painted = await MeteredPainter(FakePainter(), till.meter, "gpt-image-2.5-flare").paint("a cat")
    assert painted.usage.micro_yen == cost(IMAGES["gpt-image-2.5-flare"], painted.usage) == await till.spent()


async def test_a_voice_message() -> None:
    """By its tokens, as told; by its likely length where neither tokens nor seconds are told."""
    till = Till()
    audio = Attachment("audio/m4a", b"x" * 40_000)
    heard = await MeteredTranscriber(FakeTranscriber(), till.meter, "gpt-4o-transcribe").transcribe(audio)
    assert heard.usage.micro_yen == cost(VOICES["gpt-4o-transcribe"], heard.usage) > 0


async def test_attachments_are_part_of_the_estimate() -> None:
    """A file holds more than a word does."""
    till = Till(limit=cost(LUNA, Usage(0, 1_000, 0, 1_000)))
    pdf = Attachment("application/pdf", b"%PDF", "a.pdf")
    with pytest.raises(BudgetUsed):
        await metered(FakeModel(), till.meter).complete(Prompt("", (Line("user", "read", (pdf,)),), 1_000))
    await metered(FakeModel(), till.meter).complete(PROMPT)
