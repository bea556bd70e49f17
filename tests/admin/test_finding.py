"""Conversations are named by the beginning of their id, by all of it, or by LINE's own id."""

from dataclasses import replace

import pytest

from bot.conversation import Conversation
from tests.admin.conftest import PERSON, Desk, both_stores, on_firestore

KEPT = Conversation(source=PERSON, generation=1, turns=(), expire_at=2**52)
ID = PERSON.conversation_id


@both_stores
@pytest.mark.parametrize("named", [ID, ID[:12], ID[:1], PERSON.id])
async def test_every_name(desk: Desk, named: str) -> None:
    """All lead to the same conversation; LINE's own id is never shown."""
    await desk.keep(PERSON, KEPT)
    status, out, err = await desk.main("show", named)
    assert (status, err) == (0, "")
    assert ID in out
    assert PERSON.id not in out


@both_stores
async def test_an_ambiguous_name(desk: Desk) -> None:
    """Those that it may mean are listed, some of them where they are many; the operator types more of one."""
    ids = [f"ab{number:062x}" for number in range(9)]
    for one in ids[:2]:
        await desk.keep_as(one, KEPT)
    expected = f"several conversations begin with ab; give more of: {ids[0]}, {ids[1]}\n"
    assert await desk.main("pause", "ab") == (1, "", expected)
    for one in ids[2:]:
        await desk.keep_as(one, KEPT)
    _, _, err = await desk.main("show", "ab")
    assert err.count(ids[0][:60]) == 5
    assert "and more" in err
    assert (await desk.main("show", ids[8]))[0] == 0


@pytest.mark.parametrize("command", ["show", "export", "forget", "pause", "resume"])
@pytest.mark.parametrize("named", ["abc", "a" * 64, PERSON.id, "/etc/passwd"])
async def test_nobody(desk: Desk, command: str, named: str) -> None:
    """One line that tells where to look, without LINE's id; the command fails."""
    status, out, err = await desk.main(command, named)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "`conversations` lists" in err
    assert PERSON.id not in err


@on_firestore
async def test_what_has_expired(desk: Desk) -> None:
    """It can still be looked at; looking changes nothing."""
    await desk.keep(PERSON, replace(KEPT, expire_at=1))
    before = await desk.store.read(ID)
    status, out, _ = await desk.main("show", ID[:8])
    assert (status, "(expired)" in out) == (0, True)
    assert await desk.store.read(ID) == before
