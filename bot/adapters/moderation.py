"""Moderation by OpenAI's own classifier, which is free of charge.

Source: https://platform.openai.com/docs/api-reference/moderations
"""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import openai

from bot.adapters.openai import OpenAIModel
from bot.adapters.openai_json import objects, post
from bot.errors import ModelFailed
from bot.ports import Attachment

MODEL = "omni-moderation-latest"
TEXT_CHARACTERS = 10_000
TEXTS = 20
"""A long text goes in pieces, so many at once: one that is refused for its length would pass unread."""


class OpenAIModerator:
    """`ports.Moderator`, on the connections and with the key of an OpenAIModel."""

    def __init__(self, openai_model: OpenAIModel) -> None:
        self._openai = openai_model

    async def flagged(self, text: str, attachments: Sequence[Attachment]) -> bool:
        async def ask(client: openai.AsyncOpenAI) -> bool:
            answers = await asyncio.gather(*(_is_flagged(client, given) for given in _inputs(text, attachments)))
            return any(answers)

        return await self._openai.call(ask)


async def _is_flagged(client: openai.AsyncOpenAI, given: Any) -> bool:
    response = await post(client, "/moderations", {"model": MODEL, "input": given})
    verdicts = [result.get("flagged") for result in objects(response, "results")]
    # What nobody has judged has not passed: whether it goes on is for the caller to say, and to log.
    if not verdicts or not all(isinstance(verdict, bool) for verdict in verdicts):
        raise ModelFailed("broken")
    return any(verdicts)


def _inputs(text: str, attachments: Sequence[Attachment]) -> list[Any]:
    """What one request each can take: all the texts, and every image, of which the API takes one at a time."""
    texts = [text]
    inputs: list[Any] = []
    for attachment in attachments:
        if attachment.content_type.startswith("text/"):
            texts.append(attachment.data.decode(errors="replace"))
        elif attachment.content_type.startswith("image/"):
            url = f"data:{attachment.content_type};base64,{base64.b64encode(attachment.data).decode()}"
            inputs.append([{"type": "image_url", "image_url": {"url": url}}])
    pieces = [whole[at : at + TEXT_CHARACTERS] for whole in texts for at in range(0, len(whole), TEXT_CHARACTERS)]
    return [*(pieces[at : at + TEXTS] for at in range(0, len(pieces), TEXTS)), *inputs]
