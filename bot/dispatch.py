"""Handing events to the queue: one signed task per conversation, in the form of a webhook body."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import log, trace
from bot.conversation import Source
from bot.events import Event, wake
from bot.ports import Clock, Queue, Task
from bot.secrets import Secret
from bot.signature import sign
from bot.spans import span

TASK_BYTES = 90_000
"""Cloud Tasks takes 100 KB a task, its own fields included."""
AFTER_LEASE_MS = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook body that was read: each event that matters, with what LINE sent."""

    destination: str
    received_at: int
    events: tuple[tuple[Event, Mapping[str, Any]], ...]

    def by_conversation(self) -> list[list[tuple[Event, Mapping[str, Any]]]]:
        groups: dict[Source, list[tuple[Event, Mapping[str, Any]]]] = {}
        for event, raw in self.events:
            groups.setdefault(event.source, []).append((event, raw))
        return list(groups.values())


@dataclass(frozen=True, slots=True)
class Dispatcher:
    queue: Queue
    secret: Secret
    clock: Clock

    async def hand_over(self, delivery: Delivery) -> None:
        """Returns once the queue has every task. Raises Unavailable or Misconfigured; what it took comes twice."""
        secret = await self.secret.value()
        room = TASK_BYTES - len(_body(delivery.destination, [], delivery.received_at))
        bodies = [
            _body(delivery.destination, chunk, delivery.received_at)
            for group in delivery.by_conversation()
            for chunk in _chunks([raw for _, raw in group], room)
        ]
        with span("queue"):
            await asyncio.gather(*(self.queue.put(_task(secret, body)) for body in bodies))

    async def wake(self, source: Source, busy_until: int = 0, *, woken: bool = False) -> None:
        """One task that continues the conversation: just after the lease ends, or now.

        `woken`: by such a task, which came too early by this clock; the queue would not take its name again.
        """
        now = self.clock()
        at = busy_until + AFTER_LEASE_MS if busy_until else 0
        name = f"{source.conversation_id}-{busy_until}" if busy_until else ""
        name += f"-{now}" if name and woken else ""
        body = _body("", [wake(source, now)], now)
        secret = await self.secret.value()
        with span("queue"):
            await self.queue.put(_task(secret, body, name, at))


def _task(secret: str, body: bytes, name: str = "", at: int = 0) -> Task:
    around = trace.current()
    return Task(body, sign(secret, body), name, at, around.traceparent if around else "")


def _body(destination: str, events: Sequence[Mapping[str, Any]], received_at: int) -> bytes:
    return json.dumps({"destination": destination, "events": list(events), "receivedAt": received_at}).encode()


def _chunks(raws: Sequence[Mapping[str, Any]], room: int) -> Iterator[list[Mapping[str, Any]]]:
    """Events in their order, as many to a task as it holds. LINE sends none that does not fit alone."""
    chunk: list[Mapping[str, Any]] = []
    used = 0
    for raw in map(_without_emojis, raws):
        size = len(json.dumps(raw)) + len(", ")
        if size > room:
            log.event("events_skipped", "WARNING", why="too large", count=1)
            continue
        if used + size > room:
            yield chunk
            chunk, used = [], 0
        chunk.append(raw)
        used += size
    if chunk:
        yield chunk


def _without_emojis(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """LINE emoji stand in the text as words too; their list can be longer than the text."""
    message = raw.get("message")
    if not isinstance(message, dict) or "emojis" not in message:
        return raw
    return {**raw, "message": {key: value for key, value in message.items() if key != "emojis"}}
