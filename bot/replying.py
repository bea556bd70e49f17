"""What to say to a segment: the model's answer, a command's, or a fixed sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot import commands, context, notes, preferences
from bot.asking import Asker, Counted
from bot.budget import Budget
from bot.commands import Command
from bot.conversation import Conversation, Pending, QuickReply, Said, Turn, Usage
from bot.drawing import Studio
from bot.history import history
from bot.languages import spoken
from bot.links import Links
from bot.listening import listen
from bot.pausing import is_answered, is_kept, is_paused
from bot.ports import Clock, Store
from bot.preferences import Offered
from bot.reading import Reader, Reading, Utterance, troubles
from bot.results import Result
from bot.segments import is_exhausted
from bot.spans import span
from bot.texts import Phrase, phrase
from bot.using import usage
from bot.window import answered, unanswered


@dataclass(frozen=True, slots=True)
class Replier:
    store: Store
    reader: Reader
    asker: Asker
    clock: Clock
    offered: Offered = field(default_factory=Offered)
    links: Links | None = None
    studio: Studio | None = None
    budget: Budget | None = None

    async def reply(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Result:
        """What comes of the segment.

        Raises Unavailable or Misconfigured only when the archive or the month's account cannot be read.
        """
        kind = segment[0].kind
        if is_paused(state, self.clock()) and not is_answered(segment[0]):
            return await self._listen(state, segment)
        if is_exhausted(segment[0]):
            return await self._give_up(state, segment)
        if kind == "text":
            return await self._answer(conversation_id, state, segment)
        if kind == "command":
            return await self._command(conversation_id, state, segment[0])
        if kind == "greeting" and state.source and not state.source.is_private:
            return _greeting("group_greeting", state)
        if kind == "greeting":
            return await self._welcome(state, segment)
        return _fixed(kind, state)

    async def _give_up(self, state: Conversation, segment: Sequence[Pending]) -> Result:
        sentence = (phrase("given_up", state.language),)
        if segment[0].kind != "text":
            return Result(sentence)
        reading = await self.reader.listen(state, segment)
        said = tuple(utterance.said for utterance in reading.utterances)
        return Result(sentence, remembered=True, dead="too many tries", said=said, profiles=reading.profiles)

    async def _listen(self, state: Conversation, segment: Sequence[Pending]) -> Result:
        """Not a word; moderated all the same, because the next answer's model reads it."""
        if not is_kept(segment[0]):
            return Result(paused=True)
        reading = await self.reader.listen(state, segment)
        moderation = self.asker.moderation
        if moderation and await moderation.refuses(reading.utterances):
            said = moderation.refusal(reading.utterances, state.language).said
        else:
            said = tuple(utterance.said for utterance in reading.utterances)
        return Result(remembered=True, said=said, profiles=reading.profiles, paused=True)

    async def _welcome(self, state: Conversation, segment: Sequence[Pending]) -> Result:
        """Nothing is written yet: only LINE can tell the person's language."""
        people = await self.reader.introducer.introduce(state, segment)
        known = replace(state, profiles=(*state.profiles, *people))
        return replace(_greeting("greeting", replace(known, language=spoken(known))), profiles=people)

    async def _answer(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Result:
        """Beside it LINE is asked whom a one-to-one chat is with, for the language; nothing waits for that."""
        afforded = await self._afford(state)
        if isinstance(afforded, Result):
            heard = await self._listen(state, segment)
            return replace(afforded, said=heard.said, profiles=heard.profiles)
        state = afforded
        is_private = state.source is not None and state.source.is_private
        introduction = self.reader.introducer.begin(state, segment) if is_private else None
        try:
            result = await self._read_and_answer(conversation_id, state, segment)
            people = await introduction.end() if introduction else ()
        finally:
            if introduction:
                introduction.task.cancel()
        return replace(result, profiles=(*result.profiles, *people))

    async def _read_and_answer(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Result:
        with span("read"):
            reading = await self.reader.read(conversation_id, state, segment)
        state = replace(state, profiles=(*state.profiles, *reading.profiles))
        unread = troubles(reading.utterances, state.language)
        if all(utterance.trouble for utterance in reading.utterances):
            result = _unread(unread, reading)
        else:
            with span("model"):
                result = await self.asker.answer(state, reading.utterances)
            result = replace(result, bubbles=(*result.bubbles, *unread))
        said = result.said or notes.kept(reading.utterances, result.note)
        spent = result.usage + reading.usage
        return replace(result, said=said, usage=spent, profiles=reading.profiles, read=(*result.read, *reading.read))

    async def _afford(self, state: Conversation) -> Conversation | Result:
        """The state with the model that is to answer, or what is said where nothing more may be spent."""
        return await self.budget.afford(state) if self.budget else state

    async def summary(self, state: Conversation) -> tuple[str, Usage]:
        """The new summary, empty where there is none, and what it took. Where the day is used up, another day's."""
        if self.budget and self.budget.share_of_day(state) >= 1:
            return "", Usage()
        counted = Counted(self.asker.model)
        return await replace(self.asker, model=counted).summary(state), counted.usage

    async def _command(self, conversation_id: str, state: Conversation, pending: Pending) -> Result:
        command = commands.parse(pending.text) or Command("help")
        match command.name:
            case "reset":
                return Result((phrase("reset", state.language),), reset=True)
            case "history":
                return await history(self.store, conversation_id, state, command.argument, self.clock())
            case "more":
                # It may be withdrawn before this is settled.
                return Result((phrase("nothing_more", state.language),), serves_rest=True)
            case "retry":
                return await self._retry(conversation_id, state, pending, command.argument)
            case "again":
                return await self._redo(conversation_id, state, pending, command.argument)
            case "shorter":
                return await self._briefly()._redo(conversation_id, state, pending, command.argument)
            case "export":
                return await self._export(conversation_id, state, command)
            case "draw":
                return await self._draw(conversation_id, state, pending, command.argument)
            case "persona" if await self._is_forbidden(pending, command.argument):
                return Result((phrase("withheld", state.language),))
            case _:
                return self._set(command, state, pending)

    def _set(self, command: Command, state: Conversation, pending: Pending) -> Result:
        match command.name:
            case "persona":
                return preferences.persona(command, state, pending)
            case "model":
                return preferences.model(command, state, self.offered)
            case "language":
                return preferences.language(command, state)
            case "listen":
                return listen(state, command.argument)
            case "status":
                return preferences.status(state, pending, self.offered)
            case "usage":
                return usage(state, self.budget or Budget(self.clock))
            case _:
                return Result((preferences.help_text(state, self.offered),))

    async def _export(self, conversation_id: str, state: Conversation, command: Command) -> Result:
        if self.links is None:
            return Result((phrase("export_impossible", state.language),))
        return await self.links.result(conversation_id, state, command.argument)

    async def _is_forbidden(self, pending: Pending, words: str) -> bool:
        """The model reads a persona with every question: what it must not read in a message must not be there."""
        moderation = self.asker.moderation
        return bool(words) and moderation is not None and await moderation.refuses((Utterance(pending, words),))

    async def _draw(self, conversation_id: str, state: Conversation, pending: Pending, words: str) -> Result:
        """Where nothing can be drawn it is a message as any other."""
        if self.studio is None:
            return await self._answer(conversation_id, state, [replace(pending, kind="text")])
        afforded = await self._afford(state)
        if isinstance(afforded, Result):
            heard = await self._listen(state, [pending])
            return replace(afforded, said=heard.said, profiles=heard.profiles)
        with span("model"):
            return await self.studio.draw(conversation_id, state, pending, words)

    async def _retry(self, conversation_id: str, state: Conversation, pending: Pending, turn_id: str) -> Result:
        """Ask again what could not be answered, with the words as they were stored."""
        turn = unanswered(state, turn_id)
        if turn is None:
            # An operator's replay has no token, and its answer must not turn up later.
            return _fixed("nothing_to_retry", state) if pending.token else Result()
        result = await self._ask_anew(conversation_id, state, pending, turn)
        # The history has an archived turn already, without its answer; a second one would say the same twice.
        is_archived = all(other.id != turn_id for other in state.turns)
        return replace(result, remembered=not is_archived)

    async def _redo(self, conversation_id: str, state: Conversation, pending: Pending, turn_id: str) -> Result:
        """Another answer in the place of the one that was given; the old one stays where none comes."""
        turn = answered(state, turn_id)
        if turn is None:
            return _fixed("nothing_to_redo", state)
        result = await self._ask_anew(conversation_id, state, pending, turn)
        return result if result.usage.turns else replace(result, answer="", remembered=False)

    async def _ask_anew(self, conversation_id: str, state: Conversation, pending: Pending, turn: Turn) -> Result:
        others = tuple(other for other in state.turns if other.id != turn.id)
        again = [_again(pending, said) for said in turn.said]
        state = replace(state, turns=others)
        command = commands.parse(again[0].text)
        if command and command.name == "draw":
            result = await self._draw(conversation_id, state, again[0], command.argument)
        else:
            result = await self._answer(conversation_id, state, again)
        return replace(result, retries=turn.id, quotes=(turn,))

    def _briefly(self) -> "Replier":
        return replace(self, asker=replace(self.asker, remark=context.SHORTER))


def _again(pressed: Pending, said: Said) -> Pending:
    """A message as it was kept, with the time and token of the button that asks for it again."""
    one = replace(pressed, kind="text", text=said.text, message_id=said.message_id, media=said.media)
    return replace(one, speaker=said.speaker, quoted_id=said.quoted_id)


def _unread(sentences: tuple[str, ...], reading: Reading) -> Result:
    """Nothing came that could be read. What may be there a moment later is left unanswered, to be tried again."""
    may_pass = any(utterance.trouble == "media_not_ready" for utterance in reading.utterances)
    return Result(sentences, answer="" if may_pass else "\n".join(sentences), remembered=True)


def _greeting(name: Phrase, state: Conversation) -> Result:
    """With buttons for the first things that one may want to know or change."""
    is_group = name == "group_greeting"
    other = "en" if state.language == "ja" else "ja"
    buttons: list[tuple[Phrase, str]] = [("help_label", "/help"), ("status_label", "/status")]
    buttons += [("listen_on_label", "/listen")] if is_group else [("language_label", f"/language {other}")]
    replies = tuple(QuickReply(phrase(label, state.language), data) for label, data in buttons)
    return replace(_fixed(name, state), quick_replies=replies)


def _fixed(name: Phrase, state: Conversation) -> Result:
    return Result((phrase(name, state.language),), quiet=True)
