"""Events of one conversation: claim them, erase what has to be erased, run the turn, or see that somebody does."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

from bot import commands, log, spans
from bot.claiming import Claim, claim
from bot.conversation import Source
from bot.dispatch import Delivery, Dispatcher
from bot.erasing import newest, withdraw
from bot.errors import Conflict, KaiwaError, Misconfigured, Unavailable
from bot.events import Event
from bot.lease import Held
from bot.limits import Policy
from bot.pausing import is_paused
from bot.ports import Clock, Messenger, Pictures, Seen, Store
from bot.settling import Step, redacted, release
from bot.spans import span
from bot.store import update
from bot.texts import language_of, phrase
from bot.turn import Turns

POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Inbox:
    """`dispatcher` is None without a queue: then a request waits until its events are done."""

    store: Store
    turns: Turns
    messenger: Messenger
    dispatcher: Dispatcher | None
    clock: Clock
    policy: Policy
    pictures: Pictures | None = None

    async def take(self, delivery: Delivery) -> None:
        """Handle every conversation on its own. Raises Unavailable when any of them has to be tried again."""
        groups = [[event for event, _ in group] for group in delivery.by_conversation()]
        outcomes = await asyncio.gather(*(self._handle(events) for events in groups), return_exceptions=True)
        failed = [outcome for outcome in outcomes if outcome is not None]
        for unexpected in failed:
            if not isinstance(unexpected, KaiwaError):
                raise unexpected
        if failed:
            raise Unavailable(f"{len(failed)} of {len(groups)} conversations have to be tried again")

    async def forget(self, conversation_id: str) -> None:
        """What /forget does, for an operator, who need not know LINE's id: all that was ever written there goes.

        Also what has expired or cannot be read any more. Raises Unavailable or Misconfigured; then it may be repeated.
        """
        state = (await self.store.read(conversation_id)).conversation
        # The operator's clock may be behind LINE's.
        at, owner = max(self.clock(), newest(state) + 1), uuid4().hex
        event = Event(f"operator-{owner}", at, Source("user", ""), "forget", self.clock())
        seen, claimed = await self._claim(conversation_id, [event], owner)
        await self._erase(seen, claimed, conversation_id)
        await self._erase_pictures([event], claimed, conversation_id)
        if claimed.held:  # somebody has written at this very moment: whoever took that in goes on with it
            await Held(self.store, conversation_id, owner, seen, self.clock, self.policy).apply(release)

    async def _handle(self, events: Sequence[Event]) -> None:
        spans.begin()
        try:
            await self._until_safe(events)
        except Misconfigured as wrong:
            log.event("conversation_failed", "ERROR", conversation=_name(events), remedy=str(wrong))
            if await self._is_kept(events):
                raise Unavailable("what is taken in, or has to be erased, has to be tried again") from None
            await self._apologise(events)
        except Unavailable as failure:
            log.event("conversation_failed", "WARNING", conversation=_name(events), why=str(failure))
            raise

    async def _until_safe(self, events: Sequence[Event]) -> None:
        """Returns when the events are done, dropped by rule, or safe with a task that will wake them."""
        owner = uuid4().hex
        source = events[0].source
        is_first = True
        while True:
            seen, claimed = await self._claim(source.conversation_id, events, owner)
            _tell(events, claimed, is_first=is_first)
            is_first = False
            await self._erase(seen, claimed, source.conversation_id)
            await self._erase_pictures(events, claimed, source.conversation_id)
            if claimed.erased:
                await self._acknowledge(claimed.erased, claimed)
            events = [event for event in events if event.action in ("say", "wake")]
            if claimed.held:
                held = Held(self.store, source.conversation_id, owner, seen, self.clock, self.policy)
                step = await self._run(held)
                if step is Step.RELEASED and not held.state.pending:
                    return
                if step is Step.RELEASED and self.dispatcher:
                    return await self.dispatcher.wake(source)
            elif not claimed.busy_until:
                return
            elif self.dispatcher:
                woken = any(event.action == "wake" for event in events)
                return await self.dispatcher.wake(source, claimed.busy_until, woken=woken)
            else:
                await asyncio.sleep(POLL_SECONDS)

    async def _run(self, held: Held) -> Step:
        try:
            return await self.turns.run(held)
        except Misconfigured as wrong:
            # The events are safe in the conversation: an apology now would be followed by their answer.
            log.event(
                "conversation_failed", "ERROR", conversation=log.anonymous(held.conversation_id), remedy=str(wrong)
            )
            raise Unavailable("the conversation is taken in, but cannot go on") from None

    async def _claim(self, conversation_id: str, events: Sequence[Event], owner: str) -> tuple[Seen, Claim]:
        with span("claim"):
            return await update(
                self.store, conversation_id, lambda state: claim(state, events, owner, self.clock(), self.policy)
            )

    async def _erase(self, seen: Seen, claimed: Claim, conversation_id: str) -> None:
        generation = seen.conversation.generation
        for message_id in claimed.unsent:
            await self._withdraw(message_id, conversation_id)
        if claimed.erased:
            await self.store.erase_archive(conversation_id, keep=generation)
            log.event("erased", conversation=log.anonymous(conversation_id), by=claimed.erased.action)

    async def _erase_pictures(self, events: Sequence[Event], claimed: Claim, conversation_id: str) -> None:
        """After the claim has marked it, so that a picture which is being painted finds the mark.

        And after the words: a bucket that refuses must not keep them.
        """
        if self.pictures is None:
            return
        for message_id in [event.message_id for event in events if event.action == "unsend"]:
            await self.pictures.erase(conversation_id, message_id)
        if claimed.erased:
            await self.pictures.erase(conversation_id)

    async def _withdraw(self, message_id: str, conversation_id: str) -> None:
        """Out of the archive, and the summary with it, which may have been made from it."""
        while True:
            seen = await self.store.read(conversation_id)
            batch = await self.store.find_in_archive(conversation_id, seen.conversation.generation, message_id)
            if batch is None:
                return
            left = replace(batch, turns=withdraw(batch.turns, message_id))
            if left == batch:
                return  # found by an id of the bot's own bubbles, which people cannot take back
            state = redacted(seen.conversation, self.clock(), self.policy)
            with suppress(Conflict):
                await self.store.write(conversation_id, seen, state, [left])
                log.event("unsent", conversation=log.anonymous(conversation_id))

    async def _acknowledge(self, erased: Event, claimed: Claim) -> None:
        """By the event's own token or not at all: the id to push to is erased as well."""
        command = commands.parse(erased.text)
        if not (erased.token and command):
            return
        sentence = phrase("erased", command.language or claimed.language)
        if not await self.turns.courier.acknowledge(erased.token, sentence):
            raise Unavailable("all is erased, but LINE did not take the word of it")

    async def _is_kept(self, events: Sequence[Event]) -> bool:
        """Whether an apology would be wrong: the answer may come yet, or nobody asked for one."""
        if any(event.action != "say" for event in events):
            return True
        with suppress(KaiwaError):
            state = (await self.store.read(events[0].source.conversation_id)).conversation
            taken = {*state.done, *(pending.event_id for pending in state.pending)}
            return is_paused(state, self.clock()) or any(event.id in taken for event in events)
        return False

    async def _apologise(self, events: Sequence[Event]) -> None:
        asking = [event for event in events if event.action == "say" and event.addressed and event.token]
        if asking:
            newest = max(asking, key=lambda event: (event.received_at, event.at))
            sentence = phrase("trouble", language_of(newest.text) or "ja")
            await self.messenger.reply(newest.token, [sentence])


def _tell(events: Sequence[Event], claimed: Claim, *, is_first: bool) -> None:
    if claimed.dropped:
        log.event("events_dropped", conversation=_name(events), count=claimed.dropped)
    if claimed.duplicates and is_first:  # whoever claims again finds what it has done itself
        spans.count("duplicates", claimed.duplicates)
        log.event("events_repeated", conversation=_name(events), count=claimed.duplicates)


def _name(events: Sequence[Event]) -> str:
    return log.anonymous(events[0].source.conversation_id)
