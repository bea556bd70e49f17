"""How one conversation stands, in words."""

import json
from dataclasses import replace

from bot.adapters.sqlite import SqliteStore
from bot.app import now
from bot.conversation import Conversation, Lease, Outgoing, Part, Pending, Preferences, Said, Spent, Turn, Usage
from bot.spending import day
from tests.admin.conftest import PERSON, Desk

NOW = now()
AT = 1_800_000_000_000
STATE = Conversation(
    source=PERSON,
    generation=1,
    turns=(
        Turn("t1", (Said("m1", "a private question", AT), Said("m2", "and more\x1b[31m", AT + 1)), "a private answer"),
        Turn("t2", (Said("m3", "unheard", AT + 60_000),), ""),
    ),
    summary="a private summary",
    archived=3,
    pending=(Pending("e1", AT, "command", AT, text="/help", tries=2),),
    outbox=(Outgoing("o", (Part("t", AT, (), ("hi", "ho")),), "push"),),
    lease=Lease("me", AT),
    preferences=Preferences(persona="a private persona", persona_id="m0", listening=True),
    usage=Usage(12, 3_000, 100, 456, 1_250_000),
    spent=Spent(day(NOW), Usage(1, 10, 0, 5, 50_000)),
    expire_at=2**52,
)


async def shown(desk: Desk, *arguments: str) -> dict[str, str]:
    status, out, err = await desk.main("show", PERSON.id, *arguments)
    assert (status, err) == (0, "")
    assert PERSON.id not in out
    return {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in out.splitlines() if line[0] != " "}


async def test_in_words(desk: Desk) -> None:
    """What is set, kept, used and waiting; times are Japan's."""
    await desk.keep(PERSON, STATE)
    facts = await shown(desk)
    assert facts["Type"] == "user"
    assert facts["Paused"] == "no"
    assert facts["Preferences"] == "persona: yes, listening: yes"
    assert facts["Summary"] == "yes"
    assert facts["Archive"] == "3 batches"
    assert facts["Used today"] == "1 turns, 15 tokens, 0.05 yen"
    assert facts["Used in all"] == "12 turns, 3,456 tokens, 1.25 yen"
    assert facts["Lease"] == "until 2027-01-15 17:00:00"
    assert facts["Pending"] == "command of 2027-01-15 17:00:00 (tried 2 times)"
    assert facts["Outbox"] == "2 bubbles by push"
    assert facts["Turns"] == "2"


async def test_words_only_when_asked_for(desk: Desk) -> None:
    """Neither messages nor summary nor persona are shown without --text; with it control characters are left out."""
    await desk.keep(PERSON, STATE)
    for form in ((), ("--json",)):
        _, out, _ = await desk.main("show", PERSON.id, *form)
        assert "private" not in out
        _, out, _ = await desk.main("show", PERSON.id, "--text", *form)
        assert all(f"a private {what}" in out for what in ("question", "answer", "summary", "persona"))
        assert "\x1b" not in out


async def test_turns(desk: Desk) -> None:
    """Each with its time, its id, and whether it was answered."""
    await desk.keep(PERSON, STATE)
    lines = [line.strip() for line in (await desk.main("show", PERSON.id))[1].splitlines() if line.startswith("  ")]
    assert lines == ["2027-01-15 17:00:00  t1  2 said, answered", "2027-01-15 17:01:00  t2  1 said, not answered"]


async def test_for_programs(desk: Desk) -> None:
    """One object, with what the list has of it and more."""
    await desk.keep(PERSON, STATE)
    told = json.loads((await desk.main("show", PERSON.id, "--json"))[1])
    assert told["conversation"] == PERSON.conversation_id
    assert (told["turns"], told["today"]["micro_yen"], told["archived"], told["summary"]) == (12, 50_000, 3, True)
    assert [(turn["turn"], turn["answered"]) for turn in told["window"]] == [("t1", True), ("t2", False)]


async def test_what_is_wrong(desk: Desk) -> None:
    """An erased, a paused and a damaged conversation are told as such; also a time that no calendar has."""
    await desk.keep(PERSON, replace(STATE, paused_until=2**62))
    assert (await shown(desk))["Paused"] == "until beyond 9999"
    await desk.keep(PERSON, Conversation(generation=2, erased_at=AT, expire_at=2**52))
    facts = await shown(desk)
    assert facts["Kept until"] == "beyond 9999"
    assert facts["Erased"] == "all until 2027-01-15 17:00:00"
    statement = "UPDATE conversations SET document = json_set(document, '$.turns', 'broken')"
    assert isinstance(desk.store, SqliteStore)
    await desk.store._run(statement)
    assert (await shown(desk))["Unreadable"] == "turns"
