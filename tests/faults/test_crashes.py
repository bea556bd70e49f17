"""The process dies, and the answer comes all the same, once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc
import pytest

from bot.local.chats import Json
from bot.local.model import Scripted
from bot.local.webhook import Speaker
from bot.texts import phrase
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.table import Seen
from tests.servers.taps import Act, Cut
from tests.world import Point, World

IN_TIME = LEASE_SECONDS + 5
AFTER_LEASE = LEASE_SECONDS + 1.0
PATIENCE = 90
STOP_SECONDS = 10
LONG_LEASE_SECONDS = 20
SAID = "聞こえますか"
row = pytest.mark.row
KILLED = "killed at {point}"


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("P0", id="A2-P0", marks=row("A2", injected=KILLED)),
        pytest.param("P1", id="A2-P1", marks=row("A2", injected=KILLED)),
        pytest.param("P2", id="A2-P2", marks=row("A2", injected=KILLED)),
        pytest.param("P3", id="A3-P3", marks=row("A3", injected=KILLED)),
        pytest.param("P4", id="A4-P4", marks=row("A4", injected=KILLED)),
        pytest.param("P5", id="A5-P5", marks=row("A5", injected=KILLED)),
        pytest.param("P6", id="A6-P6", marks=row("A6", injected=KILLED)),
    ],
)
async def test_killed(kaiwa: World, seen: Seen, point: Point) -> None:
    """Wherever a worker dies, the answer is shown once, soon after its lease ends, by reply token and not by push.

    The model is asked again only where its answer was not settled yet. A second instance lives on, as the platform
    has it: how long one takes to start says more about the machine.
    """
    person = kaiwa.person()
    await kaiwa.another()
    died = kaiwa.kill_at(point, kaiwa.fail_over, worker_only=True)
    await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    shown = await kaiwa.line.wait_for_sent(person.chat_id, 1, PATIENCE)
    took = shown[0].at / 1000 - await died
    await kaiwa.settled(AFTER_LEASE)
    asked = len(kaiwa.model.requests)
    seen(f"{_account(kaiwa, person)} {f'{took:.1f} s after' if took > 0 else 'before'} the kill")
    assert len(kaiwa.shown(person)) == 1
    assert took < IN_TIME
    assert asked == (2 if point in ("P2", "P3") else 1)
    replies = kaiwa.line.calls_to("/reply")
    assert [reply.status for reply in replies if reply.status] == ([200, 400] if point == "P5" else [200])
    assert len({reply.json["replyToken"] for reply in replies}) == 1
    assert not kaiwa.line.calls_to("/push")
    await _has_it_once(kaiwa, person)


@row("A1", injected="killed at P1, 15 s lease")
async def test_a1_again_before_the_lease_ends(kaiwa: World, seen: Seen) -> None:
    """Whoever meets a dead worker's lease keeps the event and sees that somebody takes it up afterwards."""
    person = kaiwa.person()
    # Longer than a slow machine takes to start the function again.
    await kaiwa.restart(LEASE_SECONDS="15")
    died = kaiwa.kill_at("P1", lambda: kaiwa.start(LEASE_SECONDS="15"))
    began = time.time()
    await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    if kaiwa.mode == "queue":
        await kaiwa.settled()
        kept = kaiwa.tasks.attempts[-1].at - await died
        woken = [task for task in kaiwa.tasks.created if task.named and task.at > began]
        assert len(woken) == 1
        assert kept < 15
        assert not kaiwa.model.requests
    await kaiwa.line.wait_for_sent(person.chat_id, 1, PATIENCE)
    await kaiwa.settled(16)
    asked = kaiwa.model.calls[0].at / 1000 - await died
    seen(f"{_account(kaiwa, person)}, asked {asked:.1f} s after the kill")
    assert (len(kaiwa.shown(person)), len(kaiwa.model.requests)) == (1, 1)
    assert asked > 14.5


@row("A7", injected="settle written, its acknowledgement lost")
async def test_a7_acknowledgement_of_settle_lost(kaiwa: World, seen: Seen) -> None:
    """What was settled is recognised: it is there once, and it is shown."""
    person = kaiwa.person()
    kaiwa.firestore.taps.on("settle.Commit", "after", _cut)
    await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await kaiwa.settled(AFTER_LEASE)
    seen(_account(kaiwa, person))
    assert (len(kaiwa.shown(person)), len(kaiwa.model.requests)) == (1, 1)
    await _has_it_once(kaiwa, person)


@row("A13", injected="claim written, its acknowledgement lost")
async def test_a13_acknowledgement_of_claim_lost(kaiwa: World, seen: Seen) -> None:
    """A request knows the lease that it has just written itself: it need not wait for its end."""
    person = kaiwa.person()
    await kaiwa.restart(LEASE_SECONDS=str(LONG_LEASE_SECONDS))
    kaiwa.firestore.taps.on("claim.Commit", "after", _cut)
    began = time.monotonic()
    await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    took = time.monotonic() - began
    await kaiwa.settled()
    seen(f"{_account(kaiwa, person)} after {took:.1f} s")
    assert (len(kaiwa.shown(person)), len(kaiwa.model.requests)) == (1, 1)
    assert took < LONG_LEASE_SECONDS


@row("A8", injected="SIGTERM with a model call of 3 s")
async def test_a8_a_short_call_is_finished(kaiwa: World, seen: Seen) -> None:
    """An instance that is no longer needed ends its turn, and acknowledges it, before it goes."""
    person = kaiwa.person()
    kaiwa.model.script.append(Scripted("はい。", delay=3))
    sending = asyncio.create_task(kaiwa.insist(kaiwa.line.events.text(person, SAID)))
    await _asked(kaiwa)
    await _stopped(kaiwa)
    shown = kaiwa.shown(person)
    await kaiwa.start()
    deliveries = await sending
    await kaiwa.settled()
    attempts = len(kaiwa.tasks.attempts) if kaiwa.mode == "queue" else deliveries
    seen(f"{_account(kaiwa, person)}, {deliveries} delivery, before the end")
    assert shown == kaiwa.shown(person) == ["はい。"]
    assert deliveries == 1
    assert attempts >= 1
    assert len(kaiwa.model.requests) == 1


@row("A8", injected="SIGTERM with a model call of 30 s, 60 s lease")
@pytest.mark.mode("queue")
async def test_a8_a_long_call_is_given_back(kaiwa: World, seen: Seen) -> None:
    """What cannot be finished in time is given back, with its lease, so that the next try answers at once."""
    person = kaiwa.person()
    await kaiwa.restart(LEASE_SECONDS="60")
    kaiwa.model.script.append(Scripted("遅すぎる", delay=30))
    sending = asyncio.create_task(kaiwa.insist(kaiwa.line.events.text(person, SAID)))
    await _asked(kaiwa)
    began = time.monotonic()
    await _stopped(kaiwa)
    ended = time.monotonic() - began
    assert kaiwa.shown(person) == []
    await kaiwa.start(LEASE_SECONDS="60")
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await sending
    await kaiwa.settled(60)
    took = time.monotonic() - began - ended
    seen(f"gone after {ended:.1f} s; {_account(kaiwa, person)} {took:.1f} s later")
    assert len(kaiwa.shown(person)) == 1
    assert "遅すぎる" not in kaiwa.shown(person)
    assert len(kaiwa.model.requests) == 2


@row("A9", injected="every attempt killed at {point}")
@pytest.mark.parametrize("point", ["P1", "P2", "P3"])
@pytest.mark.mode("queue")
async def test_a9_every_attempt_dies_asking(kaiwa: World, seen: Seen, point: Point) -> None:
    """After three deaths the person is told instead, once, and what failed is kept apart: the next is answered."""
    person = kaiwa.person()
    killed = await _keep_killing(kaiwa, point, 3)
    await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    await kaiwa.line.wait_for_sent(person.chat_id, 1, PATIENCE)
    await kaiwa.settled(AFTER_LEASE)
    seen(f"{len(killed)} deaths, {_account(kaiwa, person)}, the next message answered")
    assert len(killed) == 3
    assert kaiwa.shown(person) == [phrase("given_up", "ja")]
    assert len(kaiwa.model.requests) <= 3
    kaiwa.model.script.append("聞こえます。")
    assert await kaiwa.say(person, "もう一度") == "聞こえます。"


@row("A9", injected="every attempt killed at {point}")
@pytest.mark.parametrize("point", ["P0", "P4", "P5"])
@pytest.mark.mode("queue")
async def test_a9_every_attempt_dies_elsewhere(kaiwa: World, seen: Seen, point: Point) -> None:
    """Deaths before the claim and after settle are no failed tries: the event, or the answer, waits, and comes once."""
    person = kaiwa.person()
    killed = await _keep_killing(kaiwa, point, 4)
    kaiwa.model.script.append("聞こえます。")
    await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    await kaiwa.line.wait_for_sent(person.chat_id, 1, PATIENCE)
    await kaiwa.settled(AFTER_LEASE)
    seen(f"{len(killed)} deaths, {_account(kaiwa, person)}")
    assert len(killed) == 4
    assert kaiwa.shown(person) == ["聞こえます。"]
    assert len(kaiwa.model.requests) == 1


@row("A10", injected="killed {moment} the queue took the task")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.mode("queue")
async def test_a10_killed_at_the_queue(kaiwa: World, seen: Seen, moment: str) -> None:
    """LINE gets no 2xx and sends again; that the queue may have the event twice makes no second answer."""
    person = kaiwa.person()

    async def kill() -> None:
        await kaiwa.kill()
        await kaiwa.start()
        raise Cut

    kaiwa.tasks.taps.on("CreateTask", "before" if moment == "before" else "after", kill)
    before = len(kaiwa.tasks.created)
    deliveries = await kaiwa.insist(kaiwa.line.events.text(person, SAID))
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await kaiwa.settled(AFTER_LEASE)
    tasks = len([task for task in kaiwa.tasks.created[before:] if not task.named])
    seen(f"{deliveries} deliveries, {tasks} tasks, {_account(kaiwa, person)}")
    assert deliveries > 1
    assert tasks == (1 if moment == "before" else 2)
    assert (len(kaiwa.shown(person)), len(kaiwa.model.requests)) == (1, 1)


@row("A10", injected="the queue {what}")
@pytest.mark.parametrize("what", ["refuses the task", "takes the task and says that it failed"])
@pytest.mark.mode("queue")
async def test_a10_the_queue_fails(kaiwa: World, seen: Seen, what: str) -> None:
    """Without the queue's word LINE gets no 2xx; it sends again, and one answer is shown."""
    person = kaiwa.person()
    kaiwa.tasks.fail_next(grpc.StatusCode.UNAVAILABLE, taken="takes" in what)
    event = kaiwa.line.events.text(person, SAID)
    first = await kaiwa.line.deliver(kaiwa.url, event)
    await kaiwa.insist(kaiwa.line.redelivered(event))
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await kaiwa.settled(AFTER_LEASE)
    seen(f"{first.status} to LINE, then 200; {_account(kaiwa, person)}")
    assert first.status == 503
    assert (len(kaiwa.shown(person)), len(kaiwa.model.requests)) == (1, 1)


@row("A11", injected="frozen at {point} while another takes over")
@pytest.mark.parametrize("point", ["P2", "P4"])
async def test_a11_frozen_past_its_lease(kaiwa: World, seen: Seen, point: Point) -> None:
    """A worker that wakes up after its lease finds that the turn is another's, and says nothing."""
    person = kaiwa.person()
    other = await kaiwa.another()
    url, frozen = kaiwa.url, asyncio.Event()

    async def freeze() -> None:
        kaiwa.function.freeze()
        await kaiwa.fail_over()
        frozen.set()

    kaiwa.at(point, freeze)
    event = kaiwa.line.events.text(person, SAID)
    first = asyncio.create_task(kaiwa.line.deliver(url, event))
    await frozen.wait()
    again = await kaiwa.line.deliver(other.url, kaiwa.line.redelivered(event))
    await kaiwa.line.wait_for_sent(person.chat_id, 1, PATIENCE)
    kaiwa.function.thaw()
    woken = await first
    await kaiwa.settled(AFTER_LEASE)
    seen(f"{again.status} and {woken.status}, {_account(kaiwa, person)}")
    assert (again.status, woken.status) == (200, 200)
    assert len(kaiwa.shown(person)) == 1
    assert len(kaiwa.line.calls_to("/reply")) == 1
    assert len(kaiwa.model.requests) == (2 if point == "P2" else 1)
    await _has_it_once(kaiwa, person)


@row("A12", injected="the holder of another's message killed for good")
async def test_a12_absorbed_by_one_that_dies(kaiwa: World, seen: Seen) -> None:
    """A message left with a busy worker is woken by its own task (or its own request) when that one dies."""
    person = kaiwa.person()
    other = await kaiwa.another()
    first, second = (kaiwa.line.events.text(person, text) for text in ("ひとつめ", "ふたつめ"))
    kaiwa.model.script.append(Scripted(fault="hang"))
    doomed = asyncio.create_task(kaiwa.line.deliver(kaiwa.url, first))
    await _asked(kaiwa)
    if kaiwa.mode == "queue":
        await doomed
    absorbed = asyncio.create_task(kaiwa.line.deliver(other.url, second))
    await _absorbed(kaiwa)
    await kaiwa.fail_over()
    kaiwa.tasks.abandon(first["webhookEventId"])
    await kaiwa.kill()
    died = time.time()
    await asyncio.gather(doomed, absorbed, return_exceptions=True)
    shown = await kaiwa.line.wait_for_sent(person.chat_id, 1, PATIENCE)
    await kaiwa.settled(AFTER_LEASE)
    seen(f"{_account(kaiwa, person)} with both, {shown[0].at / 1000 - died:.1f} s after the kill")
    assert len(kaiwa.shown(person)) == 1
    assert all(text in kaiwa.said_to_model()[-1] for text in ("ひとつめ", "ふたつめ"))
    assert shown[0].at / 1000 - died < IN_TIME


async def _stopped(kaiwa: World) -> None:
    """As the platform does it: whoever has not gone ten seconds after SIGTERM is killed."""
    kaiwa.function.terminate()
    with suppress(TimeoutError):
        await kaiwa.function.ended(STOP_SECONDS)
    await kaiwa.kill()


async def _cut() -> None:
    raise Cut


async def _keep_killing(kaiwa: World, point: Point, times: int) -> Sequence[float]:
    """Kill the worker that comes to this point, and the next one, so often; the list grows with every death."""
    killed: list[float] = []

    def once_more(act: Act) -> None:
        if point == "P4" and killed:
            kaiwa.line_taps.on("/reply", "before", act)  # settled before: nothing is written until it is sent
        else:
            kaiwa.at(point, act)

    async def act() -> None:
        await kaiwa.function.kill_worker()
        killed.append(time.monotonic())
        if len(killed) < times:
            once_more(act)
        raise Cut

    once_more(act)
    return killed


async def _asked(kaiwa: World) -> None:
    """Returns when the model has been asked."""
    await _until(lambda: bool(kaiwa.model.calls))


async def _absorbed(kaiwa: World) -> None:
    """Returns when a second claim is written."""
    await _until(lambda: kaiwa.firestore.counts.writes > 1)


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110  # what other threads and servers have counted sets no event
            await asyncio.sleep(0.02)


def _account(kaiwa: World, person: Speaker) -> str:
    shown, asked = kaiwa.line.sent(person.chat_id), len(kaiwa.model.requests)
    ways = " and ".join(sorted({bubble.way for bubble in shown}))
    return f"{len(shown)} answer by {ways}, {asked} model call{'s' if asked != 1 else ''}"


async def _has_it_once(kaiwa: World, person: Speaker) -> None:
    """The next question shows the model what was said, and what was answered, once each."""
    answer = kaiwa.shown(person)[0]
    await kaiwa.say(person, "続けて")
    lines: list[Json] = kaiwa.model.requests[-1]["input"]
    assert [(line["role"], line["content"]) for line in lines] == [
        ("user", SAID),
        ("assistant", answer),
        ("user", "続けて"),
    ]
