"""Handing over: one signed task per conversation, small enough for the queue, in a form that the gate reads."""

import json
from typing import Any

import pytest

from bot import trace
from bot.conversation import Source
from bot.dispatch import TASK_BYTES, Delivery, Dispatcher
from bot.errors import Misconfigured, Unavailable
from bot.events import read_event
from bot.gate import TASK, Gate, Request
from bot.signature import verify
from bot.trace import Trace
from tests.fakes import FakeClock, FakeQueue
from tests.pipeline import SECRET, conversation_id, secret
from tests.webhooks import BOT, GROUP, NOW, USER, event, pieces, said


def delivery(*raws: Any, destination: str = BOT) -> Delivery:
    events = [(read_event(raw, BOT, NOW - 5), raw) for raw in raws]
    return Delivery(destination, NOW - 5, tuple((event, raw) for event, raw in events if event))


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def dispatcher(queue: FakeQueue) -> Dispatcher:
    return Dispatcher(queue, secret(SECRET + "\nold"), FakeClock(NOW))


def bodies(queue: FakeQueue) -> list[dict[str, Any]]:
    return [json.loads(task.body) for task in queue.tasks]


async def test_one_task_per_conversation(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """Each with its events in their order, exactly as LINE sent them, and the time of their receipt."""
    first, other, second = said("one"), said("/help", GROUP), said("two")
    await dispatcher.hand_over(delivery(first, other, second))
    assert bodies(queue) == [
        {"destination": BOT, "events": [first, second], "receivedAt": NOW - 5},
        {"destination": BOT, "events": [other], "receivedAt": NOW - 5},
    ]


async def test_signed_as_line_signs(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """The newest secret signs; the same check reads both."""
    await dispatcher.hand_over(delivery(said("hello")))
    [task] = queue.tasks
    assert verify(SECRET, task.body, task.signature)
    assert (task.name, task.at) == ("", 0)


async def test_the_trace_goes_along(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """LINE's request and those of its tasks are one trace; what comes without one goes without one."""
    await dispatcher.hand_over(delivery(said("hello")))
    with trace.within(Trace("a" * 32, "b" * 16, True, "p")):
        await dispatcher.hand_over(delivery(said("hello"), said("hello", GROUP)))
        await dispatcher.wake(Source("user", USER))
    carried = f"00-{'a' * 32}-{'b' * 16}-01"
    assert [task.traceparent for task in queue.tasks] == ["", carried, carried, carried]


async def taken(queue: FakeQueue) -> list[Delivery]:
    """What the gate makes of the tasks, as the queue brings them."""
    deliveries: list[Delivery] = []

    async def take(one: Delivery) -> None:
        deliveries.append(one)

    gate = Gate(secret(), take, take, FakeClock(NOW))
    for task in queue.tasks:
        request = Request("POST", TASK, {"x-line-signature": task.signature}, pieces(task.body))
        assert (await gate.answer(request)).status == 200
    return deliveries


async def test_the_gate_reads_it_again(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """Nothing is lost on the way, lone surrogates, big numbers and nesting included."""
    deep: Any = "\ud83d"
    for _ in range(40):
        deep = [deep]
    raw = {**said("a\ud83d\x00\u2028b"), "number": 10**300, "deep": deep}
    handed = delivery(raw)
    await dispatcher.hand_over(handed)
    assert await taken(queue) == [handed]


async def test_tasks_stay_small(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """100 events of 5,000 Japanese characters: every task under 90 KB, every event once, in order."""
    raws = [said("あ" * 5_000) for _ in range(100)]
    await dispatcher.hand_over(delivery(*raws))
    assert all(len(task.body) <= TASK_BYTES for task in queue.tasks)
    assert [raw for content in bodies(queue) for raw in content["events"]] == raws


async def test_many_small_events(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """What stands between and around the events counts as well."""
    raws = [event("follow") for _ in range(1_500)]
    await dispatcher.hand_over(delivery(*raws, destination="U" * 200))
    assert all(len(task.body) <= TASK_BYTES for task in queue.tasks)
    assert sum(len(content["events"]) for content in bodies(queue)) == 1_500


async def test_emoji_lists_are_left_behind(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """A text of a thousand LINE emoji has a list longer than a task: its words are all that is needed."""
    emojis = [{"index": n, "length": 7, "productId": "p" * 24, "emojiId": "001"} for n in range(1_000)]
    await dispatcher.hand_over(delivery(said("(hello)" * 700, emojis=emojis)))
    [content] = bodies(queue)
    assert "emojis" not in content["events"][0]["message"]
    assert content["events"][0]["message"]["text"] == "(hello)" * 700


async def test_an_event_that_fits_no_task(
    dispatcher: Dispatcher, queue: FakeQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is left out with a warning, and the others go on."""
    before, after = said("before"), said("after")
    await dispatcher.hand_over(delivery(before, said("x" * 90_000), after))
    assert bodies(queue)[0]["events"] == [before, after]
    assert '"why": "too large"' in capsys.readouterr().out


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("no such queue")])
async def test_a_queue_that_does_not_take_it(
    dispatcher: Dispatcher, queue: FakeQueue, error: Unavailable | Misconfigured
) -> None:
    """One task refused is told; the others are in the queue, and coming twice does them no harm."""
    queue.fail_next(error)
    with pytest.raises(type(error)):
        await dispatcher.hand_over(delivery(said("one"), said("/help", GROUP)))
    assert len(queue.calls) == 2


async def test_a_wake_up_after_the_lease(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """Named by conversation and lease, so that many make one; just after the lease's end; it holds no words."""
    source = delivery(said("hello")).events[0][0].source
    for _ in range(3):
        await dispatcher.wake(source, NOW + 20_000)
    await dispatcher.wake(source, NOW + 30_000)
    assert [task.at for task in queue.tasks] == [NOW + 20_500, NOW + 30_500]
    assert queue.tasks[0].name == f"{conversation_id()}-{NOW + 20_000}"
    assert USER not in queue.tasks[0].name
    [woken, _] = await taken(queue)
    assert [(event.action, event.source) for event, _ in woken.events] == [("wake", source)]


async def test_a_wake_up_now(dispatcher: Dispatcher, queue: FakeQueue) -> None:
    """For what is left after the rounds: at once, and never mistaken for an earlier one."""
    source = delivery(said("hello")).events[0][0].source
    await dispatcher.wake(source)
    await dispatcher.wake(source)
    assert [(task.name, task.at) for task in queue.tasks] == [("", 0), ("", 0)]
