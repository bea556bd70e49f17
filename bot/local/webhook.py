"""Webhooks as LINE makes them: events of the real shape, the body, its signature, and the POST."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from bot.local.chats import Json, message_id
from bot.ports import Clock

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
QUOTABLE = ("image", "video", "sticker")
AT_LINE: Json = {"contentProvider": {"type": "line"}}
SECONDS = 70.0
"""How long the page waits for the function. LINE gives up after 2 s; here a late answer is worth seeing."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks and where: one-to-one, or in a group or room."""

    user_id: str = ""
    group_id: str = ""
    room_id: str = ""

    @classmethod
    def of(cls, user_id: str, chat_id: str) -> "Speaker":
        """Somebody, or nobody, in the chat with this id: ids tell by their first letter what they are of."""
        room = chat_id.startswith("R")
        return cls(user_id) if chat_id == user_id else cls(user_id, "" if room else chat_id, chat_id if room else "")

    @property
    def chat_id(self) -> str:
        return self.group_id or self.room_id or self.user_id

    @property
    def source(self) -> Json:
        kind = "group" if self.group_id else "room" if self.room_id else "user"
        ids = {"groupId": self.group_id, "roomId": self.room_id, "userId": self.user_id}
        return {"type": kind} | {name: value for name, value in ids.items() if value}


class Events:
    """Makes webhook events. `issue_token(chat_id, event_at)` gives the reply token of those that carry one."""

    def __init__(self, bot_id: str, bot_name: str, issue_token: Callable[[str, int], str], clock: Clock) -> None:
        self.bot_id = bot_id
        self.mention = f"@{bot_name}"
        self._issue_token = issue_token
        self._clock = clock
        self.quotable: dict[str, str] = {}
        """Message ids by quote token."""

    def quote_token(self, message_id: str) -> str:
        """As LINE makes them: long, and telling nothing."""
        token = secrets.token_urlsafe(48)
        self.quotable[token] = message_id
        return token

    def text(
        self,
        speaker: Speaker,
        text: str,
        *,
        at: int = 0,
        quoted: str = "",
        mention: bool = True,
        people: Mapping[str, str] = MappingProxyType({}),
    ) -> Json:
        """A text message. In a group each "@Kaiwa" in it is a real mention, unless `mention` is False.

        So is "@All", and "@" before a name in `people`, which gives user ids.
        """
        return self.message(speaker, self._text(speaker, text, quoted, people if mention else None), at=at)

    def edited(
        self, speaker: Speaker, edited: str, text: str, *, at: int = 0, people: Mapping[str, str] = MappingProxyType({})
    ) -> Json:
        """A text message of a group that its writer has changed; it keeps its id."""
        message = self._text(speaker, text, "", people, edited)
        return self._event("messageEdited", speaker, at, replies=True) | {"message": message}

    def image(self, speaker: Speaker, *, at: int = 0, image_set: Json | None = None) -> Json:
        """A picture; `image_set`: `{id, index, total}` of the album it belongs to."""
        album = {"imageSet": image_set} if image_set else {}
        return self._media(speaker, "image", at, album | AT_LINE)

    def video(self, speaker: Speaker, duration: int, *, at: int = 0) -> Json:
        """`duration` in milliseconds, as of a voice message."""
        return self._media(speaker, "video", at, {"duration": duration} | AT_LINE)

    def audio(self, speaker: Speaker, duration: int, *, at: int = 0) -> Json:
        return self._media(speaker, "audio", at, {"duration": duration} | AT_LINE)

    def file(self, speaker: Speaker, name: str, size: int, *, at: int = 0) -> Json:
        """Any other file, of `size` bytes."""
        return self._media(speaker, "file", at, {"fileName": name, "fileSize": size})

    def location(
        self, speaker: Speaker, latitude: float, longitude: float, *, title: str = "", address: str = "", at: int = 0
    ) -> Json:
        told: Json = {name: value for name, value in (("title", title), ("address", address)) if value}
        return self._media(speaker, "location", at, told | {"latitude": latitude, "longitude": longitude})

    def sticker(
        self,
        speaker: Speaker,
        package_id: str,
        sticker_id: str,
        keywords: Sequence[str] = (),
        *,
        at: int = 0,
        quoted: str = "",
    ) -> Json:
        sticker: Json = {"packageId": package_id, "stickerId": sticker_id, "stickerResourceType": "STATIC"}
        told: Json = {"keywords": list(keywords)} if keywords else {}
        answers: Json = {"quotedMessageId": quoted} if quoted else {}
        return self._media(speaker, "sticker", at, sticker | told | answers)

    def _media(self, speaker: Speaker, kind: str, at: int, message: Json) -> Json:
        sent: Json = {"type": kind, "id": message_id()}
        quotable = {"quoteToken": self.quote_token(sent["id"])} if kind in QUOTABLE else {}
        return self.message(speaker, sent | quotable | message, at=at)

    def _text(self, speaker: Speaker, text: str, quoted: str, people: Mapping[str, str] | None, sent: str = "") -> Json:
        sent = sent or message_id()
        message: Json = {"type": "text", "id": sent, "quoteToken": self.quote_token(sent), "text": text}
        is_private = speaker.chat_id == speaker.user_id
        if mentionees := [] if people is None or is_private else self._mentionees(text, people):
            message["mention"] = {"mentionees": mentionees}
        if quoted:
            message["quotedMessageId"] = quoted
        return message

    def message(self, speaker: Speaker, message: Json, *, at: int = 0) -> Json:
        """A message of any type: sticker, image and so on."""
        return self._event("message", speaker, at, replies=True) | {"message": message}

    def postback(self, speaker: Speaker, data: str, *, at: int = 0) -> Json:
        return self._event("postback", speaker, at, replies=True) | {"postback": {"data": data}}

    def unsend(self, speaker: Speaker, unsent: str, *, at: int = 0) -> Json:
        return self._event("unsend", speaker, at) | {"unsend": {"messageId": unsent}}

    def follow(self, user_id: str, *, unblocked: bool = False, at: int = 0) -> Json:
        return self._event("follow", Speaker(user_id), at, replies=True) | {"follow": {"isUnblocked": unblocked}}

    def unfollow(self, user_id: str, *, at: int = 0) -> Json:
        return self._event("unfollow", Speaker(user_id), at)

    def join(self, group_id: str, *, at: int = 0) -> Json:
        return self._event("join", Speaker.of("", group_id), at, replies=True)

    def leave(self, group_id: str, *, at: int = 0) -> Json:
        return self._event("leave", Speaker.of("", group_id), at)

    def _event(self, kind: str, speaker: Speaker, at: int, replies: bool = False) -> Json:
        at = at or self._clock()
        event = {
            "type": kind,
            "webhookEventId": ulid(at),
            "deliveryContext": {"isRedelivery": False},
            "timestamp": at,
            "source": speaker.source,
            "mode": "active",
        }
        return event | ({"replyToken": self._issue_token(speaker.chat_id, at)} if replies else {})

    def _mentionees(self, text: str, people: Mapping[str, str]) -> list[Json]:
        """Where somebody is named after an "@", in the order of the text; the longest name that fits counts."""
        who: dict[str, Json] = {f"@{name}": {"type": "user", "userId": user_id} for name, user_id in people.items()}
        who |= {"@All": {"type": "all"}, self.mention: {"type": "user", "userId": self.bot_id, "isSelf": True}}
        names = re.compile("|".join(map(re.escape, sorted(who, key=len, reverse=True))))
        return [
            {"index": utf16_length(text[: found.start()]), "length": utf16_length(found[0])} | who[found[0]]
            for found in names.finditer(text)
        ]


def standby(event: Json) -> Json:
    """The same event as the bot sees it while something else holds the chat: without a reply token."""
    return {name: value for name, value in event.items() if name != "replyToken"} | {"mode": "standby"}


def redelivered(event: Json) -> Json:
    """The same event, sent again: only `isRedelivery` differs."""
    return event | {"deliveryContext": {"isRedelivery": True}}


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def ulid(at: int) -> str:
    """26 characters: the time in ms, then 80 random bits."""
    number = at << 80 | secrets.randbits(80)
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(26)))


def encode(destination: str, events: Sequence[Any]) -> bytes:
    """The body: compact JSON in UTF-8. A lone surrogate can only go as an escape."""
    body = {"destination": destination, "events": list(events)}
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


def sign(secret: str, body: bytes) -> str:
    """`x-line-signature`. Written apart from the function's own check, so that each proves the other."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    body: bytes


async def post(url: str, body: bytes, signature: str, seconds: float = SECONDS) -> Answered:
    """Send it as LINE does. Raises OSError or HTTPException when no answer comes."""
    return await asyncio.to_thread(_post, url, body, signature, seconds)


def _post(url: str, body: bytes, signature: str, seconds: float) -> Answered:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "LineBotWebhook/2.0",
        "x-line-signature": signature,
    }
    try:
        connection.request("POST", parts.path or "/", body, headers)
        response = connection.getresponse()
        return Answered(response.status, response.read())
    finally:
        connection.close()
