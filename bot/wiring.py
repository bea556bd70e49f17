"""What answers people, put together: store, model, LINE, meter, reader, studio, and the inbox that uses them all.

Of the core only this module and bot.app know which adapter stands behind which port. Why there are two: see bot.app.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from bot.asking import Asker
from bot.breaker import Breaker
from bot.budget import Budget
from bot.delivery import Courier
from bot.drawing import Studio
from bot.export import Exports
from bot.fetching import Fetcher
from bot.inbox import Inbox
from bot.introducing import Introducer
from bot.links import Links
from bot.loading import Once, imported
from bot.metering import Meter, MeteredModel, MeteredPainter, MeteredTranscriber
from bot.moderating import Moderation
from bot.ports import Ledger, Messenger, Pictures, Profiles, Store
from bot.preferences import Offered
from bot.prices import Prices
from bot.purse import Purse
from bot.quota import Channel, Quota
from bot.reading import Reader
from bot.replying import Replier
from bot.searching import Search
from bot.spending import Limit, Limits
from bot.turn import Turns

if TYPE_CHECKING:
    from bot.adapters.line_api import LineApi
    from bot.adapters.openai import OpenAIModel
    from bot.app import App

MOST_LOADING_SECONDS = 60


class Wiring:
    """Everything behind the gate. What it shares with the gate, such as secrets and the queue, is the app's."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._settings = app.settings
        self.store = Once(self._make_store)
        self.inbox = Once(self._make_inbox)
        self._line = Once(self._make_line)
        self._channel = Once(self._make_channel)
        self._links = Links(app.channel_secret, app.settings.service_url, app.clock)
        self.exports = Exports(self._links, self.store, app.clock)

    async def _make_inbox(self) -> Inbox:
        settings, now = self._settings, self._app.clock
        store, model, messenger = await self.store(), await self._make_model(), await self._make_messenger()
        meter = await self._make_meter()
        metered = MeteredModel(model, meter, settings.model, self._others())
        asker = Asker(
            metered,
            settings.system_prompt,
            settings.model_deadline_ms,
            now,
            Breaker(now),
            Search(store, now),
            await self._make_moderation(model),
            settings.web_search,
            lost=metered.lost,
        )
        fetcher = await self._make_fetcher(model)
        listener = MeteredTranscriber(fetcher.transcriber, meter, settings.transcription_model)
        people = Introducer(await self._make_profiles(), now)
        reader = Reader(replace(fetcher, transcriber=listener), store, people)
        pictures = await self._make_pictures()
        studio = await self._make_studio(model, pictures, asker, meter) if pictures else None
        offered = Offered(settings.models, settings.policy.retention_ms, studio is not None)
        budget = Budget(now, settings.limits, meter.prices, meter.purse, settings.models, settings.cheaper_model)
        replier = Replier(store, reader, asker, now, offered, self._links, studio, budget)
        courier = Courier(messenger, now, quota=Quota(self._channel, settings.push_reserve, now))
        turns = Turns(replier, courier, messenger, now, _loading(settings.model_deadline_ms))
        dispatcher = await self._app.dispatcher() if settings.tasks_queue else None
        return Inbox(store, turns, messenger, dispatcher, now, settings.policy, pictures)

    async def _make_store(self) -> Store:
        if self._settings.sqlite_path:
            from bot.adapters.sqlite import SqliteStore

            return self._app.closing(SqliteStore(self._settings.sqlite_path))
        await imported("bot.adapters.firestore")
        from bot.adapters.firestore import FirestoreStore

        project = await self._app.project()
        return self._app.closing(FirestoreStore(project, self._settings.firestore_database))

    async def _make_meter(self) -> Meter:
        """With a purse where the month has a limit; what is left in it is given back at the end."""
        prices, monthly = Prices(self._settings.prices), self._settings.limits.monthly
        if monthly == Limit():
            return Meter(prices)
        purse = Purse(await self.ledger(), monthly, self._app.clock)
        self._app.finally_do(purse.give_back)
        return Meter(prices, purse)

    async def ledger(self) -> Ledger:
        """The month's account, which lies where the conversations do."""
        store = await self.store()
        return cast(Ledger, store)

    def _others(self) -> dict[str, str]:
        """The models that may answer beside the operator's, with their efforts."""
        settings = self._settings
        cheaper = {settings.cheaper_model: settings.cheaper_effort} if settings.limits != Limits() else {}
        return {**cheaper, **settings.other_models}

    async def _make_channel(self) -> Channel:
        await imported("bot.adapters.line_channel")
        from bot.adapters.line_channel import LineChannel

        return LineChannel(await self._line())

    async def _make_model(self) -> "OpenAIModel":
        await imported("bot.adapters.openai")
        from bot.adapters.openai import OpenAIModel

        key = self._app.secret("OPENAI_API_KEY")
        settings = self._settings
        effort = settings.reasoning_effort or None
        return self._app.closing(OpenAIModel(settings.model, key, effort=effort, others=self._others()))

    async def _make_fetcher(self, model: "OpenAIModel") -> Fetcher:
        await imported("bot.adapters.line_content")
        from bot.adapters.line_content import LineContent
        from bot.adapters.transcription import OpenAITranscriber

        content = self._app.closing(LineContent(self._settings.line_data_api_base_url, self._app.access_token))
        return Fetcher(content, OpenAITranscriber(model, self._settings.transcription_model))

    async def _make_moderation(self, model: "OpenAIModel") -> Moderation | None:
        if not self._settings.moderation:
            return None
        await imported("bot.adapters.moderation")
        from bot.adapters.moderation import OpenAIModerator

        return Moderation(OpenAIModerator(model))

    async def _make_pictures(self) -> Pictures | None:
        if not self._settings.media_bucket:
            return None
        await imported("bot.adapters.cloud_storage")
        from bot.adapters.cloud_storage import CloudStoragePictures

        return self._app.closing(CloudStoragePictures(self._settings.media_bucket))

    async def _make_studio(self, model: "OpenAIModel", pictures: Pictures, asker: Asker, meter: Meter) -> Studio:
        await imported("bot.adapters.painting")
        from bot.adapters.painting import OpenAIPainter

        image_model = self._settings.image_model
        painter = MeteredPainter(OpenAIPainter(model, image_model), meter, image_model)
        return Studio(
            painter, pictures, await self.store(), self._settings.model_deadline_ms, asker.moderation, painter.lost
        )

    async def _make_profiles(self) -> Profiles:
        await imported("bot.adapters.line_profiles")
        from bot.adapters.line_profiles import LineProfiles

        return LineProfiles(await self._line(), self._app.clock)

    async def _make_messenger(self) -> Messenger:
        await imported("bot.adapters.line")
        from bot.adapters.line import LineMessenger

        return LineMessenger(await self._line())

    async def _make_line(self) -> "LineApi":
        """Messages, profiles and the channel share its connections."""
        await imported("bot.adapters.line_api")
        from bot.adapters.line_api import LineApi

        return self._app.closing(LineApi(self._settings.line_api_base_url, self._app.access_token))


def _loading(deadline_ms: int) -> int:
    """LINE takes 5 to 60 seconds, in steps of 5: enough for the longest answer."""
    return min(-(-deadline_ms // 5000) * 5, MOST_LOADING_SECONDS)
