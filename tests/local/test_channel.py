"""The stand-in's settings of the channel: a webhook is registered, shown, and really tested."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.local.line import LineStandIn
from bot.local.webhook import sign
from tests.servers.http import Answer, HttpServer
from tests.servers.uvicorn import serving

ENDPOINT = "/v2/bot/channel/webhook/endpoint"
TEST = "/v2/bot/channel/webhook/test"


class Client:
    """An operator's side of the wire."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self.http = http
        self.base = base

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer token"}
        async with self.http.request(method, self.base + path, json=body, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
def line() -> LineStandIn:
    return LineStandIn("token", "secret")


@pytest.fixture
async def client(http: aiohttp.ClientSession, line: LineStandIn) -> AsyncIterator[Client]:
    async with serving(line.app) as base:
        yield Client(http, base)


async def test_registering(client: Client, line: LineStandIn) -> None:
    """What was registered is shown, with whether it is used; before that there is nothing."""
    assert (await client.ask("GET", ENDPOINT))[0] == 404
    assert await client.ask("PUT", ENDPOINT, {"endpoint": "https://kaiwa.example"}) == (200, {})
    assert await client.ask("GET", ENDPOINT) == (200, {"endpoint": "https://kaiwa.example", "active": True})
    line.channel.active = False
    assert (await client.ask("GET", ENDPOINT))[1]["active"] is False


@pytest.mark.parametrize("url", ["http://kaiwa.example", "https://" + "a" * 500, "", None, 5])
async def test_what_cannot_be_registered(client: Client, url: Any) -> None:
    """An address without https, a longer one than LINE's, or none."""
    assert (await client.ask("PUT", ENDPOINT, {"endpoint": url}))[0] == 400


async def test_the_test(client: Client) -> None:
    """A webhook without events, signed with the channel's secret, goes where the channel points."""
    async with HttpServer(Answer(200)) as function:
        await client.ask("PUT", ENDPOINT, {"endpoint": function.url})
        status, told = await client.ask("POST", TEST, {})
        [request] = function.requests
    assert (status, told["success"], told["statusCode"], told["reason"]) == (200, True, 200, "OK")
    assert request.json["events"] == []
    assert request.headers["x-line-signature"] == sign("secret", request.body)


async def test_a_test_that_fails(client: Client) -> None:
    """What the webhook answers is told, and when nobody is there."""
    async with HttpServer(Answer(401)) as function:
        _, told = await client.ask("POST", TEST, {"endpoint": function.url})
        assert (told["success"], told["statusCode"], told["reason"]) == (False, 401, "ERROR_STATUS_CODE")
    _, told = await client.ask("POST", TEST, {"endpoint": function.url})
    assert (told["success"], told["statusCode"], told["reason"]) == (False, 0, "COULD_NOT_CONNECT")
