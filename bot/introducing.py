"""Looking people up at LINE: all at once, in bounded time, and whatever comes of it is remembered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation import Conversation, Pending, Profile, Source
from bot.ports import Clock, Profiles
from bot.profiles import unreached, wanted

SECONDS = 2.0
LEAST_SECONDS = 0.3
"""So soon no model answers; only what stands in for one would win against a look-up."""


@dataclass(frozen=True, slots=True)
class Introducer:
    profiles: Profiles
    clock: Clock
    seconds: float = SECONDS

    async def introduce(self, state: Conversation, segment: Sequence[Pending]) -> tuple[Profile, ...]:
        """Who has to be known for this segment and is not yet; failures too, so that they are not asked for again."""
        ids = wanted(state, segment, self.clock())
        if not ids or state.source is None:
            return ()
        found = await self._ask(state.source, ids)
        return tuple(found.get(one) or unreached(state, one, self.clock()) for one in ids)

    def begin(self, state: Conversation, segment: Sequence[Pending]) -> "Introduction":
        """The same beside other work, which never waits for it."""
        task = asyncio.create_task(self.introduce(state, segment))
        return Introduction(self, state, segment, task, asyncio.get_running_loop().time() + LEAST_SECONDS)

    async def _ask(self, source: Source, ids: Sequence[str]) -> dict[str, Profile | None]:
        asked = {user_id: asyncio.create_task(self.profiles.profile(source, user_id)) for user_id in ids}
        try:
            await asyncio.wait(asked.values(), timeout=self.seconds)
            return {user_id: task.result() for user_id, task in asked.items() if task.done()}
        finally:
            for task in asked.values():
                task.cancel()


@dataclass(frozen=True, slots=True)
class Introduction:
    """A look-up under way."""

    introducer: Introducer
    state: Conversation
    segment: Sequence[Pending]
    task: asyncio.Task[tuple[Profile, ...]]
    least: float

    async def end(self) -> tuple[Profile, ...]:
        """What has come by now; what has not is given up."""
        await asyncio.wait([self.task], timeout=max(0.0, self.least - asyncio.get_running_loop().time()))
        if self.task.done():
            return self.task.result()
        self.task.cancel()
        now = self.introducer.clock()
        return tuple(unreached(self.state, one, now) for one in wanted(self.state, self.segment, now))
