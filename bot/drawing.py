"""Drawing: words become a picture, which lies where LINE can fetch it until it is erased."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.asking import APOLOGIES, apology
from bot.bubbles import printable
from bot.conversation import Conversation, Pending, Usage
from bot.errors import Misconfigured, ModelFailed, Unavailable
from bot.moderating import Moderation
from bot.ports import Painted, Painter, Pictures, Store
from bot.reading import Utterance
from bot.results import Result
from bot.shapes import Picture
from bot.spans import span
from bot.texts import phrase

ALT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Studio:
    """`deadline_ms` bounds one picture, from its words to where it lies. It is painted once: every try costs money.

    `lost`: what one that failed may have cost.
    """

    painter: Painter
    pictures: Pictures
    store: Store
    deadline_ms: int
    moderation: Moderation | None = None
    lost: Callable[[str, BaseException], Usage] = lambda _words, _failed: Usage()

    async def draw(self, conversation_id: str, state: Conversation, pending: Pending, words: str) -> Result:
        """The picture as a Result, or an apology as one. Raises Unavailable when the store cannot be read."""
        if not words:
            return Result((phrase("draw_how", state.language),))
        asked = (Utterance(replace(pending, text=words), words),)
        usage = Usage()
        try:
            async with asyncio.timeout(self.deadline_ms / 1000):
                if self.moderation and await self.moderation.refuses(asked):
                    return self.moderation.refusal(asked, state.language)
                with span("ask"):
                    try:
                        painted = await self.painter.paint(words)
                    except (ModelFailed, asyncio.CancelledError) as failed:
                        usage = self.lost(words, failed)
                        raise
                    usage = painted.usage
                address = await self.pictures.keep(conversation_id, pending.message_id, painted.picture)
        except ModelFailed as failed:
            sorry = apology(APOLOGIES.get(failed.fault, "busy"), failed.fault, state.language)
            return replace(sorry, usage=usage)
        except (TimeoutError, Unavailable) as failed:
            return replace(apology("busy", type(failed).__name__, state.language), usage=usage)
        except Misconfigured as wrong:
            return replace(apology("trouble", str(wrong), state.language), usage=usage)
        await self._discard_if_gone(conversation_id, state, pending)
        return _shown(words, address, painted, state)

    async def _discard_if_gone(self, conversation_id: str, state: Conversation, pending: Pending) -> None:
        """Whoever erases marks the conversation first and deletes its pictures then: one of the two meets this one."""
        present = (await self.store.read(conversation_id)).conversation
        if present.generation != state.generation or pending.message_id in present.unsent:
            await self.pictures.erase(conversation_id, pending.message_id)


def _shown(words: str, address: str, painted: Painted, state: Conversation) -> Result:
    label = " ".join(printable(words).split())[:ALT_CHARACTERS]
    bubble = str(Picture(label, address, address))
    answer = phrase("drawn", state.language).format(words=words)
    return Result((bubble,), answer=answer, remembered=True, usage=painted.usage + Usage(turns=1), pictures=1)
