"""Memory that can be asked: the model's own search over what it does not read anyway, best matches first."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from bot import log
from bot.conversation import Conversation, Turn
from bot.errors import Misconfigured, Unavailable
from bot.past import JAPAN, date, is_unsent, plain, read_batches, words_of
from bot.ports import Clock, Store, ToolCall

SEARCH_SECONDS = 5
QUERY_CHARACTERS = 200
RESULT_CHARACTERS = 5_800
"""What was found, word for word; with what is said about it 6,000."""
MOST_TURNS = 50
EXCERPT_CHARACTERS = 400
LEAST_OF_BEST = 0.4
"""What matches less than this part of the best match is chance: a syllable or two in common."""

RUNS = re.compile(
    r"(?P<kanji>[\u3400-\u9fff\uf900-\ufaff々]+)|(?P<katakana>[\u30a0-\u30ff]+)|(?P<hiragana>[\u3040-\u309f]+)"
    r"|(?P<unspaced>[^\W\u0000-\u0dff\u3040-\u30ff\u3400-\u9fff]+)|(?P<word>[^\W\u0e00-\U0010ffff]+)"
)
HIRAGANA_WEIGHT = 0.1
"""Mostly endings and particles; they decide only where nothing else does."""

UNREADABLE = "The history cannot be read now. Say so if the answer needs it."
NOTHING = "Nothing was found. Other words may find it."
OLDER = "Older conversation than this was not searched."


@dataclass(frozen=True, slots=True)
class Findings:
    """What the model reads of the past, and whose messages that were."""

    text: str
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """`search_history`: of one conversation, the one whose turn it is. The model chooses words and dates alone."""

    store: Store
    clock: Clock

    async def __call__(self, state: Conversation, call: ToolCall) -> Findings:
        """What was found, 6,000 characters at most; never raises for the store.

        `state.turns`: those of the window that the model does not read. Of the archive the newest twenty batches.
        """
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                turns, has_older = await self._turns(state)
        except (TimeoutError, Unavailable, Misconfigured) as failed:
            log.event("search_failed", "WARNING", fault=type(failed).__name__)
            return Findings(UNREADABLE)
        wanted = [turn for turn in turns if _is_within(turn, call) and not is_unsent(state, turn)]
        return _told(matching(wanted, call.query), pieces(call.query), has_older)

    async def _turns(self, state: Conversation) -> tuple[list[Turn], bool]:
        if state.source is None:
            return [], False
        conversation_id = state.source.conversation_id
        numbers, batches = await read_batches(self.store, conversation_id, state, state.archived, self.clock())
        turns = [turn for batch in batches for turn in batch.turns]
        return [*turns, *state.turns], bool(numbers) and numbers[-1] > 0


def matching(turns: Sequence[Turn], query: str) -> list[Turn]:
    """The turns that have most of the query's words, rare ones counting more; all, newest first, without words."""
    newest = sorted(turns, key=lambda turn: turn.at, reverse=True)
    wanted = pieces(query)
    if not wanted:
        return [] if query.strip() else newest
    texts = [words_of(turn) for turn in newest]
    worth = {piece: weight * _rarity(piece, texts) for piece, weight in wanted.items()}
    scores = [sum(worth[piece] for piece in wanted if piece in text) for text in texts]
    least = max(LEAST_OF_BEST * max(scores, default=0.0), 1e-9)
    ranked = sorted(zip(scores, newest, strict=True), key=lambda pair: pair[0], reverse=True)
    return [turn for score, turn in ranked if score >= least]


def pieces(query: str) -> dict[str, float]:
    """What to look for, and what each is worth: words, and pairs of characters where no space parts words."""
    found: dict[str, float] = {}
    for run in RUNS.finditer(plain(query[:QUERY_CHARACTERS])):
        for piece, weight in _pieces(run.lastgroup or "", run.group()).items():
            found[piece] = max(weight, found.get(piece, 0.0))
    return found


def _pieces(script: str, run: str) -> Mapping[str, float]:
    if script == "word":
        # Without its last letter too: a plural finds the singular.
        return {run: 1.0, run[:-1]: 0.5} if len(run) > 3 else {run: 0.5}
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    if script == "hiragana":
        return dict.fromkeys(pairs, HIRAGANA_WEIGHT)
    return dict.fromkeys(pairs, 1.0) if pairs else {run: 0.5}


def _rarity(piece: str, texts: Sequence[str]) -> float:
    return math.log(1 + len(texts) / (1 + sum(piece in text for text in texts)))


def _is_within(turn: Turn, call: ToolCall) -> bool:
    since, until = _midnight(call.since), _midnight(call.until, days=1)
    return (since is None or turn.at >= since) and (until is None or turn.at < until)


def _midnight(day: str, days: int = 0) -> int | None:
    """When a day begins in Japan, in milliseconds since 1970; None for what is no ISO date."""
    try:
        begins = datetime.strptime(day[:10], "%Y-%m-%d").replace(tzinfo=JAPAN) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    return round(begins.timestamp() * 1000)


def _told(found: Sequence[Turn], wanted: Mapping[str, float], has_older: bool) -> Findings:
    entries = [_entry(turn, wanted) for turn in found[:MOST_TURNS]]
    ends = accumulate(len(entry) + 2 for entry in entries)
    entries = [entry for entry, end in zip(entries, ends, strict=True) if end <= RESULT_CHARACTERS]
    head = f"{len(entries)} of {len(found)} matches, the best first (Japanese time):" if entries else NOTHING
    text = "\n\n".join([head, *entries, *([OLDER] if has_older else [])])
    return Findings(text, tuple(message_id for turn in found[: len(entries)] for message_id in turn.message_ids))


def _entry(turn: Turn, wanted: Mapping[str, float]) -> str:
    said = "\n".join(f"{said.speaker or 'User'}: {_excerpt(said.text, wanted)}" for said in turn.said)
    answer = _excerpt(turn.answer, wanted) or "(no answer)"
    return f"[{date(turn.at)}]\n{said}\nYou: {answer}"[: 4 * EXCERPT_CHARACTERS]


def _excerpt(text: str, wanted: Mapping[str, float]) -> str:
    """The part of a long text around what was found in it first."""
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    searched = plain(text)
    by_weight = sorted((piece for piece in wanted if piece in searched), key=lambda piece: -wanted[piece])
    at = searched.index(by_weight[0]) if by_weight else 0
    begin = max(0, min(at - EXCERPT_CHARACTERS // 4, len(text) - EXCERPT_CHARACTERS))
    end = begin + EXCERPT_CHARACTERS
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"
