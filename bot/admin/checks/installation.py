"""What is examined: the settings, the secrets, and the ways to LINE, Google Cloud and the function."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.adapters.line_api import LineApi
from bot.adapters.line_channel import LineChannel
from bot.admin.checks.check import Shared, Stopped, skipped
from bot.app import now
from bot.errors import KaiwaError
from bot.ports import SecretSource
from bot.secrets import Secret
from bot.settings import SECRETS, Settings


@dataclass(frozen=True, slots=True)
class Page:
    """An answer over HTTP. `date`: its Date header, as it was sent; `began` and `ended` in ms since 1970, of here."""

    status: int
    body: bytes
    date: str
    began: int
    ended: int

    @property
    def told(self) -> Any:
        """The JSON in it, None when there is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Installation(Shared):
    """Close it at the end. `seconds`: how long each check may take."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], seconds: float) -> None:
        super().__init__(seconds)
        self.settings = settings
        self.environment = environment
        self._to_close: list[Callable[[], Awaitable[None]]] = []
        self._session: aiohttp.ClientSession | None = None

    async def project(self) -> str:
        """Of the settings, or of the credentials. Raises Stopped."""
        return self.settings.project or await self.once(_own_project)

    async def version(self, name: str) -> str:
        """Where Secret Manager keeps this secret; raises Stopped."""
        given = self.settings.secret_versions.get(name)
        return given or f"projects/{await self.project()}/secrets/{SECRETS[name]}/versions/latest"

    def given(self, name: str) -> str:
        """The secret itself, where the environment has it."""
        return (self.environment.get(name) or "").strip()

    def channel(self, token: str) -> LineChannel:
        """LINE with this access token. A check's own deadline comes first, but for the test of the webhook."""
        api = LineApi(self.settings.line_api_base_url, fixed(token))
        self.closing(api.close)
        return LineChannel(api, 2 * self.seconds, 2 * self.seconds)

    async def get(self, url: str) -> Page:
        """Raises aiohttp's errors and TimeoutError."""
        return await self._ask("GET", url, None, {})

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Page:
        """As `get`."""
        return await self._ask("POST", url, body, {"Content-Type": "application/json", **headers})

    def closing(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close this at the end, too."""
        self._to_close.append(close)

    async def close(self) -> None:
        await super().close()
        while self._to_close:
            await self._to_close.pop()()

    async def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Page:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            self.closing(self._session.close)
        began = now()
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            body = await response.read()
            return Page(response.status, body, response.headers.get("Date", ""), began, now())


async def _own_project(_: Installation) -> str:
    from bot.adapters.secret_manager import project_id

    try:
        return await project_id()
    except KaiwaError:
        raise Stopped(skipped("the project is not known: see credentials, or set GOOGLE_CLOUD_PROJECT")) from None


def fixed(value: str) -> Secret:
    """A secret that is known already."""
    return Secret(value, _nowhere, _nothing, now)


async def _nowhere() -> str:
    raise AssertionError("a given secret is read from nowhere")


async def _nothing() -> SecretSource:
    raise AssertionError("a given secret needs no source")
