"""line-bot-sdk as a judge of what the bot sends: its models are made from LINE's own description of the API.

A body passes when the SDK can read it and, writing it again, leaves nothing out: what it leaves out LINE does not know.
Slow to import: see `LineStandIn`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from linebot.v3.messaging import (
    PushMessageRequest,
    ReplyMessageRequest,
    ValidateMessageRequest,
)
from pydantic.v1 import ValidationError

from bot.local.messages import Problem

MODELS: Mapping[str, Any] = {
    "/v2/bot/message/reply": ReplyMessageRequest,
    "/v2/bot/message/push": PushMessageRequest,
    "/v2/bot/message/validate/reply": ValidateMessageRequest,
}
TEXT_CHARACTERS = 300


def problems(path: str, body: Any) -> list[Problem]:
    """One entry for each thing that the SDK does not know, or for the first that it cannot read."""
    model = MODELS.get(path)
    if model is None:
        return []
    try:
        written = model.from_dict(body).to_dict()
    except ValidationError as wrong:
        first = wrong.errors()[0]
        return [_problem(first["msg"], ".".join(str(part) for part in first["loc"]))]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as wrong:
        return [_problem(f"{type(wrong).__name__} {wrong}", "")]
    return list(_lost(body, written, ""))


def _lost(sent: Any, written: Any, where: str) -> Iterator[Problem]:
    if isinstance(sent, dict) and isinstance(written, dict):
        for name, value in sent.items():
            inner = f"{where}.{name}" if where else name
            if name in written:
                yield from _lost(value, written[name], inner)
            elif value is not None:  # null is the same as nothing
                yield _problem("unknown property", inner)
    elif isinstance(sent, list) and isinstance(written, list) and len(sent) == len(written):
        for number, (one, other) in enumerate(zip(sent, written, strict=True)):
            yield from _lost(one, other, f"{where}[{number}]")
    elif type(sent) is not type(written) or sent != written:
        yield _problem("invalid property", where)


def _problem(message: str, where: str) -> Problem:
    return {"message": f"line-bot-sdk: {message}"[:TEXT_CHARACTERS], "property": where}
