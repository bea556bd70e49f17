"""Pictures by OpenAI's images API.

Source: https://platform.openai.com/docs/api-reference/images/create
"""

import base64
import binascii

import openai
from openai.types import ImagesResponse

from bot import spans
from bot.adapters.openai import OpenAIModel
from bot.conversation import Usage
from bot.errors import ModelFailed
from bot.ports import Attachment, Painted

COMPRESSION = 80
"""In per cent: a JPEG of this size then stays below the megabyte that LINE takes as a preview."""
MOST_BYTES = 1_000_000
FORMATS = {b"\xff\xd8\xff": ("image/jpeg", "picture.jpg"), b"\x89PNG\r\n\x1a\n": ("image/png", "picture.png")}
"""What LINE can show, by its first bytes."""


class OpenAIPainter:
    """`ports.Painter`, on the connections and with the key of an OpenAIModel."""

    def __init__(self, openai_model: OpenAIModel, model: str) -> None:
        self._openai = openai_model
        self._model = model

    async def paint(self, words: str) -> Painted:
        async def ask(client: openai.AsyncOpenAI) -> Painted:
            spans.answered_by(self._model)
            response = await client.images.generate(
                model=self._model,
                prompt=words,
                n=1,
                size="1024x1024",
                quality="medium",
                output_format="jpeg",
                output_compression=COMPRESSION,
            )
            return Painted(_picture(response), _usage(response))

        return await self._openai.call(ask)


def _picture(response: ImagesResponse) -> Attachment:
    try:
        data = base64.b64decode((response.data or [])[0].b64_json or "", validate=True)
    except (IndexError, binascii.Error):
        raise ModelFailed("broken") from None
    for start, (content_type, name) in FORMATS.items():
        if data.startswith(start) and len(data) <= MOST_BYTES:
            return Attachment(content_type, data, name)
    raise ModelFailed("broken")


def _usage(response: ImagesResponse) -> Usage:
    """Compatible servers leave parts out."""
    usage = response.usage
    return Usage(
        input_tokens=getattr(usage, "input_tokens", None) or 0, output_tokens=getattr(usage, "output_tokens", None) or 0
    )
