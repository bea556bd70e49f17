"""The stand-in's settings of the channel: which webhook is registered, and LINE's test of it.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-settings
"""

import http.client
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from bot.local.calls import Call
from bot.local.webhook import encode, post, sign

PATH = "/v2/bot/channel/webhook"
URL_CHARACTERS = 500
LOOPBACK = ("127.0.0.1", "localhost")


class Channel:
    """`active`: "Use webhook" is on. `route` says for a registered URL where the test really goes."""

    def __init__(self, bot_id: str, secret: str) -> None:
        self.url = ""
        self.active = True
        self.route: Callable[[str], str] = lambda url: url
        self.tested: list[str] = []
        self.secret = secret
        self._bot_id = bot_id

    def show(self, call: Call) -> Response:
        if not self.url:
            return JSONResponse({"message": "Not found"}, 404)
        return JSONResponse({"endpoint": self.url, "active": self.active})

    def register(self, call: Call) -> Response:
        url = call.json.get("endpoint")
        if not _is_good(url):
            return JSONResponse({"message": "Invalid webhook endpoint URL"}, 400)
        self.url = url
        return JSONResponse({})

    async def test(self, call: Call) -> Response:
        """A webhook without events, really signed and really sent."""
        url = call.json.get("endpoint") or self.url
        if not _is_good(url):
            return JSONResponse({"message": "Invalid webhook endpoint URL"}, 400)
        self.tested.append(url)
        status, reason, detail = await self._outcome(self.route(url))
        return JSONResponse(
            {
                "success": status == 200,
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "statusCode": status,
                "reason": reason,
                "detail": detail,
            }
        )

    async def _outcome(self, url: str) -> tuple[int, str, str]:
        body = encode(self._bot_id, [])
        try:
            answered = await post(url, body, sign(self.secret, body))
        except TimeoutError:
            return 0, "REQUEST_TIMEOUT", "Request timeout"
        except (OSError, http.client.HTTPException):
            return 0, "COULD_NOT_CONNECT", "Connection failed"
        if answered.status == 200:
            return 200, "OK", "200"
        return answered.status, "ERROR_STATUS_CODE", str(answered.status)


def _is_good(url: Any) -> bool:
    """LINE wants https; of this machine itself, which only a stand-in can reach, http will do."""
    if not isinstance(url, str) or len(url) > URL_CHARACTERS:
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
