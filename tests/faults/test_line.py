"""LINE refuses, or leaves in doubt what it has done: one answer is shown, or it waits for the person's next message."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.local.calls import Fault
from bot.local.chats import Content, Json
from bot.texts import Phrase, phrase
from tests.faults.memory import mebibytes
from tests.faults.table import Seen
from tests.faults.tried import Case, Play, Tried, account, answered_once, outcome
from tests.world import World

REPLY, PUSH, LOADING = "/message/reply", "/message/push", "/loading/start"
FOR_GOOD = 99
GROWTH_MIB = 25

REPLY_FAULTS: dict[str, tuple[Fault, int]] = {
    "429 once": (429, 1),
    "429 for good": (429, FOR_GOOD),
    "500 once": (500, 1),
    "500 for good": (500, FOR_GOOD),
    "timeout before acceptance": ("hang", 1),
    "timeout after acceptance": ("hang-after", 1),
    "cut before acceptance": ("drop-before", 1),
    "cut after acceptance": ("drop-after", 1),
    "cut after acceptance, for good": ("drop-after", FOR_GOOD),
    "an odd body after acceptance": ("odd-after", 1),
    "401 once": (401, 1),
    "401 for good": (401, FOR_GOOD),
}
REPLY_INLINE = ("500 once", "500 for good", "cut after acceptance", "cut after acceptance, for good", "429 once")
SENT_BY_PUSH = ("429 for good", "401 for good")
"""Nothing was shown by the token for certain, and it will be dead by the next try."""

PUSH_FAULTS: dict[str, tuple[Fault, int]] = {
    "409": ("drop-after", 1),
    "timeout after acceptance": ("hang-after", 1),
    "500 once": (500, 1),
    "500 for good": (500, FOR_GOOD),
    "429 for good": (429, FOR_GOOD),
}
PUSH_REFUSALS: dict[str, Fault] = {"400 unknown user": 400, "403": 403}
LOADING_FAULTS: dict[str, Fault] = {"400": 400, "500": 500, "cut": "drop-before", "hang": "hang"}

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100
M4A = b"\x00\x00\x00\x18ftypM4A " + b"\x00" * 100
FORTY_MB = 40_000_000


@dataclass(frozen=True, slots=True)
class Download:
    """What LINE gives for a message of a kind: `faults` before anything else, then `content`."""

    kind: str
    told: Phrase | None
    content: Content | None = None
    faults: Sequence[Fault] = ()
    size: int = 100


DOWNLOADS: dict[str, Download] = {
    "202 once": Download("image", None, Content("image/png", PNG), [202]),
    "202 for good": Download("audio", "media_not_ready", Content("audio/x-m4a", M4A), [202] * FOR_GOOD),
    "404": Download("image", "media_gone"),
    "410": Download("file", "media_gone", faults=[410]),
    "500 once": Download("image", None, Content("image/png", PNG), [500]),
    "cut once": Download("image", None, Content("image/png", PNG), ["drop-before"]),
    "hang": Download("image", "media_not_ready", Content("image/png", PNG), ["hang"] * FOR_GOOD),
    "40 MB image": Download("image", "media_too_large", Content("image/png", PNG + b"\x00" * FORTY_MB)),
    "40 MB file, told before": Download("file", "media_too_large", Content("application/pdf", PNG), size=FORTY_MB),
    "40 MB file, told wrongly": Download("file", "media_too_large", Content("application/pdf", b"x" * FORTY_MB)),
    "endless": Download("image", "media_too_large", Content("image/png", PNG * 1_000, endless=True)),
    "wrong type of image": Download("image", "media_wrong_type", Content("image/png", b"<html>no picture</html>")),
    "wrong type of audio": Download("audio", "media_wrong_type", Content("text/html", b"<html>no sound</html>")),
    "wrong type of file": Download("file", "media_wrong_type", Content("application/pdf", b"PK\x03\x04\x00\x00")),
}
NOT_FETCHED: dict[str, Json] = {
    "video": {"contentProvider": {"type": "line"}, "duration": 60_000, "quoteToken": "q"},
    "hologram": {"contentProvider": {"type": "line"}, "quoteToken": "q"},
}
row = pytest.mark.row


async def _say_until_healed(case: Case, event: Json, is_lasting: bool) -> None:
    """What fails for good is healed when whoever brought the event has been told to bring it again."""
    saying = asyncio.create_task(case.deliver(event))
    if is_lasting:
        await case.refused()
        case.kaiwa.line.heal(case.person.chat_id)
    await saying
    await case.answered()
    await case.accepted()


def _replying(fault: Fault, times: int) -> Play:
    async def play(case: Case) -> None:
        for path in (REPLY, PUSH) if fault == 401 and times > 1 else (REPLY,):
            case.kaiwa.line.fail_next(path, fault, times, case.person.chat_id)
        # By push it is shown without anybody having to bring the event again.
        is_lasting = times > 1 and fault != 429
        await _say_until_healed(case, case.kaiwa.line.events.text(case.person, case.text), is_lasting)

    return play


async def _dead_token(case: Case) -> None:
    event = case.kaiwa.line.events.text(case.person, case.text)
    tokens = case.kaiwa.line.chats.tokens
    tokens[event["replyToken"]] = replace(tokens[event["replyToken"]], received_at=0)
    await case.deliver(event)
    await case.answered()


def _without_token(case: Case) -> Json:
    """As when the event is too old for its token: the answer can only be pushed."""
    event = case.kaiwa.line.events.text(case.person, case.text)
    return {name: value for name, value in event.items() if name != "replyToken"}


def _pushing(fault: Fault, times: int) -> Play:
    async def play(case: Case) -> None:
        case.kaiwa.line.fail_next(PUSH, fault, times, case.person.chat_id)
        await _say_until_healed(case, _without_token(case), times > 1)

    return play


def _refusing_push(fault: Fault) -> Play:
    async def play(case: Case) -> None:
        case.kaiwa.line.fail_next(PUSH, fault, 1, case.person.chat_id)
        await case.deliver(_without_token(case))
        await case.accepted()
        case.notes["waiting"] = case.kaiwa.shown(case.person)
        await case.say(text="次の話")
        await case.answered(2)

    return play


def _loading(fault: Fault) -> Play:
    async def play(case: Case) -> None:
        case.kaiwa.line.fail_next(LOADING, fault, 1, case.person.chat_id)
        await case.say()
        await case.answered()
        calls = case.kaiwa.line.calls_to(LOADING)
        case.notes["loading"] = [call for call in calls if call.json["chatId"] == case.person.chat_id]

    return play


def _downloading(download: Download) -> Play:
    async def play(case: Case) -> None:
        line = case.kaiwa.line
        event = _of_kind(case, download)
        message_id = event["message"]["id"]
        if download.content:
            line.chats.contents[message_id] = download.content
        for fault in download.faults:
            line.fail_next(f"/{message_id}/content", fault)
        await case.deliver(event)
        await case.answered()
        await case.accepted()
        case.notes["calls"] = line.calls_to(f"/{message_id}/content")
        line.chats.contents.pop(message_id, None)

    return play


def _of_kind(case: Case, download: Download) -> Json:
    events = case.kaiwa.line.events
    if download.kind == "image":
        return events.image(case.person)
    if download.kind == "audio":
        return events.audio(case.person, 3_000)
    return events.file(case.person, f"{case.text}.pdf", download.size)


def _sending(kind: str) -> Play:
    async def play(case: Case) -> None:
        message: dict[str, Any] = {"type": kind, "id": case.text, **NOT_FETCHED[kind]}
        await case.deliver(case.kaiwa.line.events.message(case.person, message))
        await case.answered()
        case.notes["calls"] = case.kaiwa.line.calls_to(f"/{case.text}/content")

    return play


PLAYS: dict[str, dict[str, Play]] = {
    "queue": {f"F1 {what}": _replying(*fault) for what, fault in REPLY_FAULTS.items()}
    | {"F1 dead token": _dead_token}
    | {f"F2 {what}": _pushing(*fault) for what, fault in PUSH_FAULTS.items()}
    | {f"F2 {what}": _refusing_push(fault) for what, fault in PUSH_REFUSALS.items()}
    | {f"F3 {what}": _loading(fault) for what, fault in LOADING_FAULTS.items()}
    | {f"F4 {what}": _downloading(download) for what, download in DOWNLOADS.items()}
    | {f"F4 {kind}": _sending(kind) for kind in NOT_FETCHED},
    "inline": {f"F1 {what}": _replying(*REPLY_FAULTS[what]) for what in REPLY_INLINE},
}


@row("F1", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", REPLY_FAULTS)
def test_f1_reply(tried: Tried, seen: Seen, what: str) -> None:
    """Tried again with the same token, and pushed only where LINE has certainly shown nothing."""
    _is_shown_once(outcome(tried, f"F1 {what}"), seen, what)


@row("F1", injected="{what}")
@pytest.mark.mode("inline")
@pytest.mark.parametrize("what", REPLY_INLINE)
def test_f1_reply_inline(tried: Tried, seen: Seen, what: str) -> None:
    """The same without a queue, where LINE delivers again."""
    _is_shown_once(outcome(tried, f"F1 {what}"), seen, what)


def _is_shown_once(case: Case, seen: Seen, what: str) -> None:
    way = "push" if what in SENT_BY_PUSH else "reply"
    seen(f"{account(case)}, by {way} after {len(case.replies)} calls to reply")
    answered_once(case)
    assert len(case.asked) == 1
    assert [bubble.way for bubble in case.shown] == [way]
    assert bool(case.pushes) == (way == "push")
    assert len({call.json["replyToken"] for call in case.replies}) == 1
    assert len(case.replies) <= 10
    assert set(case.attempts) == ({200, 503} if what.endswith("for good") and what != "429 for good" else {200})


@row("F1", injected="400 dead token")
@pytest.mark.mode("queue")
def test_f1_dead_token(tried: Tried, seen: Seen) -> None:
    """A token that LINE has let expire: the answer is pushed, once."""
    case = outcome(tried, "F1 dead token")
    seen(f"{account(case)}, reply {[call.status for call in case.replies]}, push {[c.status for c in case.pushes]}")
    answered_once(case)
    assert [call.status for call in case.replies] == [400]
    assert [call.status for call in case.pushes] == [200]
    assert case.attempts == [200]


@row("F2", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", PUSH_FAULTS)
def test_f2_push(tried: Tried, seen: Seen, what: str) -> None:
    """Tried again as the same push: 409 tells that it had arrived, and one answer is shown."""
    case = outcome(tried, f"F2 {what}")
    seen(f"{account(case)}, push {[call.status or 'no answer' for call in case.pushes]}")
    answered_once(case)
    assert len(case.asked) == 1
    assert not case.replies
    assert len({call.headers["x-line-retry-key"] for call in case.pushes}) == 1
    assert case.pushes[-1].status == (409 if what in ("409", "timeout after acceptance") else 200)
    assert len(case.pushes) <= 10


@row("F2", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", PUSH_REFUSALS)
def test_f2_push_refused(tried: Tried, seen: Seen, what: str) -> None:
    """The answer waits, nobody tries again, and it rides in front of the next answer."""
    case = outcome(tried, f"F2 {what}")
    seen(f"{len(case.notes['waiting'])} shown, {len(case.pushes)} push; {len(case.shown)} with the next message")
    _has_waited(case)


def _has_waited(case: Case) -> None:
    assert case.notes["waiting"] == []
    assert set(case.attempts) == {200}
    assert len(case.pushes) == 1
    assert [text[1:].startswith(said) for text, said in zip(case.texts, (case.text, "次の話"), strict=True)] == [
        True
    ] * 2
    assert [bubble.way for bubble in case.shown] == ["reply", "reply"]
    assert len(case.asked) == 1
    assert case.state.outbox == ()


@row("F2", injected="429 monthly limit")
@pytest.mark.mode("queue")
async def test_f2_monthly_limit(kaiwa: World, seen: Seen) -> None:
    """When the month's pushes are used up the answer waits, and comes with the next message, free of charge."""
    case = Case(kaiwa, kaiwa.person(), "月末のことば")
    kaiwa.line.monthly_quota = kaiwa.line.pushed
    await case.deliver(_without_token(case))
    await kaiwa.settled()
    case.notes["waiting"] = kaiwa.shown(case.person)
    await case.say(text="次の話")
    await case.answered(2)
    await kaiwa.settled()
    await case.keep()
    seen(f"{len(case.notes['waiting'])} shown, {len(case.pushes)} push; {len(case.shown)} with the next message")
    _has_waited(case)
    assert kaiwa.line.pushed == kaiwa.line.monthly_quota


@row("F3", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", LOADING_FAULTS)
def test_f3_loading_animation(tried: Tried, seen: Seen, what: str) -> None:
    """It was asked for, and the answer did not wait for it."""
    case = outcome(tried, f"F3 {what}")
    (loading,) = case.notes["loading"]
    took = case.replies[0].at - loading.at
    seen(f"{account(case)}, answered {took} ms later")
    answered_once(case)
    assert case.attempts == [200]
    assert took < 4_000  # half of what a call may take


@row("F4", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", DOWNLOADS)
def test_f4_download(tried: Tried, seen: Seen, what: str) -> None:
    """What passes is tried again; else the person is told in one sentence, and the model is not asked.

    The message is done either way: nobody downloads it again.
    """
    case, told = outcome(tried, f"F4 {what}"), DOWNLOADS[what].told
    seen(f"{told or 'answered'}, {len(case.notes['calls'])} downloads tried")
    assert len(case.shown) == 1
    assert case.shown[0].way == "reply"
    assert (case.texts == [phrase(told, "ja")]) if told else ("PNG" in case.texts[0])
    assert len(case.state.turns) == 1
    assert (case.state.pending, case.state.outbox, case.state.lease) == ((), (), None)
    assert case.attempts == [200]
    assert len(case.notes["calls"]) <= 6
    assert (what == "40 MB file, told before") == (case.notes["calls"] == [])


@row("F4", injected="{kind}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("kind", NOT_FETCHED)
def test_f4_not_fetched(tried: Tried, seen: Seen, kind: str) -> None:
    """What the bot cannot watch, and what LINE has not invented yet, is told in a sentence and not downloaded."""
    case = outcome(tried, f"F4 {kind}")
    seen("told in a sentence, nothing downloaded")
    assert case.texts == [phrase("video" if kind == "video" else "unsupported", "ja")]
    assert case.shown[0].way == "reply"
    assert case.notes["calls"] == []
    assert case.attempts == [200]


@row("F4", injected="endless, ten times")
@pytest.mark.mode("queue")
async def test_f4_memory(kaiwa: World, seen: Seen) -> None:
    """Bytes live as long as the turn: however much LINE sends, the process does not grow."""
    before = 0.0
    for number in range(10):
        person = kaiwa.person()
        event = kaiwa.line.events.image(person)
        kaiwa.line.chats.contents[event["message"]["id"]] = Content("image/png", PNG * 1_000, endless=True)
        await kaiwa.line.deliver(kaiwa.url, event)
        await kaiwa.line.wait_for_sent(person.chat_id, 1, 30)
        if number == 2:
            before = mebibytes(kaiwa.function)
    grown = mebibytes(kaiwa.function) - before
    seen(f"grown by {grown:.0f} MiB in seven more")
    assert grown < GROWTH_MIB
