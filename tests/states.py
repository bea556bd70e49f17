"""Short ways to events and states of the state machine, for its tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot import claiming, settling
from bot.claiming import Claim
from bot.conversation import Conversation, Outgoing, Part, Pending, Said, Source, Turn
from bot.events import Event
from bot.limits import DAY_MS, Policy
from bot.outbox import Disposition
from bot.ports import Change
from bot.results import Result
from bot.segments import deliverable, next_segment
from bot.settling import Hold, Step
from bot.texts import phrase

NOW = 1_800_000_000_000
LEASE = 20_000
POLICY = Policy(lease_ms=LEASE, retention_ms=90 * DAY_MS)
SOURCE = Source("user", "U" + "1" * 32)
NOTICE = phrase("dropped", "en")
ANSWER = Result(("the answer",), answer="the answer", remembered=True)


def said(name: str = "a", at: int = NOW, **fields: Any) -> Event:
    """A text message `text-a` with the id `e-a`, the message id `m-a` and the token `t-a`."""
    event = Event(f"e-{name}", at, SOURCE, "say", at, text=f"text-{name}", message_id=f"m-{name}", token=f"t-{name}")
    return replace(event, **fields)


def command(text: str, at: int = NOW) -> Event:
    return said(text, at, kind="command", text=text)


def unsent(name: str = "a", at: int = NOW) -> Event:
    """The withdrawal of what `said(name)` said."""
    return Event(f"u-{name}", at, SOURCE, "unsend", at, message_id=f"m-{name}")


def erasing(action: Any = "forget", at: int = NOW) -> Event:
    """`forget`, or `left` for unfollow and leave."""
    return Event(f"{action}-{at}", at, SOURCE, action, at)


def turn(name: str = "a", at: int = NOW, answer: str = "the answer") -> Turn:
    """What is left of `said(name)` once it is answered."""
    return Turn(f"turn-{name}", (Said(f"m-{name}", f"text-{name}", at),), answer)


def part(name: str = "a", at: int = NOW, *bubbles: str) -> Part:
    return Part(f"turn-{name}", at, (f"m-{name}",), bubbles or (f"answer-{name}",))


def waiting(name: str = "a", at: int = NOW, *bubbles: str) -> Outgoing:
    """An answer that could not be pushed."""
    return Outgoing(f"turn-{name}", (part(name, at, *bubbles),), "wait")


def stored(**fields: Any) -> Conversation:
    """A conversation that has begun and lives."""
    return Conversation(source=SOURCE, generation=1, expire_at=NOW + 90 * DAY_MS, **fields)


def claim(before: Conversation, *events: Event, owner: str = "me", now: int = NOW) -> tuple[Conversation, Claim]:
    change = claiming.claim(before, events, owner, now, POLICY)
    return change.conversation, change.outcome


def held(*events: Event, before: Conversation | None = None, owner: str = "me", now: int = NOW) -> Conversation:
    """The state once `owner` has claimed these events and the lease."""
    state, claimed = claim(before or Conversation(), *events, owner=owner, now=now)
    assert claimed.held
    return state


def settle(
    before: Conversation,
    result: Result = ANSWER,
    *,
    owner: str = "me",
    now: int = NOW,
    segment: Sequence[Pending] = (),
) -> Change[Step]:
    """Settle the next segment, or one that was taken earlier."""
    segment = segment or next_segment(before)
    turn_id = "turn-" + "-".join(pending.event_id for pending in segment)
    return settling.settle(before, Hold(owner, now, POLICY), turn_id, segment, result)


def delivered(
    before: Conversation,
    disposition: Disposition = "shown",
    sent_ids: Sequence[str] = (),
    *,
    owner: str = "me",
    rounds: int = 1,
    now: int = NOW,
) -> Change[Step]:
    """Record what became of the answer that is on its way."""
    outgoing = deliverable(before)
    outgoing_id = outgoing.id if outgoing else ""
    return settling.delivered(before, Hold(owner, now, POLICY), outgoing_id, disposition, sent_ids, rounds)


def answered(*events: Event, before: Conversation | None = None, now: int = NOW) -> Conversation:
    """The state once these events are answered and the answer was shown."""
    return delivered(settle(held(*events, before=before, now=now), now=now).conversation, now=now).conversation
