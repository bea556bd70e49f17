"""What to say to a segment: the model's answer, a command's, or a fixed sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import commands
from bot.asking import Asker
from bot.conversation import Conversation, Pending
from bot.history import history
from bot.ports import Clock, Store
from bot.reading import Reader
from bot.results import Result
from bot.segments import is_exhausted
from bot.texts import Phrase, phrase
from bot.window import unanswered


@dataclass(frozen=True, slots=True)
class Replier:
    store: Store
    reader: Reader
    asker: Asker
    clock: Clock

    async def reply(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Result:
        """What comes of the segment. Raises Unavailable or Misconfigured only when the archive cannot be read."""
        kind = segment[0].kind
        if is_exhausted(segment[0]):
            sentence = (phrase("given_up", state.language),)
            return Result(sentence, remembered=kind == "text", dead="too many tries" if kind == "text" else "")
        if kind == "text":
            return await self._answer(conversation_id, state, segment)
        if kind == "command":
            return await self._command(conversation_id, state, segment[0])
        if kind == "greeting" and state.source and not state.source.is_private:
            return _fixed("group_greeting", state)
        return _fixed(kind, state)

    async def _answer(self, conversation_id: str, state: Conversation, segment: Sequence[Pending]) -> Result:
        reading = await self.reader.read(conversation_id, state, segment)
        result = await self.asker.answer(state, reading.utterances)
        said = tuple(utterance.said for utterance in reading.utterances)
        return replace(result, said=said, profiles=reading.profiles)

    async def _command(self, conversation_id: str, state: Conversation, pending: Pending) -> Result:
        command = commands.parse(pending.text)
        match command.name if command else "help":
            case "reset":
                return Result((phrase("reset", state.language),), reset=True)
            case "history":
                argument = command.argument if command else ""
                return await history(self.store, conversation_id, state, argument, self.clock())
            case "more":
                # It may be withdrawn before this is settled.
                return Result((phrase("nothing_more", state.language),), serves_rest=True)
            case "retry":
                return await self._retry(conversation_id, state, pending, command.argument if command else "")
            case _:
                return Result((phrase("help", state.language),))

    async def _retry(self, conversation_id: str, state: Conversation, pending: Pending, turn_id: str) -> Result:
        """Ask again what could not be answered, with the words as they were stored."""
        turn = unanswered(state, turn_id)
        if turn is None:
            # An operator's replay has no token, and its answer must not turn up later.
            return _fixed("nothing_to_retry", state) if pending.token else Result()
        others = tuple(other for other in state.turns if other.id != turn_id)
        again = [
            replace(pending, kind="text", text=said.text, message_id=said.message_id, media=said.media)
            for said in turn.said
        ]
        result = await self._answer(conversation_id, replace(state, turns=others), again)
        # The history has an archived turn already, without its answer; a second one would say the same twice.
        is_archived = len(others) == len(state.turns)
        return replace(result, retries=turn_id, quotes=(turn,), remembered=not is_archived)


def asks_model(pending: Pending) -> bool:
    """Whether the model will be asked, so that an answer takes its time."""
    command = commands.parse(pending.text) if pending.kind == "command" else None
    return pending.kind == "text" or (command is not None and command.name == "retry")


def _fixed(name: Phrase, state: Conversation) -> Result:
    return Result((phrase(name, state.language),), quiet=True)
