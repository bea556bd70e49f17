"""Small files to send, and larger ones to look at."""

import struct
import wave
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import FilePayload


def picture(width: int, height: int, name: str = "picture.png") -> "FilePayload":
    """A green PNG, to be told from others by its size."""
    rows = (b"\0" + b"\x06\xc7\x55" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(data)) + kind + data + _check(kind + data) for kind, data in chunks)
    return {"name": name, "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + body}


def sound(seconds: int, name: str = "voice.wav") -> "FilePayload":
    """Silence."""
    written = BytesIO()
    with wave.open(written, "wb") as target:
        target.setparams((1, 1, 8000, 0, "NONE", ""))
        target.writeframes(b"\x80" * 8000 * seconds)
    return {"name": name, "mimeType": "audio/wav", "buffer": written.getvalue()}


def document(name: str = "plan.pdf") -> "FilePayload":
    """A PDF with one empty page."""
    body = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    body += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    return {"name": name, "mimeType": "application/pdf", "buffer": body}


def _check(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
