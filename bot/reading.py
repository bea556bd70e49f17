"""Reading a segment: each message as the model is to read it, with the speaker's name, what it quotes and its media."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.conversation import Conversation, Language, Pending, Profile, Said, Usage
from bot.fetching import Fetcher, Understood
from bot.introducing import Introducer
from bot.limits import LOOKS
from bot.ports import Attachment, Store
from bot.profiles import known_as, names
from bot.quoting import Quotation, quotation
from bot.texts import Phrase, phrase


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message as the model reads it.

    `text`: its words, or what was understood of its media; this is what is kept. `quoted`: what it quotes, in a
    mark. `trouble`: what to tell the person when its media could not be read. `usage`: what it took to hear it.
    """

    pending: Pending
    text: str
    speaker: str = ""
    quoted: str = ""
    attachments: tuple[Attachment, ...] = ()
    trouble: Phrase | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def said(self) -> Said:
        one = self.pending
        return Said(one.message_id, self.text, one.at, self.speaker, one.media, one.edited_at, one.quoted_id)


@dataclass(frozen=True, slots=True)
class Reading:
    """A segment, read; `profiles`: people that were looked up for it; `read`: other messages that are read with it."""

    utterances: tuple[Utterance, ...]
    profiles: tuple[Profile, ...] = ()
    read: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        """What it took to hear the voices in it."""
        return sum((utterance.usage for utterance in self.utterances), Usage())


def troubles(utterances: Sequence[Utterance], language: Language) -> tuple[str, ...]:
    """What to tell of media that could not be read: each sentence once, in one bubble; empty when all is well."""
    names = dict.fromkeys(utterance.trouble for utterance in utterances if utterance.trouble)
    return ("\n".join(phrase(name, language) for name in names),) if names else ()


@dataclass(frozen=True, slots=True)
class Reader:
    fetcher: Fetcher
    store: Store
    introducer: Introducer

    async def read(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Reading:
        """Raises Unavailable or Misconfigured only when the archive cannot be read."""
        people = await self._people(state, segment)
        known = names((*state.profiles, *people))
        quotations = [await self._quotation(conversation_id, state, pending, known) for pending in segment]
        looks = _looks(segment, quotations)
        own, others = await self.fetcher.understand(segment, looks)
        looked_at = {look.message_id: one for look, one in zip(looks, others, strict=True) if one}
        quotations = list(_seen(segment, quotations, looked_at))
        utterances = (
            replace(_utterance(pending, understood, quotation), speaker=_speaker(state, pending, known))
            for pending, understood, quotation in zip(segment, own, quotations, strict=True)
        )
        return Reading(tuple(utterances), people, _read_beside(state, quotations))

    async def listen(self, state: Conversation, segment: Sequence[Pending]) -> Reading:
        """Who says what, without what it brings and quotes. Never raises."""
        people = await self._people(state, segment)
        known = names((*state.profiles, *people))
        return Reading(tuple(Utterance(one, one.text, _speaker(state, one, known)) for one in segment), people)

    async def _people(self, state: Conversation, segment: Sequence[Pending]) -> tuple[Profile, ...]:
        """Whose names stand before what they say; in a one-to-one chat nobody waits for one."""
        is_group = state.source is not None and not state.source.is_private
        return await self.introducer.introduce(state, segment) if is_group else ()

    async def _quotation(
        self, conversation_id: str, state: Conversation, pending: Pending, known: Mapping[str, str]
    ) -> Quotation:
        if not pending.quoted_id:
            return Quotation("")
        now = self.introducer.clock()
        return await quotation(self.store, conversation_id, state, pending.quoted_id, known, now)


def _looks(segment: Sequence[Pending], quotations: Sequence[Quotation]) -> list[Pending]:
    """What LINE is asked for of what is quoted: each once, the newest; not what is in the segment itself."""
    own = {pending.message_id for pending in segment}
    wanted = {
        pending.quoted_id: replace(pending, message_id=pending.quoted_id, text="", media=quotation.media)
        for pending, quotation in zip(segment, quotations, strict=True)
        if quotation.media and pending.quoted_id not in own
    }
    return list(wanted.values())[-LOOKS:]


def _seen(
    segment: Sequence[Pending], quotations: Sequence[Quotation], looked_at: Mapping[str, Understood]
) -> Iterator[Quotation]:
    """With what was looked at; its picture, and what it has cost, come with the first message that quotes it."""
    left = dict(looked_at)
    for pending, found in zip(segment, quotations, strict=True):
        understood = left.get(pending.quoted_id)
        if understood is None:
            yield found
        else:
            left[pending.quoted_id] = Understood(understood.text)
            yield found.seen(pending.quoted_id, understood)


def _speaker(state: Conversation, pending: Pending, known: Mapping[str, str]) -> str:
    is_private = state.source is None or state.source.is_private
    return "" if is_private else known_as(known, pending.speaker)


def _read_beside(state: Conversation, quotations: Sequence[Quotation]) -> tuple[str, ...]:
    """What must not be withdrawn while the model reads it, beside the messages themselves."""
    quoted = tuple(quotation.message_id for quotation in quotations if quotation.message_id)
    persona_id = state.preferences.persona_id
    return (*quoted, *(heard.message_id for heard in state.overheard), *([persona_id] if persona_id else []))


def _utterance(pending: Pending, understood: Understood | None, quotation: Quotation) -> Utterance:
    plain = understood or Understood(pending.text)
    attachments = (*plain.attachments, *quotation.attachments)
    return Utterance(pending, plain.text, "", quotation.mark, attachments, plain.trouble, plain.usage + quotation.usage)
