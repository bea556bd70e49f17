"""Moderation of what people send, where operators want it: what is refused reaches the model neither now nor later."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import log
from bot.conversation import Language
from bot.errors import KaiwaError
from bot.ports import Moderator
from bot.reading import Utterance
from bot.results import Result
from bot.texts import phrase
from bot.window import WITHHELD

MODERATION_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Moderation:
    moderator: Moderator

    async def refuses(self, segment: Sequence[Utterance]) -> bool:
        """Whether any of it is forbidden. When that cannot be found out in 5 s it goes on: the model has limits too."""
        texts = [text for utterance in segment for text in (utterance.quoted, utterance.text) if text]
        attachments = [attachment for utterance in segment for attachment in utterance.attachments]
        try:
            async with asyncio.timeout(MODERATION_SECONDS):
                return await self.moderator.flagged("\n".join(texts), attachments)
        except (TimeoutError, KaiwaError) as failed:
            log.event("moderation_failed", "ERROR", fault=getattr(failed, "fault", type(failed).__name__))
            return False

    def refusal(self, segment: Sequence[Utterance], language: Language) -> Result:
        """A sentence instead of an answer; the messages become a turn without their words."""
        said = tuple(replace(utterance.said, text=WITHHELD) for utterance in segment)
        return Result((phrase("withheld", language),), remembered=True, said=said)
