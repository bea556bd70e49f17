"""LINE's pushes of the month: the last of them are kept."""

import pytest

from bot.errors import Misconfigured, Unavailable
from bot.quota import KEPT_MS, UNKNOWN_MS, Quota
from tests.fakes import FakeClock


class FakeChannel:
    """`bot.quota.Channel`; `asked` counts."""

    def __init__(self, quota: int | None, used: int = 0) -> None:
        self.limit, self.used, self.asked = quota, used, 0
        self.failure: Exception | None = None

    async def quota(self) -> int | None:
        self.asked += 1
        if self.failure:
            raise self.failure
        return self.limit

    async def consumption(self) -> int:
        return self.used


class Post:
    def __init__(self, channel: FakeChannel, reserve: int = 10) -> None:
        self.channel, self.clock = channel, FakeClock()

        async def made() -> FakeChannel:
            return channel

        self.quota = Quota(made, reserve, self.clock)


async def test_the_last_ones_are_kept() -> None:
    """Two are free, ten are kept; LINE is asked once for all of it."""
    post = Post(FakeChannel(200, 188))
    assert [await post.quota.allows() for _ in range(4)] == [True, True, False, False]
    assert post.channel.asked == 1


async def test_others_push_too() -> None:
    """After some minutes LINE is asked again; after a push to a group at once."""
    post = Post(FakeChannel(200, 100))
    assert await post.quota.allows()
    post.channel.used = 195
    assert await post.quota.allows()
    post.clock.advance(KEPT_MS / 1000)
    assert not await post.quota.allows()
    post.channel.used = 0
    post.quota.forget()
    assert await post.quota.allows()


async def test_no_limit() -> None:
    """Push as ever."""
    post = Post(FakeChannel(None))
    assert all([await post.quota.allows() for _ in range(300)])


@pytest.mark.parametrize("error", [Unavailable("slow"), Misconfigured("no token")])
async def test_unknown_is_no_limit(error: Exception) -> None:
    """And LINE is not waited for with every push."""
    post = Post(FakeChannel(0))
    post.channel.failure = error
    assert await post.quota.allows()
    assert await post.quota.allows()
    assert post.channel.asked == 1
    post.channel.failure = None
    post.clock.advance(UNKNOWN_MS / 1000)
    assert not await post.quota.allows()


async def test_no_reserve_asks_nothing() -> None:
    """The old way."""
    post = Post(FakeChannel(0), reserve=0)
    assert await post.quota.allows()
    assert post.channel.asked == 0
