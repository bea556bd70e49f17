"""Asking the model: one total deadline, few and spread retries, and an apology when nothing comes."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import context, log
from bot.breaker import Breaker
from bot.bubbles import bubbles, printable
from bot.conversation import Conversation, Language, Usage
from bot.errors import Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.limits import SUMMARY_SECONDS
from bot.ports import Clock, Completion, Model, Prompt
from bot.reading import Utterance
from bot.results import Result
from bot.texts import Phrase, phrase
from bot.window import roll_out

LEAST_MS = 10_000
ATTEMPTS = 3
BACKOFF_SECONDS = 0.5

ANSWER_WITHIN_MS = 45_000
SLACK_MS = 5_000
"""Where operators allow more than 40 seconds: what comes before the question and after the answer."""
APOLOGIES: dict[ModelFault, Phrase] = {
    "refused": "cannot_answer",
    "too_long": "too_long",
    "quota": "trouble",
    "keyless": "trouble",
    "unauthorized": "trouble",
    "rejected": "trouble",
}


@dataclass(frozen=True, slots=True)
class Asker:
    """`deadline_ms` bounds one answer, however often the model is asked for it."""

    model: Model
    system_prompt: str
    deadline_ms: int
    clock: Clock
    breaker: Breaker

    async def answer(self, state: Conversation, segment: Sequence[Utterance]) -> Result:
        """The model's answer as a Result, or an apology as one; never raises for what the model does."""
        if not self.breaker.allows():
            return _apology("busy", "down", state.language)
        try:
            async with asyncio.timeout(self._seconds(segment)) as limit:
                completion = await self._answer(state, segment, limit.when() or 0.0)
        except TimeoutError:
            self.breaker.failed()
            return _apology("busy", "timeout", state.language)
        except ModelFailed as failed:
            (self.breaker.failed if failed.fault == "busy" else self.breaker.succeeded)()
            return _apology(APOLOGIES.get(failed.fault, "busy"), failed.fault, state.language)
        self.breaker.succeeded()
        # The mark is kept with the answer: history must not show half an answer as a whole one.
        text = completion.text + ("\n" + phrase("cut", state.language) if completion.cut else "")
        usage = completion.usage + Usage(turns=1)
        return Result(bubbles(text), answer=text, remembered=True, usage=usage)

    async def summary(self, state: Conversation) -> str:
        """A new summary that takes in the turns about to leave the window; empty when the model gives none in 15 s."""
        try:
            async with asyncio.timeout(min(self.deadline_ms / 1000, SUMMARY_SECONDS)):
                completion = await self.model.complete(context.summary_prompt(state.summary, roll_out(state)))
        except (TimeoutError, ModelFailed, Unavailable, Misconfigured) as failed:
            log.event("summary_failed", "WARNING", fault=type(failed).__name__)
            return ""
        return printable(completion.text).strip()[: context.SUMMARY_CHARACTERS]

    def _seconds(self, segment: Sequence[Utterance]) -> float:
        """The deadline, or what is left of 45 s since receipt if that is less; at least 10 s."""
        waited = self.clock() - min(utterance.pending.received_at for utterance in segment)
        within = max(ANSWER_WITHIN_MS, self.deadline_ms + SLACK_MS)
        return max(min(self.deadline_ms, within - waited), min(LEAST_MS, self.deadline_ms)) / 1000

    async def _answer(self, state: Conversation, segment: Sequence[Utterance], until: float) -> Completion:
        prompt = context.answer_prompt(self.system_prompt, state, segment)
        try:
            return await self._persist(prompt, until)
        except ModelFailed as failed:
            if failed.fault != "too_long":
                raise
            half = len(state.turns) // 2
            return await self._persist(context.answer_prompt(self.system_prompt, state, segment, turns=half), until)

    async def _persist(self, prompt: Prompt, until: float) -> Completion:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _readable(await self.model.complete(prompt))
            except Unavailable:
                failed = ModelFailed("busy")
            except Misconfigured:
                failed = ModelFailed("keyless")
            except ModelFailed as fault:
                failed = fault
            pause = max(failed.retry_after, random.uniform(0.5, 1) * BACKOFF_SECONDS * 2**attempt)
            out_of_time = asyncio.get_running_loop().time() + pause >= until
            if not failed.may_pass or attempt == ATTEMPTS or out_of_time:
                raise failed
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


def _readable(completion: Completion) -> Completion:
    """An answer of which nothing would be seen is no answer."""
    if not bubbles(completion.text):
        raise ModelFailed("empty")
    return replace(completion, text=printable(completion.text).strip())


def _apology(name: Phrase, fault: str, language: Language) -> Result:
    severity: log.Severity = "ERROR" if fault in ("quota", "unauthorized", "rejected", "keyless") else "WARNING"
    log.event("model_failed", severity, fault=fault)
    return Result((phrase(name, language),), remembered=True)
