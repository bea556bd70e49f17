"""One conversation as plain data: what the next turn needs, and nothing else.

Times are whole milliseconds since 1970 (LINE's own unit). Tuples and mappings are never changed in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

Kind = Literal["text", "command", "greeting", "unsupported", "refused"]
Way = Literal["reply", "push", "wait"]
Language = Literal["ja", "en"]
MediaKind = Literal["image", "audio", "video", "file"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a conversation takes place: LINE's `source` object, without the speaker."""

    type: Literal["user", "group", "room"]
    id: str

    @property
    def conversation_id(self) -> str:
        """The document's name: 64 hexadecimal characters that do not tell the LINE id."""
        return sha256(self.id.encode()).hexdigest()

    @property
    def is_private(self) -> bool:
        return self.type == "user"


@dataclass(frozen=True, slots=True)
class Token:
    """A LINE reply token: free, single-use, alive about a minute after `received_at`."""

    value: str
    received_at: int
    event_at: int


@dataclass(frozen=True, slots=True)
class Media:
    """What a message brings beside text. It is fetched by the message's id when it is read, and never stored.

    `url`: where it lies when not at LINE. `album`, `album_size`: LINE's image set, sent together by the person.
    `too_large`: LINE says so, it need not be fetched.
    """

    kind: MediaKind
    name: str = ""
    url: str = ""
    album: str = ""
    album_size: int = 0
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that was taken in and waits for its outcome. `speaker`: the LINE user id of who wrote it in a group.

    `edited_at`: when its text was last changed by its writer; 0: never.
    """

    event_id: str
    at: int
    kind: Kind
    received_at: int
    text: str = ""
    message_id: str = ""
    token: str = ""
    tries: int = 0
    speaker: str = ""
    quoted_id: str = ""
    quote_token: str = ""
    media: Media | None = None
    edited_at: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a person: its words, or what was understood of its media. `speaker`: a name, in groups.

    `quoted_id`: the message that it quotes, so that it does so too when it is answered anew.
    """

    message_id: str
    text: str
    at: int
    speaker: str = ""
    media: Media | None = None
    edited_at: int = 0
    quoted_id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What people said and the one answer to it; `answer` is empty when the bot could only apologise."""

    id: str
    said: tuple[Said, ...]
    answer: str
    sent_ids: tuple[str, ...] = ()

    @property
    def at(self) -> int:
        return self.said[0].at

    @property
    def message_ids(self) -> tuple[str, ...]:
        return tuple(said.message_id for said in self.said)


@dataclass(frozen=True, slots=True)
class QuickReply:
    """A button under the last bubble: `data` comes back as a postback, `label` is shown (20 characters at most)."""

    label: str
    data: str


@dataclass(frozen=True, slots=True)
class Part:
    """Bubbles of one turn's answer. Erasing finds it by `at` and `message_ids`: those of the messages that it answers.

    An answer that repeats older turns has their message ids too, and the oldest one's time.
    """

    turn_id: str
    at: int
    message_ids: tuple[str, ...]
    bubbles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is settled but not known to be delivered, with the way it will go; `quote_token`: what it quotes.

    Earlier answers that could not be pushed ride in front, as parts of their own. `tokens` are the reply
    tokens left to try, the named one first. `refused`: how often LINE took it neither by token nor by push.
    """

    id: str
    parts: tuple[Part, ...]
    way: Way
    tokens: tuple[Token, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()
    settled_at: int = 0
    refused: int = 0
    quote_token: str = ""

    @property
    def bubbles(self) -> tuple[str, ...]:
        return tuple(bubble for part in self.parts for bubble in part.bubbles)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Messages that could not be answered after all tries, kept for an operator."""

    turn_id: str
    said: tuple[Said, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on the conversation, and until when nobody else may."""

    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What LINE tells of a person, looked up at `at`; `name` is empty where LINE tells nothing."""

    user_id: str
    name: str
    at: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What people have set for this conversation; empty means the operator's or the person's own.

    `persona_id`: the message that it was written in, so that it goes when that is withdrawn.
    """

    persona: str = ""
    persona_id: str = ""
    model: str = ""
    language: Literal["", "ja", "en"] = ""
    listening: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What the conversation has cost, in turns and tokens, and in millionths of a yen."""

    turns: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    micro_yen: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.turns + other.turns,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.micro_yen + other.micro_yen,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used on one day (`2026-11-23`, Japanese time); of earlier days nothing is kept."""

    day: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Batch:
    """Turns that left the window together; `number` counts from 0 within a generation."""

    generation: int
    number: int
    turns: tuple[Turn, ...]
    expire_at: int

    @property
    def message_ids(self) -> tuple[str, ...]:
        """People's messages and the bot's bubbles, so that either is found when it is quoted."""
        return tuple(message_id for turn in self.turns for message_id in (*turn.message_ids, *turn.sent_ids))


@dataclass(frozen=True, slots=True)
class Conversation:
    """The whole state. `Conversation()` is one that does not exist yet.

    `rest` is what of long answers was not sent yet; 「続き」 serves it. `done` maps event ids to their timestamps,
    `unsent` message ids to when they were withdrawn. `floor`: older events are replays. `archived` counts the batches
    of this `generation`, which is the time it began. `overheard`: a group's latest messages that were not for the
    bot, kept while it listens. `profiles`: the people lately heard of. `paused_until`: a person of the operator's talks
    there, and the bot says nothing.
    `erased_at` and `erased_by` are the one-way mark that erasing leaves.
    """

    source: Source | None = None
    generation: int = 0
    turns: tuple[Turn, ...] = ()
    summary: str = ""
    archived: int = 0
    redactions: int = 0
    pending: tuple[Pending, ...] = ()
    done: Mapping[str, int] = field(default_factory=dict)
    floor: int = 0
    unsent: Mapping[str, int] = field(default_factory=dict)
    lease: Lease | None = None
    outbox: tuple[Outgoing, ...] = ()
    rest: tuple[Part, ...] = ()
    shown_ids: tuple[str, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    usage: Usage = Usage()
    spent: Spent = Spent()
    overheard: tuple[Pending, ...] = ()
    profiles: tuple[Profile, ...] = ()
    preferences: Preferences = Preferences()
    language: Language = "ja"
    refused_at: int = 0
    paused_until: int = 0
    erased_at: int = 0
    erased_by: str = ""
    expire_at: int = 0
