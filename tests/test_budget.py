"""What may be spent: the day's limit, the month's, the cheaper model before, and what people are told."""

from datetime import UTC, datetime

import pytest

from bot.asking import Asker
from bot.breaker import Breaker
from bot.budget import Budget
from bot.conversation import Conversation, Language, Media, Pending, Preferences, Source, Spent, Usage
from bot.drawing import Studio
from bot.errors import Unavailable
from bot.fetching import Fetcher
from bot.introducing import Introducer
from bot.media import label
from bot.metering import Meter, MeteredModel
from bot.ports import Attachment
from bot.prices import Prices
from bot.purse import Purse
from bot.reading import Reader
from bot.replying import Replier
from bot.results import Result
from bot.spending import Amount, Limit, Limits
from bot.texts import phrase
from tests.fakes import (
    FakeClock,
    FakeContent,
    FakeModel,
    FakePainter,
    FakePictures,
    FakeProfiles,
    FakeStore,
    FakeTranscriber,
)
from tests.test_fetching import M4A
from tests.webhooks import USER

NOON = round(datetime(2026, 11, 23, 3, tzinfo=UTC).timestamp() * 1000)
DEAR, CHEAP = "gpt-5.6-sol", "gpt-5.6-luna"
DAY = Limits(daily=Limit(0, 10_000_000))
ID = "0" * 64


class Desk:
    """A replier that counts what it spends, on fakes."""

    def __init__(self, limits: Limits, models: tuple[str, ...] = (DEAR, "gpt-5.6-terra")) -> None:
        self.clock, self.store, self.model = FakeClock(NOON), FakeStore(), FakeModel()
        self.content, self.transcriber, self.painter = (
            FakeContent(m=Attachment("audio/m4a", M4A)),
            FakeTranscriber(),
            FakePainter(),
        )
        purse = Purse(self.store, limits.monthly, self.clock) if limits.monthly != Limit() else None
        metered = MeteredModel(self.model, Meter(Prices(), purse), DEAR, (*models, CHEAP))
        self.budget = Budget(self.clock, limits, Prices(), purse, models, CHEAP)
        self.breaker = Breaker(self.clock)
        asker = Asker(metered, "", 40_000, self.clock, self.breaker)
        reader = Reader(
            Fetcher(self.content, self.transcriber, pauses=()),
            self.store,
            Introducer(FakeProfiles(self.clock), self.clock),
        )
        studio = Studio(self.painter, FakePictures(), self.store, 40_000)
        self.replier = Replier(self.store, reader, asker, self.clock, studio=studio, budget=self.budget)

    async def say(self, state: Conversation, text: str = "hello", media: Media | None = None) -> Result:
        kind = "command" if text.startswith("/") else "text"
        pending = Pending("e", self.clock(), kind, self.clock(), text, "m", "t", 1, media=media)  # type: ignore[arg-type]
        return await self.replier.reply(ID, state, [pending])


def spent(share: float, day: str = "2026-11-23", language: Language = "en", model: str = "") -> Conversation:
    """Somebody who has used this much of ten yen."""
    usage = Usage(3, 1_000, 0, 100, round(share * 10_000_000))
    source, chosen = Source("user", USER), Preferences(model=model)
    return Conversation(source, 1, usage=usage, spent=Spent(day, usage), language=language, preferences=chosen)


async def test_below_the_limit_the_usual_model_answers() -> None:
    """And what it takes is in the result, priced."""
    desk = Desk(DAY)
    result = await desk.say(spent(0.79))
    assert desk.model.prompts[0].model == ""
    assert result.usage.micro_yen == 10 * 4 * 163.7 + 5 * 20 * 163.7
    assert desk.store.log == []


@pytest.mark.parametrize("chosen", ["", "gpt-5.6-terra"])
async def test_from_four_fifths_on_the_cheaper_model_answers(chosen: str) -> None:
    """Also where people chose another; what they have set stays set."""
    desk = Desk(DAY)
    result = await desk.say(spent(0.8, model=chosen))
    assert desk.model.prompts[0].model == CHEAP
    assert result.preferences is None


async def test_a_model_that_costs_no_less_is_no_step() -> None:
    """The operator's own model goes on."""
    desk = Desk(DAY, models=("gpt-6-luna",))
    await desk.say(spent(0.9))
    assert desk.model.prompts[0].model == ""


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_at_the_days_limit_nothing_is_asked(language: Language) -> None:
    """A sentence that tells when it goes on; the message is kept without an answer."""
    desk = Desk(DAY)
    result = await desk.say(spent(1.0, language=language))
    assert result.bubbles == (phrase("day_used", language),)
    assert (result.answer, result.remembered, result.dead) == ("", True, "")
    assert result.said[0].text == "hello"
    assert desk.model.prompts == []
    assert desk.breaker.allows()


async def test_voice_and_drawing_are_under_the_limit() -> None:
    """Nothing is heard and nothing painted; both can be asked for again another day."""
    desk = Desk(DAY)
    heard = await desk.say(spent(1.0), label(Media("audio")), Media("audio"))
    drawn = await desk.say(spent(1.0), "/draw a cat")
    assert (desk.transcriber.heard, desk.painter.asked) == ([], [])
    assert (heard.remembered, drawn.remembered) == (True, True)
    assert drawn.said[0].text == "/draw a cat"


async def test_commands_go_on() -> None:
    """What costs nothing works at any time."""
    desk = Desk(DAY)
    assert phrase("day_used", "en") not in (await desk.say(spent(1.0), "/help")).bubbles


async def test_at_midnight_in_japan_it_goes_on() -> None:
    """15:00 UTC."""
    desk = Desk(DAY)
    desk.clock.now = round(datetime(2026, 11, 23, 14, 59, 59, tzinfo=UTC).timestamp() * 1000)
    assert not (await desk.say(spent(1.0))).answer
    desk.clock.advance(1)
    assert (await desk.say(spent(1.0))).answer


async def test_tokens_count_too() -> None:
    """Whichever limit is reached first."""
    desk = Desk(Limits(daily=Limit(1_100, 10_000_000)))
    assert not (await desk.say(spent(0.1))).answer


async def test_the_month_is_used_up() -> None:
    """No call; the sentence tells it. A ledger that cannot be reached is tried again later."""
    desk = Desk(Limits(monthly=Limit(0, 100)))
    result = await desk.say(spent(0))
    assert result.bubbles == (phrase("month_used", "en"),)
    assert desk.model.prompts == []
    desk = Desk(Limits(monthly=Limit(0, 10**10)))
    desk.store.fail_next(Unavailable("gone"), method="reserve")
    with pytest.raises(Unavailable):
        await desk.say(spent(0))


async def test_the_cheaper_model_when_the_month_is_nearly_used() -> None:
    """For everybody, as soon as an instance knows."""
    desk = Desk(Limits(monthly=Limit(0, 10_000_000)))
    await desk.store.reserve("2026-11", Amount(0, 8_000_000), Usage())
    await desk.say(spent(0))
    assert desk.model.prompts[0].model == CHEAP


async def test_heard_voices_are_counted() -> None:
    """What the transcription took is in the turn's usage."""
    desk = Desk(DAY)
    result = await desk.say(spent(0), label(Media("audio")), Media("audio"))
    assert result.usage.input_tokens == 20 + 10


async def test_summaries_are_counted_and_wait_for_another_day() -> None:
    """Their tokens are the conversation's; at the limit there is none."""
    desk = Desk(DAY)
    assert (await desk.replier.summary(spent(0.5)))[1].input_tokens == 10
    assert await desk.replier.summary(spent(1.0)) == ("", Usage())


@pytest.mark.parametrize("command", ["/usage", "/使用量"])
async def test_usage(command: str) -> None:
    """Today's answers, tokens and yen, what is left in percent, and the total."""
    desk = Desk(DAY)
    [shown] = (await desk.say(spent(0.25), command)).bubbles
    assert shown.splitlines() == [
        "Today: 3 answers, 1,100 tokens, about 2.50 yen",
        "Left for today: 75%",
        "In all: 3 answers, 1,100 tokens, about 2.50 yen",
        "Today begins anew at midnight, Japanese time.",
    ]


async def test_usage_on_another_day_and_without_a_limit() -> None:
    """Yesterday is not today; no percentage where there is no limit; in Japanese too."""
    desk = Desk(Limits())
    [shown] = (await desk.say(spent(0.25, "2026-11-22", "ja"), "/使用量")).bubbles
    assert shown.splitlines()[0] == "今日: 答え 0 回、0 トークン、約 0.00 円"
    assert "%" not in shown
    assert "これまで: 答え 3 回" in shown
