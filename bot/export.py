"""The whole conversation as a file: the archive, then the window, from before `/reset` too."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot import log
from bot.bubbles import printable
from bot.conversation import Conversation, Said, Turn
from bot.document import size
from bot.erasing import withdraw
from bot.gate import Response
from bot.limits import EXPORT_BYTES
from bot.links import Grant, Links
from bot.past import JAPAN, date, read_batches
from bot.ports import Clock, Store
from bot.texts import phrase, phrases

HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What is written out: all turns, oldest first, or with `is_whole` False the newest of them."""

    state: Conversation
    turns: Sequence[Turn]
    is_whole: bool
    at: int


@dataclass(frozen=True, slots=True)
class Exports:
    """Answers `GET /export/{token}`."""

    links: Links
    store: Callable[[], Awaitable[Store]]
    clock: Clock

    async def answer(self, token: str) -> Response:
        """The file, or 404. Raises Unavailable or Misconfigured when the store or the secret cannot be read."""
        grant = await self.links.read(token)
        exported = await self._read(grant) if grant else None
        if grant is None or exported is None:
            log.event("request_refused", status=404, why="the link is expired, erased or forged")
            return Response(404, "\n".join(phrases("link_gone")) + "\n", HEADERS)
        log.event("exported", conversation=log.anonymous(grant.conversation_id), turns=len(exported.turns))
        name = f"kaiwa-{date(exported.at)[:10]}.{'json' if grant.is_json else 'txt'}"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        if grant.is_json:
            return Response(200, as_json(exported), headers, "application/json")
        return Response(200, as_text(exported), headers)

    async def _read(self, grant: Grant) -> Exported | None:
        return await read(await self.store(), grant.conversation_id, grant.generation, self.clock)


async def read(
    store: Store, conversation_id: str, generation: int, clock: Clock, most: float = EXPORT_BYTES
) -> Exported | None:
    """All turns, or the newest of `most` bytes; None when this generation of the conversation is erased or expired."""
    before = (await store.read(conversation_id)).conversation
    if not _is_there(before, generation, clock):
        return None
    parts, room = [before.turns], most - size(before.turns)
    async for turns in _archived(store, conversation_id, before, clock):
        room -= size(turns)
        if room < 0:
            break
        parts.append(turns)
    # It may have been erased, or a message withdrawn, while the archive was read.
    after = (await store.read(conversation_id)).conversation
    if not _is_there(after, generation, clock):
        return None
    kept = _without_unsent(after, tuple(turn for part in reversed(parts) for turn in part))
    return Exported(after, kept, room >= 0, clock())


def _is_there(state: Conversation, generation: int, clock: Clock) -> bool:
    return bool(state.source) and state.generation == generation and state.expire_at > clock()


async def _archived(
    store: Store, conversation_id: str, state: Conversation, clock: Clock
) -> AsyncIterator[tuple[Turn, ...]]:
    """The turns of each batch, the newest first; batches are read some at a time."""
    number = state.archived
    while number > 0:
        numbers, batches = await read_batches(store, conversation_id, state, number, clock())
        for batch in batches:
            yield batch.turns
        number = numbers[-1]


def as_text(exported: Exported) -> str:
    """For people: each message with its time and who wrote it."""
    language = exported.state.language
    entries = [phrase("export_title", language).format(date=date(exported.at))]
    entries += [] if exported.is_whole else [phrase("export_cut", language)]
    entries += [_entry(exported.state, turn) for turn in exported.turns] or [phrase("no_history", language)]
    return printable("\n\n".join(entries)) + "\n"


def as_json(exported: Exported) -> str:
    """For programs: `{exported_at, complete, turns: [{messages: [{at, speaker?, text}], answer}]}`."""
    turns = [{"messages": [_message(said) for said in turn.said], "answer": turn.answer} for turn in exported.turns]
    whole = {"exported_at": _iso(exported.at), "complete": exported.is_whole, "turns": turns}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _without_unsent(state: Conversation, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Withdrawn a moment ago, and not yet taken out of what is stored."""
    for message_id in {message_id for turn in turns for message_id in turn.message_ids if message_id in state.unsent}:
        turns = withdraw(turns, message_id)
    return turns


def _entry(state: Conversation, turn: Turn) -> str:
    language = state.language
    you, bot = phrase("you", language), phrase("bot", language)
    said = [f"{date(said.at)} {said.speaker or you}: {said.text}" for said in turn.said]
    return "\n".join([*said, f"{bot}: {turn.answer or phrase('unanswered', language)}"])


def _message(said: Said) -> dict[str, Any]:
    speaker = {"speaker": said.speaker} if said.speaker else {}
    return {"at": _iso(said.at), **speaker, "text": said.text}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(JAPAN).isoformat(timespec="seconds")
