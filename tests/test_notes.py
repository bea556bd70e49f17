"""The note below an answer: kept with the message, never shown."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Media, Pending, Usage
from bot.limits import NOTE_CHARACTERS
from bot.notes import kept, split, taken
from bot.ports import Attachment, Completion
from bot.reading import Utterance

IMAGE = Attachment("image/png", b"x", "image")


def utterance(text: str, *attachments: Attachment) -> Utterance:
    media = Media("image") if attachments else None
    return Utterance(Pending("e", 1, "text", 1, text, "m", media=media), text, attachments=attachments)


@pytest.mark.parametrize(
    ("text", "answer", "note"),
    [
        ("It is 1,200 yen.\n<memory>A receipt of 1,200 yen.</memory>", "It is 1,200 yen.", "A receipt of 1,200 yen."),
        ("Hi <memory>a\nb</memory>", "Hi", "a b"),
        ("Hi\n<MEMORY>a</Memory>\n", "Hi", "a"),
        ("<memory>a</memory>\n\nHi", "Hi", "a"),
        ("Hi\n<memory>a", "Hi", "a"),
        ("<memory>a\nHi", "Hi", "a"),
        ("Hi <memory>a</memory> and <memory>b</memory>", "Hi  and", "a b"),
        ("Hi</memory>", "Hi", ""),
        ("Hi\n<mem", "Hi", ""),
        ("Hi\n<memory>a</mem", "Hi", "a"),
        ("1 < 2", "1 < 2", ""),
        ("Hi", "Hi", ""),
        ("<memory>[image: x] <b></memory>", "", "(image: x) (b)"),
    ],
)
def test_the_note_is_taken_out(text: str, answer: str, note: str) -> None:
    """Also where it is unclosed, cut off, doubled or in the wrong place; it cannot pass for a mark of ours."""
    assert split(text) == (answer, note)


@given(st.text(alphabet="<>/memory \nxあ", max_size=80))
def test_it_is_never_shown(text: str) -> None:
    """Whatever the model makes of the tag, the person sees none, and the note stays short."""
    answer, note = split(f"{text}\n<memory>secret note</memory>{text}")
    assert "<memory>" not in answer
    assert "secret note" not in answer
    assert len(note) <= NOTE_CHARACTERS


def test_without_attachments_nothing_is_taken_out() -> None:
    """Who asks how such a tag is written gets it."""
    completion = Completion("Write <memory>x</memory>.", Usage())
    assert taken(completion, [utterance("how?")]) == (completion, "")


def test_an_answer_that_is_all_note() -> None:
    """Never silence: then the note is what the person reads."""
    completion, note = taken(Completion("<memory>A cat.</memory>", Usage()), [utterance("[image]", IMAGE)])
    assert (completion.text, note) == ("A cat.", "A cat.")


def test_what_was_known_before() -> None:
    """Asked again without a new note, the old one stays; a new one takes its place."""
    before = utterance("[image: a cat]", IMAGE)
    again = replace(before, text="[image]")
    assert [said.text for said in kept([again], "")] == ["[image: a cat]"]
    assert [said.text for said in kept([again], "two cats")] == ["[image: two cats]"]


def test_what_was_quoted() -> None:
    """Nothing is kept of it: whoever takes it back does not take back the message that quotes it."""
    segment = [utterance("look"), replace(utterance("what is it?"), attachments=(IMAGE,)), utterance("[image]", IMAGE)]
    assert [said.text for said in kept(segment[:2], "two cats")] == ["look", "what is it?"]
    assert [said.text for said in kept(segment, "a cat")] == ["look", "what is it?", "[image: a cat]"]


def test_where_it_is_kept() -> None:
    """With the first message that brought something; the others keep their words."""
    segment = [utterance("look"), utterance("[image 1]", IMAGE), utterance("[image 2]", IMAGE)]
    assert [said.text for said in kept(segment, "two cats")] == ["look", "[image 1: two cats]", "[image 2]"]
    assert [said.text for said in kept(segment, "")] == ["look", "[image 1]", "[image 2]"]
    assert kept(segment, "")[1].media == Media("image")
