"""Dead letters are answered after all, as if the button under the apology had been pressed."""

from dataclasses import replace

import pytest

from bot.app import now
from tests.admin.conftest import PERSON, Desk
from tests.admin.test_dead_letters import KEPT


@pytest.mark.parametrize("queue", ["", "inprocess"])
async def test_replay(desk: Desk, queue: str) -> None:
    """A replayed letter is answered by push, takes its place in the history, and is no longer listed."""
    await desk.keep(PERSON, KEPT)
    desk.environment["TASKS_QUEUE"] = queue
    desk.model.script.append("the late answer")
    assert await desk.run("replay", "t1") == (0, "t1: handed over\n", "")
    assert [bubble.text for bubble in desk.line.sent(PERSON.id)] == ["the late answer"]
    assert [turn.answer for turn in (await desk.state()).turns] == ["the late answer"]
    assert await desk.main("dead-letters") == (0, "no dead letters\n", "")


async def test_all(desk: Desk) -> None:
    """Or every letter there is."""
    await desk.keep(PERSON, KEPT)
    desk.model.script.append("the late answer")
    assert await desk.main("replay", "all") == (0, "t1: handed over\n", "")
    assert await desk.main("replay", "all") == (0, "", "")


async def test_an_unknown_letter(desk: Desk) -> None:
    """The command says so and fails, and the others are answered."""
    await desk.keep(PERSON, KEPT)
    desk.model.script.append("the late answer")
    assert await desk.main("replay", "t9", "t1") == (1, "t1: handed over\n", "t9: no such dead letter\n")


async def test_in_a_pause(desk: Desk) -> None:
    """It would come to nothing, so it is not sent, and the letter stays."""
    await desk.keep(PERSON, replace(KEPT, paused_until=now() + 60_000))
    status, out, err = await desk.main("replay", "t1")
    assert (status, out) == (1, "")
    assert f"resume {PERSON.conversation_id[:12]}" in err
    assert len((await desk.state()).dead_letters) == 1


async def test_a_store_that_the_gate_cannot_reach(desk: Desk) -> None:
    """What the gate did not take is said, with its log line on standard error."""
    await desk.keep(PERSON, KEPT)
    desk.environment["TASKS_QUEUE"] = "projects/p/locations/l/queues/q"
    desk.environment |= {"SERVICE_URL": "https://example.com", "CLOUD_TASKS_EMULATOR_HOST": "127.0.0.1:9"}
    status, out, err = await desk.main("replay", "t1")
    assert (status, out) == (1, "")
    assert "503" in err.splitlines()[-1]
    assert '"request_refused"' in err
