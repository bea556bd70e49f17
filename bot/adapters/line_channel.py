"""The channel itself, as LINE keeps it: its webhook, its bot, and how many messages it may push in a month.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-settings, #get-quota, #get-bot-info
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.adapters.line_api import Answer, LineApi
from bot.errors import Misconfigured, Unavailable

WEBHOOK = "/v2/bot/channel/webhook/endpoint"
WEBHOOK_TEST = "/v2/bot/channel/webhook/test"
QUOTA = "/v2/bot/message/quota"
BOT = "/v2/bot/info"
TEXT_CHARACTERS = 500


class LineRefused(Misconfigured):
    """LINE's definite no: `status` 400 to 499 but 429, and its own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"LINE answered {status}: {text}")
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Bot:
    """`chat_mode` is "chat" when people answer from LINE's manager, too, else "bot"; `read_mode` "auto" or "manual"."""

    user_id: str
    basic_id: str
    name: str
    chat_mode: str
    read_mode: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """`active`: "Use webhook" is on."""

    url: str
    active: bool


@dataclass(frozen=True, slots=True)
class WebhookTest:
    """What became of LINE's own signed request to the webhook; `status` is 0 or less when nothing came back."""

    success: bool
    status: int
    reason: str
    detail: str


class LineChannel:
    """`timeout` in seconds a call, `test_timeout` for the test, in which LINE waits for the webhook.

    Every method raises LineRefused, Unavailable, or Misconfigured when the access token cannot be read.
    """

    def __init__(self, api: LineApi, timeout: float = 5.0, test_timeout: float = 30.0) -> None:
        self._api = api
        self._timeout = timeout
        self._test_timeout = test_timeout

    async def quota(self) -> int | None:
        """How many messages may be pushed this month; None: no limit."""
        told = await self._call("GET", QUOTA)
        # Only LINE's own word is no limit: an answer that cannot be read is none.
        return None if told.get("type") == "none" else _number(told, "value")

    async def consumption(self) -> int:
        """How many of them are used up, about; what was sent by LINE's own tools counts, too."""
        return _number(await self._call("GET", QUOTA + "/consumption"), "totalUsage")

    async def bot(self) -> Bot:
        told = await self._call("GET", BOT)
        names = ("userId", "basicId", "displayName", "chatMode", "markAsReadMode")
        return Bot(*(str(told.get(name) or "") for name in names))

    async def webhook(self) -> Webhook | None:
        """What is registered; None when nothing is."""
        try:
            told = await self._call("GET", WEBHOOK)
        except LineRefused as refused:
            if refused.status == 404:
                return None
            raise
        return Webhook(str(told.get("endpoint") or ""), told.get("active") is True)

    async def register(self, url: str) -> None:
        """Takes effect within a minute, as LINE says. `url`: https, 500 characters at most."""
        await self._call("PUT", WEBHOOK, {"endpoint": url})

    async def test_webhook(self, url: str = "") -> WebhookTest:
        """LINE sends a signed webhook without events to what is registered, or to `url`. 60 an hour, all together."""
        told = await self._call("POST", WEBHOOK_TEST, {"endpoint": url} if url else {}, self._test_timeout)
        status = told.get("statusCode")
        return WebhookTest(
            told.get("success") is True,
            status if isinstance(status, int) else 0,
            str(told.get("reason") or "")[:TEXT_CHARACTERS],
            str(told.get("detail") or "")[:TEXT_CHARACTERS],
        )

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout: float = 0.0
    ) -> dict[str, Any]:
        return _told(await self._api.call(method, path, body, timeout=timeout or self._timeout))


def _told(answer: Answer) -> dict[str, Any]:
    """The object in LINE's answer; an empty one where there is none."""
    status = answer.status
    if 400 <= status < 500 and status != 429:
        raise LineRefused(status, str(answer.told.get("message") or "")[:TEXT_CHARACTERS])
    if not answer.is_success:
        raise Unavailable(f"LINE answered {status}; try again later")
    if answer.body is None:
        raise Unavailable("LINE's answer did not come whole; try again")
    return answer.told


def _number(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    if not isinstance(value, int):
        raise Unavailable(f"LINE's answer has no {name}; try again later")
    return value
