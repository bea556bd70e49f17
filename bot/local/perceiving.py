"""What the stand-in model makes of pictures and files: it has no eyes, but it tells what reached it."""

import base64
import struct
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n"


def perceived(part: Any) -> str:
    """A part of a message in words. Raises KeyError, TypeError or ValueError on what the API would refuse."""
    if part["type"] == "input_text":
        return str(part["text"])
    if part["type"] == "input_image":
        content_type, data = _data(part["image_url"])
        if not content_type.startswith("image/"):
            raise ValueError("image_url")
        return f"⟦{content_type.removeprefix('image/').upper()} {_measured(data)}⟧"
    if part["type"] == "input_file":
        content_type, data = _data(part["file_data"])
        return f"⟦{part['filename']}: {content_type.rpartition('/')[2].upper()}, {_size(data)}⟧"
    raise ValueError("content type")


def _data(url: str) -> tuple[str, bytes]:
    head, comma, data = url.partition(";base64,")
    if not head.startswith("data:") or not comma or not data:
        raise ValueError("data URL")
    return head.removeprefix("data:"), base64.b64decode(data, validate=True)


def _measured(data: bytes) -> str:
    if not data.startswith(PNG):
        return _size(data)
    width, height = struct.unpack(">II", data[16:24])
    return f"{width} × {height}"


def _size(data: bytes) -> str:
    return f"{len(data)} B" if len(data) < 1000 else f"{len(data) // 1000} KB"
