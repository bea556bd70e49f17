"""Duplicates, order and replay: every event counts once, whenever and however often it comes."""

import asyncio

import grpc
import pytest

from bot.conversation import Source
from bot.local.chats import Json
from bot.local.model import Scripted
from bot.local.webhook import Speaker
from bot.texts import phrases
from tests.faults.steps import (
    DAY_MS,
    MINUTE_MS,
    NO_COSTS,
    account,
    costs,
    count_anew,
    last_line,
    now,
    post_apart,
    times_asked,
    until,
)
from tests.faults.stored import Stored, stored
from tests.faults.table import Seen
from tests.world import World

__all__ = ["stored"]

row = pytest.mark.row


@row("B1", injected="the same body twenty times at once")
async def test_b1_the_same_body_twenty_times(kaiwa: World, seen: Seen) -> None:
    """Twenty times 200, one model call, one answer; without a queue each 200 comes when the answer is out."""
    await kaiwa.say(kaiwa.person(), "暖機")  # loading the SDKs on a slow machine outlives a lease of two seconds
    await kaiwa.settled()
    count_anew(kaiwa)
    person = kaiwa.person()
    kaiwa.model.script.append(Scripted("一度だけ。", delay=0.5))
    event = kaiwa.line.events.text(person, "一度だけ答えて")

    async def posted() -> tuple[int, int]:
        return await post_apart(kaiwa, event), len(kaiwa.shown(person))

    answers = await asyncio.gather(*(posted() for _ in range(20)))
    await kaiwa.settled()
    statuses, shown = zip(*answers, strict=True)
    seen(f"{statuses.count(200)} × 200, {account(kaiwa, person)}")
    assert statuses == (200,) * 20
    assert kaiwa.mode == "queue" or shown == (1,) * 20
    assert (kaiwa.shown(person), len(kaiwa.model.requests)) == (["一度だけ。"], 1)
    assert len(kaiwa.line.calls_to("/reply")) == 1


@row("B2", injected="again during the turn, after it, after a restart")
async def test_b2_a_duplicate_at_every_moment(kaiwa: World, seen: Seen) -> None:
    """Nothing further happens, whether the turn is under way or long done."""
    person = kaiwa.person()
    event = kaiwa.line.events.text(person, "一度きり")
    again = kaiwa.line.redelivered(event)
    duplicates: list[asyncio.Task[int]] = []

    async def deliver_again() -> None:
        duplicates.append(asyncio.create_task(kaiwa.insist(again)))

    kaiwa.model_taps.on("/responses", "before", deliver_again)
    await kaiwa.insist(event)
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await asyncio.gather(*duplicates)
    await kaiwa.insist(again)
    await kaiwa.settled(ahead=3)
    await kaiwa.restart()
    await kaiwa.insist(again)
    await kaiwa.settled()
    seen(f"{1 + len(duplicates)} + 2 deliveries, {account(kaiwa, person)}")
    assert duplicates
    assert (len(kaiwa.shown(person)), len(kaiwa.model.requests)) == (1, 1)
    assert len(kaiwa.line.calls_to("/reply")) == 1


@pytest.mark.parametrize(("minutes", "way"), [(19, "reply"), (21, "push")])
@row("B3", injected="first handled {minutes} minutes after it happened")
async def test_b3_redelivered_late(kaiwa: World, seen: Seen, minutes: int, way: str) -> None:
    """Until 20 minutes after the event, which is as long as LINE takes tokens, answered by token; later by push."""
    person = kaiwa.person()
    event = kaiwa.line.events.text(person, "遅れて届いた", at=now() - minutes * MINUTE_MS)
    await kaiwa.insist(kaiwa.line.redelivered(event))
    await kaiwa.settled()
    ways = [bubble.way for bubble in kaiwa.line.sent(person.chat_id)]
    seen(f"{account(kaiwa, person)}, by {'+'.join(ways)}")
    assert ways == [way]
    assert len(kaiwa.model.requests) == 1


@row("B4", injected="a signed body again after two days")
async def test_b4_replayed_after_two_days(kaiwa: World, seen: Seen) -> None:
    """Older than a day is a replay, whether its conversation is known or not: dropped, and nothing is written."""
    known, unknown = kaiwa.person(), kaiwa.person()
    await kaiwa.say(known, "こんにちは")
    await kaiwa.settled()
    count_anew(kaiwa)
    for person in (known, unknown):
        await kaiwa.insist(kaiwa.line.events.text(person, "二日前の話", at=now() - 2 * DAY_MS))
    await kaiwa.settled()
    seen(costs(kaiwa))
    assert costs(kaiwa) == NO_COSTS


@row("B4", injected="a signed body again after /forget")
async def test_b4_replayed_after_forget(kaiwa: World, seen: Seen) -> None:
    """What was forgotten does not come back with a copy of the message."""
    person = kaiwa.person()
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(person, "忘れてほしい"))
    await kaiwa.post(body, signature)
    await kaiwa.settled()
    await kaiwa.say(person, "/forget")
    await kaiwa.settled()
    count_anew(kaiwa)
    assert (await kaiwa.post(body, signature)).status == 200
    await kaiwa.settled()
    seen(costs(kaiwa))
    assert costs(kaiwa) == NO_COSTS


@row("B5", injected="the second of two messages handled first")
async def test_b5_the_second_first(kaiwa: World, seen: Seen) -> None:
    """Both are answered, and the history tells them in the order in which they were written."""
    person = kaiwa.person()
    first = kaiwa.line.events.text(person, "ひとつめ", at=now() - 2000)
    second = kaiwa.line.events.text(person, "ふたつめ", at=now() - 1000)
    for event in (second, first):
        await kaiwa.insist(event)
        await kaiwa.settled()
    told = account(kaiwa, person)
    history = await kaiwa.say(person, "/history")
    # The stand-in for the model repeats what was said: what the person wrote begins with a label.
    said = [line for line in history.splitlines() if line.startswith("あなた: ")]
    seen(f"{told}, history: {', '.join(line.removeprefix('あなた: ') for line in said)}")
    assert told == "2 answers, 2 model calls"
    assert said == ["あなた: ひとつめ", "あなた: ふたつめ"]


@row("B6", injected="ten quick messages; of the last nine tokens one alive")
async def test_b6_ten_quick_messages(kaiwa: World, stored: Stored, seen: Seen) -> None:
    """Those that come during a turn are answered as one, by whichever of their tokens is alive."""
    # The default: on a slow machine ten writers outlive a lease of two seconds, and the model is asked again.
    await kaiwa.restart(LEASE_SECONDS="20")
    person, start = kaiwa.person(), now() - 1000
    texts = [f"{number}番目の話" for number in range(1, 11)]
    kaiwa.model.script += ["一つ目に答えます。", "残りに答えます。"]
    events = [kaiwa.line.events.text(person, text, at=start + n) for n, text in enumerate(texts)]
    for event in (*events[1:4], *events[5:]):
        assert kaiwa.line.chats.take_token(event["replyToken"])
    others: list[asyncio.Task[int]] = []

    async def deliver_the_others() -> None:
        others.extend(asyncio.create_task(post_apart(kaiwa, event)) for event in events[1:])
        await until(lambda: _has_all(stored, texts))

    kaiwa.model_taps.on("/responses", "before", deliver_the_others)
    await kaiwa.insist(events[0])
    await kaiwa.line.wait_for_sent(person.chat_id, 2)
    assert await asyncio.gather(*others) == [200] * 9
    await kaiwa.settled(ahead=3)
    tried = [call.json["replyToken"] for call in kaiwa.line.calls_to("/reply")]
    seen(f"{account(kaiwa, person)}, {len(tried) - 1} tokens tried for the second")
    assert kaiwa.shown(person) == ["一つ目に答えます。", "残りに答えます。"]
    assert last_line(kaiwa.model.requests[1]).splitlines() == texts[1:]
    assert tried[-1] == events[4]["replyToken"]
    assert len(set(tried)) == len(tried)
    assert not kaiwa.line.calls_to("/push")


@row("B7", injected="100 events of 30 people, one malformed, one whose store fails")
async def test_b7_a_body_of_a_hundred_events(kaiwa: World, seen: Seen) -> None:
    """The odd event is skipped, the failing one is tried again, and nobody else notices either."""
    people = [kaiwa.person() for _ in range(30)]
    texts = [f"言葉{number:03d}号" for number in range(100)]
    events: list[Json] = [kaiwa.line.events.text(people[n % 30], text) for n, text in enumerate(texts)]
    events[3]["message"] = 3
    kaiwa.firestore.fail_next("Commit", grpc.StatusCode.UNAVAILABLE, times=4, about=_document(people[9]))
    attempts, tasks = len(kaiwa.tasks.attempts), len(kaiwa.tasks.created)
    deliveries = await kaiwa.insist(*events)
    await kaiwa.settled()
    again = {attempt.id for attempt in kaiwa.tasks.attempts[attempts:] if attempt.retry}
    retried = [task.body for task in kaiwa.tasks.created[tasks:] if task.id in again]
    answered = times_asked(kaiwa, texts)
    how = f"{len(retried)} task tried again" if kaiwa.mode == "queue" else f"delivered {deliveries} times"
    seen(f"{how}, {sum(answered)} messages answered, {account(kaiwa, *people)}")
    assert answered == [*[1] * 3, 0, *[1] * 96]
    assert len(kaiwa.model.requests) == len(kaiwa.line.calls_to("/reply")) == sum(len(kaiwa.shown(p)) for p in people)
    if kaiwa.mode == "queue":
        assert (deliveries, len(kaiwa.tasks.created) - tasks) == (1, 30)
        assert [people[9].user_id.encode() in body for body in retried] == [True]
    else:
        assert deliveries == 2


@row("B8", injected="600 addressed messages of a group in a minute, one of 10 minutes before fails until then")
async def test_b8_a_flooding_group(kaiwa: World, seen: Seen) -> None:
    """As many are answered as a minute may have, one notice stands for the others; the old event is no replay."""
    # Longer than a slow machine takes for a turn: who loses the lease asks again.
    await kaiwa.restart(LEASE_SECONDS="10")
    group = Speaker(kaiwa.person().user_id, "C" + kaiwa.person().user_id[1:])
    old = kaiwa.line.events.text(group, "@Kaiwa 十分前の話", at=now() - 10 * MINUTE_MS)
    kaiwa.firestore.fail_next("Commit", grpc.StatusCode.UNAVAILABLE, times=4, about=_document(group))
    if kaiwa.mode == "queue":
        kaiwa.tasks.paused = True
        await kaiwa.insist(old)  # it waits in the queue, as if it had failed all the time
    else:
        assert await post_apart(kaiwa, old) == 503
    start, texts = now() - 50_000, [f"その{number:03d}号" for number in range(600)]
    events = [kaiwa.line.events.text(group, f"@Kaiwa {text}", at=start + 70 * n) for n, text in enumerate(texts)]
    kaiwa.tasks.paused = False
    for begin in range(0, 600, 100):
        await kaiwa.insist(*events[begin : begin + 100])
    await kaiwa.settled(ahead=12)
    await kaiwa.insist(kaiwa.line.redelivered(old))
    await kaiwa.settled(ahead=12)
    notices = [text for text in kaiwa.shown(group) if text in phrases("refused")]
    answered, calls = times_asked(kaiwa, texts), len(kaiwa.model.requests)
    seen(f"{sum(answered)} answered with {calls} model calls, {len(notices)} notice")
    assert set(answered) == {0, 1}
    assert 45 <= sum(answered) <= 60
    assert len(notices) == 1
    assert times_asked(kaiwa, ["十分前の話"]) == [1]
    assert calls <= 12


def _document(speaker: Speaker) -> str:
    return Source("user", speaker.chat_id).conversation_id  # the name tells nothing of the kind


async def _has_all(stored: Stored, texts: list[str]) -> bool:
    return all(await stored.has(*texts))
