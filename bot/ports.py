"""What the pipeline needs from the world. Adapters keep these promises; tests use fakes that do."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, Literal, Protocol, TypeVar

from bot.conversation import Batch, Conversation, Profile, QuickReply, Source, Usage
from bot.spans import Span
from bot.spending import Amount, Month

T_co = TypeVar("T_co", covariant=True)

Clock = Callable[[], int]
"""Now, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation as last read or written. `version` is the store's own; None means that nothing is stored.

    `damaged`: fields that were stored but could not be read; the next write sets them right.
    """

    conversation: Conversation
    version: object | None
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change(Generic[T_co]):
    """What a transition makes of a conversation: the next state, batches to archive with it, and the outcome."""

    conversation: Conversation
    outcome: T_co
    archive: tuple[Batch, ...] = ()


class Store(Protocol):
    """Conversations, one document each, and their archives. Every method may raise Unavailable or Misconfigured."""

    async def read(self, conversation_id: str) -> Seen:
        """What is stored, expired or not; an empty Conversation where there is nothing."""

    async def write(
        self, conversation_id: str, seen: Seen, conversation: Conversation, archive: Sequence[Batch] = ()
    ) -> Seen:
        """Replace what was seen, and add or overwrite batches, in one commit. Raises Conflict if it is no longer that.

        Batches are written in no other way: two who change one cannot undo each other, if the conversation differs.
        """

    async def read_archive(self, conversation_id: str, generation: int, numbers: Sequence[int]) -> list[Batch]:
        """The batches with these numbers, in that order; missing ones are left out."""

    async def find_in_archive(self, conversation_id: str, generation: int, message_id: str) -> Batch | None:
        """The batch that holds this message."""

    async def erase_archive(self, conversation_id: str, keep: int) -> None:
        """Delete every batch of a generation before `keep`. May be repeated."""

    def with_dead_letters(self) -> AsyncIterator[tuple[str, Conversation]]:
        """Every conversation that keeps dead letters, with its id."""

    def conversations(self, beginning: str = "") -> AsyncIterator[tuple[str, Conversation]]:
        """Every conversation, expired or not, with its id, in the order of the ids; all, or whose id begins so.

        `beginning`: hexadecimal digits, in lower case.
        """

    async def count(self) -> int:
        """How many conversations there are."""

    async def close(self) -> None: ...


class Ledger(Protocol):
    """The whole bot's account of each month (`2026-11`). Both methods raise Unavailable or Misconfigured."""

    async def reserve(self, month: str, amount: Amount, usage: Usage) -> Amount:
        """Add to what is set aside, and to what was used, in one write; what is set aside now, by all together.

        Less than nothing gives back. May count twice when its acknowledgement is lost.
        """

    async def read_month(self, month: str) -> Month:
        """What was set aside and used; nothing where nothing was."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """The bytes of an image, a voice message or a file, on their way to the model; they are never stored."""

    content_type: str
    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what the model reads."""

    role: Literal["user", "assistant", "developer"]
    text: str
    attachments: tuple[Attachment, ...] = ()


Tool = Literal["search_history", "web_search"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants to be searched for before it answers; `since`, `until`: dates, as the model wrote them."""

    id: str
    query: str
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A source that the model has read on the web."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to the model. `instructions` and the first lines change rarely, so that their prefix can be cached.

    `model`: another than the operator's. `earlier`: what the model said before it answers, and what its calls found.
    `may_call` is False when it has searched enough; the tools stay named, for the cache.
    """

    instructions: str
    lines: tuple[Line, ...]
    max_output_tokens: int
    model: str = ""
    tools: tuple[Tool, ...] = ()
    earlier: tuple[tuple["Completion", tuple[str, ...]], ...] = ()
    may_call: bool = True


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's answer; `cut` when it ended at the output limit.

    With `calls` it is none yet: it goes back, as `earlier`, with what was found. `items`: the model's own words for
    all of it, for the adapter alone. `web_searches` cost money, each; so do `cache_written` tokens of the input, more
    than the others.
    """

    text: str
    usage: Usage
    cut: bool = False
    calls: tuple[ToolCall, ...] = ()
    links: tuple[Link, ...] = ()
    items: tuple[object, ...] = ()
    web_searches: int = 0
    cache_written: int = 0


class Model(Protocol):
    async def complete(self, prompt: Prompt) -> Completion:
        """One call, no retries, in the time that the caller gives.

        Raises ModelFailed, and Unavailable or Misconfigured when the key cannot be read.
        """


class Content(Protocol):
    """What people sent beside text, at LINE."""

    async def fetch(self, message_id: str, url: str, most: int) -> Attachment:
        """The bytes, `most` at most; from `url` when LINE does not keep them. Raises ContentFailed or Unavailable."""


class Profiles(Protocol):
    async def profile(self, source: Source, user_id: str) -> Profile | None:
        """What LINE tells of a person in this chat; None when it cannot be asked now. Never raises."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of a voice message, empty when there are none; what it cost, in tokens or by its `seconds`."""

    words: str
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


class Transcriber(Protocol):
    async def transcribe(self, audio: Attachment) -> Heard:
        """One call, no retries. Raises ModelFailed, Unavailable or Misconfigured."""


class Moderator(Protocol):
    async def flagged(self, text: str, attachments: Sequence[Attachment]) -> bool:
        """Whether any of it is what the provider's policy forbids; of attachments images are looked at.

        Raises ModelFailed, Unavailable or Misconfigured.
        """


@dataclass(frozen=True, slots=True)
class Painted:
    """A picture as LINE can show it, a megabyte at most, and what it has cost."""

    picture: Attachment
    usage: Usage


class Painter(Protocol):
    async def paint(self, words: str) -> Painted:
        """One call, no retries, in the time that the caller gives. Raises ModelFailed, Unavailable or Misconfigured."""


class Pictures(Protocol):
    """What was drawn in each conversation. Both methods raise Unavailable or Misconfigured."""

    async def keep(self, conversation_id: str, message_id: str, picture: Attachment) -> str:
        """An address that nobody can guess, where the picture is shown for some days; the message asked for it."""

    async def erase(self, conversation_id: str, message_id: str = "") -> None:
        """Delete the pictures that a message asked for, or all of the conversation. May be repeated."""


class Sent(Enum):
    """What became of a message handed to LINE."""

    ACCEPTED = auto()
    REFUSED = auto()
    """A definite no (400, 403): nothing was shown; this way will not work."""
    QUOTA = auto()
    """The month's pushes are used up: nothing was shown."""
    LIMITED = auto()
    """Too fast (429), or the token of the channel is not accepted (401): nothing was shown; later it may work."""
    AMBIGUOUS = auto()
    """Timeout, 5xx or a cut connection: it may have been shown."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """LINE's answer: `message_ids` of what was shown, `request_id` for LINE's support."""

    sent: Sent
    message_ids: tuple[str, ...] = ()
    request_id: str = ""


class Messenger(Protocol):
    """LINE's Messaging API. Never raises for what LINE answers.

    Bubbles: 1 to 5, each 1 to 5,000 UTF-16 units. One that is nothing but a fenced code block, a table, a list of
    sources or a picture is shown as such. `quote_token`: the message that the first text bubble quotes.
    """

    async def reply(
        self, token: str, bubbles: Sequence[str], quick_replies: Sequence[QuickReply] = (), quote_token: str = ""
    ) -> Receipt: ...

    async def push(
        self,
        to: str,
        bubbles: Sequence[str],
        retry_key: str,
        quick_replies: Sequence[QuickReply] = (),
        quote_token: str = "",
    ) -> Receipt:
        """`retry_key` is a UUID: any number of calls with it is one message (409 is ACCEPTED)."""

    async def show_loading(self, user_id: str, seconds: int) -> None:
        """The loading animation of a one-to-one chat; `seconds` is 5 to 60 in steps of 5. Failing is harmless."""


@dataclass(frozen=True, slots=True)
class Task:
    """A signed webhook body for `POST /tasks/turn`; a second task of the same `name` is dropped; `at`: not before.

    `traceparent`: the header that makes its request a part of the one that it comes from; may be empty.
    """

    body: bytes
    signature: str
    name: str = ""
    at: int = 0
    traceparent: str = ""


class Queue(Protocol):
    async def put(self, task: Task) -> None:
        """Returns once the queue has it for good. Raises Unavailable or Misconfigured."""


class Traces(Protocol):
    """Where spans are collected and shown."""

    async def send(self, spans: Sequence[Span]) -> None:
        """Raises whatever went wrong; they are lost then."""


class SecretSource(Protocol):
    async def read(self, version: str) -> str:
        """The value of `projects/P/secrets/S/versions/V`. Raises Unavailable or Misconfigured."""
