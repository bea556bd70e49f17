"""The loop of bot.store.update: how often it reads and writes, and what it makes of conflicts and failures."""

from dataclasses import replace

import pytest

from bot.conversation import Conversation
from bot.errors import Conflict, Misconfigured, Unavailable
from bot.ports import Change, Seen
from bot.store import CONFLICTS, FAILURES, update
from tests.fakes import FakeStore


def count(conversation: Conversation) -> Change[int]:
    """A transition that adds one, and cannot tell its own result."""
    archived = conversation.archived + 1
    return Change(replace(conversation, archived=archived), archived)


def reach_one(conversation: Conversation) -> Change[str]:
    """A transition that recognises its own result."""
    return Change(replace(conversation, archived=1), "done")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    async def at_once(seconds: float) -> None:
        assert 0 <= seconds < 1

    monkeypatch.setattr("bot.store.asyncio.sleep", at_once)
    return FakeStore()


async def test_the_first_try_reads_and_writes_once(fake: FakeStore) -> None:
    """One update costs one read and one write."""
    seen, outcome = await update(fake, "c", count)
    assert (outcome, seen.conversation.archived) == (1, 1)
    assert fake.log == [("read", "c"), ("write", "c")]


async def test_what_was_seen_is_not_read_again(fake: FakeStore) -> None:
    """A second update with the state of the first costs one write and no read."""
    seen, _ = await update(fake, "c", count)
    _, outcome = await update(fake, "c", count, seen)
    assert outcome == 2
    assert (fake.calls("read"), fake.calls("write")) == (1, 2)


async def test_an_unchanged_state_is_not_written(fake: FakeStore) -> None:
    """A transition that leaves the state as it was costs no write."""
    seen, _ = await update(fake, "c", reach_one)
    assert await update(fake, "c", reach_one, seen) == (seen, "done")
    assert fake.calls("write") == 1


async def test_a_conflict_decides_anew_on_fresh_state(fake: FakeStore) -> None:
    """When somebody else wrote first, both changes are there in the end."""
    stale = Seen(Conversation(), None)
    await update(fake, "c", count)
    seen, outcome = await update(fake, "c", count, stale)
    assert (outcome, seen.conversation.archived) == (2, 2)
    assert fake.log[2:] == [("write", "c"), ("read", "c"), ("write", "c")]


async def test_conflicts_end(fake: FakeStore) -> None:
    """A document that others always win ends in Unavailable, so that the sender tries again."""
    for _ in range(CONFLICTS + 1):
        fake.fail_next(Conflict())
    with pytest.raises(Unavailable):
        await update(fake, "c", count)
    assert fake.calls("write") == CONFLICTS + 1
    assert fake.documents == {}


@pytest.mark.parametrize("method", ["read", "write"])
async def test_a_passing_failure_is_tried_again(fake: FakeStore, method: str) -> None:
    """A store that fails for a moment is asked again."""
    for _ in range(FAILURES):
        fake.fail_next(Unavailable(), method=method)
    _, outcome = await update(fake, "c", count)
    assert outcome == 1


@pytest.mark.parametrize("method", ["read", "write"])
async def test_a_lasting_failure_is_raised(fake: FakeStore, method: str) -> None:
    """A store that stays away is asked a bounded number of times."""
    for _ in range(FAILURES + 1):
        fake.fail_next(Unavailable(), method=method)
    with pytest.raises(Unavailable):
        await update(fake, "c", count)
    assert fake.calls(method) == FAILURES + 1


async def test_a_misconfigured_store_is_asked_once(fake: FakeStore) -> None:
    """Trying again is useless where permission is denied."""
    fake.fail_next(Misconfigured(), method="read")
    with pytest.raises(Misconfigured):
        await update(fake, "c", count)
    assert fake.log == [("read", "c")]


async def test_a_lost_acknowledgement_changes_once(fake: FakeStore) -> None:
    """A write that succeeded but was not acknowledged is recognised on the next try."""
    fake.fail_next(Unavailable(), after=True)
    seen, outcome = await update(fake, "c", reach_one)
    assert (outcome, seen.conversation.archived) == ("done", 1)
    assert fake.calls("write") == 1


async def test_damage_is_logged(fake: FakeStore, capsys: pytest.CaptureFixture[str]) -> None:
    """The operator reads which fields of a document could not be read, never what stood in them."""
    fake.documents["c"] = (1, {"summary": 3, "expire_at": 5})
    await update(fake, "c", reach_one)
    line = capsys.readouterr().out
    assert '"document_damaged"' in line
    assert '["summary"]' in line
