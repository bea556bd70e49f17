"""Waiting for what belongs to an image: long enough for an album, never for words alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.asking import ANSWER_WITHIN_MS, LEAST_MS
from bot.conversation import Media, Pending
from bot.gathering import patience
from bot.limits import ALBUM_MS, FETCH_SECONDS, GATHER_MS, GATHER_MS_AT_MOST, HEAR_SECONDS
from bot.ports import Attachment
from tests.fakes import FakeModel
from tests.pipeline import Pipeline
from tests.webhooks import NOW, event, said, unsent

PNG = Attachment("image/png", b"\x89PNG\r\n\x1a\n", "")


def image(number: int = 1, received: int = 0, album: str = "", size: int = 0) -> Pending:
    media = Media("image", album=album, album_size=size)
    return Pending(f"e{number}", NOW + number, "text", NOW + received, "[image]", f"m{number}", media=media)


def words(number: int = 9, received: int = 0) -> Pending:
    return Pending(f"e{number}", NOW + number, "text", NOW + received, "what is it?", f"m{number}")


@pytest.mark.parametrize(
    ("segment", "wait"),
    [
        ([], 0),
        ([words()], 0),
        ([image()], GATHER_MS),
        ([image(), image(2, 500)], GATHER_MS + 500),
        ([words(1), image(2)], GATHER_MS),
        ([image(), words()], 0),
        ([image(album="a", size=2)], ALBUM_MS),
        ([image(album="a", size=2), image(2, 700, "a", 2)], GATHER_MS + 700),
        ([image(album="a", size=3), image(2, 700, "a", 3)], ALBUM_MS + 700),
        ([image(album="a", size=2), words()], ALBUM_MS),
        ([image(album="a", size=1), image(2, 100, "b", 2)], ALBUM_MS + 100),
        ([image(), image(2, 4_500)], GATHER_MS_AT_MOST),
        ([replace(image(), media=Media("file", name="a.pdf"))], 0),
    ],
)
def test_patience(segment: Sequence[Pending], wait: int) -> None:
    """A moment after the newest image, longer for an album with parts missing, within bounds; else none."""
    assert max(0, patience(segment, NOW)) == wait


def test_what_has_waited_already() -> None:
    """Counted from receipt: whoever takes over after a crash does not wait again."""
    assert patience([image()], NOW + GATHER_MS) <= 0


def album_part(number: int, total: int, **more: Any) -> dict[str, Any]:
    return said("", type="image", id=f"m{number}", imageSet={"id": "A", "index": number, "total": total}, **more)


def pipeline(*answers: str) -> Pipeline:
    made = Pipeline(FakeModel(*answers), queue=True)
    made.content.kept |= {f"m{number}": PNG for number in range(1, 10)}
    return made


class Arriving:
    """What comes while the turn waits, each after so many seconds; `waited` in seconds."""

    def __init__(self, pipeline: Pipeline, *coming: tuple[float, dict[str, Any]]) -> None:
        self.pipeline = pipeline
        self.began = pipeline.clock()
        self.coming = list(coming)
        object.__setattr__(pipeline.inbox.turns, "sleep", self)

    async def __call__(self, seconds: float) -> None:
        until = self.pipeline.clock() + round(seconds * 1000)
        while self.coming and self.began + self.coming[0][0] * 1000 <= until:
            after, raw = self.coming.pop(0)
            self.pipeline.clock.now = self.began + round(after * 1000)
            await self.pipeline.take(raw)
        self.pipeline.clock.now = until

    @property
    def waited(self) -> float:
        return (self.pipeline.clock() - self.began) / 1000


async def test_an_album_is_one_turn() -> None:
    """Its parts come as webhooks of their own, in any order, and so do the words after it: there is one answer."""
    one = pipeline("Three cats.")
    arriving = Arriving(
        one,
        (0.4, album_part(1, 3, at=NOW + 1)),
        (0.9, album_part(2, 3, at=NOW + 2)),
        (2.0, said("what are these?", at=NOW + 3)),
    )
    await one.take(album_part(3, 3, at=NOW + 2))
    assert one.shown() == ["Three cats."]
    [prompt] = one.model.prompts
    assert len(prompt.lines[-1].attachments) == 3
    assert prompt.lines[-1].text.endswith("what are these?")
    assert 2.0 <= arriving.waited < 5.0
    assert len(one.state().turns) == 1


async def test_missing_parts_are_not_waited_for_long() -> None:
    """Four seconds after the newest part it is answered as it is; what comes later is a turn of its own."""
    one = pipeline("One cat.", "Another.")
    arriving = Arriving(one)
    await one.take(album_part(1, 2))
    assert arriving.waited == ALBUM_MS / 1000
    await one.take(album_part(2, 2, at=NOW + 1))
    assert one.shown() == ["One cat.", "Another."]


async def test_words_cost_nothing() -> None:
    """An ordinary message is not waited for, and no more is read or written than before."""
    one = pipeline("Hi!")
    arriving = Arriving(one)
    await one.take(said("hello"))
    assert arriving.waited == 0
    assert (one.store.calls("read"), one.store.calls("write")) == (1, 3)


async def test_an_image_alone_costs_one_read_more() -> None:
    """Looking whether something came is one read."""
    one = pipeline("A cat.")
    await one.take(said("", type="image", id="m1"))
    assert one.shown() == ["A cat."]
    assert (one.store.calls("read"), one.store.calls("write")) == (2, 3)


async def test_an_image_taken_back_meanwhile() -> None:
    """Unsent while the turn waits: nothing is fetched, asked or said."""
    one = pipeline()
    Arriving(one, (0.5, unsent("m1", at=NOW + 1)))
    await one.take(said("", type="image", id="m1"))
    assert (one.shown(), one.model.prompts, one.content.asked) == ([], [], [])
    assert one.state().lease is None


async def test_the_person_goes_meanwhile() -> None:
    """Erased while the turn waits: the lease is lost, and nothing is said."""
    one = pipeline()
    Arriving(one, (0.5, event("unfollow", at=NOW + 1)))
    await one.take(said("", type="image", id="m1"))
    assert (one.shown(), one.model.prompts) == ([], [])


def test_bounds_fit_the_promise() -> None:
    """However the waits add up, ten seconds for the model are left of the 45."""
    assert GATHER_MS_AT_MOST + (FETCH_SECONDS + HEAR_SECONDS) * 1000 + LEAST_MS <= ANSWER_WITHIN_MS
