"""Asking the model: one total deadline, few and spread retries, and an apology when nothing comes."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot import context, log, markdown, notes, spans
from bot.answering import answer_bubbles
from bot.breaker import Breaker
from bot.bubbles import bubbles, printable
from bot.conversation import Conversation, Language, Usage
from bot.errors import Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.limits import SUMMARY_SECONDS
from bot.moderating import Moderation
from bot.ports import Clock, Completion, Model, Prompt, Tool
from bot.reading import Utterance
from bot.results import Result
from bot.searching import Findings, Search
from bot.spans import span
from bot.texts import Phrase, phrase
from bot.window import roll_out

LEAST_MS = 10_000
ATTEMPTS = 3
BACKOFF_SECONDS = 0.5
SEARCH_ROUNDS = 2
CALLS = 3
"""So many searches the model gets in one round; more were none that it waits for."""
ENOUGH = Findings("Too many searches at once.")

ANSWER_WITHIN_MS = 45_000
SLACK_MS = 5_000
"""Where operators allow more than 40 seconds: what comes before the question and after the answer."""
APOLOGIES: dict[ModelFault, Phrase] = {
    "refused": "cannot_answer",
    "too_long": "too_long",
    "unreadable": "media_wrong_type",
    "quota": "trouble",
    "keyless": "trouble",
    "unauthorized": "trouble",
    "rejected": "trouble",
    "budget": "month_used",
}


Lost = Callable[[Prompt, BaseException], Usage]


def nothing(_prompt: Prompt, _failed: BaseException) -> Usage:
    return Usage()


@dataclass(frozen=True, slots=True)
class Asker:
    """`deadline_ms` bounds one answer, however often the model is asked for it.

    `search`, `moderation`: None where there is none. `web_search`: whether the model may look into the web. `remark`:
    what it is to mind beside its instructions. `lost`: what a call that failed may have cost.
    """

    model: Model
    system_prompt: str
    deadline_ms: int
    clock: Clock
    breaker: Breaker
    search: Search | None = None
    moderation: Moderation | None = None
    web_search: bool = False
    remark: str = ""
    lost: Lost = nothing

    async def answer(self, state: Conversation, segment: Sequence[Utterance]) -> Result:
        """The model's answer as a Result, or an apology as one; never raises for what the model does.

        Its usage is what the model took for it, also where nothing came of that.
        """
        if not self.breaker.allows():
            return apology("busy", "down", state.language)
        counted = Counted(self.model, self.lost)
        result = await replace(self, model=counted)._attempt(state, segment)
        return replace(result, usage=result.usage + counted.usage)

    async def _attempt(self, state: Conversation, segment: Sequence[Utterance]) -> Result:
        try:
            async with asyncio.timeout(self._seconds(segment)) as limit:
                if self.moderation and await self.moderation.refuses(segment):
                    return self.moderation.refusal(segment, state.language)
                answered = await self._answer(state, segment, limit.when() or 0.0)
        except TimeoutError:
            self.breaker.failed()
            return apology("busy", "timeout", state.language)
        except ModelFailed as failed:
            if failed.fault != "budget":  # which tells nothing of the model
                (self.breaker.failed if failed.fault == "busy" else self.breaker.succeeded)()
            return apology(APOLOGIES.get(failed.fault, "busy"), failed.fault, state.language)
        self.breaker.succeeded()
        return _result(answered, segment, state.language)

    async def summary(self, state: Conversation) -> str:
        """A new summary that takes in the turns about to leave the window; empty when the model gives none in 15 s."""
        try:
            async with asyncio.timeout(min(self.deadline_ms / 1000, SUMMARY_SECONDS)):
                completion = await self.model.complete(_summary_prompt(state))
        except (TimeoutError, ModelFailed, Unavailable, Misconfigured) as failed:
            log.event("summary_failed", "WARNING", fault=type(failed).__name__)
            return ""
        return markdown.plain(completion.text).strip()[: context.SUMMARY_CHARACTERS]

    def _seconds(self, segment: Sequence[Utterance]) -> float:
        """The deadline, or what is left of 45 s since receipt if that is less; at least 10 s."""
        waited = self.clock() - min(utterance.pending.received_at for utterance in segment)
        within = max(ANSWER_WITHIN_MS, self.deadline_ms + SLACK_MS)
        return max(min(self.deadline_ms, within - waited), min(LEAST_MS, self.deadline_ms)) / 1000

    async def _answer(self, state: Conversation, segment: Sequence[Utterance], until: float) -> "_Answered":
        try:
            return await self._converse(state, segment, len(state.turns), until)
        except ModelFailed as failed:
            if failed.fault != "too_long":
                raise
            return await self._converse(state, segment, len(state.turns) // 2, until)

    async def _converse(
        self, state: Conversation, segment: Sequence[Utterance], turns: int, until: float
    ) -> "_Answered":
        """The answer from so many of the window's turns, after two rounds of searches in what else there is at most."""
        outside = replace(state, turns=state.turns[: len(state.turns) - turns])
        tools = self._tools(outside)
        prompt = context.answer_prompt(self.system_prompt, state, segment, turns=turns, tools=tools, remark=self.remark)
        answered = _Answered(Completion("", Usage())).then(await self._persist(prompt, until), ())
        while answered.completion.calls and prompt.may_call:
            findings = await self._find(outside, answered.completion)
            earlier = (*prompt.earlier, (answered.completion, tuple(found.text for found in findings)))
            prompt = replace(prompt, earlier=earlier, may_call=len(earlier) < SEARCH_ROUNDS)
            # Tried again by itself: what was searched for is not searched for twice.
            answered = answered.then(await self._persist(prompt, until), findings)
        return answered

    def _tools(self, outside: Conversation) -> tuple[Tool, ...]:
        """Those that are of use: a conversation that the model reads whole costs no word more than without them."""
        web: tuple[Tool, ...] = ("web_search",) if self.web_search else ()
        has_more = self.search is not None and (outside.archived > 0 or outside.turns)
        return (*web, "search_history") if has_more else web

    async def _find(self, outside: Conversation, completion: Completion) -> list[Findings]:
        if self.search is None:
            return [ENOUGH] * len(completion.calls)
        found = [await self.search(outside, call) for call in completion.calls[:CALLS]]
        return found + [ENOUGH] * (len(completion.calls) - CALLS)

    async def _persist(self, prompt: Prompt, until: float) -> Completion:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with span("ask"):
                    return _readable(await self.model.complete(prompt), prompt)
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
            spans.count("retries")
        raise AssertionError("the last attempt returns or raises")


@dataclass(frozen=True, slots=True)
class _Answered:
    """The last completion, and what was looked for before it."""

    completion: Completion
    read: tuple[str, ...] = ()
    searches: int = 0
    web_searches: int = 0

    def then(self, completion: Completion, findings: Sequence[Findings]) -> "_Answered":
        """What the model says to these findings."""
        return _Answered(
            completion,
            (*self.read, *(message_id for found in findings for message_id in found.message_ids)),
            self.searches + len(findings),
            self.web_searches + completion.web_searches,
        )


class Counted:
    """The model, and what it has taken so far; what fails later does not make that undone."""

    def __init__(self, model: Model, lost: Lost = nothing) -> None:
        self._model = model
        self._lost = lost
        self.usage = Usage()

    async def complete(self, prompt: Prompt) -> Completion:
        try:
            completion = await self._model.complete(prompt)
        except (ModelFailed, asyncio.CancelledError) as failed:
            self.usage += self._lost(prompt, failed)
            raise
        self.usage += completion.usage
        return completion


def _result(answered: _Answered, segment: Sequence[Utterance], language: Language) -> Result:
    completion, note = notes.taken(answered.completion, segment)
    # The mark is kept with the answer: history must not show half an answer as a whole one.
    text = completion.text
    if completion.cut:
        text = f"{markdown.closed(text)}\n{phrase('cut', language)}"
    return Result(
        answer_bubbles(text, completion.links, language),
        answer=text,
        remembered=True,
        usage=Usage(turns=1),
        read=answered.read,
        searches=answered.searches,
        web_searches=answered.web_searches,
        note=note,
    )


def _summary_prompt(state: Conversation) -> Prompt:
    return context.summary_prompt(state.summary, roll_out(state), in_group=context.is_group(state))


def _readable(completion: Completion, prompt: Prompt) -> Completion:
    """An answer of which nothing would be seen is no answer, unless the model wants to search first."""
    if completion.calls and "search_history" in prompt.tools and prompt.may_call:
        return completion
    if not bubbles(completion.text):
        raise ModelFailed("empty")
    return replace(completion, text=printable(completion.text).strip(), calls=())


def apology(name: Phrase, fault: str, language: Language) -> Result:
    """A turn without an answer, which a button asks for again."""
    severity: log.Severity = "ERROR" if fault in ("quota", "unauthorized", "rejected", "keyless") else "WARNING"
    log.event("model_failed", severity, fault=fault)
    return Result((phrase(name, language),), remembered=True)
