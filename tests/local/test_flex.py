"""The stand-in's eye for Flex: what LINE refuses is refused, with the place where it is wrong."""

import copy
from typing import Any

import pytest

from bot.local.flex import flex_problems
from bot.local.messages import problems

TEXT = {"type": "text", "text": "hello", "size": "sm", "color": "#112233", "wrap": True}
GOOD: dict[str, Any] = {
    "type": "bubble",
    "size": "giga",
    "body": {
        "type": "box",
        "layout": "vertical",
        "paddingAll": "16px",
        "contents": [
            TEXT | {"action": {"type": "uri", "uri": "https://example.com/"}},
            {"type": "separator", "color": "#000000"},
            {"type": "box", "layout": "horizontal", "contents": [], "flex": 2},
            {"type": "text", "contents": [{"type": "span", "text": "a"}]},
            {"type": "button", "action": {"type": "postback", "label": "x", "data": "y"}},
            {"type": "image", "url": "https://example.com/x.png"},
        ],
    },
    "styles": {"body": {"backgroundColor": "#FFFFFF"}},
}


def wrong(contents: Any) -> list[str]:
    return [problem["property"] for problem in flex_problems(contents, "c")]


def with_inner(component: Any) -> dict[str, Any]:
    bubble = copy.deepcopy(GOOD)
    bubble["body"]["contents"] = [component]
    return bubble


def test_what_is_right() -> None:
    """A bubble of every component, and a carousel of bubbles, are taken."""
    assert wrong(GOOD) == []
    assert wrong({"type": "carousel", "contents": [GOOD] * 12}) == []


@pytest.mark.parametrize(
    ("component", "where"),
    [
        ({"type": "text", "text": ""}, "text"),
        ({"type": "text"}, "text"),
        (TEXT | {"color": "red"}, "color"),
        (TEXT | {"size": "huge"}, "size"),
        (TEXT | {"weight": "heavy"}, "weight"),
        (TEXT | {"flex": "1"}, "flex"),
        (TEXT | {"margin": "wide"}, "margin"),
        ({"type": "text", "contents": [{"type": "text", "text": "a"}]}, "contents[0].type"),
        ({"type": "text", "contents": [{"type": "span"}]}, "contents[0].text"),
        ({"type": "box", "layout": "vertical"}, "contents"),
        ({"type": "box", "layout": "diagonal", "contents": []}, "layout"),
        ({"type": "box", "layout": "baseline", "contents": [{"type": "separator"}]}, "contents[0].type"),
        ({"type": "marquee"}, "type"),
        ("text", "type"),
        ({"type": "button"}, "action"),
        ({"type": "image", "url": "http://example.com/x.png"}, "url"),
        (TEXT | {"action": {"type": "uri", "uri": "javascript:x"}}, "action.uri"),
        (TEXT | {"action": {"type": "uri", "uri": "https://a.jp/" + "x" * 1_000}}, "action.uri"),
        (TEXT | {"action": {"type": "uri", "uri": "https://a.jp/日本"}}, "action.uri"),
        (TEXT | {"action": {"type": "uri"}}, "action.uri"),
        (TEXT | {"action": {"type": "clipboard", "clipboardText": "x" * 1_001}}, "action.clipboardText"),
        (TEXT | {"action": {"type": "explode"}}, "action.type"),
        (TEXT | {"action": "tap"}, "action.type"),
    ],
)
def test_what_is_wrong(component: Any, where: str) -> None:
    """Missing parts, words that LINE does not know, empty texts and addresses that it does not open."""
    assert wrong(with_inner(component)) == [f"c.body.contents[0].{where}"]


@pytest.mark.parametrize(
    ("contents", "where"),
    [
        (None, ["c.type"]),
        ({"type": "box"}, ["c.type"]),
        ({"type": "bubble"}, ["c"]),
        (GOOD | {"size": "enormous"}, ["c.size"]),
        (GOOD | {"body": TEXT}, ["c.body.type"]),
        (GOOD | {"styles": {"body": {"backgroundColor": "white"}}}, ["c.styles.body.backgroundColor"]),
        (with_inner({"type": "text", "text": "あ" * 5_000}), ["c"]),
        ({"type": "carousel", "contents": []}, ["c.contents"]),
        ({"type": "carousel", "contents": [GOOD] * 13}, ["c.contents"]),
        ({"type": "carousel", "contents": [TEXT]}, ["c.contents[0].type"]),
        ({"type": "carousel", "contents": [with_inner({"type": "text", "text": "x" * 20_000})] * 3}, ["c"]),
    ],
)
def test_wrong_containers(contents: Any, where: list[str]) -> None:
    """A bubble has 30 KB at most, a carousel 50 KB and twelve bubbles."""
    assert wrong(contents) == where


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ({"type": "flex", "contents": GOOD}, "altText"),
        ({"type": "flex", "altText": " ", "contents": GOOD}, "altText"),
        ({"type": "flex", "altText": "😀" * 751, "contents": GOOD}, "altText"),
        ({"type": "image", "originalContentUrl": "https://a.jp/1"}, "previewImageUrl"),
        (
            {"type": "image", "originalContentUrl": "http://a.jp/1", "previewImageUrl": "https://a.jp/1"},
            "originalContentUrl",
        ),
        (
            {"type": "image", "originalContentUrl": "https://a.jp/" + "x" * 2_000, "previewImageUrl": "https://a.jp/1"},
            "originalContentUrl",
        ),
        (
            {"type": "image", "originalContentUrl": "https://a.jp/海", "previewImageUrl": "https://a.jp/1"},
            "originalContentUrl",
        ),
    ],
)
def test_wrong_messages(message: Any, where: str) -> None:
    """A card needs words that stand for it; a picture addresses that LINE can fetch."""
    assert [problem["property"] for problem in problems({"messages": [message]})] == [f"messages[0].{where}"]


def test_right_messages() -> None:
    """Flex with its words and an image by https are taken."""
    image = {"type": "image", "originalContentUrl": "https://a.jp/1", "previewImageUrl": "https://a.jp/2"}
    assert problems({"messages": [{"type": "flex", "altText": "😀" * 750, "contents": GOOD}, image]}) == []
