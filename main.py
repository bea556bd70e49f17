"""The Cloud Function: `functions-framework --target webhook`."""

import os
import threading
from collections.abc import AsyncIterator

import functions_framework.aio
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse

from bot import settings
from bot.app import App
from bot.gate import Request

for name in [name for name, value in os.environ.items() if not value]:
    # Empty means unset, for the libraries that read the environment themselves as well.
    del os.environ[name]

try:
    app = App(settings.read(os.environ), os.environ)
except settings.Malformed as malformed:
    raise SystemExit(str(malformed)) from None


@functions_framework.aio.http
async def webhook(request: HttpRequest) -> HttpResponse:
    """Answer one HTTP request as the contract says; see bot.gate."""
    response = await app.respond(Request(request.method, request.url.path or "/", request.headers, _pieces(request)))
    headers = dict(response.headers)
    if isinstance(response.body, str):
        return HttpResponse(response.body, response.status, headers, response.content_type)
    return JSONResponse(dict(response.body), response.status, headers)


async def _pieces(request: HttpRequest) -> AsyncIterator[bytes]:
    """The body as it comes; a sender who hangs up leaves one that no signature fits."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        return


def _preload() -> None:
    threading.Thread(target=app.preload, name="preload", daemon=True).start()


# The server forks its workers after this module has run, and threads do not survive a fork.
os.register_at_fork(after_in_child=_preload)
