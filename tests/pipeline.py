"""The whole pipeline behind the gate, on fakes: what goes in are LINE's events, what comes out is what people see."""

import asyncio
from typing import Any

from bot.asking import Asker
from bot.breaker import Breaker
from bot.conversation import Conversation, Source
from bot.delivery import Courier
from bot.dispatch import Delivery, Dispatcher
from bot.document import Document, decode, decode_batch
from bot.drawing import Studio
from bot.events import read_event
from bot.fetching import Fetcher
from bot.inbox import Inbox
from bot.introducing import Introducer
from bot.limits import Policy
from bot.ports import Completion, Prompt
from bot.reading import Reader
from bot.replying import Replier
from bot.secrets import Secret
from bot.turn import Turns
from tests.fakes import (
    FakeClock,
    FakeContent,
    FakeMessenger,
    FakeModel,
    FakePainter,
    FakePictures,
    FakeProfiles,
    FakeQueue,
    FakeSecretSource,
    FakeStore,
    FakeTranscriber,
)
from tests.webhooks import BOT, KEYS, NOW, USER

SECRET = "channel-secret"


class BlockedModel(FakeModel):
    """Answers only once it is released; `reached` tells that it was asked."""

    def __init__(self, *answers: str) -> None:
        super().__init__(*answers)
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def complete(self, prompt: Prompt) -> Completion:
        self.reached.set()
        await self.released.wait()
        return await super().complete(prompt)


def secret(value: str = SECRET) -> Secret:
    async def version() -> str:
        raise AssertionError("a given secret is not read")

    async def source() -> FakeSecretSource:
        raise AssertionError("a given secret is not read")

    return Secret(value, version, source, FakeClock())


def conversation_id(source_id: str = USER) -> str:
    source_type: Any = KEYS[source_id[0]][0]
    return Source(source_type, source_id).conversation_id


class Pipeline:
    """One instance of the program; several may share one store."""

    def __init__(
        self,
        model: FakeModel | None = None,
        *,
        queue: bool = False,
        store: FakeStore | None = None,
        messenger: FakeMessenger | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.clock = clock or FakeClock(NOW)
        self.store = store or FakeStore()
        self.model = model or FakeModel()
        self.messenger = messenger or FakeMessenger()
        self.queue = FakeQueue()
        self.profiles = FakeProfiles(self.clock)
        asker = Asker(self.model, "Be kind.", 40_000, self.clock, Breaker(self.clock))
        courier = Courier(self.messenger, self.clock, pauses=(0, 0, 0))
        self.content, self.transcriber = FakeContent(), FakeTranscriber()
        fetcher = Fetcher(self.content, self.transcriber, pauses=(0, 0))
        reader = Reader(fetcher, self.store, Introducer(self.profiles, self.clock))
        self.painter, self.pictures = FakePainter(), FakePictures()
        studio = Studio(self.painter, self.pictures, self.store, 40_000)
        replier = Replier(self.store, reader, asker, self.clock, studio=studio)
        turns = Turns(replier, courier, self.messenger, self.clock, sleep=self.clock.sleep)
        dispatcher = Dispatcher(self.queue, secret(), self.clock) if queue else None
        self.inbox = Inbox(self.store, turns, self.messenger, dispatcher, self.clock, Policy(), self.pictures)

    async def take(self, *raws: Any) -> None:
        """One body, received now."""
        events = [(read_event(raw, BOT, self.clock()), raw) for raw in raws]
        await self.inbox.take(Delivery(BOT, self.clock(), tuple((event, raw) for event, raw in events if event)))

    def document(self, source_id: str = USER) -> Document:
        return self.store.documents[conversation_id(source_id)][1]

    def state(self, source_id: str = USER) -> Conversation:
        return decode(self.document(source_id))

    def stored(self) -> str:
        """All that is stored anywhere, as text."""
        return repr((self.store.documents, self.store.batches))

    def archived(self, source_id: str = USER) -> list[str]:
        """What people said in the archive, in its order."""
        batches = self.store.batches.get(conversation_id(source_id), {})
        turns = [turn for key in sorted(batches) for turn in decode_batch(batches[key]).turns]
        return [said.text for turn in turns for said in turn.said]

    def shown(self) -> list[str]:
        """Every bubble that people see, in order."""
        return [bubble for delivery in self.messenger.shown for bubble in delivery.bubbles]
