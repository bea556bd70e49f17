"""A stand-in for LINE's Messaging API that checks what it is sent as strictly as LINE does.

Status codes and error bodies follow https://developers.line.biz/en/reference/messaging-api/.
"""

import asyncio
import inspect
import itertools
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from bot.local.calls import Call, Fault, Faults
from bot.local.channel import PATH as WEBHOOK
from bot.local.channel import Channel
from bot.local.chats import BOT, NOTICE, TOKEN_SECONDS, Bubble, Chats, Json, line_id, message_id, now_ms
from bot.local.messages import problems
from bot.local.server import Dropped, Hung
from bot.local.webhook import Answered, Events, encode, post, redelivered, sign
from bot.ports import Clock

BOT_NAME = "Kaiwa"
RETRY_KEY = "x-line-retry-key"
WITH_BODY = ("POST", "PUT")
QUOTING = ("text", "textV2", "sticker")
RETRY_KEY_MS = 24 * 60 * 60_000
TEXTS = {
    401: "Authentication failed. Confirm that the access token in the authorization header is valid.",
    403: "Access to this API is not available for your account",
    404: "Not found",
    429: "The API rate limit has been exceeded. Try again later.",
}
JUDGE = ThreadPoolExecutor(1, "judge")
MONTHLY = "You have reached your monthly limit."

Handler = Callable[[Call], Response | Awaitable[Response]]


def refusal(status: int, message: str = "", **more: Any) -> JSONResponse:
    return JSONResponse({"message": message or TEXTS.get(status, "Something went wrong")} | more, status)


class LineStandIn:
    """LINE, as far as the bot can see. `chats` is what people see; `events` makes webhook events; `channel` is its
    settings.

    `calls` is every request in order. `monthly_quota` limits pushes, one per person reached; None: no limit.
    `refused_types`: messages that it refuses however good they are, "flex" for one. `judged`: line-bot-sdk has to know
    everything that is sent, which takes time.
    """

    def __init__(
        self,
        token: str,
        secret: str,
        token_seconds: float = TOKEN_SECONDS,
        clock: Clock = now_ms,
        *,
        judged: bool = True,
    ) -> None:
        self.token = token
        self.secret = secret
        self.judged = judged
        self.bot_id = line_id("U", "the bot itself")
        self.chats = Chats(clock, token_seconds)
        self.events = Events(self.bot_id, BOT_NAME, self.chats.issue_token, clock)
        self.channel = Channel(self.bot_id, secret)
        self.chat_mode = "bot"
        self.calls: list[Call] = []
        self.monthly_quota: int | None = None
        self.pushed = 0
        self.refused_types: set[str] = set()
        self._faults = Faults()
        self._accepted: dict[str, tuple[int, str, list[Json]]] = {}
        self.routes = self._routes()
        self.app = Starlette(routes=self.routes)
        if judged:
            JUDGE.submit(import_module, "bot.local.sdk")  # a second's work, which the first message would wait for

    def fail_next(self, path_suffix: str, fault: Fault, times: int = 1, chat_id: str = "") -> None:
        """Let the next calls whose path ends with `path_suffix` ("/reply", "/push", "/loading/start") go wrong.

        `chat_id`: only those for this chat.
        """
        self._faults.fail_next(path_suffix, fault, times, chat_id)

    def heal(self, chat_id: str = "") -> None:
        """Forget the faults that have not happened yet, of one chat or all."""
        self._faults.clear(chat_id)

    def calls_to(self, path_suffix: str) -> list[Call]:
        return [call for call in self.calls if call.path.endswith(path_suffix)]

    def sent(self, chat_id: str) -> list[Bubble]:
        """What the bot has said in a chat, as its people see it."""
        return [bubble for bubble in self.chats.in_chat(chat_id) if bubble.by == BOT]

    async def wait_for_sent(self, chat_id: str, count: int, seconds: float = 60.0) -> list[Bubble]:
        """The bot's bubbles as soon as there are `count` of them; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            with self.chats.changes() as changes:
                while len(self.sent(chat_id)) < count:
                    await changes.get()
        return self.sent(chat_id)

    def signed(self, *events: Any) -> tuple[bytes, str]:
        """A webhook body with these events, and its signature."""
        self._know_quote_tokens(events)
        body = encode(self.bot_id, events)
        return body, sign(self.secret, body)

    def _know_quote_tokens(self, events: Sequence[Any]) -> None:
        """Whatever goes out with a token can be quoted by it, whoever made the event."""
        messages = [event.get("message") for event in events if isinstance(event, dict)]
        for message in messages:
            if isinstance(message, dict) and isinstance(message.get("quoteToken"), str):
                self.events.quotable.setdefault(message["quoteToken"], str(message.get("id")))

    async def deliver(self, url: str, *events: Any) -> Answered:
        """Send these events to the webhook at `url`, as LINE does. Raises OSError or HTTPException."""
        return await post(url, *self.signed(*events))

    def redelivered(self, event: Json) -> Json:
        """The same event sent again, with its reply token's minute begun anew."""
        self.chats.renew_token(event.get("replyToken", ""))
        return redelivered(event)

    def _routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/v2/bot/message/reply", self._reply),
            ("POST", "/v2/bot/message/push", self._push),
            ("POST", "/v2/bot/message/validate/reply", self._validate),
            ("POST", "/v2/bot/chat/loading/start", self._start_loading),
            ("GET", "/v2/bot/message/{message_id}/content", self._content),
            ("GET", "/v2/bot/profile/{user_id}", self._profile),
            ("GET", "/v2/bot/group/{group_id}/member/{user_id}", self._member),
            ("GET", "/v2/bot/room/{room_id}/member/{user_id}", self._member),
            ("GET", "/v2/bot/info", self._info),
            ("GET", "/v2/bot/message/quota", self._quota),
            ("GET", "/v2/bot/message/quota/consumption", self._consumption),
            ("GET", f"{WEBHOOK}/endpoint", self.channel.show),
            ("PUT", f"{WEBHOOK}/endpoint", self.channel.register),
            ("POST", f"{WEBHOOK}/test", self.channel.test),
        ]
        return [Route(path, self._endpoint(handler), methods=[method]) for method, path, handler in table]

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Any]]:
        async def endpoint(request: Request) -> ASGIApp:
            call = await self._record(request)
            fault = self._faults.take(call.path, self._chat_of(call))
            if isinstance(fault, str) and not fault.endswith("-after"):
                return Dropped() if fault == "drop-before" else Hung()
            response = refusal(fault) if isinstance(fault, int) else await self._checked(call, handler)
            if fault == "drop-after":
                return Dropped()
            if fault == "hang-after":
                return Hung()
            if fault == "odd-after":
                response = JSONResponse({})
            call.status = response.status_code
            response.headers.setdefault("x-line-request-id", str(uuid.uuid4()))
            return response

        return endpoint

    async def _record(self, request: Request) -> Call:
        body = await request.body()
        try:
            parsed = json.loads(body) if body else None
        except ValueError:
            parsed = None
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, request.url.path, headers, body, parsed, self.chats.clock())
        self.calls.append(call)
        return call

    async def _checked(self, call: Call, handler: Handler) -> Response:
        response: Response | Awaitable[Response]
        if call.headers.get("authorization") != f"Bearer {self.token}":
            response = refusal(401)
        elif call.method in WITH_BODY and "application/json" not in call.headers.get("content-type", ""):
            response = refusal(415, "Unsupported media type")
        elif call.method in WITH_BODY and not isinstance(call.json, dict):
            response = refusal(400, "The request body could not be parsed as JSON")
        elif wrong := await self._unknown(call):
            response = _invalid(wrong)
        else:
            response = handler(call)
        if inspect.isawaitable(response):
            response = await response
        if response.status_code >= 400 and response.status_code != 409:
            self._notice(call, response)
        return response

    async def _unknown(self, call: Call) -> list[dict[str, str]]:
        """What line-bot-sdk does not know, in messages that have nothing else wrong."""
        if not self.judged or call.method != "POST" or "messages" not in call.json or problems(call.json):
            return []
        # In a thread of its own: those of asyncio may all be taken by webhooks that wait for this very answer.
        return await asyncio.get_running_loop().run_in_executor(JUDGE, _judged, call)

    def _notice(self, call: Call, response: Response) -> None:
        """Show the refusal in the chat it was meant for, where that can be told."""
        chat_id = self._chat_of(call)
        if self.chats.knows(chat_id):
            what = {"code": "line", "status": response.status_code, "path": call.path}
            text = json.dumps(what | {"answer": bytes(response.body).decode()})
            self.chats.show(Bubble(message_id(), chat_id, NOTICE, text, self.chats.clock()))

    def _chat_of(self, call: Call) -> str:
        body = call.json if isinstance(call.json, dict) else {}
        return str(body.get("to") or body.get("chatId") or self.chats.chat_of(str(body.get("replyToken"))))

    def _reply(self, call: Call) -> JSONResponse:
        if RETRY_KEY in call.headers:
            return refusal(400, "The 'X-Line-Retry-Key' header is not supported by this endpoint")
        if wrong := self._problems(call.json):
            return _invalid(wrong)
        token = str(call.json.get("replyToken"))
        if not self.chats.take_token(token):
            return refusal(400, "Invalid reply token")
        return JSONResponse({"sentMessages": self._show(self.chats.chat_of(token), call.json["messages"], "reply")})

    def _problems(self, body: Any) -> list[dict[str, str]]:
        """What LINE refuses; a quote token has to be one of its own, on a message that can quote."""
        if wrong := problems(body) or self._refused(body["messages"]):
            return wrong
        quoting = [(number, one) for number, one in enumerate(body["messages"]) if one.get("quoteToken") is not None]
        return [
            {"message": "The quote token is invalid", "property": f"messages[{number}].quoteToken"}
            for number, one in quoting
            if one["type"] not in QUOTING or str(one["quoteToken"]) not in self.events.quotable
        ]

    def _refused(self, messages: list[Json]) -> list[dict[str, str]]:
        return [
            {"message": "May not be used", "property": f"messages[{number}].type"}
            for number, message in enumerate(messages)
            if message["type"] in self.refused_types
        ]

    def _push(self, call: Call) -> JSONResponse:
        key = call.headers.get(RETRY_KEY, "")
        if key and not _is_uuid(key):
            return refusal(400, "The 'X-Line-Retry-Key' header is not a UUID")
        if wrong := self._problems(call.json):
            return _invalid(wrong)
        if accepted := self._accepted_before(key):
            _, request_id, shown = accepted
            response = refusal(409, "The retry key is already accepted", sentMessages=shown)
            response.headers["x-line-accepted-request-id"] = request_id
            return response
        return self._push_new(str(call.json.get("to")), call.json["messages"], key)

    def _accepted_before(self, key: str) -> tuple[int, str, list[Json]] | None:
        accepted = self._accepted.get(key)
        return accepted if accepted and self.chats.clock() - accepted[0] < RETRY_KEY_MS else None

    def _push_new(self, to: str, messages: list[Json], key: str) -> JSONResponse:
        if not self.chats.knows(to):
            return refusal(400, "Failed to send messages")
        absent = to in self.chats.absent
        people = 0 if absent else self.chats.people_in(to)
        if self.monthly_quota is not None and self.pushed + people > self.monthly_quota:
            return refusal(429, MONTHLY)
        self.pushed += people
        shown, request_id = self._show(to, messages, "push"), str(uuid.uuid4())
        if key:
            self._accepted[key] = (self.chats.clock(), request_id, shown)
        return JSONResponse({"sentMessages": shown}, headers={"x-line-request-id": request_id})

    def _show(self, chat_id: str, messages: list[Json], way: Literal["reply", "push"]) -> list[Json]:
        """What LINE answers; to someone who has blocked the bot it answers the same and shows nothing."""
        shown = []
        for message in messages:
            items = (message.get("quickReply") or {}).get("items", []) if message is messages[-1] else []
            buttons = tuple(item["action"] for item in items)
            bubble = self._bubble(chat_id, message, way, buttons)
            if chat_id not in self.chats.absent:
                self.chats.show(bubble)
            shown.append({"id": bubble.id, "quoteToken": self.events.quote_token(bubble.id)})
        return shown

    def _bubble(
        self, chat_id: str, message: Json, way: Literal["reply", "push"], buttons: tuple[Json, ...] = ()
    ) -> Bubble:
        other = {} if message["type"] == "text" else {name: message[name] for name in message if name != "quickReply"}
        text = message.get("text") or message.get("altText") or ""
        quoted = self.events.quotable.get(str(message.get("quoteToken")), "")
        now = self.chats.clock()
        return Bubble(message_id(), chat_id, BOT, text, now, way, buttons, quoted, message=other)

    def _validate(self, call: Call) -> JSONResponse:
        wrong = self._problems(call.json)
        return _invalid(wrong) if wrong else JSONResponse({})

    def _start_loading(self, call: Call) -> JSONResponse:
        chat_id, seconds = call.json.get("chatId"), call.json.get("loadingSeconds", 20)
        if not isinstance(chat_id, str) or not chat_id.startswith("U"):
            return _invalid([{"message": "The value must be a user ID", "property": "chatId"}])
        if not isinstance(seconds, int) or seconds % 5 or not 5 <= seconds <= 60:
            return _invalid([{"message": "Must be a multiple of 5 between 5 and 60", "property": "loadingSeconds"}])
        if chat_id in self.chats.users and chat_id not in self.chats.absent:
            self.chats.start_loading(chat_id, seconds)
        return JSONResponse({}, 202)

    def _content(self, call: Call) -> Response:
        """LINE's second host, which is this one, too. A message that was taken back is gone for good."""
        sent = call.path.split("/")[-2]
        if sent in self.chats.gone:
            return refusal(410, "The content is gone")
        content = self.chats.contents.get(sent)
        if content and content.endless:
            return StreamingResponse(itertools.repeat(content.data), media_type=content.content_type)
        return Response(content.data, media_type=content.content_type) if content else refusal(404)

    def _profile(self, call: Call) -> JSONResponse:
        user = self.chats.users.get(call.path.rsplit("/", 1)[1])
        if user is None or user.id in self.chats.absent:
            return refusal(404)
        return JSONResponse({"userId": user.id, "displayName": user.name, "language": user.language})

    def _member(self, call: Call) -> JSONResponse:
        """Of anybody in the group, friend or not; without a language."""
        chat_id, _, user_id = call.path.split("/")[4:7]
        group, user = self.chats.groups.get(chat_id), self.chats.users.get(user_id)
        if group is None or user is None or user_id not in group.members or chat_id in self.chats.absent:
            return refusal(404)
        return JSONResponse({"userId": user.id, "displayName": user.name})

    def _info(self, call: Call) -> JSONResponse:
        info = {"userId": self.bot_id, "basicId": "@kaiwa", "displayName": BOT_NAME}
        read = "auto" if self.chat_mode == "bot" else "manual"
        return JSONResponse(info | {"chatMode": self.chat_mode, "markAsReadMode": read})

    def _quota(self, call: Call) -> JSONResponse:
        if self.monthly_quota is None:
            return JSONResponse({"type": "none"})
        return JSONResponse({"type": "limited", "value": self.monthly_quota})

    def _consumption(self, call: Call) -> JSONResponse:
        return JSONResponse({"totalUsage": self.pushed})


def _invalid(wrong: list[dict[str, str]]) -> JSONResponse:
    return refusal(400, f"The request body has {len(wrong)} error(s)", details=wrong)


def _judged(call: Call) -> list[dict[str, str]]:
    from bot.local import sdk

    return sdk.problems(call.path, call.json)


def _is_uuid(key: str) -> bool:
    try:
        return str(uuid.UUID(key)) == key.lower()
    except ValueError:
        return False
