"""Bringing a settled answer to the person, once. The way is in the document before it is gone.

A reply token works once, so the same token may be tried again after a doubtful try: 200 means that the first
was lost, 400 that it had arrived. A push carries a retry key: any number of tries is one message.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from bot import log, settling
from bot.conversation import Conversation, Outgoing, QuickReply, Token
from bot.lease import Held
from bot.limits import TOKEN_MS
from bot.outbox import Disposition
from bot.ports import Change, Clock, Messenger, Receipt, Sent
from bot.settling import Step
from bot.texts import phrase
from bot.window import unanswered

PAUSES = (1.0, 2.0, 4.0)
MOST_QUICK_REPLIES = 13


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of it: `dead_token` means that the next way has to be named first, `lost` that it is not ours."""

    disposition: Disposition | Literal["dead_token", "lost"]
    sent_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Courier:
    messenger: Messenger
    clock: Clock
    pauses: Sequence[float] = PAUSES

    async def deliver(self, held: Held, outgoing: Outgoing, *, tried_before: bool) -> Delivered:
        """Try the ways in order. `tried_before`: found in the outbox, so its token may have been used already."""
        while await held.is_still_mine():
            sent = await self._send(held, outgoing, tried_before=tried_before)
            if sent.disposition != "dead_token":
                return sent
            if await held.apply(_next_way(held, outgoing)) is Step.LOST:
                break
            renamed = next((o for o in held.state.outbox if o.id == outgoing.id), None)
            if renamed is None:
                return Delivered("shown")  # withdrawn meanwhile: nothing is left to send
            outgoing, tried_before = renamed, False
        return Delivered("lost")

    async def _send(self, held: Held, outgoing: Outgoing, *, tried_before: bool) -> Delivered:
        quick_replies = _quick_replies(held.state, outgoing)
        source = held.state.source
        if outgoing.way == "reply" and outgoing.tokens:
            token = outgoing.tokens[0]
            receipt, doubtful = await self._persist(
                lambda: self.messenger.reply(token.value, outgoing.bubbles, quick_replies)
            )
            return self._judge_reply(receipt, token, doubtful or tried_before)
        if source is None:
            return Delivered("wait")  # a damaged document: nobody to push to until the next token comes
        key = retry_key(held.conversation_id, outgoing.id)
        receipt, _ = await self._persist(lambda: self.messenger.push(source.id, outgoing.bubbles, key, quick_replies))
        return _judge_push(receipt)

    async def _persist(self, send: Callable[[], Awaitable[Receipt]]) -> tuple[Receipt, bool]:
        """The last receipt, and whether an earlier try may have been shown."""
        doubtful = False
        for pause in (*self.pauses, 0.0):
            receipt = await send()
            if receipt.sent not in (Sent.AMBIGUOUS, Sent.LIMITED):
                break
            doubtful = doubtful or receipt.sent is Sent.AMBIGUOUS
            await asyncio.sleep(pause)
        return receipt, doubtful

    def _judge_reply(self, receipt: Receipt, token: Token, doubtful: bool) -> Delivered:
        match receipt.sent:
            case Sent.ACCEPTED:
                return Delivered("shown", receipt.message_ids)
            case Sent.REFUSED | Sent.QUOTA | Sent.LIMITED if not doubtful:
                # Nothing was shown, and this token will be dead by the next try.
                return Delivered("dead_token")
            case Sent.REFUSED | Sent.QUOTA:
                young = self.clock() - token.received_at < TOKEN_MS
                return Delivered("shown" if young else "unsure")
            case _:
                return _later(receipt)


def _judge_push(receipt: Receipt) -> Delivered:
    match receipt.sent:
        case Sent.ACCEPTED:
            return Delivered("shown", receipt.message_ids)
        case Sent.REFUSED | Sent.QUOTA:
            log.event("not_delivered", "WARNING", why=receipt.sent.name, request_id=receipt.request_id)
            return Delivered("wait")
        case _:
            return _later(receipt)


def _later(receipt: Receipt) -> Delivered:
    log.event("not_delivered", "WARNING", why=receipt.sent.name, request_id=receipt.request_id)
    return Delivered("later")


def retry_key(conversation_id: str, outgoing_id: str) -> str:
    """The same UUID for the same settled turn, whoever sends it."""
    return str(uuid5(NAMESPACE_URL, f"kaiwa:{conversation_id}:{outgoing_id}"))


def _next_way(held: Held, outgoing: Outgoing) -> Callable[[Conversation, int], Change[Step]]:
    dead = outgoing.tokens[0]
    return lambda state, now: settling.change_way(state, held.owner, outgoing.id, dead, now, held.policy)


def _quick_replies(state: Conversation, outgoing: Outgoing) -> tuple[QuickReply, ...]:
    more = (QuickReply(phrase("more_label", state.language), "/more"),) if state.rest else ()
    unanswered_ids = [part.turn_id for part in outgoing.parts if unanswered(state, part.turn_id)]
    retry = (QuickReply(phrase("retry_label", state.language), f"/retry {turn_id}") for turn_id in unanswered_ids[-1:])
    return (*more, *retry, *outgoing.quick_replies)[:MOST_QUICK_REPLIES]
