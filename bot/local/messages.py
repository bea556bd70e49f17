"""What LINE refuses in the messages of a reply or push, with LINE's own wording."""

from collections.abc import Iterator
from typing import Any

from bot.local.flex import flex_problems
from bot.local.webhook import utf16_length

MESSAGES = 5
TEXT_UNITS = 5000
QUICK_REPLIES = 13
LABEL = 20
DATA = 300
ALT_TEXT_UNITS = 1500
IMAGE_URL = 2000

Problem = dict[str, str]


def problems(body: Any) -> list[Problem]:
    """One entry for each thing that LINE would refuse; empty when all is well."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not 1 <= len(messages) <= MESSAGES:
        return [_problem("Size must be between 1 and 5", "messages")]
    found: list[Problem] = []
    for number, message in enumerate(messages):
        found.extend(_of_message(message, f"messages[{number}]"))
    return found


def _of_message(message: Any, where: str) -> Iterator[Problem]:
    match message.get("type") if isinstance(message, dict) else None:
        case "text":
            yield from _of_text(message.get("text"), f"{where}.text")
        case "flex":
            yield from _of_alternative(message.get("altText"), f"{where}.altText")
            yield from flex_problems(message.get("contents"), f"{where}.contents")
        case "image":
            for name in ("originalContentUrl", "previewImageUrl"):
                yield from _of_image_url(message.get(name), f"{where}.{name}")
        case _:
            yield _problem("This stand-in shows text, Flex and image messages only", f"{where}.type")
            return
    if message.get("quickReply") is not None:
        yield from _of_quick_reply(message["quickReply"], f"{where}.quickReply")


def _of_text(text: Any, where: str) -> Iterator[Problem]:
    if not isinstance(text, str) or not text.strip():
        yield _problem("May not be empty", where)
    elif utf16_length(text) > TEXT_UNITS:
        yield _problem("Length must be between 0 and 5000", where)


def _of_alternative(text: Any, where: str) -> Iterator[Problem]:
    if not isinstance(text, str) or not text.strip():
        yield _problem("May not be empty", where)
    elif utf16_length(text) > ALT_TEXT_UNITS:
        yield _problem("Length must be between 0 and 1500", where)


def _of_image_url(url: Any, where: str) -> Iterator[Problem]:
    if not isinstance(url, str) or not 1 <= len(url) <= IMAGE_URL:
        yield _problem("Length must be between 0 and 2000", where)
    elif not url.startswith("https://") or not url.isascii() or " " in url:
        yield _problem("Must be a valid HTTPS URL", where)


def _of_quick_reply(quick_reply: Any, where: str) -> Iterator[Problem]:
    items = quick_reply.get("items") if isinstance(quick_reply, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= QUICK_REPLIES:
        yield _problem("Size must be between 1 and 13", f"{where}.items")
        return
    for number, item in enumerate(items):
        action = item.get("action") if isinstance(item, dict) and item.get("type") == "action" else None
        if isinstance(action, dict):
            yield from _of_action(action, f"{where}.items[{number}].action")
        else:
            yield _problem("May not be empty", f"{where}.items[{number}].action")


def _of_action(action: dict[str, Any], where: str) -> Iterator[Problem]:
    needed = {"postback": ("label", "data"), "message": ("label", "text")}.get(str(action.get("type")))
    if needed is None:
        yield _problem("This stand-in knows postback and message actions only", f"{where}.type")
        return
    for name in ("label", "data", "displayText", "text"):
        value, most = action.get(name), LABEL if name == "label" else DATA
        if name in needed and not value:
            yield _problem("May not be empty", f"{where}.{name}")
        elif value is not None and not (isinstance(value, str) and len(value) <= most):
            yield _problem(f"Length must be between 0 and {most}", f"{where}.{name}")


def _problem(message: str, where: str) -> Problem:
    return {"message": message, "property": where}
