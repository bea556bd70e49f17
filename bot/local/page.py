"""The chat page and the little API behind it: whatever people do there goes signed through the real webhook."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.local import sending
from bot.local.chats import NOTICE, Bubble, Json, message_id
from bot.local.line import LineStandIn
from bot.local.sending import Sending
from bot.local.server import LOOPBACK
from bot.local.webhook import Speaker

SCREEN = Path(__file__).parent / "screen"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob: https:; media-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
KEEP_ALIVE_SECONDS = 15.0
PEOPLE = (("さくら", "ja"), ("Ken", "en"), ("Mei", "ja"))
GROUP = "週末のおでかけ"
SMALL_GROUP = "Book club"
ROOM = "さくら、Mei"
"""A room has no name of its own: LINE shows who is in it."""


@dataclass(frozen=True, slots=True)
class About:
    """What the status strip says: the model's name, whether a stand-in answers in its place, and the store."""

    model: str
    stand_in: bool
    store: str


class SameOrigin:
    """Refuses what other web pages send here: a loopback address is open to every page in the browser."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", []))
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if origin is not None and origin != b"http://" + host:
            await PlainTextResponse("only the page itself may ask", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class ChatPage:
    """People, their chats with the bot, and a group; `function_url` is set once the function has its port."""

    def __init__(self, line: LineStandIn, about: About) -> None:
        self.line = line
        self.about = about
        self.function_url = ""
        self.last_webhook: Json | None = None
        people = [line.chats.add_user(name, language).id for name, language in PEOPLE]
        line.chats.add_group(GROUP, tuple(people))
        line.chats.add_group(SMALL_GROUP, tuple(people[:2]))
        line.chats.add_room(ROOM, (people[0], people[2]))

    def app(self, *stand_ins: BaseRoute) -> Starlette:
        """The page and the stand-ins' routes as one application for this machine alone."""
        routes = [Route(f"/{path.name}", _file(path)) for path in SCREEN.iterdir() if path.suffix in TYPES]
        routes.append(Route("/", _file(SCREEN / "page.html")))
        routes += [Route("/api/changes", self._changes), Route("/content/{message_id}", self._content)]
        actions: list[tuple[str, Callable[[Json], Awaitable[None]]]] = [
            ("/api/send", self.send),
            ("/api/media", self.send_media),
            ("/api/sticker", self.send_sticker),
            ("/api/location", self.send_location),
            ("/api/edit", self.edit),
            ("/api/postback", self.postback),
            ("/api/unsend", self.unsend),
            ("/api/presence", self.set_presence),
        ]
        routes.extend(Route(path, _action(action), methods=["POST"]) for path, action in actions)
        # A page elsewhere could let its own name point here and then read everything: only loopback names count.
        trusted = Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"], www_redirect=False)
        return Starlette(routes=[*routes, *stand_ins], middleware=[trusted, Middleware(SameOrigin)])

    async def send(self, wish: Json) -> None:
        """`{me, chat, text, quoted?}`: somebody writes."""
        speaker = self._speaker(wish)
        await self._send(sending.text(self.line.events, speaker, wish, self._people(speaker)))

    async def send_media(self, wish: Json) -> None:
        """`{me, chat, files}`: pictures, voice messages, videos and files; each comes as a webhook of its own."""
        sent = sending.media(self.line.events, self._speaker(wish), wish)
        await asyncio.gather(*map(self._send, sent))

    async def send_sticker(self, wish: Json) -> None:
        """`{me, chat, sticker, quoted?}`"""
        await self._send(sending.sticker(self.line.events, self._speaker(wish), wish))

    async def send_location(self, wish: Json) -> None:
        """`{me, chat, latitude, longitude, title?, address?}`"""
        await self._send(sending.location(self.line.events, self._speaker(wish), wish))

    async def edit(self, wish: Json) -> None:
        """`{me, chat, message_id, text}`: somebody changes their own words; LINE allows it in groups and rooms."""
        speaker, words = self._speaker(wish), sending.words(wish)
        bubble = self._own(speaker, wish)
        if speaker.chat_id == speaker.user_id or not bubble.text:
            raise ValueError("message_id")
        self.line.chats.show(replace(bubble, text=words, edited=True))
        await self._deliver(self.line.events.edited(speaker, bubble.id, words, people=self._people(speaker)))

    async def postback(self, wish: Json) -> None:
        """`{me, chat, data, display_text?}`: somebody taps a button; what it displays counts as their words."""
        speaker, shown = self._speaker(wish), str(wish.get("display_text") or "")
        event = self.line.events.postback(speaker, str(wish["data"]))
        bubble = Bubble(message_id(), speaker.chat_id, speaker.user_id, shown, event["timestamp"])
        await self._deliver(event, self.line.chats.show(bubble) if shown else None)

    async def unsend(self, wish: Json) -> None:
        """`{me, chat, message_id}`: somebody takes back their own message."""
        speaker = self._speaker(wish)
        unsent = self._own(speaker, wish).id
        self.line.chats.unsend(speaker.chat_id, unsent)
        await self._deliver(self.line.events.unsend(speaker, unsent))

    async def set_presence(self, wish: Json) -> None:
        """`{me, chat, present}`: unblock or block the bot; in a group, invite or remove it."""
        speaker, present = self._speaker(wish), bool(wish["present"])
        events, chat_id = self.line.events, speaker.chat_id
        self.line.chats.set_absent(chat_id, not present)
        if chat_id != speaker.user_id:
            await self._deliver(events.join(chat_id) if present else events.leave(chat_id))
        else:
            await self._deliver(events.follow(chat_id, unblocked=True) if present else events.unfollow(chat_id))

    def _speaker(self, wish: Json) -> Speaker:
        me, chat_id = self.line.chats.users[wish["me"]].id, str(wish["chat"])
        if chat_id == me or me in self.line.chats.groups[chat_id].members:
            return Speaker.of(me, chat_id)
        raise KeyError(chat_id)

    def _people(self, speaker: Speaker) -> dict[str, str]:
        """Who can be mentioned there: user ids by name."""
        group = self.line.chats.groups.get(speaker.chat_id)
        return {self.line.chats.users[member].name: member for member in group.members} if group else {}

    def _own(self, speaker: Speaker, wish: Json) -> Bubble:
        bubble = self.line.chats.bubbles[speaker.chat_id][str(wish["message_id"])]
        if bubble.by != speaker.user_id or bubble.unsent:
            raise ValueError("message_id")
        return bubble

    async def _send(self, sent: Sending) -> None:
        if sent.content:
            self.line.chats.contents[sent.bubble.id] = sent.content
        await self._deliver(sent.event, self.line.chats.show(sent.bubble))

    async def _deliver(self, event: Json, bubble: Bubble | None = None) -> None:
        """Hand the event to the function; a bubble it took is read, and what went wrong is shown in the chat."""
        source = event["source"]
        chat_id = str(source.get("groupId") or source.get("roomId") or source["userId"])
        if chat_id in self.line.chats.absent and event["type"] not in ("leave", "unfollow"):
            return  # LINE tells the bot nothing of a chat that it is not in
        status, trouble = 0, ""
        try:
            status = (await self.line.deliver(self.function_url, event)).status
        except (OSError, http.client.HTTPException) as error:
            trouble = type(error).__name__
        self.last_webhook = {"status": status, "at": self.line.chats.clock()}
        self.line.chats.publish({"type": "webhook", "webhook": self.last_webhook})
        if status != 200:
            self._notice(chat_id, {"code": "webhook" if status else "unreachable", "status": status, "answer": trouble})
        elif bubble:
            shown = self.line.chats.bubbles[bubble.chat_id][bubble.id]
            self.line.chats.show(replace(shown, read=True))

    async def _content(self, request: Request) -> Response:
        """What somebody has sent, for the page to show; only what no browser takes for a document of its own."""
        content = self.line.chats.contents.get(request.path_params["message_id"])
        if content is None:
            raise HTTPException(404)
        harmless = content.content_type in sending.PICTURES or content.content_type.startswith(("audio/", "video/"))
        way = {} if harmless else {"Content-Disposition": "attachment"}
        kind = content.content_type if harmless else "application/octet-stream"
        return Response(content.data, media_type=kind, headers=HEADERS | way)

    def _notice(self, chat_id: str, what: Json) -> None:
        self.line.chats.show(Bubble(message_id(), chat_id, NOTICE, json.dumps(what), self.line.chats.clock()))

    async def _changes(self, request: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=HEADERS)

    async def _stream(self) -> AsyncIterator[str]:
        about = {"model": self.about.model, "stand_in": self.about.stand_in, "store": self.about.store}
        with self.line.chats.changes() as changes:
            stickers = {"stickers": {number: list(words) for number, words in sending.STICKERS.items()}}
            yield _event(self.line.chats.snapshot() | stickers | {"about": about, "webhook": self.last_webhook})
            while True:
                try:
                    yield _event(await asyncio.wait_for(changes.get(), KEEP_ALIVE_SECONDS))
                except TimeoutError:
                    yield ": still here\n\n"


def _event(change: Json) -> str:
    return f"data: {json.dumps(change)}\n\n"


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    content = path.read_bytes()

    async def serve(_request: Request) -> Response:
        return Response(content, media_type=TYPES[path.suffix], headers=HEADERS)

    return serve


def _action(action: Callable[[Json], Awaitable[None]]) -> Callable[[Request], Awaitable[Response]]:
    async def act(request: Request) -> Response:
        # A form of a foreign page can send text, but not this type.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415)
        try:
            await action(await request.json())
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"wrong": str(error)}, 400)
        return JSONResponse({})

    return act
