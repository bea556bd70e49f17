"""Serve an ASGI application on loopback with a parser in C: uvicorn's own, in Python, would take more of the machine
than the function that is measured.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from starlette.types import ASGIApp, Message


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Yields the base URL, without a final slash. Bodies only: what streams or hangs up is not served here."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return await _answer(app, request)

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _answer(app: ASGIApp, request: web.BaseRequest) -> web.Response:
    body, sent = await request.read(), []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(request), receive, send)
    head, *pieces = sent
    headers = [(name.decode(), value.decode()) for name, value in head["headers"] if name != b"content-length"]
    answered = b"".join(piece.get("body", b"") for piece in pieces)
    return web.Response(status=head["status"], headers=dict(headers), body=answered)


def _scope(request: web.BaseRequest) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.raw_path.encode(),
        "query_string": request.query_string.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
