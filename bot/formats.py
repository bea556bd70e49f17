"""Telling what bytes are by how they begin: names and content types are what somebody says."""

import codecs

IMAGES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))
AUDIO = (
    *((b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"\xff\xf3", "mp3"), (b"\xff\xf2", "mp3")),
    *((b"OggS", "ogg"), (b"fLaC", "flac"), (b"\x1aE\xdf\xa3", "webm")),
)
PDF_WITHIN = 1_024
"""So far into a file its readers look for the sign of a PDF."""
SAMPLE = 50_000
BLANKS = "\n\r\t\f\v\x1b"


def image_type(data: bytes) -> str:
    """The content type of an image that the model can see; empty for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in IMAGES if data.startswith(sign)), "")


def audio_suffix(data: bytes, content_type: str) -> str:
    """The ending of an audio file's name; what only calls itself audio counts as LINE's own m4a; empty: it is none."""
    if data[4:8] == b"ftyp":
        return "m4a"
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    known = next((suffix for sign, suffix in AUDIO if data.startswith(sign)), "")
    return known or ("m4a" if content_type.startswith(("audio/", "video/")) else "")


def is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:PDF_WITHIN]


def text_of(data: bytes) -> str | None:
    """The text in a file, if it is one: Unicode, or Shift_JIS as Japanese spreadsheets still write it."""
    encodings = ["utf-8-sig", "cp932"]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if any(_is_odd(character) for character in text[:SAMPLE]) else text
    return None


def _is_odd(character: str) -> bool:
    """A control character, or one of nobody's, which is what Shift_JIS makes of bytes that mean nothing."""
    return (character < " " and character not in BLANKS) or "\ue000" <= character <= "\uf8ff"
