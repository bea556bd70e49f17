"""A stand-in for OpenAI's images API: a square of one colour.

Shapes follow https://platform.openai.com/docs/api-reference/images/object.
"""

import base64
import struct
import time
import zlib

from bot.local.chats import Json

SIDE = 256


def painted(words: str) -> Json:
    """The answer to a request for a picture of these words."""
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 10},
        "output_tokens": 1000,
        "total_tokens": 1010,
    }
    return {"created": int(time.time()), "data": [{"b64_json": base64.b64encode(png(words)).decode()}], "usage": usage}


def png(words: str) -> bytes:
    """A PNG file; source: https://www.w3.org/TR/png-3/."""
    color = zlib.crc32(words.encode()).to_bytes(4, "big")[:3]
    rows = (b"\0" + color * SIDE) * SIDE
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
