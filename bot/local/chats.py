"""What the stand-in for LINE knows: people, groups, what each chat shows, and reply tokens.

Times are milliseconds since 1970. A chat's id is its user's id (one-to-one with the bot) or its group's id.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

from bot.ports import Clock

BOT = "bot"
NOTICE = "notice"
TOKEN_SECONDS = 60.0
TOKEN_OLDEST_EVENT_MS = 20 * 60_000
"""A redelivered event's token is dead when the event is older than this."""

Json = dict[str, Any]
_count = itertools.count(secrets.randbelow(50_000))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def message_id() -> str:
    """18 decimal digits, new in every run: too large for a JavaScript number, as LINE's are."""
    return f"{now_ms():013d}{next(_count) % 100_000:05d}"


def line_id(letter: Literal["U", "C", "R"], name: str) -> str:
    """An id of LINE's form that is the same in every run, so that the store knows the person again."""
    return letter + sha256(name.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    language: str = "ja"


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bubble:
    """One thing a chat shows. `by` is a user id, BOT, or NOTICE: then `text` is what went wrong, as data."""

    id: str
    chat_id: str
    by: str
    text: str
    at: int
    way: Literal["", "reply", "push"] = ""
    buttons: tuple[Json, ...] = ()
    quoted: str = ""
    read: bool = False
    unsent: bool = False
    edited: bool = False
    message: Json = field(default_factory=dict)
    """LINE's message object, when it is another than plain text; then `text` is its altText, if it has one."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a picture, a voice message, a video or a file that somebody has sent.

    `endless`: they are sent again and again, and their length is not told.
    """

    content_type: str
    data: bytes
    endless: bool = False


@dataclass(frozen=True, slots=True)
class ReplyToken:
    chat_id: str
    event_at: int
    received_at: int
    used: bool = False


class Chats:
    """Everything that LINE would remember, in memory."""

    def __init__(self, clock: Clock = now_ms, token_seconds: float = TOKEN_SECONDS) -> None:
        self.clock = clock
        self.token_seconds = token_seconds
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.bubbles: dict[str, dict[str, Bubble]] = {}
        self.contents: dict[str, Content] = {}
        """By message id, until the message is taken back; then the id is in `gone`."""
        self.gone: set[str] = set()
        self.tokens: dict[str, ReplyToken] = {}
        self.absent: set[str] = set()
        """Chats that the bot cannot reach: the user has blocked it, or it has left the group."""
        self.loading: dict[str, int] = {}
        self._listeners: set[asyncio.Queue[Json]] = set()

    def add_user(self, name: str, language: str = "ja", user_id: str = "") -> User:
        user = User(user_id or line_id("U", name), name, language)
        self.users[user.id] = user
        return user

    def add_group(self, name: str, members: tuple[str, ...], group_id: str = "") -> Group:
        group = Group(group_id or line_id("C", name), name, members)
        self.groups[group.id] = group
        return group

    def add_room(self, name: str, members: tuple[str, ...]) -> Group:
        """A chat of several people from before LINE had groups."""
        return self.add_group(name, members, line_id("R", name))

    def knows(self, chat_id: str) -> bool:
        return chat_id in self.users or chat_id in self.groups

    def people_in(self, chat_id: str) -> int:
        """How many pushes one push into this chat counts."""
        return len(self.groups[chat_id].members) if chat_id in self.groups else 1

    def in_chat(self, chat_id: str) -> list[Bubble]:
        return list(self.bubbles.get(chat_id, {}).values())

    def show(self, bubble: Bubble) -> Bubble:
        """Add a bubble, or show it anew after a change."""
        self.bubbles.setdefault(bubble.chat_id, {})[bubble.id] = bubble
        if bubble.by == BOT:
            self.loading.pop(bubble.chat_id, None)
        self.publish({"type": "bubble", "bubble": asdict(bubble)})
        return bubble

    def unsend(self, chat_id: str, bubble_id: str) -> None:
        self.contents.pop(bubble_id, None)
        self.gone.add(bubble_id)
        self.show(replace(self.bubbles[chat_id][bubble_id], text="", message={}, unsent=True))

    def start_loading(self, chat_id: str, seconds: int) -> None:
        self.loading[chat_id] = self.clock() + seconds * 1000
        self.publish({"type": "loading", "chat_id": chat_id, "until": self.loading[chat_id]})

    def set_absent(self, chat_id: str, absent: bool) -> None:
        (self.absent.add if absent else self.absent.discard)(chat_id)
        self.publish({"type": "absent", "chat_id": chat_id, "absent": absent})

    def issue_token(self, chat_id: str, event_at: int) -> str:
        """A reply token that counts as received by the bot now."""
        token = secrets.token_hex(16)
        self.tokens[token] = ReplyToken(chat_id, event_at, self.clock())
        return token

    def renew_token(self, token: str) -> None:
        """The event is being redelivered: its minute begins again."""
        if token in self.tokens:
            self.tokens[token] = replace(self.tokens[token], received_at=self.clock())

    def expire_tokens(self) -> None:
        """As if more than a minute had passed for every token so far."""
        self.tokens = {token: replace(known, received_at=0) for token, known in self.tokens.items()}

    def chat_of(self, token: str) -> str:
        """The chat a reply token belongs to, used or not; empty for one that never was."""
        return self.tokens[token].chat_id if token in self.tokens else ""

    def take_token(self, token: str) -> bool:
        """Whether a reply may be sent with it; from now on it may not."""
        known = self.tokens.get(token)
        if known is None or known.used:
            return False
        now = self.clock()
        young = now - known.received_at < self.token_seconds * 1000 and now - known.event_at < TOKEN_OLDEST_EVENT_MS
        if young:
            self.tokens[token] = replace(known, used=True)
        return young

    def publish(self, change: Json) -> None:
        for listener in self._listeners:
            listener.put_nowait(change)

    @contextmanager
    def changes(self) -> Iterator[asyncio.Queue[Json]]:
        """Every change from now on, in order."""
        listener: asyncio.Queue[Json] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def snapshot(self) -> Json:
        return {
            "type": "snapshot",
            "now": self.clock(),
            "users": [asdict(user) for user in self.users.values()],
            "groups": [asdict(group) for group in self.groups.values()],
            "bubbles": [asdict(bubble) for chat in self.bubbles.values() for bubble in chat.values()],
            "absent": sorted(self.absent),
            "loading": self.loading,
        }
