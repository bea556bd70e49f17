"""Looking people up: side by side, in bounded time, and nobody twice."""

import asyncio
import time

from bot.conversation import Conversation, Pending, Profile, Source
from bot.introducing import Introducer
from bot.profiles import wanted
from tests.fakes import FakeClock, FakeProfiles
from tests.webhooks import GROUP, NOW, USER

PEOPLE = [f"U{number:032x}" for number in range(12)]
IN_GROUP = Conversation(source=Source("group", GROUP))
PRIVATE = Conversation(source=Source("user", USER))
SEGMENT = [Pending(f"e-{one}", NOW, "text", NOW, "hello", speaker=one) for one in PEOPLE]


class Slow(FakeProfiles):
    """Answers after a while; `most` at once."""

    at_once = most = 0

    async def profile(self, source: Source, user_id: str) -> Profile | None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return await super().profile(source, user_id)


async def test_side_by_side() -> None:
    """All at once, each answer at its person."""
    clock = FakeClock(NOW)
    profiles = Slow(clock, *(Profile(one, f"name {one[-1]}", 0) for one in PEOPLE))
    found = await Introducer(profiles, clock).introduce(IN_GROUP, SEGMENT)
    assert found == tuple(Profile(one, f"name {one[-1]}", NOW) for one in PEOPLE)
    assert profiles.most == len(PEOPLE)
    assert profiles.asked[0][0] == IN_GROUP.source


async def test_in_bounded_time() -> None:
    """Whoever is not told in time stays unnamed, and is not asked for at once again."""
    clock = FakeClock(NOW)
    profiles = FakeProfiles(clock)
    profiles.silent = True
    began = time.monotonic()
    found = await Introducer(profiles, clock, seconds=0.05).introduce(IN_GROUP, SEGMENT)
    assert time.monotonic() - began < 1.5
    assert [profile.user_id for profile in found] == PEOPLE
    assert {profile.name for profile in found} == {""}
    assert wanted(Conversation(source=IN_GROUP.source, profiles=found), SEGMENT, NOW) == ()


async def test_nobody_to_ask_for() -> None:
    """Then LINE is not called."""
    clock = FakeClock(NOW)
    profiles = FakeProfiles(clock)
    known = Conversation(source=PRIVATE.source, profiles=(Profile(USER, "Taro", NOW),))
    assert await Introducer(profiles, clock).introduce(known, []) == ()
    assert profiles.asked == []


async def test_beside_other_work() -> None:
    """What has come by the end counts; what has not is given up, and remembered as asked for."""
    clock = FakeClock(NOW)
    profiles = FakeProfiles(clock, Profile(USER, "Taro", 0, "ja"))
    introduction = Introducer(profiles, clock).begin(PRIVATE, [])
    await introduction.task
    assert await introduction.end() == (Profile(USER, "Taro", NOW, "ja"),)
    profiles.silent = True
    late = Introducer(profiles, clock).begin(PRIVATE, [])
    await asyncio.sleep(0)
    [unknown] = await late.end()
    assert unknown.name == ""
    await asyncio.wait([late.task], timeout=1)
    assert late.task.cancelled()
