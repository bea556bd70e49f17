"""Media become something for the model, or a sentence for the person; nothing raises or grows without bound."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from bot import fetching
from bot.conversation import Media, Pending, Usage
from bot.errors import ContentFailed, ContentFault, Misconfigured, ModelFailed, ModelFault, Unavailable
from bot.fetching import Fetcher, Understood
from bot.limits import AUDIO_BYTES, FILE_BYTES, FILE_CHARACTERS, IMAGE_BYTES, MEDIA_BYTES, TRANSCRIPT_CHARACTERS
from bot.media import label
from bot.ports import Attachment
from bot.texts import Phrase
from tests.fakes import FakeContent, FakeTranscriber

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
M4A = b"\x00\x00\x00\x18ftypM4A "
PDF = b"%PDF-1.7\n"


def pending(media: Media | None, number: int = 1, text: str = "") -> Pending:
    words = text or (label(media) if media else "hello")
    return Pending(f"e{number}", number, "text", number, words, f"m{number}", media=media)


def image(number: int = 1, **fields: Any) -> Pending:
    return pending(Media("image", **fields), number)


class Desk:
    """A fetcher on fakes."""

    def __init__(self, *words: str, **kept: bytes) -> None:
        self.content = FakeContent(**{name: Attachment("", data) for name, data in kept.items()})
        self.transcriber = FakeTranscriber(*words)
        self.fetcher = Fetcher(self.content, self.transcriber, pauses=(0, 0))

    async def one(self, one: Pending) -> Understood:
        [understood], _ = await self.fetcher.understand([one])
        assert understood is not None
        return understood

    async def trouble(self, one: Pending) -> Phrase | None:
        return (await self.one(one)).trouble


async def test_words_need_nothing() -> None:
    """Text is left as it is, and nobody is asked for anything."""
    desk = Desk()
    assert await desk.fetcher.understand([pending(None)]) == ([None], [])
    assert desk.content.asked == []


async def test_an_image() -> None:
    """By its message id, within its bound, and as the type that its bytes tell."""
    desk = Desk(m1=PNG)
    assert await desk.one(image()) == Understood("[image]", (Attachment("image/png", PNG, "image"),))
    assert desk.content.asked == [("m1", "", IMAGE_BYTES)]


async def test_several_images_are_told_apart() -> None:
    """Numbered in their order, in the text and in what the model is given; other messages keep theirs."""
    desk = Desk(m1=PNG, m3=PNG)
    [first, words, second], _ = await desk.fetcher.understand([image(1), pending(None, 2), image(3)])
    assert first
    assert second
    assert words is None
    assert [first.text, second.text] == ["[image 1]", "[image 2]"]
    assert [one.attachments[0].name for one in (first, second)] == ["image 1", "image 2"]


async def test_an_image_elsewhere() -> None:
    """LINE tells where it lies, and it is asked for there."""
    desk = Desk(**{"https://example.com/a.png": PNG})
    assert (await desk.one(image(url="https://example.com/a.png"))).attachments
    assert desk.content.asked[0][1] == "https://example.com/a.png"


async def test_a_voice_message() -> None:
    """Its words are the message; the transcriber is told the format by the name's ending."""
    desk = Desk(" See you at eight. ", m1=M4A)
    assert await desk.one(pending(Media("audio"))) == Understood(
        "See you at eight.", usage=Usage(input_tokens=20, output_tokens=3)
    )
    assert [audio.name for audio in desk.transcriber.heard] == ["voice.m4a"]
    assert desk.content.asked == [("m1", "", AUDIO_BYTES)]


async def test_long_speeches_are_cut() -> None:
    """All transcripts of a turn together stay in bounds: they are kept in the conversation."""
    desk = Desk("あ" * 99_999, "い" * 99_999, m1=M4A, m2=M4A)
    heard, _ = await desk.fetcher.understand([pending(Media("audio"), 1), pending(Media("audio"), 2)])
    assert sum(len(one.text) for one in heard if one) <= TRANSCRIPT_CHARACTERS + 2


@pytest.mark.parametrize(
    ("data", "content_type", "given"),
    [
        (PDF, "application/pdf", PDF),
        (PNG, "image/png", PNG),
        ("日付,金額\n".encode("cp932"), "text/plain", "日付,金額\n".encode()),
        (b'{"a": 1}', "text/plain", b'{"a": 1}'),
    ],
)
async def test_a_file(data: bytes, content_type: str, given: bytes) -> None:
    """A PDF for the model's own reader, a text as text, a picture as a picture; under its name."""
    desk = Desk(m1=data)
    understood = await desk.one(pending(Media("file", name="a.x")))
    assert understood.text == "[file: a.x]"
    [attachment] = understood.attachments
    assert (attachment.content_type, attachment.data) == (content_type, given)
    assert attachment.name.endswith("a.x")
    assert desk.content.asked == [("m1", "", FILE_BYTES)]


async def test_a_long_text_is_cut_and_says_so() -> None:
    """The model must not take a beginning for the whole."""
    desk = Desk(m1=b"x" * (FILE_CHARACTERS + 1))
    [attachment] = (await desk.one(pending(Media("file", name="a.txt")))).attachments
    assert attachment.data == b"x" * FILE_CHARACTERS + fetching.CUT.encode()


@pytest.mark.parametrize("kind", ["image", "audio", "file"])
async def test_a_wrong_type(kind: Any) -> None:
    """What nobody here can read: the person is told what can be read."""
    assert await Desk(m1=b"PK\x03\x04\x00").trouble(pending(Media(kind))) == "media_wrong_type"


async def test_a_video() -> None:
    """It is not even fetched."""
    desk = Desk(m1=b"x")
    assert await desk.trouble(pending(Media("video"))) == "video"
    assert desk.content.asked == []


@pytest.mark.parametrize(
    ("fault", "phrase", "tries"),
    [
        ("gone", "media_gone", 1),
        ("too_large", "media_too_large", 1),
        ("wrong_type", "media_wrong_type", 1),
        ("not_ready", "media_not_ready", 3),
    ],
)
async def test_what_cannot_be_had(fault: ContentFault, phrase: Phrase, tries: int) -> None:
    """Told by its kind; only what is being prepared is asked for again."""
    desk = Desk(m1=PNG)
    desk.content.fail_next(ContentFailed(fault), times=9)
    assert await desk.one(image()) == Understood("[image: could not be opened]", trouble=phrase)
    assert len(desk.content.asked) == tries


@pytest.mark.parametrize("error", [ContentFailed("not_ready"), Unavailable("down")])
async def test_what_passes(error: Exception) -> None:
    """Asked for again a moment later it is there."""
    desk = Desk(m1=PNG)
    desk.content.fail_next(error, times=2)
    assert (await desk.one(image())).trouble is None


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("no token")])
async def test_trouble_of_our_own(error: Exception) -> None:
    """The person is asked to try later."""
    desk = Desk(m1=PNG)
    desk.content.fail_next(error, times=9)
    assert await desk.trouble(image()) == "media_not_ready"


async def test_a_file_that_line_calls_too_large() -> None:
    """It is not fetched to find out."""
    desk = Desk(m1=PDF)
    assert await desk.trouble(pending(Media("file", name="a.pdf", too_large=True))) == "media_too_large"
    assert desk.content.asked == []


async def test_all_together_are_bounded() -> None:
    """However many images come in a turn, their bytes are not more than memory is meant for."""
    desk = Desk(**{f"m{number}": PNG + b"\x00" * 3_000_000 for number in range(1, 21)})
    understood, _ = await desk.fetcher.understand([image(number) for number in range(1, 21)])
    taken = [attachment for one in understood if one for attachment in one.attachments]
    assert sum(len(attachment.data) for attachment in taken) <= MEDIA_BYTES
    assert len(taken) >= 5
    assert {one.trouble for one in understood if one} == {None, "media_too_large"}


class Endless(FakeContent):
    async def fetch(self, message_id: str, url: str, most: int) -> Attachment:
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets")


async def test_a_download_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is bounded for all of them together, for they are fetched side by side."""
    monkeypatch.setattr(fetching, "FETCH_SECONDS", 0.05)
    began = time.monotonic()
    fetcher = Fetcher(Endless(), FakeTranscriber())
    understood, _ = await fetcher.understand([image(number) for number in range(9)])
    assert [one.trouble for one in understood if one] == ["media_not_ready"] * 9
    assert time.monotonic() - began < 1


async def test_silence_is_not_understood() -> None:
    """A recording without words: the person is asked to write."""
    assert await Desk(" \n", m1=M4A).trouble(pending(Media("audio"))) == "not_heard"


@pytest.mark.parametrize(
    ("fault", "phrase", "tries"),
    [
        ("rejected", "not_heard", 1),
        ("busy", "media_not_ready", 2),
        ("quota", "media_not_ready", 1),
        ("broken", "media_not_ready", 2),
    ],
)
async def test_the_transcriber_fails(
    fault: ModelFault, phrase: Phrase, tries: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told in a sentence; tried again once where that may help; the operator reads which fault it was."""
    desk = Desk(m1=M4A)
    desk.transcriber.fail_next(ModelFailed(fault), times=5)
    assert await desk.trouble(pending(Media("audio"))) == phrase
    assert len(desk.transcriber.heard) == tries
    assert f'"fault": "{fault}"' in capsys.readouterr().out


@pytest.mark.parametrize("error", [ModelFailed("busy"), None])
async def test_the_transcriber_recovers(error: Exception | None) -> None:
    """One failure is not told."""
    desk = Desk(m1=M4A)
    if error:
        desk.transcriber.fail_next(error)
    assert (await desk.one(pending(Media("audio")))).text == "spoken words"


async def test_asked_again_after_it_is_gone() -> None:
    """What was understood the first time stands in for it; a label alone is no understanding."""
    gone = Desk()
    known = "[image 1: a receipt of 1,200 yen]"
    assert await gone.one(pending(Media("image"), text=known)) == Understood(known)
    for plain in ("[image]", "[image 2]", "[image: could not be opened]", "[image 3: could not be opened]"):
        assert await gone.trouble(pending(Media("image"), text=plain)) == "media_gone"


async def test_asked_again_while_it_is_there() -> None:
    """An image is looked at once more; a voice message's words are there already."""
    desk = Desk(m1=PNG)
    assert (await desk.one(pending(Media("image"), text="[image: a cat]"))).attachments
    assert await desk.one(pending(Media("audio"), text="See you")) == Understood("See you")
    assert desk.transcriber.heard == []


@pytest.mark.parametrize(
    ("data", "content_type", "understood"),
    [
        (PNG, "image/jpeg", Understood("[image]", (Attachment("image/png", PNG, "quoted image"),))),
        (M4A, "audio/x-m4a", Understood("spoken words")),
        (PDF, "application/pdf", Understood("[file]", (Attachment("application/pdf", PDF, "quoted file.pdf"),))),
        (b"a", "text/plain", Understood("[file]", (Attachment("text/plain", b"a", "quoted file"),))),
        (M4A, "video/mp4", None),
        (PNG + b"\x00" * IMAGE_BYTES, "image/png", None),
    ],
)
async def test_what_is_quoted(data: bytes, content_type: str, understood: Understood | None) -> None:
    """Nothing is known of it but its id: its own bytes tell what it is."""
    desk = Desk()
    desk.content.kept["m1"] = Attachment(content_type, data)
    quoted = replace(pending(Media("file")), text="")
    _, [found] = await desk.fetcher.understand([pending(None, 2)], [quoted])
    shown = (understood.text, understood.attachments) if understood else None
    assert ((found.text, found.attachments) if found else None) == shown


@pytest.mark.parametrize("error", [ContentFailed("gone"), ContentFailed("too_large"), Unavailable("down")])
async def test_what_is_quoted_and_cannot_be_had(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """Most of what is quoted is text, which LINE gives to nobody: no trouble, and no warning."""
    desk = Desk(m1=PNG)
    desk.content.fail_next(error, times=9)
    assert await desk.fetcher.understand([], [pending(Media("file"))]) == ([], [None])
    assert capsys.readouterr().out == ""


async def test_what_is_quoted_counts() -> None:
    """Within the bounds of the turn, with what the messages bring themselves."""
    large = PNG + b"\x00" * (IMAGE_BYTES - len(PNG))
    desk = Desk(m1=large, m2=large, m3=large)
    own, others = await desk.fetcher.understand([image(1), image(2)], [pending(Media("image"), 3)])
    taken = [attachment for one in (*own, *others) if one for attachment in one.attachments]
    assert len(taken) == 2


async def test_what_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """The kind and the reason; no name, no address, no id."""
    await Desk().one(pending(Media("file", name="private.pdf", url="https://private")))
    line = capsys.readouterr().out
    assert '"media_unread"' in line
    assert "private" not in line
    assert "m1" not in line
