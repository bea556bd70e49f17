"""What bytes are: told by themselves, whatever they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formats import audio_suffix, image_type, is_pdf, text_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"x" * 9, "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_images(data: bytes, kind: str) -> None:
    """The four kinds that the model sees, and nothing else."""
    assert image_type(data) == kind


@pytest.mark.parametrize(
    ("data", "content_type", "suffix"),
    [
        (b"\x00\x00\x00\x18ftypM4A ", "", "m4a"),
        (b"ID3\x04", "", "mp3"),
        (b"\xff\xfb\x90", "application/octet-stream", "mp3"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "", "wav"),
        (b"OggS", "", "ogg"),
        (b"??", "audio/x-m4a", "m4a"),
        (b"<html>", "text/html", ""),
        (PNG, "image/png", ""),
    ],
)
def test_audio(data: bytes, content_type: str, suffix: str) -> None:
    """The ending that tells the transcriber; LINE's own recordings are m4a."""
    assert audio_suffix(data, content_type) == suffix


def test_pdf() -> None:
    """Readers of PDF look for its sign near the beginning, and so do we."""
    assert is_pdf(b"%PDF-1.7\n")
    assert is_pdf(b"\xef\xbb\xbf\n%PDF-1.4")
    assert not is_pdf(b"x" * 5_000 + b"%PDF-1.7")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_texts(encoding: str) -> None:
    """As Unicode in any dress, and as Japanese spreadsheets write CSV."""
    assert text_of("日付,金額\r\n11月22日,1200円\t\n".encode(encoding)) == "日付,金額\r\n11月22日,1200円\t\n"


@pytest.mark.parametrize("data", [b"PK\x03\x04\x00\x00", PNG, b"\x7fELF\x02\x01", b"a\x00b", b"\xff\xff\xff"])
def test_no_texts(data: bytes) -> None:
    """What has control characters or no known encoding is no text, whatever its name says."""
    assert text_of(data) is None


@given(st.binary(max_size=200))
def test_whatever_comes(data: bytes) -> None:
    """Nothing raises, and a text can be stored and sent."""
    image_type(data), audio_suffix(data, ""), is_pdf(data)
    (text_of(data) or "").encode()
