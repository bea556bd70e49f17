"""What is quoted is found wherever it is kept, and stands marked before the words that quote it."""

from dataclasses import replace

import pytest

from bot.bubbles import bubbles
from bot.conversation import Batch, Conversation, Media, Pending, Said, Source, Turn
from bot.errors import Unavailable
from bot.ports import Seen
from bot.quoting import CHARACTERS, UNKNOWN, Quotation, quotation
from tests.fakes import FakeStore
from tests.webhooks import GROUP, NOW, USER

ID = "0" * 64
NAMES = {USER: "Taro"}
PRIVATE = Conversation(source=Source("user", USER), generation=7)
IN_GROUP = replace(PRIVATE, source=Source("group", GROUP))


def turn(speaker: str = "Hanako", answer: str = "Because.", sent_ids: tuple[str, ...] = ("s-1",)) -> Turn:
    return Turn("t-1", (Said("m-1", "why?", NOW, speaker),), answer, sent_ids)


async def quoted(state: Conversation, message_id: str, store: FakeStore | None = None) -> Quotation:
    return await quotation(store or FakeStore(), ID, state, message_id, NAMES, NOW)


async def archived(
    state: Conversation, generation: int = 7, expire_at: int = NOW + 1
) -> tuple[Conversation, FakeStore]:
    store = FakeStore()
    await store.write(ID, Seen(Conversation(), None), state, [Batch(generation, 0, (turn(),), expire_at)])
    return replace(state, archived=1), store


async def test_in_the_window() -> None:
    """A person's message by its name, the bot's as its own."""
    state = replace(IN_GROUP, turns=(turn(),))
    assert await quoted(state, "m-1") == Quotation('[quoting Hanako: "why?"]', "m-1")
    assert await quoted(state, "s-1") == Quotation('[quoting you: "Because."]', "s-1")
    nameless = replace(IN_GROUP, turns=(turn(""),))
    assert (await quoted(nameless, "m-1")).mark == '[quoting Somebody: "why?"]'


async def test_in_private() -> None:
    """There is one person only."""
    assert (await quoted(replace(PRIVATE, turns=(turn(""),)), "m-1")).mark == '[quoting the user: "why?"]'


async def test_not_yet_answered() -> None:
    """What waits, and what was overheard, with the speaker's name."""
    message = Pending("e", NOW, "text", NOW, "look", "m-2", speaker=USER)
    for state in (replace(IN_GROUP, pending=(message,)), replace(IN_GROUP, overheard=(message,))):
        assert await quoted(state, "m-2") == Quotation('[quoting Taro: "look"]', "m-2")


async def test_a_picture_that_waits() -> None:
    """It has no words yet: it is named for what it is."""
    picture = Pending("e", NOW, "text", NOW, "", "m-2", speaker=USER, media=Media("image"))
    assert (await quoted(replace(IN_GROUP, pending=(picture,)), "m-2")).mark == '[quoting Taro: "[image]"]'


@pytest.mark.parametrize(
    ("said", "media"),
    [
        (Said("m-2", "[image: a cat]", NOW, media=Media("image")), Media("image")),
        (Said("m-2", "[file: a.pdf]", NOW, media=Media("file", "a.pdf")), Media("file", "a.pdf")),
        (Said("m-2", "[voice message]", NOW, media=Media("audio")), Media("audio")),
        (Said("m-2", "See you", NOW, media=Media("audio")), None),
        (Said("m-2", "[video]", NOW, media=Media("video")), None),
    ],
)
async def test_what_can_be_looked_at_again(said: Said, media: Media | None) -> None:
    """A picture or a file; a voice message only while its words are not known."""
    found = await quoted(replace(PRIVATE, turns=(Turn("t-2", (said,), "ok"),)), "m-2")
    assert (found.mark, found.media) == (f'[quoting the user: "{said.text}"]', media)


async def test_what_was_withdrawn_is_not_looked_at() -> None:
    """Of an unknown message LINE may have something; not of one that was taken back."""
    assert (await quoted(IN_GROUP, "m-9")).media == Media("file")
    assert await quoted(replace(IN_GROUP, unsent={"m-9": NOW}), "m-9") == Quotation()


async def test_however_long_ago() -> None:
    """From the archive: people's messages and the bot's bubbles."""
    state, store = await archived(IN_GROUP)
    assert (await quoted(state, "m-1", store)).mark == '[quoting Hanako: "why?"]'
    assert (await quoted(state, "s-1", store)).mark == '[quoting you: "Because."]'


async def test_only_while_there_is_an_archive() -> None:
    """Without one nothing is looked for."""
    store = FakeStore()
    assert (await quoted(IN_GROUP, "m-1", store)).mark == UNKNOWN
    assert store.log == []


async def test_what_is_not_kept() -> None:
    """Expired, of a conversation that was erased, or withdrawn a moment ago: its words are not read."""
    for generation, expire_at, unsent in ((7, NOW, False), (6, NOW + 1, False), (7, NOW + 1, True)):
        state, store = await archived(IN_GROUP, generation, expire_at)
        state = replace(state, unsent={"m-1": NOW} if unsent else {})
        found = await quoted(state, "m-1", store)
        assert (found.mark, found.message_id) == (UNKNOWN, "")


async def test_an_archive_that_cannot_be_read() -> None:
    """The turn is tried again: an answer that ignores what it is asked about is none."""
    state, store = await archived(IN_GROUP)
    store.fail_next(Unavailable("down"), method="find_in_archive")
    with pytest.raises(Unavailable):
        await quoted(state, "m-1", store)


async def test_one_bubble_of_several() -> None:
    """The one that was pointed at; where bubbles and answer do not match, all of it."""
    answer = "a" * 4_990 + "\n\n" + "b" * 4_990
    assert len(bubbles(answer)) == 2
    state = replace(IN_GROUP, turns=(turn(answer=answer, sent_ids=("s-1", "s-2")),))
    assert "b" * 50 in (await quoted(state, "s-2")).mark
    assert "a" not in (await quoted(state, "s-2")).mark.removeprefix("[quoting")
    odd = replace(IN_GROUP, turns=(turn(answer="short", sent_ids=("s-1", "s-2")),))
    assert (await quoted(odd, "s-2")).mark == '[quoting you: "short"]'


async def test_bounded() -> None:
    """At most 2,000 characters."""
    state = replace(IN_GROUP, turns=(turn(answer="x" * 4_000),))
    mark = (await quoted(state, "s-1")).mark
    assert mark == f'[quoting you: "{"x" * CHARACTERS}…"]'
