"""Reading a segment: each message as the model is to read it, with the speaker's name, what it quotes and its media."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation import Conversation, Pending, Profile, Said
from bot.ports import Attachment
from bot.texts import Phrase


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message as the model reads it.

    `text`: its words, or what was understood of its media; this is what is kept. `quoted`: the text of the message that
    it quotes. `trouble`: what to tell the person when its media could not be read.
    """

    pending: Pending
    text: str
    speaker: str = ""
    quoted: str = ""
    attachments: tuple[Attachment, ...] = ()
    trouble: Phrase | None = None

    @property
    def said(self) -> Said:
        pending = self.pending
        return Said(pending.message_id, self.text, pending.at, self.speaker, pending.media)


@dataclass(frozen=True, slots=True)
class Reading:
    """A segment, read; `profiles`: people that were looked up for it."""

    utterances: tuple[Utterance, ...]
    profiles: tuple[Profile, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    async def read(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Reading:
        """Raises Unavailable or Misconfigured only when the archive cannot be read."""
        return Reading(tuple(Utterance(pending, pending.text) for pending in segment))
