"""The holder of a lease: it writes without reading, renews in time, and does not believe in an old lease."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot import settling
from bot.conversation import Lease
from bot.errors import Unavailable
from bot.lease import Held
from bot.limits import Policy
from bot.ports import Seen
from bot.settling import Step
from tests.fakes import FakeClock, FakeStore
from tests.states import NOW, held, said, stored

ID = "0" * 64


class Scene:
    """A conversation whose lease `me` holds, for as many milliseconds as told."""

    def __init__(self, lease_ms: int = 20_000) -> None:
        self.store, self.clock = FakeStore(), FakeClock(NOW)
        self.policy = Policy(lease_ms=lease_ms)

    async def held(self) -> Held:
        state = replace(held(said()), lease=Lease("me", self.clock() + self.policy.lease_ms))
        seen = await self.store.write(ID, Seen(stored(), None), state)
        self.store.log.clear()
        return Held(self.store, ID, "me", seen, self.clock, self.policy)

    async def taken_over(self) -> None:
        seen = await self.store.read(ID)
        await self.store.write(ID, seen, replace(seen.conversation, lease=Lease("other", self.clock() + 20_000)))
        self.store.log.clear()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the store tells nobody that it was written to
            await asyncio.sleep(0.001)


async def test_writing_needs_no_read() -> None:
    """The state after the last write is known, as long as nobody else writes."""
    scene = Scene()
    mine = await scene.held()
    for _ in range(2):
        scene.clock.advance(1)
        await mine.apply(settling.renew)
    assert [method for method, _ in scene.store.log] == ["write", "write"]
    assert mine.state.lease == Lease("me", NOW + 22_000)


async def test_somebody_else_wrote() -> None:
    """What is decided is decided anew on fresh state."""
    scene = Scene()
    mine = await scene.held()
    await scene.taken_over()
    assert await mine.apply(settling.release) is Step.LOST
    assert mine.state.lease == Lease("other", NOW + 20_000)


async def test_a_live_lease_is_believed() -> None:
    """Nobody can have taken it: the store is not asked."""
    scene = Scene()
    mine = await scene.held()
    scene.clock.advance(19.999)
    assert await mine.is_still_mine()
    assert scene.store.log == []


async def test_a_lease_that_ran_out_is_renewed() -> None:
    """Still mine when nobody has taken it."""
    scene = Scene()
    mine = await scene.held()
    scene.clock.advance(20)
    assert await mine.is_still_mine()
    assert mine.state.lease == Lease("me", NOW + 40_000)


async def test_a_lease_that_was_taken() -> None:
    """Not mine any more after a freeze: the frozen worker must send nothing."""
    scene = Scene()
    mine = await scene.held()
    scene.clock.advance(20)
    await scene.taken_over()
    assert not await mine.is_still_mine()


async def test_a_lost_acknowledgement() -> None:
    """The store kept the renewal but could not say so: it is found there."""
    scene = Scene()
    mine = await scene.held()
    scene.clock.advance(20)
    scene.store.fail_next(Unavailable("cut"), after=True)
    assert await mine.is_still_mine()
    assert mine.state.lease == Lease("me", NOW + 40_000)


async def test_quick_turns_pay_nothing() -> None:
    """No renewal before half of the lease is gone."""
    scene = Scene()
    mine = await scene.held()
    async with mine.kept_alive():
        scene.clock.advance(9.999)
        await asyncio.sleep(0.02)
    assert scene.store.log == []


async def test_long_turns_renew_at_half_time() -> None:
    """Again and again, for as long as the work goes on."""
    scene = Scene(lease_ms=40)
    mine = await scene.held()
    async with mine.kept_alive():
        for _ in range(3):
            scene.clock.advance(0.020)
            await until(lambda: mine.state.lease == Lease("me", scene.clock() + 40))
    assert scene.store.calls("write") == 3


async def test_renewing_ends_with_the_turn() -> None:
    """Nothing is written behind the back of the next holder."""
    scene = Scene(lease_ms=40)
    mine = await scene.held()
    async with mine.kept_alive():
        await mine.apply(settling.release)
    scene.clock.advance(1)
    await asyncio.sleep(0.05)
    assert scene.store.calls("write") == 1


async def test_renewing_ends_when_the_lease_is_lost() -> None:
    """The other's lease is not touched, and the turn is left to find out at its next write."""
    scene = Scene(lease_ms=40)
    mine = await scene.held()
    await scene.taken_over()
    async with mine.kept_alive():
        scene.clock.advance(0.020)
        await until(lambda: scene.store.calls("read") == 1)
        await asyncio.sleep(0.05)
        assert mine.state.lease == Lease("other", NOW + 20_000)
    assert scene.store.calls("write") == 1


async def test_renewing_survives_the_store() -> None:
    """A store that cannot be reached for a moment is asked again, and the turn goes on."""
    scene = Scene(lease_ms=40)
    mine = await scene.held()
    for _ in range(4):
        scene.store.fail_next(Unavailable("down"))
    async with mine.kept_alive():
        scene.clock.advance(0.020)
        await until(lambda: mine.state.lease == Lease("me", scene.clock() + 40))


async def test_a_failing_turn_ends_the_renewals() -> None:
    """What went wrong is told as it was."""
    scene = Scene(lease_ms=40)
    mine = await scene.held()
    with pytest.raises(Unavailable, match="the turn"):
        async with mine.kept_alive():
            raise Unavailable("the turn")
    scene.clock.advance(0.020)
    await asyncio.sleep(0.03)
    assert scene.store.log == []
