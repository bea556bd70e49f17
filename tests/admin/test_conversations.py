"""Who talks with the bot, as numbers."""

import asyncio
import json
from dataclasses import replace

import pytest

from bot.app import now
from bot.conversation import Conversation, DeadLetter, Outgoing, Part, Pending, Said, Turn, Usage
from bot.limits import DAY_MS
from bot.ports import Seen
from tests.admin.conftest import GROUP, PERSON, Desk, both_stores, on_firestore

NOW = now()
SAID = Said("m1", "a private question", NOW - 3 * DAY_MS)
STATE = Conversation(
    source=PERSON,
    generation=1,
    turns=(Turn("t1", (SAID,), "the answer"),),
    usage=Usage(12, 3_000, 100, 456, 1_250_000),
    expire_at=2**52,
)
LIVELY = replace(
    STATE,
    source=GROUP,
    done={"e": NOW},
    pending=(Pending("e1", NOW, "text", NOW),),
    outbox=(Outgoing("o", (Part("t", NOW, (), ("hi",)),), "wait"),),
    dead_letters=(DeadLetter("t9", (SAID,), "too many tries"),),
    paused_until=NOW + DAY_MS,
)


async def listed(desk: Desk, *arguments: str) -> list[str]:
    """The types of chat, in the order of the list."""
    status, out, err = await desk.main("conversations", "--json", *arguments)
    assert (status, err) == (0, "")
    return [json.loads(line)["type"] for line in out.splitlines()]


async def test_a_line_each(desk: Desk) -> None:
    """The latest first, without a word, a name or LINE's id; every column is there for programs that cut lines."""
    await desk.keep(PERSON, STATE)
    await desk.keep(GROUP, LIVELY)
    status, out, err = await desk.main("conversations")
    heading, lively, quiet = out.splitlines()
    assert (status, err) == (0, "")
    assert heading.split()[:2] == ["Conversation", "Type"]
    assert lively.split()[:2] == [GROUP.conversation_id[:12], "group"]
    assert quiet.split()[0:2] + quiet.split()[4:] == [PERSON.conversation_id[:12], "user", "12", "3,456", "1.25"]
    assert not [secret for secret in ("private", PERSON.id, GROUP.id, "\x1b") if secret in out]


async def test_for_programs(desk: Desk) -> None:
    """The whole id, times in milliseconds, money in millionths of a yen."""
    await desk.keep(GROUP, LIVELY)
    assert json.loads((await desk.main("conversations", "--json"))[1]) == {
        "conversation": GROUP.conversation_id,
        "type": "group",
        "last_at": NOW,
        "turns": 12,
        "tokens": 3_456,
        "micro_yen": 1_250_000,
        "pending": 1,
        "outbox": 1,
        "dead_letters": 1,
        "paused_until": NOW + DAY_MS,
    }


@pytest.mark.parametrize(
    ("arguments", "types"),
    [
        ((), ["group", "user"]),
        (("--active", "1"), ["group"]),
        (("--active", "3.5"), ["group", "user"]),
        (("--paused",), ["group"]),
        (("--dead",), ["group"]),
        (("--limit", "1"), ["group"]),
    ],
)
async def test_fewer(desk: Desk, arguments: tuple[str, ...], types: list[str]) -> None:
    """Only the active, the paused, those with dead letters, or the latest of all."""
    await desk.keep(PERSON, STATE)
    await desk.keep(GROUP, LIVELY)
    assert await listed(desk, *arguments) == types


@on_firestore
async def test_what_is_over(desk: Desk) -> None:
    """What has expired is not listed; of what was erased the mark is, as long as it stays."""
    await desk.keep(PERSON, replace(STATE, expire_at=1))
    assert await desk.main("conversations") == (0, "no conversations\n", "")
    await desk.keep(GROUP, Conversation(generation=1, erased_at=NOW, expire_at=2**52))
    assert await listed(desk) == ["erased"]


@both_stores
async def test_many(desk: Desk) -> None:
    """However many pages the store needs, each is listed once."""
    ids = [f"{number:064x}" for number in range(405)]
    for some in (ids[at : at + 27] for at in range(0, len(ids), 27)):
        await asyncio.gather(*(desk.store.write(one, Seen(Conversation(), None), STATE) for one in some))
    out = (await desk.main("conversations", "--json"))[1]
    assert sorted(json.loads(line)["conversation"] for line in out.splitlines()) == ids


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--active", "-1"), ("--active", "nan"), ("--limit", "x")])
async def test_odd_arguments(desk: Desk, arguments: tuple[str, ...]) -> None:
    """They are refused with the usage, as argparse does it."""
    with pytest.raises(SystemExit) as ended:
        await desk.main("conversations", *arguments)
    assert ended.value.code == 2
