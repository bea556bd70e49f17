"""`pause` and `resume`: what the pipeline makes of them is tested in tests/test_pausing.py."""

import asyncio
from dataclasses import replace

import pytest

from bot.app import now
from bot.conversation import Conversation, Lease, Said, Turn
from bot.limits import DAY_MS
from tests.admin.conftest import GROUP, PERSON, Desk, both_stores, on_firestore

NOW = now()
STATE = Conversation(
    source=PERSON,
    generation=1,
    turns=(Turn("t1", (Said("m1", "hi", NOW - 1_000),), "hello"),),
    lease=Lease("somebody", NOW + 20_000),
    expire_at=NOW + DAY_MS,
)
ID = PERSON.conversation_id
NAME = ID[:12]


@both_stores
async def test_for_a_day(desk: Desk) -> None:
    """Nothing else changes, also while somebody works on it; the time it is kept counts from now."""
    await desk.keep(PERSON, STATE)
    status, out, err = await desk.main("pause", NAME)
    assert (status, err) == (0, "")
    assert out.startswith(f"{NAME}: the bot keeps silent until ")
    state = await desk.state()
    assert NOW + DAY_MS <= state.paused_until <= now() + DAY_MS
    assert state.expire_at > NOW + 80 * DAY_MS
    assert replace(state, paused_until=0, expire_at=STATE.expire_at) == STATE
    assert await desk.main("resume", NAME) == (0, f"{NAME}: the bot speaks again\n", "")
    assert (await desk.state()).paused_until == 0
    assert await desk.main("resume", NAME) == (0, f"{NAME}: was not paused\n", "")


async def test_for_some_hours(desk: Desk) -> None:
    """A second pause takes the place of the first; parts of an hour are fine; groups are paused as persons are."""
    await desk.keep(GROUP, replace(STATE, source=GROUP))
    await desk.main("pause", GROUP.id)
    await desk.main("pause", GROUP.id, "--hours", "0.5")
    paused_until = (await desk.state(GROUP.conversation_id)).paused_until
    assert NOW + 1_800_000 <= paused_until <= now() + 1_800_000


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "721", "a day"])
async def test_odd_hours(desk: Desk, hours: str) -> None:
    """They are refused with the usage."""
    with pytest.raises(SystemExit) as ended:
        await desk.main("pause", ID, "--hours", hours)
    assert ended.value.code == 2


@on_firestore
async def test_nothing_to_be_silent_in(desk: Desk) -> None:
    """What is erased or expired cannot be paused: whoever writes again begins anew."""
    await desk.keep(PERSON, replace(STATE, expire_at=1))
    await desk.keep(GROUP, Conversation(generation=2, erased_at=NOW, expire_at=NOW + DAY_MS))
    for one in (ID, GROUP.conversation_id):
        status, out, err = await desk.main("pause", one)
        assert (status, out) == (1, "")
        assert "erased or expired" in err
    assert (await desk.state(GROUP.conversation_id)).paused_until == 0


async def test_two_operators_at_once(desk: Desk) -> None:
    """And somebody who writes: the last word holds, and nothing is lost."""
    await desk.keep(PERSON, replace(STATE, lease=None))
    commands = [desk.run("pause", ID, "--hours", str(hours)) for hours in (1, 2)]
    assert [status for status, _, _ in await asyncio.gather(*commands)] == [0, 0]
    assert (await desk.state()).turns == STATE.turns
