"""A bubble as LINE's message object: code, tables and sources as Flex, a picture as an image, all else as text.

LINE's app may be light or dark and leaves a card's colours alone: every ground and every letter has its own here.
Source: https://developers.line.biz/en/reference/messaging-api/#flex-message
"""

import json
from collections.abc import Sequence
from typing import Any
from unicodedata import east_asian_width
from urllib.parse import quote, urlsplit

from bot.bubbles import bubbles, units
from bot.limits import BUBBLE_UNITS
from bot.ports import Link
from bot.shapes import Code, Picture, Shape, Sources, Table, plain, shape

Json = dict[str, Any]

ALT_UNITS = 1_500
CARD_BYTES = 30_000
"""LINE says 30 KB of JSON; it is counted here as it is sent, with every character beyond ASCII as an escape."""
URI_CHARACTERS = 1_000
IMAGE_URL_CHARACTERS = 2_000
CLIPBOARD_CHARACTERS = 1_000
COPY = "📋"
GRID_COLUMNS = 4
GRID_WIDTH = 44
"""In half-width letters: what stands side by side on a phone and can still be read."""

WHITE, PALE, LINE_COLOR, INK, FAINT, LINK = "#FFFFFF", "#F2F4F7", "#D5DAE1", "#1C1F24", "#5B6470", "#0B57D0"
NIGHT, DUSK, CHALK, MIST = "#1E2430", "#2A3241", "#E8ECF2", "#A9B4C4"


def message(bubble: str) -> Json:
    """LINE's message object for one bubble, without buttons; its `altText` says the same as the card."""
    found = shape(bubble)
    if isinstance(found, Picture) and _is_sendable(found):
        return {
            "type": "image",
            "originalContentUrl": _encoded(found.url),
            "previewImageUrl": _encoded(found.preview_url),
        }
    card = _card(found)
    if found is None or card is None or not _is_small(card):
        return text_message(bubble)
    return {"type": "flex", "altText": _shortened(found.plain), "contents": card}


def text_message(bubble: str) -> Json:
    """The same as text, for what LINE would not take as a card."""
    return {"type": "text", "text": plain(bubble)}


def fits(bubble: str) -> bool:
    """Whether the bubble is within LINE's bounds both as a card and as the text that stands in for it."""
    card = _card(shape(bubble))
    return card is not None and _is_small(card) and units(bubble) <= BUBBLE_UNITS


def _is_small(card: Json) -> bool:
    return len(json.dumps(card)) <= CARD_BYTES


def _shortened(text: str) -> str:
    return text if units(text) <= ALT_UNITS else bubbles(text, ALT_UNITS - 1)[0] + "…"


def _is_sendable(picture: Picture) -> bool:
    return all(len(url) <= IMAGE_URL_CHARACTERS for url in (_encoded(picture.url), _encoded(picture.preview_url)))


def _encoded(url: str) -> str:
    """Percent-encoded UTF-8, as LINE wants it; what is encoded already stays."""
    return quote(url, safe="%/:?#[]@!$&'()*+,;=~")


def _card(found: Shape | None) -> Json | None:
    match found:
        case Code():
            return _code(found)
        case Table():
            return _grid(found) if _is_narrow(found) else _records(found)
        case Sources():
            return _sources(found)
        case _:
            return None


def _code(code: Code) -> Json:
    """Light on dark, with a button that copies: the text of a card cannot be selected."""
    lines = [_text(_indented(code.text), CHALK, size="xs", lineSpacing="4px")]
    card = _bubble([*_code_head(code, copies=True), _box(lines, paddingAll="16px")], NIGHT)
    return (
        card if _is_small(card) else _bubble([*_code_head(code, copies=False), _box(lines, paddingAll="16px")], NIGHT)
    )


def _code_head(code: Code, *, copies: bool) -> list[Json]:
    parts = _copyable(code.text) if copies else []
    buttons = [
        _text(f"{COPY} {number}" if len(parts) > 1 else COPY, CHALK, size="sm", flex=0)
        | {"action": {"type": "clipboard", "label": COPY, "clipboardText": part}}
        for number, part in enumerate(parts, 1)
    ]
    label = [_text(code.language, MIST, size="xs", gravity="center")] if code.language else []
    head = _box(
        [*label, *buttons], "horizontal", backgroundColor=DUSK, paddingAll="12px", paddingStart="16px", spacing="lg"
    )
    return [head] if label or buttons else []


def _copyable(text: str) -> list[str]:
    """The code in as many pieces as LINE's clipboard needs; none where they would be too many to press."""
    pieces: list[str] = []
    for line in text.split("\n"):
        joined = f"{pieces[-1]}\n{line}" if pieces else line
        if pieces and units(joined) <= CLIPBOARD_CHARACTERS:
            pieces[-1] = joined
        elif units(line) <= CLIPBOARD_CHARACTERS:
            pieces.append(line)
        else:
            return []
    return pieces if all(piece.strip() for piece in pieces) else []


def _indented(text: str) -> str:
    """With blanks that no phone swallows at the beginning of a line."""
    lines = (line.expandtabs(4) for line in text.split("\n"))
    return "\n".join("\u00a0" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ") for line in lines)


def _is_narrow(table: Table) -> bool:
    widths = _widths(table)
    return len(widths) <= 2 or (len(widths) <= GRID_COLUMNS and sum(widths) <= GRID_WIDTH)


def _widths(table: Table) -> list[int]:
    return [max(map(_width, column)) for column in zip(*table.rows, strict=True)]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WFA" else 1 for character in text)


def _grid(table: Table) -> Json:
    shares = [min(max(width, 3), 24) for width in _widths(table)]
    head, *rows = table.rows
    lines = [_row(head, shares, weight="bold") | {"backgroundColor": PALE}]
    for row in rows:
        lines += [{"type": "separator", "color": LINE_COLOR}, _row(row, shares)]
    return _bubble(lines, WHITE)


def _row(cells: Sequence[str], shares: Sequence[int], **style: Any) -> Json:
    columns = [
        # LINE refuses text that is empty.
        _text(cell, INK, size="sm", flex=share, **style) if cell.strip() else _box([], flex=share)
        for cell, share in zip(cells, shares, strict=True)
    ]
    return _box(columns, "horizontal", paddingAll="12px", spacing="md")


def _records(table: Table) -> Json:
    """Too wide for a phone: every row for itself, its first cell as a title, the others behind their column's name."""
    head, *rows = table.rows
    lines: list[Json] = []
    for number, row in enumerate(rows):
        lines += [{"type": "separator", "color": LINE_COLOR}] if number else []
        title = [_text(row[0], INK, size="sm", weight="bold")] if row[0].strip() else []
        fields = [_field(name, cell) for name, cell in zip(head[1:], row[1:], strict=True) if cell.strip()]
        lines += [_box([*title, *fields], paddingAll="12px", spacing="sm")] if title or fields else []
    return _bubble([_row((head[0],), (1,), weight="bold") | {"backgroundColor": PALE}, *lines], WHITE)


def _field(name: str, cell: str) -> Json:
    label = _text(name, FAINT, size="xs", flex=2) if name.strip() else _box([], flex=2)
    return _box([label, _text(cell, INK, size="sm", flex=5)], "horizontal", spacing="md")


def _sources(sources: Sources) -> Json:
    heading = _text(sources.heading, INK, size="sm", weight="bold")
    links = [_source(number, link) for number, link in enumerate(sources.links, 1)]
    return _bubble([_box([heading, *links], paddingAll="16px", spacing="md")], WHITE)


def _source(number: int, link: Link) -> Json:
    uri = _encoded(link.url)
    title = f"{number}. {link.title or link.url}"
    if not uri.lower().startswith(("http://", "https://")) or len(uri) > URI_CHARACTERS:
        return _box([_text(title, INK, size="sm"), _text(link.url, FAINT, size="xxs")])
    host = urlsplit(uri).netloc or link.url
    lines = [_text(title, LINK, size="sm", decoration="underline"), _text(host, FAINT, size="xxs")]
    return _box(lines) | {"action": {"type": "uri", "label": "URL", "uri": uri}}


def _bubble(contents: list[Json], ground: str) -> Json:
    body = _box(contents, paddingAll="0px")
    return {"type": "bubble", "size": "giga", "body": body, "styles": {"body": {"backgroundColor": ground}}}


def _box(contents: list[Json], layout: str = "vertical", **style: Any) -> Json:
    return {"type": "box", "layout": layout, "contents": contents, **style}


def _text(text: str, color: str, **style: Any) -> Json:
    return {"type": "text", "text": text, "wrap": True, "color": color, "scaling": True, **style}
