"""Voice messages as words, by OpenAI's audio API.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import openai

from bot.adapters.openai import OpenAIModel
from bot.adapters.openai_json import post, usage
from bot.errors import ModelFailed
from bot.lenient import Json, mapping, number, text
from bot.ports import Attachment, Heard

FORM = {"headers": {"Content-Type": "multipart/form-data"}}
"""The SDK takes everything for JSON that is not called a form."""


class OpenAITranscriber:
    """`ports.Transcriber`, on the connections and with the key of an OpenAIModel."""

    def __init__(self, openai_model: OpenAIModel, model: str) -> None:
        self._openai = openai_model
        self._model = model

    async def transcribe(self, audio: Attachment) -> Heard:
        async def ask(client: openai.AsyncOpenAI) -> Heard:
            # The API tells the format by the name's ending.
            file = (audio.name, audio.data, audio.content_type)
            heard = await post(
                client, "/audio/transcriptions", {"model": self._model}, files={"file": file}, options=FORM
            )
            return Heard(_words(heard), usage(heard), _seconds(heard))

        return await self._openai.call(ask)


def _words(heard: Json) -> str:
    if not isinstance(heard.get("text"), str):
        raise ModelFailed("broken")
    return text(heard, "text").strip()


def _seconds(heard: Json) -> float:
    """Models that are billed by the minute tell no tokens, and compatible servers nothing."""
    return number(mapping(heard.get("usage")), "seconds") or 0.0
