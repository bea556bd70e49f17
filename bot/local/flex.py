"""What LINE refuses in a Flex message: its structure, required parts, the words it knows and its sizes.

Source: https://developers.line.biz/en/reference/messaging-api/#flex-message
"""

import json
import re
from collections.abc import Iterator
from typing import Any

BUBBLE_BYTES = 30_000
CAROUSEL_BYTES = 50_000
BUBBLES = 12
URI = 1000
CLIPBOARD = 1000
PIXELS = re.compile(r"\d+(\.\d+)?(px|%)")
COLOUR = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")
COLOURS = frozenset({"color", "backgroundColor", "borderColor", "separatorColor"})
LENGTHS = frozenset({"paddingAll", "paddingTop", "paddingBottom", "paddingStart", "paddingEnd", "spacing", "margin"})
KEYWORDS = frozenset({"none", "xs", "sm", "md", "lg", "xl", "xxl"})
TEXT_SIZES = frozenset({"xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl"})
ENUMS: dict[str, frozenset[str]] = {
    "align": frozenset({"start", "end", "center"}),
    "gravity": frozenset({"top", "bottom", "center"}),
    "weight": frozenset({"regular", "bold"}),
    "style": frozenset({"normal", "italic"}),
    "decoration": frozenset({"none", "underline", "line-through"}),
    "direction": frozenset({"ltr", "rtl"}),
    "adjustMode": frozenset({"shrink-to-fit"}),
}
SIZES = frozenset({"nano", "micro", "deca", "hecto", "kilo", "mega", "giga"})
IN_BOX = frozenset({"box", "button", "image", "text", "separator", "filler", "video"})
IN_BASELINE = frozenset({"icon", "text", "filler"})
BLOCKS = ("header", "hero", "body", "footer")
IN_HERO = frozenset({"box", "image", "video"})

Problem = dict[str, str]


def flex_problems(contents: Any, where: str) -> Iterator[Problem]:
    """One entry for each thing that LINE would refuse in a container."""
    kind = contents.get("type") if isinstance(contents, dict) else None
    if kind == "carousel":
        yield from _of_carousel(contents, where)
    elif kind == "bubble":
        yield from _of_bubble(contents, where)
    else:
        yield _problem("invalid property", f"{where}.type")


def _of_carousel(carousel: dict[str, Any], where: str) -> Iterator[Problem]:
    bubbles = carousel.get("contents")
    if not isinstance(bubbles, list) or not 1 <= len(bubbles) <= BUBBLES:
        yield _problem("Size must be between 1 and 12", f"{where}.contents")
        return
    if _bytes(carousel) > CAROUSEL_BYTES:
        yield _problem("At most 50 KB", where)
    for number, bubble in enumerate(bubbles):
        if isinstance(bubble, dict) and bubble.get("type") == "bubble":
            yield from _of_bubble(bubble, f"{where}.contents[{number}]")
        else:
            yield _problem("invalid property", f"{where}.contents[{number}].type")


def _of_bubble(bubble: dict[str, Any], where: str) -> Iterator[Problem]:
    if _bytes(bubble) > BUBBLE_BYTES:
        yield _problem("At most 30 KB", where)
    if bubble.get("size", "mega") not in SIZES:
        yield _problem("invalid property", f"{where}.size")
    blocks = [name for name in BLOCKS if name in bubble]
    if not blocks:
        yield _problem("At least one block must be specified", where)
    for name in blocks:
        block = bubble[name]
        known = IN_HERO if name == "hero" else frozenset({"box"})
        yield from _of_component(block, f"{where}.{name}", known)
    for name, style in (bubble.get("styles") or {}).items():
        yield from _of_style(style, f"{where}.styles.{name}")
    yield from _of_tap(bubble, where)


def _of_component(component: Any, where: str, known: frozenset[str]) -> Iterator[Problem]:
    kind = component.get("type") if isinstance(component, dict) else None
    if kind not in known:
        yield _problem("invalid property", f"{where}.type")
        return
    yield from _of_style(component, where)
    yield from _of_tap(component, where)
    match kind:
        case "box":
            yield from _of_box(component, where)
        case "text":
            yield from _of_text(component, where)
        case "button" if not isinstance(component.get("action"), dict):
            yield _problem("must be specified", f"{where}.action")
        case "image" | "icon" if not str(component.get("url", "")).startswith("https://"):
            yield _problem("invalid uri scheme", f"{where}.url")


def _of_box(box: dict[str, Any], where: str) -> Iterator[Problem]:
    layout = box.get("layout")
    if layout not in ("horizontal", "vertical", "baseline"):
        yield _problem("invalid property", f"{where}.layout")
    if not isinstance(box.get("contents"), list):
        yield _problem("must be specified", f"{where}.contents")
        return
    for number, inner in enumerate(box["contents"]):
        yield from _of_component(inner, f"{where}.contents[{number}]", IN_BASELINE if layout == "baseline" else IN_BOX)


def _of_text(text: dict[str, Any], where: str) -> Iterator[Problem]:
    spans = text.get("contents")
    if spans:
        for number, span in enumerate(spans):
            yield from _of_span(span, f"{where}.contents[{number}]")
    elif not isinstance(text.get("text"), str) or not text["text"]:
        yield _problem("must be non-empty text", f"{where}.text")
    if text.get("size", "md") not in TEXT_SIZES and not PIXELS.fullmatch(str(text["size"])):
        yield _problem("invalid property", f"{where}.size")


def _of_span(span: Any, where: str) -> Iterator[Problem]:
    if not isinstance(span, dict) or span.get("type") != "span":
        yield _problem("invalid property", f"{where}.type")
    elif not isinstance(span.get("text"), str):
        yield _problem("must be specified", f"{where}.text")


def _of_style(styled: dict[str, Any], where: str) -> Iterator[Problem]:
    for name, value in styled.items():
        wrong_colour = name in COLOURS and not COLOUR.fullmatch(str(value))
        wrong_word = name in ENUMS and styled.get("type") != "button" and value not in ENUMS[name]
        wrong_length = name in LENGTHS and value not in KEYWORDS and not PIXELS.fullmatch(str(value))
        wrong_share = name in ("flex", "maxLines") and (not isinstance(value, int) or value < 0)
        if wrong_colour or wrong_word or wrong_length or wrong_share:
            yield _problem("invalid property", f"{where}.{name}")


def _of_tap(component: dict[str, Any], where: str) -> Iterator[Problem]:
    """The actions a card of this project may have, and a few that others often do."""
    action = component.get("action")
    if action is None:
        return
    where = f"{where}.action"
    needed = {"uri": "uri", "clipboard": "clipboardText", "postback": "data", "message": "text"}
    name = needed.get(str(action.get("type"))) if isinstance(action, dict) else None
    if name is None:
        yield _problem("invalid property", f"{where}.type")
        return
    value, most = action.get(name), {"uri": URI, "clipboardText": CLIPBOARD}.get(name, 300)
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        yield _problem(f"Length must be between 1 and {most}", f"{where}.{name}")
    elif name == "uri" and not value.startswith(("http://", "https://", "line://", "tel:")):
        yield _problem("invalid uri scheme", f"{where}.uri")
    elif name == "uri" and (not value.isascii() or " " in value):
        yield _problem("invalid uri", f"{where}.uri")


def _bytes(contents: dict[str, Any]) -> int:
    """Counted with every character beyond ASCII as an escape: LINE does not say how, and this is the most it can be."""
    return len(json.dumps(contents))


def _problem(message: str, where: str) -> Problem:
    return {"message": message, "property": where}
