"""Calls that cost money: each is priced, and with a limit for the month paid from the instance's purse.

Around the ports, so that answers, searches, summaries, pictures and voices are counted at one place.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bot.conversation import Usage
from bot.errors import Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.ports import Attachment, Completion, Heard, Model, Painted, Painter, Prompt, Transcriber
from bot.prices import IMAGES, VOICES, Price, Prices, cost
from bot.purse import Purse
from bot.spending import Amount

T = TypeVar("T")

IMAGE_TOKENS = 2_000
FILE_TOKENS = 60_000
"""Of a PDF of some twenty pages, each read as text and as an image."""
CHARACTERS_A_TOKEN = 3
"""Of ASCII; of Japanese every character is taken for a token."""
PICTURE_TOKENS = 2_000
"""One of 1024 × 1024 in medium quality takes about 1,100."""
AUDIO_BYTES_A_SECOND = 4_000
"""Of LINE's voice messages, or less: 32 kbit."""
WEB_SEARCHES = 2
SEARCHED_TOKENS = 16_000
"""What the model reads of them."""
UNBILLED: frozenset[ModelFault] = frozenset(
    {"busy", "keyless", "unauthorized", "quota", "too_long", "unreadable", "rejected", "budget"}
)
"""Faults with which nothing was made; the others end an answer that was made, in part at least."""


@dataclass(frozen=True, slots=True)
class Meter:
    """`purse`: None where the month has no limit."""

    prices: Prices = field(default_factory=Prices)
    purse: Purse | None = None

    async def run(self, estimate: Usage, call: Callable[[], Awaitable[tuple[T, Usage]]]) -> T:
        """What the call makes. Raises what it raises, and what Purse.take does.

        A call that fails for sure has cost nothing. One that was cut off may have cost all that was estimated.
        """
        if self.purse is None:
            return (await call())[0]
        taken = await self.purse.take(Amount(estimate.tokens, estimate.micro_yen))
        spent = estimate
        try:
            done, spent = await call()
            return done
        except ModelFailed as failed:
            spent = _lost(estimate, failed)
            raise
        except (Unavailable, Misconfigured):
            spent = Usage()
            raise
        finally:
            self.purse.settle(taken, spent)


@dataclass(frozen=True, slots=True)
class MeteredModel:
    """`ports.Model`. `own`: the model that answers where a prompt asks for none of the `others`."""

    model: Model
    meter: Meter
    own: str
    others: Collection[str] = ()

    async def complete(self, prompt: Prompt) -> Completion:
        price = self._price(prompt)

        async def call() -> tuple[Completion, Usage]:
            completion = _priced(await self.model.complete(prompt), price)
            # For the month's account; summaries, which nobody counts as turns, are few.
            return completion, replace(completion.usage, turns=0 if completion.calls else 1)

        return await self.meter.run(_estimate(prompt, price), call)

    def lost(self, prompt: Prompt, failed: BaseException) -> Usage:
        """What a call that ended so may have cost: as much as the month's account takes for it."""
        return _lost(_estimate(prompt, self._price(prompt)), failed)

    def _price(self, prompt: Prompt) -> Price:
        return self.meter.prices.of(prompt.model if prompt.model in self.others else self.own)


@dataclass(frozen=True, slots=True)
class MeteredPainter:
    """`ports.Painter`"""

    painter: Painter
    meter: Meter
    model: str

    async def paint(self, words: str) -> Painted:
        async def call() -> tuple[Painted, Usage]:
            painted = await self.painter.paint(words)
            usage = self._with_cost(painted.usage)
            return replace(painted, usage=usage), replace(usage, turns=1)

        return await self.meter.run(self._estimate(words), call)

    def lost(self, words: str, failed: BaseException) -> Usage:
        """What a picture that never came may have cost."""
        return _lost(self._estimate(words), failed)

    def _estimate(self, words: str) -> Usage:
        return self._with_cost(Usage(0, _tokens(words), 0, PICTURE_TOKENS))

    def _with_cost(self, usage: Usage) -> Usage:
        return _with_cost(usage, self.meter.prices.of(self.model, IMAGES))


@dataclass(frozen=True, slots=True)
class MeteredTranscriber:
    """`ports.Transcriber`"""

    transcriber: Transcriber
    meter: Meter
    model: str

    async def transcribe(self, audio: Attachment) -> Heard:
        price = self.meter.prices.of(self.model, VOICES)

        async def call() -> tuple[Heard, Usage]:
            heard = await self.transcriber.transcribe(audio)
            # Where the answer tells neither tokens nor seconds, the length is what its size makes likely.
            seconds = heard.seconds or (0.0 if heard.usage.tokens else _seconds(audio))
            usage = _with_cost(heard.usage, price, seconds)
            return replace(heard, usage=usage), usage

        return await self.meter.run(_with_cost(Usage(), price, _seconds(audio)), call)


def _lost(estimate: Usage, failed: BaseException) -> Usage:
    return Usage() if isinstance(failed, ModelFailed) and failed.fault in UNBILLED else estimate


def _priced(completion: Completion, price: Price) -> Completion:
    usage = completion.usage
    spent = cost(price, usage, written=completion.cache_written, searches=completion.web_searches)
    return replace(completion, usage=replace(usage, micro_yen=spent))


def _with_cost(usage: Usage, price: Price, seconds: float = 0.0) -> Usage:
    return replace(usage, micro_yen=cost(price, usage, seconds=seconds))


def _estimate(prompt: Prompt, price: Price) -> Usage:
    """The most that an answer is likely to cost: nothing cached, as long as it may be."""
    texts = [prompt.instructions, *(line.text for line in prompt.lines)]
    texts += [text for _, findings in prompt.earlier for text in findings]
    attached = sum(_attached(one) for line in prompt.lines for one in line.attachments)
    searches = WEB_SEARCHES * ("web_search" in prompt.tools)
    given = sum(map(_tokens, texts)) + attached + searches * SEARCHED_TOKENS
    usage = Usage(0, given, 0, prompt.max_output_tokens)
    return replace(usage, micro_yen=cost(price, usage, searches=searches))


def _attached(attachment: Attachment) -> int:
    if attachment.content_type.startswith("image/"):
        return IMAGE_TOKENS
    is_text = attachment.content_type.startswith("text/")
    return _tokens(attachment.data.decode(errors="replace")) if is_text else FILE_TOKENS


def _tokens(text: str) -> int:
    ascii_only = len(text.encode("ascii", "ignore"))
    return ascii_only // CHARACTERS_A_TOKEN + len(text) - ascii_only + 1


def _seconds(audio: Attachment) -> float:
    return len(audio.data) / AUDIO_BYTES_A_SECOND
