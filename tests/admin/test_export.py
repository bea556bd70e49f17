"""A whole conversation, as the person's own /export gives it."""

import json
from dataclasses import replace
from pathlib import Path

from bot.app import now
from bot.conversation import Batch, Conversation, Said, Turn
from bot.limits import DAY_MS, EXPORT_BYTES
from tests.admin.conftest import PERSON, Desk, both_stores

AT = 1_795_000_000_000
STATE = Conversation(
    source=PERSON,
    generation=7,
    turns=(Turn("t2", (Said("m2", "新しい質問", AT + 2),), "new answer"),),
    archived=2,
    language="en",
    expire_at=now() + DAY_MS,
)
ARCHIVE = tuple(
    Batch(7, number, (Turn(f"t{number}", (Said(f"m{number}", f"old question {number}", AT + number),), "was"),), 2**52)
    for number in range(2)
)
ID = PERSON.conversation_id


@both_stores
async def test_as_text(desk: Desk) -> None:
    """The archive, then the window, in the conversation's language."""
    await desk.keep(PERSON, STATE, ARCHIVE)
    status, out, err = await desk.run("export", ID[:10])
    assert (status, err) == (0, "")
    words = ["old question 0", "old question 1", "新しい質問", "new answer"]
    assert [out.index(word) for word in words] == sorted(out.index(word) for word in words)
    assert PERSON.id not in out


async def test_as_json(desk: Desk) -> None:
    """One object for programs."""
    await desk.keep(PERSON, STATE, ARCHIVE)
    told = json.loads((await desk.main("export", ID, "--format", "json"))[1])
    assert told["complete"] is True
    assert [turn["messages"][0]["text"] for turn in told["turns"]] == ["old question 0", "old question 1", "新しい質問"]


async def test_into_a_file(desk: Desk, tmp_path: Path) -> None:
    """Which only the operator may read."""
    await desk.keep(PERSON, STATE)
    file = tmp_path / "talk.txt"
    status, out, _ = await desk.main("export", ID, "--output", str(file))
    assert (status, out) == (0, f"{ID[:12]}: 1 turns written to {file}\n")
    assert "new answer" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600


async def test_more_than_people_get(desk: Desk) -> None:
    """A person's link is cut at a size that the function can answer with; an operator gets all of it."""
    size = EXPORT_BYTES // 12
    large = [
        Batch(7, number, (Turn(f"t{number}", (Said(f"m{number}", f"{number}!" + "x" * size, AT),), "was"),), 2**52)
        for number in range(14)
    ]
    await desk.keep(PERSON, replace(STATE, archived=14), large)
    told = json.loads((await desk.main("export", ID, "--format", "json"))[1])
    assert (told["complete"], len(told["turns"])) == (True, 15)


async def test_what_cannot_be_done(desk: Desk, tmp_path: Path) -> None:
    """A file that cannot be written, or a conversation that is erased: one line, and a failure."""
    await desk.keep(PERSON, STATE)
    status, out, err = await desk.main("export", ID, "--output", str(tmp_path))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "name another --output" in err
    await desk.keep(PERSON, Conversation(generation=8, erased_at=AT, expire_at=2**52))
    status, out, err = await desk.main("export", ID)
    assert (status, out) == (1, "")
    assert "erased or expired" in err
