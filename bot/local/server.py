"""A real uvicorn server inside the running loop, whose connections can be cut on purpose."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

LOOPBACK = "127.0.0.1"
ABORT = "kaiwa.abort"


class _Cuttable(H11Protocol):
    """HTTP/1.1 that lends the application a way to cut its own connection; ASGI has none."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: Any = self.app

        async def with_abort(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            scope[ABORT] = transport.abort
            await app(scope, receive, send)

        self.app = with_abort


class Hung:
    """An answer that never comes: waits until the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class Dropped(Hung):
    """An answer that never comes: the connection is cut at once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ABORT]()
        await super().__call__(scope, receive, send)


def listen(port: int = 0) -> socket.socket:
    """A listening socket on loopback; port 0 lets the system choose. Raises OSError when the port is taken."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen(512)
    except OSError:
        listening.close()
        raise
    return listening


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve `app` over real HTTP while the block runs; yields the base URL, without a final slash."""
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, log_level="critical", access_log=False)
    config.load()
    state = ServerState()
    listening = listening or listen()
    # Not uvicorn's own Server: that one takes the signals of the whole program and waits for clients to go.
    server = await asyncio.get_running_loop().create_server(lambda: _Cuttable(config, state, {}), sock=listening)
    try:
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"
    finally:
        server.close()
        await _cut(state)


async def _cut(state: ServerState) -> None:
    """End what is under way: event streams and hung answers would never end by themselves."""
    tasks = list(state.tasks)
    for task in tasks:
        task.cancel()
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.gather(*tasks, return_exceptions=True)
