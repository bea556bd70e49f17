"""The export: the whole conversation, nothing but it, and only for a link that is good."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.conversation import Batch, Conversation, Said, Source, Turn
from bot.errors import Unavailable
from bot.export import Exports
from bot.gate import Response
from bot.limits import DAY_MS, EXPORT_BYTES, EXPORT_MS
from bot.links import Grant, Links, signed
from bot.ports import Seen
from bot.texts import phrase
from tests.fakes import FakeClock, FakeStore
from tests.pipeline import SECRET, secret
from tests.webhooks import NOW, USER

SOURCE = Source("user", USER)
ID = SOURCE.conversation_id
LATER = NOW + DAY_MS


def turn(number: int, answer: str = "answer") -> Turn:
    said = Said(f"m{number}", f"question {number}.", NOW - DAY_MS + number * 60_000)
    return Turn(f"t{number}", (said,), f"{answer} {number}." if answer else "")


def state(*turns: Turn, **fields: Any) -> Conversation:
    return Conversation(source=SOURCE, generation=7, turns=turns, language="en", expire_at=LATER, **fields)


class Desk:
    """Exports of one conversation on fakes."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(NOW), FakeStore()
        self.exports = Exports(Links(secret(), "https://kaiwa.example", self.clock), self._connected, self.clock)

    async def _connected(self) -> FakeStore:
        return self.store

    async def keep(self, conversation: Conversation, archive: Sequence[Batch] = (), conversation_id: str = ID) -> None:
        seen = await self.store.read(conversation_id)
        await self.store.write(conversation_id, seen, conversation, archive)

    async def get(self, **changes: Any) -> Response:
        grant = replace(Grant(ID, 7, NOW + EXPORT_MS), **changes)
        return await self.exports.answer(signed(grant, SECRET))

    async def text(self) -> str:
        response = await self.get()
        assert response.status == 200
        return str(response.body)


async def test_archive_then_window() -> None:
    """All pages of the archive and the window, oldest first, with dates in Japanese time and who wrote."""
    desk = Desk()
    batches = [Batch(7, number, (turn(2 * number), turn(2 * number + 1)), LATER) for number in range(45)]
    await desk.keep(state(turn(90), turn(91, ""), archived=45), batches)
    text = await desk.text()
    places = [text.index(f"question {number}.") for number in range(92)]
    assert places == sorted(places)
    assert "2027-01-14 17:01 You: question 1.\nKaiwa: answer 1." in text
    assert phrase("unanswered", "en") in text
    assert desk.store.calls("read_archive") == 3


async def test_json() -> None:
    """The same for programs; speakers by name where they have one."""
    desk = Desk()
    named = Turn("t", (Said("a", "hi", NOW, "Aki"), Said("b", "ho", NOW + 1000, "Ken")), "hello")
    await desk.keep(state(turn(1), named))
    response = await desk.get(is_json=True)
    body = json.loads(str(response.body))
    assert body["complete"] is True
    assert body["turns"][1] == {
        "messages": [
            {"at": "2027-01-15T17:00:00+09:00", "speaker": "Aki", "text": "hi"},
            {"at": "2027-01-15T17:00:01+09:00", "speaker": "Ken", "text": "ho"},
        ],
        "answer": "hello",
    }
    assert body["turns"][0]["messages"][0].keys() == {"at", "text"}
    assert response.content_type == "application/json"


@pytest.mark.parametrize(("is_json", "name"), [(False, "kaiwa-2027-01-15.txt"), (True, "kaiwa-2027-01-15.json")])
async def test_headers(is_json: bool, name: str) -> None:
    """A download with a dated name that nobody caches, indexes, guesses the type of or tells others of."""
    desk = Desk()
    await desk.keep(state(turn(1)))
    assert (await desk.get(is_json=is_json)).headers == {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


async def test_links_that_do_not_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Expired, erased since, of another id or nonsense: 404 with one sentence, and no token in the log."""
    desk = Desk()
    await desk.keep(state(turn(1)))
    token = signed(Grant(ID, 6, NOW + EXPORT_MS), SECRET)
    answers = [
        await desk.get(until=NOW),
        await desk.get(generation=8),
        await desk.get(conversation_id="0" * 64),
        await desk.exports.answer(token),
        await desk.exports.answer("nonsense"),
    ]
    assert {(answer.status, answer.body) for answer in answers} == {(404, answers[0].body)}
    assert "/export" in str(answers[0].body)
    assert "question" not in str(answers[0].body)
    assert token not in capsys.readouterr().out


@pytest.mark.parametrize("left", [Conversation(generation=9, erased_at=1, expire_at=LATER), Conversation()])
async def test_erased(left: Conversation) -> None:
    """What is erased cannot be had by an older link, nor by one that names the mark's generation."""
    desk = Desk()
    await desk.keep(left)
    assert (await desk.get()).status == 404
    assert (await desk.get(generation=left.generation)).status == 404


async def test_expired() -> None:
    """What should be gone by now is, even if the store has not deleted it yet."""
    desk = Desk()
    await desk.keep(state(turn(9), archived=2), [Batch(7, 0, (turn(0),), NOW - 1), Batch(7, 1, (turn(1),), LATER)])
    text = await desk.text()
    assert "question 0." not in text
    assert "question 1." in text
    desk.clock.advance(DAY_MS / 1000)
    assert (await desk.get(until=LATER + EXPORT_MS)).status == 404


async def test_older_generations_and_other_conversations() -> None:
    """Neither is ever in it."""
    desk = Desk()
    await desk.keep(state(turn(1), archived=1), [Batch(6, 0, (turn(50),), LATER)])
    await desk.keep(state(turn(60)), [Batch(7, 0, (turn(61),), LATER)], "f" * 64)
    text = await desk.text()
    assert "question 1." in text
    assert not any(f"question {number}." in text for number in (50, 60, 61))


async def test_unsent() -> None:
    """A withdrawn message and its answer are left out as soon as they are marked; others of its turn stay."""
    desk = Desk()
    both = Turn("t", (Said("m1", "secret.", NOW), Said("m2", "harmless.", NOW)), "about the secret")
    await desk.keep(state(both, turn(3), archived=1, unsent={"m1": NOW, "m0": NOW}), [Batch(7, 0, (turn(0),), LATER)])
    text = await desk.text()
    assert "secret" not in text
    assert "question 0" not in text
    assert "harmless." in text
    assert "question 3." in text


class Overtaken(FakeStore):
    """While the archive is read, somebody else writes the conversation."""

    next: Conversation

    async def read_archive(self, conversation_id: str, generation: int, numbers: Sequence[int]) -> list[Batch]:
        read = await super().read_archive(conversation_id, generation, numbers)
        seen: Seen = await self.read(conversation_id)
        await self.write(conversation_id, seen, self.next)
        return read


async def test_erased_or_unsent_while_it_is_read() -> None:
    """What came in between counts."""
    desk = Desk()
    desk.store = Overtaken()
    kept = state(turn(1), archived=1)
    desk.store.next = replace(kept, unsent={"m0": NOW})
    await desk.keep(kept, [Batch(7, 0, (turn(0),), LATER)])
    assert "question 0" not in await desk.text()
    desk.store.next = Conversation(generation=8, erased_at=NOW, expire_at=LATER)
    assert (await desk.get()).status == 404


async def test_a_very_long_conversation() -> None:
    """Only the newest is written out, and the file says so."""
    desk = Desk()
    words = "あ" * 200_000
    batches = [Batch(7, number, (turn(number, words),), LATER) for number in range(60)]
    await desk.keep(state(turn(99), archived=60), batches)
    text = await desk.text()
    assert phrase("export_cut", "en") in text
    assert "question 59." in text
    assert "question 0." not in text
    assert len(text.encode()) < EXPORT_BYTES + 1_000_000
    assert json.loads(str((await desk.get(is_json=True)).body))["complete"] is False


async def test_nothing_said_yet() -> None:
    """A file that says so."""
    desk = Desk()
    await desk.keep(state())
    assert phrase("no_history", "en") in await desk.text()


@pytest.mark.parametrize("method", ["read", "read_archive"])
async def test_a_store_that_cannot_be_read(method: str) -> None:
    """The caller answers 503: nothing half is given out."""
    desk = Desk()
    await desk.keep(state(turn(1), archived=1), [Batch(7, 0, (turn(0),), LATER)])
    desk.store.fail_next(Unavailable("down"), method=method)
    with pytest.raises(Unavailable):
        await desk.get()
