"""The process dies, and the answer comes all the same, once."""

import time

import pytest

from tests.faults.conftest import LEASE_SECONDS
from tests.faults.table import Seen
from tests.world import Point, World


@pytest.mark.row("A2", injected="killed at {point}")
@pytest.mark.parametrize("point", ["P1", "P2"])
async def test_a2_killed(kaiwa: World, seen: Seen, point: Point) -> None:
    """A dead worker's turn is done by the next one, once its lease has ended."""
    person = kaiwa.person()
    died = kaiwa.kill_at(point, kaiwa.start)
    event = kaiwa.line.events.text(person, "聞こえますか")
    await kaiwa.insist(event)
    await kaiwa.line.wait_for_sent(person.chat_id, 1, 20)
    took = time.monotonic() - await died
    await kaiwa.settled()
    seen(f"{len(kaiwa.shown(person))} answer, {len(kaiwa.model.requests)} model calls, after {took:.1f} s")
    assert len(kaiwa.shown(person)) == 1
    assert took < LEASE_SECONDS + 5
