"""OpenAI: the key, the models, and what they cost."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from bot.adapters.openai import OpenAIModel
from bot.admin.checks.check import LATER, Outcome, check, ok, wrong
from bot.admin.checks.installation import Installation, fixed
from bot.admin.checks.secrets import API_KEY, api_key, value
from bot.errors import ModelFailed
from bot.prices import Prices
from bot.settings import Settings

NEW_KEY = (
    "make a key (https://platform.openai.com/api-keys) and add it: "
    "gcloud secrets versions add openai-api-key --data-file=-"
)
ANOTHER = (
    "set the variable to one of https://platform.openai.com/docs/models; "
    "a restricted key also needs the permission to read models"
)


def models(settings: Settings) -> Sequence[tuple[str, str]]:
    """Each model that may be asked, with the variable that names it."""
    named = [
        ("OPENAI_MODEL", settings.model),
        *(("OPENAI_MODELS", name) for name in settings.other_models),
        ("OPENAI_CHEAPER_MODEL", settings.cheaper_model),
        ("OPENAI_TRANSCRIPTION_MODEL", settings.transcription_model),
        *([("OPENAI_IMAGE_MODEL", settings.image_model)] if settings.media_bucket else []),
    ]
    return [(variable, name) for variable, name in named if name]


async def _fault(of: Installation, model: str) -> str:
    """Why this model cannot be had, as `ports` names it; empty when it can."""
    asked = await of.once(_asked)

    async def retrieve(client: Any) -> None:
        await client.models.retrieve(model)

    try:
        await asked.call(retrieve)
    except ModelFailed as failed:
        return failed.fault
    return ""


async def _asked(of: Installation) -> OpenAIModel:
    model = OpenAIModel(of.settings.model, fixed(await value(of, API_KEY)))
    of.closing(model.close)
    return model


@check("OpenAI", api_key)
async def openai(of: Installation) -> Outcome:
    server = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    fault = await of.once(_fault, of.settings.model)
    if fault == "unauthorized":
        return wrong(f"{server} does not accept the key", NEW_KEY)
    if fault == "quota":
        return wrong(f"{server}: the account has no credit left", "https://platform.openai.com/settings > Billing")
    if fault and fault != "rejected":
        return wrong(f"{server} cannot be asked now: {fault}", LATER)
    return ok(f"{server} accepts the key")


@check("models", openai)
async def models_exist(of: Installation) -> Outcome:
    named = models(of.settings)
    faults = await asyncio.gather(*(of.once(_fault, name) for _, name in named))
    missing = [f"{name} ({variable})" for (variable, name), fault in zip(named, faults, strict=True) if fault]
    if set(faults) - {"", "rejected"}:
        return wrong(f"cannot be asked for now: {', '.join(missing)}", LATER)
    if missing:
        return wrong(f"not there for this key: {', '.join(missing)}", ANOTHER)
    return ok(", ".join(dict.fromkeys(name for _, name in named)))


@check("prices")
async def prices(of: Installation) -> Outcome:
    known = Prices(of.settings.prices)
    unknown = [name for name in dict.fromkeys(name for _, name in models(of.settings)) if not known.knows(name)]
    if unknown:
        seen = f"no price is known of {', '.join(unknown)}: it is counted at the dearest price there is"
        return wrong(seen, f"OPENAI_PRICES={unknown[0]}=INPUT/CACHED/OUTPUT, in USD per million tokens")
    return ok("every model has a price")
