"""A conversation whose lease this request holds: all its writes go through here, one after the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from bot import settling
from bot.conversation import Conversation
from bot.errors import KaiwaError
from bot.limits import Policy
from bot.ports import Change, Clock, Seen, Store
from bot.settling import Hold, Step
from bot.store import update

Transition = Callable[[Conversation, Hold], Change[Step]]


class Held:
    """`seen` is the state after the last write, so that the next one needs no read."""

    def __init__(
        self, store: Store, conversation_id: str, owner: str, seen: Seen, clock: Clock, policy: Policy
    ) -> None:
        self.conversation_id = conversation_id
        self.owner = owner
        self.policy = policy
        self._store = store
        self._seen = seen
        self._clock = clock
        self._lock = asyncio.Lock()

    @property
    def state(self) -> Conversation:
        return self._seen.conversation

    async def apply(self, transition: Transition) -> Step:
        """Write what `transition` makes of the conversation; LOST when the lease is no longer ours."""
        async with self._lock:
            self._seen, step = await update(
                self._store, self.conversation_id, lambda state: transition(state, self._hold()), self._seen
            )
            return step

    async def look(self) -> bool:
        """Take up what others have written meanwhile; False when the lease is no longer ours. Costs one read."""
        async with self._lock:
            self._seen = await self._store.read(self.conversation_id)
        return self._hold().has(self.state)

    async def is_still_mine(self) -> bool:
        """Asks the store only when the lease has run out: another may have taken over while this process was frozen."""
        lease = self.state.lease
        if lease and lease.owner == self.owner and lease.until > self._clock():
            return True
        return await self.apply(settling.renew) is not Step.LOST

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Renew the lease whenever half of it is gone; ordinary turns end before that."""
        keeper = asyncio.create_task(self._keep_alive())
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    async def _keep_alive(self) -> None:
        half = self.policy.lease_ms / 2
        while self.state.lease and self.state.lease.owner == self.owner:
            wait = self.state.lease.until - half - self._clock()
            if wait > 0:
                await asyncio.sleep(wait / 1000)
                continue
            try:
                await self.apply(settling.renew)
            except KaiwaError:
                await asyncio.sleep(half / 4000)

    def _hold(self) -> Hold:
        return Hold(self.owner, self._clock(), self.policy)
