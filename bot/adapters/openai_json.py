"""One call of OpenAI's API as plain JSON, by the SDK's client.

Its typed calls (`client.responses` and the like) look through all that a request and a response may hold: three
quarters of a call's CPU, and some 0.4 seconds and 11 MiB at the first. Compatible servers leave parts out anyway.
"""

import json
from collections.abc import Mapping
from typing import Any

import openai

from bot.conversation import Usage
from bot.errors import ModelFailed
from bot.lenient import Json, mapping, whole

MOST_TOKENS = 10**12
"""In one call: whatever says more counts nothing."""


async def post(client: openai.AsyncOpenAI, path: str, body: Mapping[str, Any], **form: Any) -> Json:
    """The object that the API answers with; empty where it is none. Raises openai.APIError, ValueError for no JSON.

    `form`: the SDK's `files` and `options`, where JSON is not enough.
    """
    return mapping(json.loads(await client.post(path, cast_to=bytes, body=body, **form)))


def objects(raw: Json, name: str) -> list[Json]:
    """The objects in a list that must be there. Raises ModelFailed."""
    values = raw.get(name)
    if not isinstance(values, list):
        raise ModelFailed("broken")
    return [value for value in values if isinstance(value, dict)]


def usage(response: Json) -> Usage:
    """What was used, as far as the server tells: compatible ones leave parts out."""
    told = mapping(response.get("usage"))
    return Usage(
        input_tokens=whole(told, "input_tokens", MOST_TOKENS),
        cached_tokens=whole(_details(told), "cached_tokens", MOST_TOKENS),
        output_tokens=whole(told, "output_tokens", MOST_TOKENS),
    )


def cache_written(response: Json) -> int:
    """The tokens that are charged for being kept in the provider's cache."""
    return whole(_details(mapping(response.get("usage"))), "cache_write_tokens", MOST_TOKENS)


def _details(told: Json) -> Json:
    return mapping(told.get("input_tokens_details"))
