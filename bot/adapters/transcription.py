"""Voice messages as words, by OpenAI's audio API.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import openai
from openai.types.audio import Transcription

from bot.adapters.openai import OpenAIModel
from bot.conversation import Usage
from bot.ports import Attachment, Heard


class OpenAITranscriber:
    """`ports.Transcriber`, on the connections and with the key of an OpenAIModel."""

    def __init__(self, openai_model: OpenAIModel, model: str) -> None:
        self._openai = openai_model
        self._model = model

    async def transcribe(self, audio: Attachment) -> Heard:
        async def ask(client: openai.AsyncOpenAI) -> Heard:
            # The API tells the format by the name's ending.
            file = (audio.name, audio.data, audio.content_type)
            transcription = await client.audio.transcriptions.create(file=file, model=self._model)
            return Heard(transcription.text.strip(), _usage(transcription), _seconds(transcription))

        return await self._openai.call(ask)


def _usage(transcription: Transcription) -> Usage:
    """Models that are billed by the minute tell no tokens, and compatible servers nothing."""
    usage = transcription.usage
    return Usage(
        input_tokens=getattr(usage, "input_tokens", None) or 0, output_tokens=getattr(usage, "output_tokens", None) or 0
    )


def _seconds(transcription: Transcription) -> float:
    return float(getattr(transcription.usage, "seconds", None) or 0.0)
