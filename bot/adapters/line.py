"""Replies, pushes and the loading animation. What LINE did with a message is judged here, and only here.

Source: https://developers.line.biz/en/reference/messaging-api/#status-codes
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from bot import cards, log
from bot.adapters.line_api import Answer, LineApi, NotAnswered, NotConnected
from bot.conversation import QuickReply
from bot.errors import KaiwaError
from bot.limits import POSTBACK_CHARACTERS, QUICK_REPLIES
from bot.ports import Receipt, Sent

REPLY = "/v2/bot/message/reply"
PUSH = "/v2/bot/message/push"
LOADING = "/v2/bot/chat/loading/start"
LABEL_CHARACTERS = 20


class LineMessenger:
    """`ports.Messenger`. Raises only KaiwaError, when the access token cannot be read. `timeout` in seconds a call."""

    def __init__(self, api: LineApi, timeout: float = 8.0) -> None:
        self._api = api
        self._timeout = timeout

    async def reply(
        self, token: str, bubbles: Sequence[str], quick_replies: Sequence[QuickReply] = (), quote_token: str = ""
    ) -> Receipt:
        # Without a retry key: LINE refuses one here.
        return await self._show(REPLY, {"replyToken": token}, {}, bubbles, quick_replies, quote_token)

    async def push(
        self,
        to: str,
        bubbles: Sequence[str],
        retry_key: str,
        quick_replies: Sequence[QuickReply] = (),
        quote_token: str = "",
    ) -> Receipt:
        headers = {"X-Line-Retry-Key": retry_key}
        return await self._show(PUSH, {"to": to}, headers, bubbles, quick_replies, quote_token)

    async def show_loading(self, user_id: str, seconds: int) -> None:
        body = {"chatId": user_id, "loadingSeconds": seconds}
        with contextlib.suppress(KaiwaError):  # an ornament: whatever goes wrong with it, the turn goes on
            await self._api.call("POST", LOADING, body, timeout=self._timeout)

    async def _show(
        self,
        path: str,
        receiver: Mapping[str, str],
        headers: Mapping[str, str],
        bubbles: Sequence[str],
        quick_replies: Sequence[QuickReply],
        quote_token: str,
    ) -> Receipt:
        """With cards; when LINE refuses them nothing was shown, and the same goes out as text by the same way."""
        contents = [cards.message(bubble) for bubble in bubbles]
        body = {**receiver, "messages": _messages(contents, quick_replies, quote_token)}
        receipt = await self._deliver(path, body, headers)
        if receipt.sent is not Sent.REFUSED or all(content["type"] == "text" for content in contents):
            return receipt
        texts = _messages([cards.text_message(bubble) for bubble in bubbles], quick_replies, quote_token)
        receipt = await self._deliver(path, {**receiver, "messages": texts}, headers)
        if receipt.sent is Sent.ACCEPTED:
            log.event("card_refused", "WARNING", request_id=receipt.request_id)
        return receipt

    async def _deliver(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Receipt:
        try:
            answer = await self._api.call("POST", path, body, headers=headers, timeout=self._timeout)
        except NotConnected:
            return Receipt(Sent.LIMITED)
        except NotAnswered:
            return Receipt(Sent.AMBIGUOUS)
        return _receipt(answer)


def _messages(
    contents: Sequence[Mapping[str, Any]], quick_replies: Sequence[QuickReply], quote_token: str
) -> list[dict[str, Any]]:
    """Text is plain `text`: `textV2` would give braces a meaning. Only text quotes; only the last shows its buttons."""
    messages = [dict(content) for content in contents]
    texts = [message for message in messages if message["type"] == "text"]
    if quote_token and texts:
        texts[0]["quoteToken"] = quote_token
    buttons = [_button(reply) for reply in quick_replies if len(reply.data) <= POSTBACK_CHARACTERS]
    if buttons:
        messages[-1]["quickReply"] = {"items": buttons[:QUICK_REPLIES]}
    return messages


def _button(reply: QuickReply) -> dict[str, Any]:
    label = reply.label[:LABEL_CHARACTERS]
    action = {"type": "postback", "label": label, "data": reply.data, "displayText": label}
    return {"type": "action", "action": action}


def _receipt(answer: Answer) -> Receipt:
    if answer.status == 401:
        return Receipt(Sent.LIMITED)
    sent = _judge(answer)
    return Receipt(sent, _message_ids(answer) if sent is Sent.ACCEPTED else (), answer.request_id)


def _judge(answer: Answer) -> Sent:
    """A 2xx means that the message is out, whatever comes with it."""
    status = answer.status
    if answer.is_success or status == 409:
        return Sent.ACCEPTED  # 409: the retry key had been accepted before; only a push carries one
    if status == 429:
        # LINE tells its two kinds of 429 apart by nothing but the text.
        return Sent.QUOTA if b"monthly limit" in (answer.body or b"").lower() else Sent.LIMITED
    return Sent.REFUSED if 400 <= status < 500 else Sent.AMBIGUOUS


def _message_ids(answer: Answer) -> tuple[str, ...]:
    try:
        return tuple(str(message["id"]) for message in answer.told.get("sentMessages", ()))
    except (LookupError, TypeError):
        return ()
