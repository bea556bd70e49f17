"""Fakes of `bot.ports`, in memory, with a log of their calls and failures on demand.

The store passes the same contract suite as the real ones.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from bot.conversation import Batch, Conversation, Profile, QuickReply, Source, Usage
from bot.document import Document, damaged, decode, decode_batch, encode, encode_batch, storable
from bot.errors import Conflict, ContentFailed, KaiwaError, Misconfigured
from bot.ports import Attachment, Completion, Heard, Painted, Prompt, Receipt, Seen, Sent, Task
from bot.spending import Amount, Month


class FakeStore:
    """`bot.ports.Store` and `Ledger` in dicts, with a log of `(method, conversation_id)` and failures on demand."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.documents: dict[str, tuple[int, Document]] = {}
        self.batches: dict[str, dict[tuple[int, int], Document]] = {}
        self.months: dict[str, Month] = {}
        self._failures: dict[str, deque[tuple[Exception, bool]]] = {}
        self._versions = 0

    def fail_next(self, error: Exception, after: bool = False, method: str = "write") -> None:
        """Let the next `method` raise; `after` its work is done, as when the acknowledgement is lost. Calls add up."""
        self._failures.setdefault(method, deque()).append((error, after))

    def recover(self) -> None:
        """Nothing fails any more."""
        self._failures.clear()

    def calls(self, method: str) -> int:
        """How often `method` was called, failures included."""
        return sum(name == method for name, _ in self.log)

    async def read(self, conversation_id: str) -> Seen:
        late = await self._called("read", conversation_id)
        version, document = self.documents.get(conversation_id, (None, {}))
        _raise(late)
        return Seen(decode(document), version, damaged(document, decode(document)))

    async def write(
        self, conversation_id: str, seen: Seen, conversation: Conversation, archive: Sequence[Batch] = ()
    ) -> Seen:
        late = await self._called("write", conversation_id)
        if self.documents.get(conversation_id, (None, {}))[0] != seen.version:
            raise Conflict("the conversation has changed; read it again")
        self._versions += 1
        self.documents[conversation_id] = (self._versions, encode(conversation))
        for batch in archive:
            self._archive(conversation_id)[batch.generation, batch.number] = encode_batch(batch)
        _raise(late)
        return Seen(decode(encode(conversation)), self._versions)

    async def read_archive(self, conversation_id: str, generation: int, numbers: Sequence[int]) -> list[Batch]:
        late = await self._called("read_archive", conversation_id)
        archive = self._archive(conversation_id)
        _raise(late)
        return [decode_batch(archive[generation, number]) for number in numbers if (generation, number) in archive]

    async def find_in_archive(self, conversation_id: str, generation: int, message_id: str) -> Batch | None:
        late = await self._called("find_in_archive", conversation_id)
        batches = [decode_batch(one) for key, one in self._archive(conversation_id).items() if key[0] == generation]
        _raise(late)
        return next((batch for batch in batches if storable(message_id) in batch.message_ids), None)

    async def erase_archive(self, conversation_id: str, keep: int) -> None:
        late = await self._called("erase_archive", conversation_id)
        archive = self._archive(conversation_id)
        self.batches[conversation_id] = {key: batch for key, batch in archive.items() if key[0] >= keep}
        _raise(late)

    async def with_dead_letters(self) -> AsyncIterator[tuple[str, Conversation]]:
        for conversation_id, (_, document) in self.documents.items():
            if document.get("dead_letter_count"):
                yield conversation_id, decode(document)

    async def conversations(self, beginning: str = "") -> AsyncIterator[tuple[str, Conversation]]:
        for conversation_id, (_, document) in sorted(self.documents.items()):
            if conversation_id.startswith(beginning):
                yield conversation_id, decode(document)

    async def count(self) -> int:
        return len(self.documents)

    async def reserve(self, month: str, amount: Amount, usage: Usage) -> Amount:
        late = await self._called("reserve", month)
        before = self.months.get(month, Month())
        self.months[month] = Month(before.reserved + amount, before.usage + usage)
        _raise(late)
        return self.months[month].reserved

    async def read_month(self, month: str) -> Month:
        _raise(await self._called("read_month", month))
        return self.months.get(month, Month())

    async def close(self) -> None:
        await self._called("close", "")

    def _archive(self, conversation_id: str) -> dict[tuple[int, int], Document]:
        return self.batches.setdefault(conversation_id, {})

    async def _called(self, method: str, conversation_id: str) -> Exception | None:
        self.log.append((method, conversation_id))
        waiting = self._failures.get(method)
        error, after = waiting.popleft() if waiting else (None, True)
        if not after:
            _raise(error)
        return error


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


class FakeClock:
    """`bot.ports.Clock` that stands still until it is moved."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        """In no time at all; others get their turn."""
        self.advance(seconds)
        await asyncio.sleep(0)


class FakeSecretSource:
    """`bot.ports.SecretSource` in a dict; `asked` lists the versions that were read."""

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self.values = values or {}
        self.asked: list[str] = []
        self._failures: deque[KaiwaError] = deque()

    def fail_next(self, error: KaiwaError, times: int = 1) -> None:
        self._failures.extend([error] * times)

    async def read(self, version: str) -> str:
        self.asked.append(version)
        if self._failures:
            raise self._failures.popleft()
        if version not in self.values:
            raise Misconfigured(f"the secret {version} does not exist; create it")
        return self.values[version]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of a messenger: `to` is a reply token, or with a `retry_key` the recipient of a push."""

    to: str
    bubbles: tuple[str, ...]
    retry_key: str = ""
    quick_replies: tuple[QuickReply, ...] = ()
    quote_token: str = ""


class FakeMessenger:
    """`bot.ports.Messenger`; `calls` has every try, `shown` what people would see: each token and retry key once."""

    def __init__(self) -> None:
        self.calls: list[Delivery] = []
        self.shown: list[Delivery] = []
        self.loading: list[tuple[str, int]] = []
        self._failures: deque[tuple[Sent | Exception, bool]] = deque()

    def fail_next(self, outcome: Sent | Exception, times: int = 1, *, shown: bool = False) -> None:
        """Let the next calls end so; with `shown` the message arrives all the same, as when an answer is lost."""
        self._failures.extend([(outcome, shown)] * times)

    def recover(self) -> None:
        """Nothing fails any more."""
        self._failures.clear()

    async def reply(
        self, token: str, bubbles: Sequence[str], quick_replies: Sequence[QuickReply] = (), quote_token: str = ""
    ) -> Receipt:
        return await self._deliver(Delivery(token, tuple(bubbles), "", tuple(quick_replies), quote_token))

    async def push(
        self,
        to: str,
        bubbles: Sequence[str],
        retry_key: str,
        quick_replies: Sequence[QuickReply] = (),
        quote_token: str = "",
    ) -> Receipt:
        return await self._deliver(Delivery(to, tuple(bubbles), retry_key, tuple(quick_replies), quote_token))

    async def show_loading(self, user_id: str, seconds: int) -> None:
        self.loading.append((user_id, seconds))

    async def _deliver(self, delivery: Delivery) -> Receipt:
        self.calls.append(delivery)
        not_shown = self._not_shown(delivery)
        outcome, shown = self._failures.popleft() if self._failures else (not_shown or Sent.ACCEPTED, True)
        if shown and not not_shown:
            self.shown.append(delivery)
        if isinstance(outcome, Exception):
            raise outcome
        ids = tuple(f"sent-{len(self.shown)}-{number}" for number in range(len(delivery.bubbles)))
        return Receipt(outcome, ids if outcome is Sent.ACCEPTED else ())

    def _not_shown(self, delivery: Delivery) -> Sent | None:
        """What LINE answers when it shows nothing: the token or the retry key has been used."""
        if delivery.retry_key:
            return Sent.ACCEPTED if any(one.retry_key == delivery.retry_key for one in self.shown) else None
        return Sent.REFUSED if any(one.to == delivery.to for one in self.shown) else None


class FakeModel:
    """`bot.ports.Model`: load it with answers, question it afterwards. Without answers it repeats the last line."""

    def __init__(self, *answers: str | Completion) -> None:
        self.answers: deque[str | Completion | Exception] = deque(answers)
        self.prompts: list[Prompt] = []

    def fail_next(self, error: Exception, times: int = 1) -> None:
        self.answers.extendleft([error] * times)

    async def complete(self, prompt: Prompt) -> Completion:
        self.prompts.append(prompt)
        answer = self.answers.popleft() if self.answers else prompt.lines[-1].text
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Completion) else Completion(answer, Usage(input_tokens=10, output_tokens=5))


class FakeQueue:
    """`bot.ports.Queue` that keeps its tasks and runs none; a name is taken once."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.calls: list[Task] = []
        self._failures: deque[tuple[KaiwaError, bool]] = deque()

    def fail_next(self, error: KaiwaError, times: int = 1, *, after: bool = False) -> None:
        """Let the next calls raise; `after` the task is taken, as when the acknowledgement is lost."""
        self._failures.extend([(error, after)] * times)

    def recover(self) -> None:
        """Nothing fails any more."""
        self._failures.clear()

    async def put(self, task: Task) -> None:
        self.calls.append(task)
        error, after = self._failures.popleft() if self._failures else (None, True)
        if after and (not task.name or all(task.name != kept.name for kept in self.tasks)):
            self.tasks.append(task)
        _raise(error)


class FakeContent:
    """`bot.ports.Content`: `kept` by message id, or by url; `asked` has every try."""

    def __init__(self, **kept: Attachment) -> None:
        self.kept: dict[str, Attachment] = kept
        self.asked: list[tuple[str, str, int]] = []
        self._failures: deque[Exception] = deque()

    def fail_next(self, error: Exception, times: int = 1) -> None:
        self._failures.extend([error] * times)

    async def fetch(self, message_id: str, url: str, most: int) -> Attachment:
        self.asked.append((message_id, url, most))
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.popleft()
        found = self.kept.get(url or message_id)
        if found is None:
            raise ContentFailed("gone")
        if len(found.data) > most:
            raise ContentFailed("too_large")
        return found


class FakeTranscriber:
    """`bot.ports.Transcriber`: load it with what is heard; without that it hears "spoken words"."""

    def __init__(self, *words: str) -> None:
        self.words: deque[str | Exception] = deque(words)
        self.heard: list[Attachment] = []

    def fail_next(self, error: Exception, times: int = 1) -> None:
        self.words.extendleft([error] * times)

    async def transcribe(self, audio: Attachment) -> Heard:
        self.heard.append(audio)
        words = self.words.popleft() if self.words else "spoken words"
        if isinstance(words, Exception):
            raise words
        return Heard(words, Usage(input_tokens=20, output_tokens=3))


class FakeProfiles:
    """`bot.ports.Profiles`: `people` by user id; of the others LINE tells nothing. `asked` has every look-up.

    `reachable`: clear it, and LINE answers nobody; `silent`: it never answers at all.
    """

    def __init__(self, clock: FakeClock, *people: Profile) -> None:
        self.people = {profile.user_id: profile for profile in people}
        self.asked: list[tuple[Source, str]] = []
        self.reachable = True
        self.silent = False
        self._clock = clock

    def add(self, user_id: str, name: str, language: str = "") -> None:
        self.people[user_id] = Profile(user_id, name, 0, language)

    async def profile(self, source: Source, user_id: str) -> Profile | None:
        self.asked.append((source, user_id))
        if self.silent:
            await asyncio.Event().wait()
        known = self.people.get(user_id, Profile(user_id, "", 0))
        return replace(known, at=self._clock()) if self.reachable else None


class FakePainter:
    """`bot.ports.Painter`: one picture, whatever is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures: deque[Exception] = deque()

    async def paint(self, words: str) -> Painted:
        self.asked.append(words)
        if self.failures:
            raise self.failures.popleft()
        return Painted(Attachment("image/jpeg", b"picture", "picture.jpg"), Usage(input_tokens=7, output_tokens=900))


class FakePictures:
    """`bot.ports.Pictures` in memory: `kept` are the conversation and the message of each."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []
        self.failures: deque[Exception] = deque()

    async def keep(self, conversation_id: str, message_id: str, picture: Attachment) -> str:
        if self.failures:
            raise self.failures.popleft()
        self.kept.append((conversation_id, message_id))
        return f"https://pictures.example/{len(self.kept)}"

    async def erase(self, conversation_id: str, message_id: str = "") -> None:
        if self.failures:
            raise self.failures.popleft()
        self.kept = [one for one in self.kept if one[0] != conversation_id or message_id not in ("", one[1])]
