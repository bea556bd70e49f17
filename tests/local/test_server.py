"""The loopback server around the stand-ins."""

import asyncio

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bot.local.server import Hung, listen, serving


async def test_ends_with_calls_under_way(http: aiohttp.ClientSession) -> None:
    """A call that never ends does not keep the server from stopping; its caller sees the connection end."""
    async with serving(Starlette(routes=[Route("/", Hung())])) as base:
        hanging = asyncio.create_task(http.get(base))
        assert not (await asyncio.wait([hanging], timeout=0.2))[0]
    with pytest.raises(aiohttp.ClientConnectionError):
        await hanging
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.get(base)


def test_loopback_only() -> None:
    """It listens where no other machine reaches it, and a taken port is an error."""
    with listen() as listening:
        host, port = listening.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            listen(port)
