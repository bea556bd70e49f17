"""Cutting an answer into bubbles of at most 5,000 UTF-16 units, at a place where a reader would.

LINE counts UTF-16 code units and refuses empty text.
Source: https://developers.line.biz/en/docs/messaging-api/text-character-count/
"""

import re
import unicodedata

from bot.limits import BUBBLE_UNITS

UTF_16 = "utf-16-le"
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\U000e0000-\U000e007f]")
"""Categories Cc but for line feed and tab, and Cs; and tag characters: they spell hidden text, and are only of use in
the flags of England, Scotland and Wales."""
BREAKS = ("\n\n", "\n", "。", "\uff01", "\uff1f", "!", "?", ". ", "、", " ")
ZERO_WIDTH_JOINER = "\u200d"
REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
EMOJI_MODIFIERS = range(0x1F3FB, 0x1F400)
OTHER_EXTENDERS = "\u200c\uff9e\uff9f" + "".join(map(chr, range(0x1160, 0x1200)))
"""Voicing marks of half-width kana, and the vowels and finals of taken-apart Hangul."""


def bubbles(text: str, limit: int = BUBBLE_UNITS) -> tuple[str, ...]:
    """The text in pieces that LINE takes: none empty, none cut inside a character, nothing lost but outer blanks."""
    rest, pieces = printable(text).strip(), []
    if not any(map(_is_visible, rest)):
        return ()
    while rest:
        end = _end(rest, limit)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return tuple(pieces)


def units(text: str) -> int:
    """The length as LINE counts it."""
    return len(text.encode(UTF_16, "surrogatepass")) // 2


def printable(text: str) -> str:
    """Without control characters, invisible tag characters and lone surrogates, which LINE or a phone may refuse."""
    return UNPRINTABLE.sub("", text)


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cf", "Zs", "Cc")


def _end(text: str, limit: int) -> int:
    most = _fitting(text, limit)
    if most == len(text):
        return most
    for mark in BREAKS:
        at = text.rfind(mark, most // 2, most)
        if at > 0:
            return _whole_character(text, at + len(mark))
    return _whole_character(text, most)


def _fitting(text: str, limit: int) -> int:
    """So many characters of the text have room in `limit` units."""
    return len(text.encode(UTF_16)[: 2 * limit].decode(UTF_16, "ignore"))


def _whole_character(text: str, end: int) -> int:
    """Step back to where no accent, joined emoji or flag is torn; give up after a reasonable way."""
    for at in range(end, max(end - 64, 0), -1):
        if not _continues(text, at):
            return at
    return end


def _continues(text: str, at: int) -> bool:
    character, previous = text[at], text[at - 1]
    if ZERO_WIDTH_JOINER in (character, previous) or ord(character) in EMOJI_MODIFIERS:
        return True
    if ord(character) in REGIONAL_INDICATORS:
        before = len(text[:at]) - len(text[:at].rstrip("".join(map(chr, REGIONAL_INDICATORS))))
        return before % 2 == 1
    return unicodedata.category(character) in ("Mn", "Me", "Mc") or character in OTHER_EXTENDERS
