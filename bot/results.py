"""What comes of a segment, before anybody has seen it."""

from dataclasses import dataclass, field

from bot.conversation import Preferences, Profile, QuickReply, Said, Turn, Usage


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a segment: all that the person is to see, and what the conversation keeps of it.

    `answer` is what history keeps; a fixed sentence keeps none. `remembered`: the messages become a turn of the window.
    `quiet`: not worth a push, it waits for the next token. `serves_rest`: the stored rest is shown, the bubbles only
    where there is none. `quotes`: turns that the bubbles repeat or answer. `retries`: the turn, quoted too, that could
    not be answered before, or is answered anew. `reset`: the window moves to the archive. `dead`: why it is kept as a
    dead letter. `said`: what is kept of the messages, where that is more than their text. `profiles`: people looked up.
    `preferences`: what the person has set. `read`: messages that the answer was made from beside those that it answers.
    `searches`, `web_searches`: how often the model looked into the past, and into the web. `note`: what the model wrote
    down of images and files. `paused`: nothing is said, because a person of the operator's talks there.
    """

    bubbles: tuple[str, ...] = ()
    quick_replies: tuple[QuickReply, ...] = ()
    answer: str = ""
    remembered: bool = False
    quiet: bool = False
    serves_rest: bool = False
    quotes: tuple[Turn, ...] = ()
    retries: str = ""
    reset: bool = False
    dead: str = ""
    said: tuple[Said, ...] = ()
    profiles: tuple[Profile, ...] = ()
    preferences: Preferences | None = None
    read: tuple[str, ...] = ()
    searches: int = 0
    web_searches: int = 0
    pictures: int = 0
    note: str = ""
    paused: bool = False
    usage: Usage = field(default_factory=Usage)
