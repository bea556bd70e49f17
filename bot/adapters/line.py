"""LINE's Messaging API through line-bot-sdk. What LINE did with a message is judged here, and only here.

Source: https://developers.line.biz/en/reference/messaging-api/#status-codes
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

import aiohttp
from linebot.v3 import messaging as line
from linebot.v3.messaging.exceptions import ApiException

from bot import cards, log
from bot.conversation import QuickReply
from bot.limits import POSTBACK_CHARACTERS, QUICK_REPLIES
from bot.ports import Receipt, Sent
from bot.secrets import Secret

LABEL_CHARACTERS = 20

_answered: ContextVar[Any] = ContextVar("answered", default=None)
"""The 2xx response of the call that runs in this context."""


class _Client(line.AsyncApiClient):  # type: ignore[misc]  # the SDK comes without types
    async def request(self, *args: Any, **kwargs: Any) -> Any:
        # The SDK reads the body of a 2xx strictly and raises when it is odd, but by then the message is out:
        # that an answer came is kept where an exception cannot hide it.
        response = await super().request(*args, **kwargs)
        _answered.set(response)
        return response


class LineMessenger:
    """`ports.Messenger`. Raises only KaiwaError, when the access token cannot be read. `timeout` in seconds a call."""

    def __init__(self, base_url: str, token: Secret, timeout: float = 8.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._client: _Client | None = None

    async def reply(
        self, token: str, bubbles: Sequence[str], quick_replies: Sequence[QuickReply] = (), quote_token: str = ""
    ) -> Receipt:
        # Without a retry key: LINE refuses one here.
        def call(api: Any, messages: list[Any]) -> Any:
            request = line.ReplyMessageRequest(replyToken=token, messages=messages)
            return api.reply_message_with_http_info(request, _request_timeout=self._timeout)

        return await self._show(call, bubbles, quick_replies, quote_token)

    async def push(
        self,
        to: str,
        bubbles: Sequence[str],
        retry_key: str,
        quick_replies: Sequence[QuickReply] = (),
        quote_token: str = "",
    ) -> Receipt:
        def call(api: Any, messages: list[Any]) -> Any:
            request = line.PushMessageRequest(to=to, messages=messages)
            return api.push_message_with_http_info(request, x_line_retry_key=retry_key, _request_timeout=self._timeout)

        return await self._show(call, bubbles, quick_replies, quote_token)

    async def show_loading(self, user_id: str, seconds: int) -> None:
        try:
            api = self._api(await self._token.value())
            request = line.ShowLoadingAnimationRequest(chatId=user_id, loadingSeconds=seconds)
            await api.show_loading_animation_with_http_info(request, _request_timeout=self._timeout)
        except Exception:  # noqa: BLE001  # an ornament: whatever goes wrong with it, the turn goes on
            return

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _api(self, token: str) -> Any:
        # The client needs the running loop and costs 18 ms: one per process. The SDK reads the configured token
        # anew for every request, so that a rotated one needs no new client that would cut calls under way.
        if self._client is None:
            self._client = _Client(line.Configuration(host=self._base_url, access_token=token))
        self._client.configuration.access_token = token
        return line.AsyncMessagingApi(self._client)

    async def _show(
        self,
        call: Callable[[Any, list[Any]], Any],
        bubbles: Sequence[str],
        quick_replies: Sequence[QuickReply],
        quote_token: str,
    ) -> Receipt:
        """With cards; when LINE refuses them nothing was shown, and the same goes out as text by the same way."""
        contents = [cards.message(bubble) for bubble in bubbles]
        messages = _messages(contents, quick_replies, quote_token)
        receipt = await self._deliver(lambda api: call(api, messages))
        if receipt.sent is not Sent.REFUSED or all(content["type"] == "text" for content in contents):
            return receipt
        texts = _messages([cards.text_message(bubble) for bubble in bubbles], quick_replies, quote_token)
        receipt = await self._deliver(lambda api: call(api, texts))
        if receipt.sent is Sent.ACCEPTED:
            log.event("card_refused", "WARNING", request_id=receipt.request_id)
        return receipt

    async def _deliver(self, call: Callable[[Any], Awaitable[Any]]) -> Receipt:
        token = await self._token.value()
        receipt = await self._attempt(call, token)
        if receipt is None:
            fresh = await self._token.refresh(token)
            receipt = await self._attempt(call, fresh) if fresh != token else None
        return receipt or Receipt(Sent.LIMITED)

    async def _attempt(self, call: Callable[[Any], Awaitable[Any]], token: str) -> Receipt | None:
        """One request. None when LINE does not accept the access token (401)."""
        _answered.set(None)
        try:
            await call(self._api(token))
        except ApiException as error:
            return _refusal(error)
        except aiohttp.ClientConnectorError:
            return Receipt(Sent.LIMITED)  # never connected: nothing was shown
        except Exception:  # noqa: BLE001  # bare aiohttp, decoding and validation errors: only the answer, if any, counts
            return _acceptance(_answered.get())
        return _acceptance(_answered.get())


def _messages(contents: Sequence[dict[str, Any]], quick_replies: Sequence[QuickReply], quote_token: str) -> list[Any]:
    """Text is plain `text`: `textV2` would give braces a meaning. Only text quotes; only the last shows its buttons."""
    messages = [_message(content) for content in contents]
    texts = [message for message in messages if isinstance(message, line.TextMessage)]
    if quote_token and texts:
        texts[0].quote_token = quote_token
    buttons = [_button(reply) for reply in quick_replies if len(reply.data) <= POSTBACK_CHARACTERS]
    if buttons:
        messages[-1].quick_reply = line.QuickReply(items=buttons[:QUICK_REPLIES])
    return messages


def _message(content: dict[str, Any]) -> Any:
    match content["type"]:
        case "flex":
            contents = line.FlexContainer.from_dict(content["contents"])
            return line.FlexMessage(altText=content["altText"], contents=contents)
        case "image":
            return line.ImageMessage(
                originalContentUrl=content["originalContentUrl"], previewImageUrl=content["previewImageUrl"]
            )
        case _:
            return line.TextMessage(text=content["text"])


def _button(reply: QuickReply) -> Any:
    label = reply.label[:LABEL_CHARACTERS]
    return line.QuickReplyItem(action=line.PostbackAction(label=label, data=reply.data, displayText=label))


def _acceptance(response: Any) -> Receipt:
    if response is None:
        return Receipt(Sent.AMBIGUOUS)
    return Receipt(Sent.ACCEPTED, _message_ids(response.data), response.getheader("x-line-request-id", ""))


def _refusal(error: Any) -> Receipt | None:
    if error.status == 401:
        return None
    request_id = (error.headers or {}).get("x-line-request-id", "")
    sent = _judge(error.status, str(error.body or ""))
    return Receipt(sent, _message_ids(error.body) if sent is Sent.ACCEPTED else (), request_id)


def _judge(status: int, text: str) -> Sent:
    if status == 409:
        return Sent.ACCEPTED  # the retry key had been accepted before; only a push carries one
    if status == 429:
        # LINE tells its two kinds of 429 apart by nothing but the text.
        return Sent.QUOTA if "monthly limit" in text.lower() else Sent.LIMITED
    return Sent.REFUSED if 400 <= status < 500 else Sent.AMBIGUOUS


def _message_ids(body: str | bytes | None) -> tuple[str, ...]:
    try:
        return tuple(str(message["id"]) for message in json.loads(body or "{}").get("sentMessages", ()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ()
