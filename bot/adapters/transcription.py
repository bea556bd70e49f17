"""Voice messages as words, by OpenAI's audio API.

Source: https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import openai

from bot.adapters.openai import OpenAIModel
from bot.ports import Attachment


class OpenAITranscriber:
    """`ports.Transcriber`, on the connections and with the key of an OpenAIModel."""

    def __init__(self, openai_model: OpenAIModel, model: str) -> None:
        self._openai = openai_model
        self._model = model

    async def transcribe(self, audio: Attachment) -> str:
        async def ask(client: openai.AsyncOpenAI) -> str:
            # The API tells the format by the name's ending.
            file = (audio.name, audio.data, audio.content_type)
            transcription = await client.audio.transcriptions.create(file=file, model=self._model)
            return transcription.text.strip()

        return await self._openai.call(ask)
