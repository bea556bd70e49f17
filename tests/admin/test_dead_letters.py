"""What could not be answered after all tries is listed."""

import json

from bot.conversation import Conversation, DeadLetter, Said, Turn
from tests.admin.conftest import GROUP, PERSON, Desk, both_stores, on_firestore

SAID = (Said("m1", "a private question", 1_800_000_000_000),)
LETTER = DeadLetter("t1", SAID, "too many tries")
KEPT = Conversation(source=PERSON, generation=1, turns=(Turn("t1", SAID, ""),), dead_letters=(LETTER,), expire_at=2**52)


@both_stores
async def test_listing(desk: Desk) -> None:
    """Each letter is a line, without what was written unless that is asked for; the whole turn, for copying."""
    assert await desk.main("dead-letters") == (0, "no dead letters\n", "")
    await desk.keep(PERSON, KEPT)
    await desk.keep(GROUP, Conversation(source=GROUP, expire_at=2**52))
    status, out, err = await desk.main("dead-letters")
    assert (status, err) == (0, "")
    heading, line = out.splitlines()
    assert heading.split() == ["Time", "Turn", "Conversation", "Reason"]
    assert line.split() == ["01-15", "17:00", "t1", PERSON.conversation_id[:12], "too", "many", "tries"]
    assert "a private question" in (await desk.main("dead-letters", "--text"))[1]


async def test_for_programs(desk: Desk) -> None:
    """One JSON object a line, and nothing where there is nothing."""
    assert await desk.main("dead-letters", "--json") == (0, "", "")
    await desk.keep(PERSON, KEPT)
    (line,) = (await desk.main("dead-letters", "--json", "--text"))[1].splitlines()
    assert json.loads(line) == {
        "conversation": PERSON.conversation_id,
        "turn": "t1",
        "reason": "too many tries",
        "at": 1_800_000_000_000,
        "text": "a private question",
    }


@on_firestore
async def test_expired(desk: Desk) -> None:
    """What has expired is not listed, though the database may keep it for another day."""
    await desk.keep(PERSON, Conversation(source=PERSON, dead_letters=(LETTER,), expire_at=1))
    assert await desk.main("dead-letters") == (0, "no dead letters\n", "")
