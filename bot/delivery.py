"""Bringing a settled answer to the person, once. The way is in the document before it is gone.

A reply token works once, so the same token may be tried again after a doubtful try: 200 means that the first
was lost, 400 that it had arrived. A push carries a retry key: any number of tries is one message.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from bot import commands, log, settling
from bot.conversation import Conversation, Outgoing, QuickReply, Token
from bot.lease import Held, Transition
from bot.limits import PUSH_MS, QUICK_REPLIES, TOKEN_MS
from bot.outbox import Disposition
from bot.ports import Clock, Messenger, Receipt, Sent
from bot.quota import Quota
from bot.settling import Step
from bot.texts import Phrase, phrase
from bot.window import answered, unanswered

PAUSES = (1.0, 2.0, 4.0)
ANEW: tuple[tuple[Phrase, str], ...] = (("again_label", "/again"), ("shorter_label", "/shorter"))


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
    quota: Quota | None = None

    async def deliver(self, held: Held, outgoing: Outgoing, *, tried_before: bool) -> Delivered:
        """Try the ways in order. `tried_before`: found in the outbox, so its token may have been used already."""
        doubtful, pauses = tried_before, list(self.pauses)
        while await held.is_still_mine():
            current = _current(held.state, outgoing.id)
            if current is None:
                return Delivered("shown")  # withdrawn meanwhile: nothing is left to send
            if doubtful and self._is_too_old_to_push(current):
                return Delivered("unsure")
            receipt = await self._send(held, current, doubtful=doubtful)
            if receipt.sent in (Sent.AMBIGUOUS, Sent.LIMITED) and pauses:
                doubtful = doubtful or receipt.sent is Sent.AMBIGUOUS
                await asyncio.sleep(pauses.pop(0))
                # Through the store: what was withdrawn or erased in the pause must not be sent after all.
                if await held.apply(settling.renew) is Step.LOST:
                    break
                continue
            sent = self._judge(current, receipt, doubtful)
            if sent.disposition != "dead_token":
                return sent
            if await held.apply(_next_way(current)) is Step.LOST:
                break
            doubtful, pauses = False, list(self.pauses)
        return Delivered("lost")

    def _is_too_old_to_push(self, outgoing: Outgoing) -> bool:
        return outgoing.way == "push" and 0 < outgoing.settled_at < self.clock() - PUSH_MS

    async def _send(self, held: Held, outgoing: Outgoing, *, doubtful: bool) -> Receipt:
        quick_replies = _quick_replies(held.state, outgoing)
        if outgoing.way == "reply" and outgoing.tokens:
            token = outgoing.tokens[0].value
            return await self.messenger.reply(token, outgoing.bubbles, quick_replies, outgoing.quote_token)
        source = held.state.source
        if source is None:
            return Receipt(Sent.QUOTA)  # a damaged document: nobody to push to until the next token comes
        # What may have been pushed already is pushed again, whatever is left: it is shown and counted once.
        if self.quota and not doubtful and not await self.quota.allows():
            return Receipt(Sent.QUOTA)
        key = retry_key(held.conversation_id, outgoing.id)
        receipt = await self.messenger.push(source.id, outgoing.bubbles, key, quick_replies, outgoing.quote_token)
        if self.quota and not source.is_private:
            self.quota.forget()
        return receipt

    def _judge(self, outgoing: Outgoing, receipt: Receipt, doubtful: bool) -> Delivered:
        if outgoing.way == "reply" and outgoing.tokens:
            return self._judge_reply(receipt, outgoing.tokens[0], doubtful)
        return _judge_push(receipt)

    async def acknowledge(self, token: str, sentence: str) -> bool:
        """Say one sentence by this token and no other way; False while it is not known whether it was shown."""
        for pause in (*self.pauses, 0.0):
            receipt = await self.messenger.reply(token, [sentence])
            if receipt.sent not in (Sent.AMBIGUOUS, Sent.LIMITED):
                return True
            await asyncio.sleep(pause)
        return False

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
            return Delivered("refused" if receipt.sent is Sent.REFUSED else "wait")
        case _:
            return _later(receipt)


def _later(receipt: Receipt) -> Delivered:
    log.event("not_delivered", "WARNING", why=receipt.sent.name, request_id=receipt.request_id)
    return Delivered("later")


def retry_key(conversation_id: str, outgoing_id: str) -> str:
    """The same UUID for the same settled turn, whoever sends it."""
    return str(uuid5(NAMESPACE_URL, f"kaiwa:{conversation_id}:{outgoing_id}"))


def _current(state: Conversation, outgoing_id: str) -> Outgoing | None:
    return next((outgoing for outgoing in state.outbox if outgoing.id == outgoing_id), None)


def _next_way(outgoing: Outgoing) -> Transition:
    return lambda state, hold: settling.change_way(state, hold, outgoing.id, outgoing.tokens[0])


def _quick_replies(state: Conversation, outgoing: Outgoing) -> tuple[QuickReply, ...]:
    more = (QuickReply(phrase("more_label", state.language), "/more"),) if state.rest else ()
    unanswered_ids = [part.turn_id for part in outgoing.parts if unanswered(state, part.turn_id)]
    retry = (QuickReply(phrase("retry_label", state.language), f"/retry {turn_id}") for turn_id in unanswered_ids[-1:])
    return (*more, *retry, *_anew(state, outgoing), *outgoing.quick_replies)[:QUICK_REPLIES]


def _anew(state: Conversation, outgoing: Outgoing) -> tuple[QuickReply, ...]:
    """For the newest of the model's answers that are shown."""
    turn_ids = [part.turn_id for part in outgoing.parts if answered(state, part.turn_id)]
    return tuple(
        QuickReply(phrase(label, state.language), f"{command} {turn_id}")
        for turn_id in turn_ids[-1:]
        for label, command in ANEW
        if command != "/shorter" or not _is_picture(state, turn_id)
    )


def _is_picture(state: Conversation, turn_id: str) -> bool:
    """Of which there is no shorter one."""
    turn = answered(state, turn_id)
    command = commands.parse(turn.said[0].text) if turn and turn.said else None
    return command is not None and command.name == "draw"
