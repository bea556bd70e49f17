"""Firestore fails, denies, or holds what nobody expected: the answer comes once, or the person is told."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from grpc import StatusCode

from bot.conversation import Conversation, Lease, Pending, Said, Turn
from bot.document import Document, decode, encode, size
from bot.limits import DAY_MS, WINDOW_BYTES
from bot.texts import phrase
from tests.faults.table import Seen
from tests.faults.tried import Case, Play, Tried, account, answered_once, now, outcome, until
from tests.pipeline import Pipeline
from tests.webhooks import NOW, said

CODES = {
    "Unavailable": (StatusCode.UNAVAILABLE, False),
    "DeadlineExceeded": (StatusCode.DEADLINE_EXCEEDED, False),
    "DeadlineExceeded, but done": (StatusCode.DEADLINE_EXCEEDED, True),
    "Aborted": (StatusCode.ABORTED, False),
}
COUNTS = {"once": 1, "five times": 5, "for good": 200}
STEPS = ("read", "claim", "settle", "delivered")
OUTAGES, CONFLICTS = 4, 26
"""So often one write is tried. One request that fails tries two or three: what it wanted, renewing and giving back."""
REFUSALS = {"PermissionDenied": StatusCode.PERMISSION_DENIED, "database missing": StatusCode.NOT_FOUND}

NEAR_1_MIB = 1_040_000
LONG_TURNS = 18
LONGER_TURNS = 200
OLD = "ずっと前の話"
NEW = "最後の話"
WRONG: Mapping[str, Any] = {
    "numbers": 7,
    "texts": "text",
    "nothing": None,
    "lists": [1, None, {"id": 2}, "x"],
    "maps": {"turns": [], "id": {}},
    "truth": True,
    "bytes": b"\xff",
    "fractions": 1.5,
}
FIELDS = ("turns", "pending", "done", "lease", "outbox", "rest", "usage", "generation", "unsent", "summary", "floor")
REMEMBERED = ("unknown fields", "missing fields", "a broken turn", "a lease for ever")
ODD = (*REMEMBERED, *(f"every field of {what}" for what in WRONG))
row = pytest.mark.row


def _fails(step: str, code: str, count: str) -> Play:
    """What fails for good is healed when whoever brought the event has been told to bring it again."""

    async def play(case: Case) -> None:
        status, is_done = CODES[code]
        firestore, about = case.kaiwa.firestore, case.conversation_id
        method = "BatchGetDocuments" if step == "read" else "Commit"
        firestore.fail_next(method, status, is_done, COUNTS[count], about, _since(step))
        saying = asyncio.create_task(case.say())
        if _is_noticed(step, code, count):
            await case.refused()
            case.notes["failed"] = COUNTS[count] - firestore.waiting(about)
            firestore.heal(about)
        await saying
        await case.answered()

    return play


def _since(step: str) -> str:
    return step if step in ("settle", "delivered") else ""


def _is_noticed(step: str, code: str, count: str) -> bool:
    """A write that is done but not acknowledged is recognised: nobody need be told to try again."""
    return count == "for good" and (step == "read" or not CODES[code][1])


def _refuses(step: str, code: str) -> Play:
    """What is taken in already is denied until it has been brought twice in vain."""

    async def play(case: Case) -> None:
        firestore, about = case.kaiwa.firestore, case.conversation_id
        method = "BatchGetDocuments" if step == "read" else "Commit"
        firestore.fail_next(method, REFUSALS[code], False, 200, about, _since(step))
        saying = asyncio.create_task(case.say())
        if _since(step):
            await until(lambda: case.brought().count(503) > 1)
        else:
            await case.answered()
            await case.accepted()
        case.notes["failed"] = 200 - firestore.waiting(about)
        firestore.heal(about)
        await saying
        await case.answered()

    return play


def _finds(document: Document) -> Play:
    async def play(case: Case) -> None:
        await case.store({**document, "source": {"type": "user", "id": case.person.user_id}})
        await case.say()
        await case.answered()

    return play


def _turns(*texts: str, bytes_each: int = 0) -> tuple[Turn, ...]:
    begun = now() - DAY_MS // 2
    return tuple(
        Turn(f"turn-{n}", (Said(f"message-{n}", text + "あ" * (bytes_each // 3), begun + n),), "はい。")
        for n, text in enumerate(texts)
    )


def _document(state: Conversation, expire_at: timedelta = timedelta(days=1)) -> Document:
    return {**encode(state), "expire_at": datetime.now(UTC) + expire_at}


def _odd(what: str) -> Document:
    good = _document(Conversation(generation=1, turns=_turns(OLD)))
    match what:
        case "unknown fields":
            return {**good, "later": {"a": [1]}, "turns": [{**good["turns"][0], "mood": "good"}]}
        case "missing fields":
            return {name: good[name] for name in ("turns", "expire_at")}
        case "a broken turn":
            return {**good, "turns": [{"id": 7, "said": "x"}, *good["turns"], {"answer": "alone"}, None]}
        case "a lease for ever":
            return {**good, "lease": {"owner": "nobody", "until": 2**53}}
        case _:
            return {**good, **dict.fromkeys(FIELDS, WRONG[what.removeprefix("every field of ")])}


def _expired() -> Document:
    """It would remember, answer late and wait for somebody else, were it not gone."""
    late = Pending("old", now() - 1000, "text", now() - 1000, OLD, "m", "token")
    state = Conversation(None, 1, _turns(OLD), OLD, 0, 0, (late,), lease=Lease("other", now() + 60_000))
    return _document(state, -timedelta(hours=1))


def _near_1_mib() -> Document:
    texts = [OLD] * 19 + [NEW]
    document = _document(Conversation(None, 1, _turns(*texts, bytes_each=NEAR_1_MIB // 20 - 100)))
    assert 1_000_000 < size(decode(document)) < 1_048_000
    return document


async def _long_messages(case: Case) -> None:
    """Older than a minute, so that the limit of messages per minute is out of the way."""
    first = now() - LONG_TURNS * 1_500 - 100_000
    for number in range(LONG_TURNS):
        await case.say(at=first + number * 1_500, text=f"{case.text}-{number:03d}" + "字" * 4_950)
        await case.answered(number + 1)
        if number % 3 == 2:
            state = decode(await case.stored())
            case.notes["size"] = max(size(state), case.notes.get("size", 0))


FAILING = [(s, c, n) for s in STEPS for c in CODES for n in COUNTS]
FAILING_INLINE = [(s, c, n) for s, c, n in FAILING if c in ("Unavailable", "Aborted") and n != "five times"]
REFUSING = [(s, c) for s in STEPS for c in REFUSALS if s == "read" or c == "PermissionDenied"]
REFUSING_PLAYS = {f"D2 {s} {c}": _refuses(s, c) for s, c in REFUSING}
PLAYS: dict[str, dict[str, Play]] = {
    "inline": {f"D1 {s} {c} {n}": _fails(s, c, n) for s, c, n in FAILING_INLINE} | REFUSING_PLAYS,
    "queue": {f"D1 {s} {c} {n}": _fails(s, c, n) for s, c, n in FAILING}
    | REFUSING_PLAYS
    | {"D3 near": _finds(_near_1_mib()), "D3 long": _long_messages, "D5": _finds(_expired())}
    | {f"D4 {what}": _finds(_odd(what)) for what in ODD},
}


@row("D1", injected="{code} {count} at {step}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize(("step", "code", "count"), FAILING)
def test_d1_firestore_fails(tried: Tried, seen: Seen, step: str, code: str, count: str) -> None:
    """Tried again within bounds, then left to the queue; answered once, and in the history once.

    Only a settle that could not be written, for as long as a request tries, costs a second question to the model.
    """
    case = outcome(tried, f"D1 {step} {code} {count}")
    seen(account(case))
    _is_held(case, step, code, count)


@row("D1", injected="{code} {count} at {step}")
@pytest.mark.mode("inline")
@pytest.mark.parametrize(("step", "code", "count"), FAILING_INLINE)
def test_d1_firestore_fails_inline(tried: Tried, seen: Seen, step: str, code: str, count: str) -> None:
    """Without a queue LINE is told to deliver again, and the same holds."""
    case = outcome(tried, f"D1 {step} {code} {count}")
    seen(account(case))
    _is_held(case, step, code, count)


def _is_held(case: Case, step: str, code: str, count: str) -> None:
    answered_once(case)
    is_given_up = any(status == 503 for status in case.attempts)
    assert len(case.asked) <= (2 if step == "settle" and is_given_up and not CODES[code][1] else 1)
    assert is_given_up or not _is_noticed(step, code, count)
    assert set(case.attempts) <= {200, 503}
    assert count != "once" or not is_given_up
    assert case.notes.get("failed", 0) <= 3 * (CONFLICTS if code == "Aborted" else OUTAGES)
    assert not case.pushes


@row("D2", injected="{code} at {step}")
@pytest.mark.parametrize(("step", "code"), REFUSING)
def test_d2_firestore_denies(tried: Tried, seen: Seen, step: str, code: str) -> None:
    """One line for the operator, one sentence for the person, and no storm of retries.

    Nobody apologises for what is taken in already: it waits with whoever brings it, and is answered once.
    """
    case = outcome(tried, f"D2 {step} {code}")
    failures = [line for line in case.logged if line["severity"] == "ERROR"]
    seen(f"{account(case)}, {case.notes['failed']} calls to Firestore denied, {len(failures)} log lines")
    remedy = "roles/datastore.user" if code == "PermissionDenied" else "databases create"
    assert {line["event"] for line in failures} == {"conversation_failed"}
    assert all(remedy in line["remedy"] for line in failures)
    if _since(step):
        answered_once(case)
        assert len(case.asked) == (2 if step == "settle" else 1)
        assert len(failures) == case.attempts.count(503)
        assert case.notes["failed"] <= 3 * case.attempts.count(503)
    else:
        assert case.attempts == [200]
        assert case.texts == [phrase("trouble", "ja")]
        assert case.shown[0].way == "reply"
        assert (len(failures), len(case.asked)) == (1, 0)
        assert case.notes["failed"] <= 2


@row("D3", injected="a document of 1,040,000 bytes")
@pytest.mark.mode("queue")
def test_d3_near_1_mib(tried: Tried, seen: Seen) -> None:
    """It is trimmed before it is written, the newest turns are kept, and the message is answered."""
    case = outcome(tried, "D3 near")
    seen(f"{account(case)}, {size(case.state):,} bytes, {len(case.state.turns)} turns afterwards")
    assert len(case.shown) == 1
    assert case.text in case.shown[0].text
    assert size(case.state) < WINDOW_BYTES + 50_000
    assert case.state.turns[-1].said[0].text == case.text
    assert case.state.turns[-2].said[0].text.startswith(NEW)


@row("D3", injected=f"{LONG_TURNS} messages of 5,000 characters")
@pytest.mark.mode("queue")
def test_d3_long_messages(tried: Tried, seen: Seen) -> None:
    """The document stays below its bound, the newest turns are there, and every message was answered."""
    case = outcome(tried, "D3 long")
    seen(f"{len(case.shown)} answers, at most {case.notes['size']:,} bytes")
    assert len(case.shown) == LONG_TURNS
    assert case.notes["size"] < WINDOW_BYTES + 100_000
    newest = [turn.said[0].text.split("字")[0] for turn in case.state.turns]
    assert newest == [f"{case.text}-{n:03d}" for n in range(LONG_TURNS - len(newest), LONG_TURNS)]
    assert len(newest) > 5


@row("D3", injected=f"{LONGER_TURNS} messages of 5,000 characters, in memory")
async def test_d3_more_long_messages(seen: Seen) -> None:
    """The same for longer, with fakes: no document ever grows, and none of the turns is lost."""
    pipeline, largest = Pipeline(), 0
    for number in range(LONGER_TURNS):
        at = NOW - (LONGER_TURNS - number) * 1_000
        await pipeline.take(said(f"{number:03d}" + "字" * 4_990, at=at))
        largest = max(largest, size(pipeline.state()))
    window = [turn.said[0].text for turn in pipeline.state().turns]
    seen(f"{len(pipeline.shown())} answers, at most {largest:,} bytes")
    assert len(pipeline.shown()) == LONGER_TURNS
    assert largest < WINDOW_BYTES + 100_000
    assert [int(text[:3]) for text in (*pipeline.archived(), *window)] == [*range(LONGER_TURNS)]
    assert len(window) > 5


@row("D4", injected="{what}")
@pytest.mark.parametrize("what", ODD)
@pytest.mark.mode("queue")
def test_d4_odd_documents(tried: Tried, seen: Seen, what: str) -> None:
    """What can be read is remembered, what cannot is set aside, and the person is answered at once."""
    case = outcome(tried, f"D4 {what}")
    is_remembered = OLD in str(case.asked[0]["input"])
    seen(f"{account(case)}, {'what was said before is remembered' if is_remembered else 'begun anew'}")
    assert len(case.shown) == len(case.asked) == 1
    assert case.attempts == [200]
    assert is_remembered == (what in REMEMBERED)
    assert case.state.turns[-1].said[0].text == case.text
    assert (case.state.pending, case.state.outbox, case.state.lease) == ((), (), None)


@row("D5", injected="expired an hour ago")
@pytest.mark.mode("queue")
def test_d5_expired(tried: Tried, seen: Seen) -> None:
    """What should be gone is gone: not remembered, not answered, not waited for, and overwritten."""
    case = outcome(tried, "D5")
    seen(f"{account(case)}, begun anew")
    answered_once(case)
    assert case.attempts == [200]
    assert OLD not in str(case.asked)
    assert case.state.summary == ""
