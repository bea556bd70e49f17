"""Pictures by OpenAI's images API.

Source: https://platform.openai.com/docs/api-reference/images/create
"""

import base64
import binascii

import openai

from bot import spans
from bot.adapters.openai import OpenAIModel
from bot.adapters.openai_json import objects, post, usage
from bot.errors import ModelFailed
from bot.lenient import Json, text
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
            response = await post(
                client,
                "/images/generations",
                {
                    "model": self._model,
                    "prompt": words,
                    "n": 1,
                    "size": "1024x1024",
                    "quality": "medium",
                    "output_format": "jpeg",
                    "output_compression": COMPRESSION,
                },
            )
            return Painted(_picture(response), usage(response))

        return await self._openai.call(ask)


def _picture(response: Json) -> Attachment:
    try:
        data = base64.b64decode(text(objects(response, "data")[0], "b64_json"), validate=True)
    except (IndexError, binascii.Error):
        raise ModelFailed("broken") from None
    for start, (content_type, name) in FORMATS.items():
        if data.startswith(start) and len(data) <= MOST_BYTES:
            return Attachment(content_type, data, name)
    raise ModelFailed("broken")
