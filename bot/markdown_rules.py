"""How Markdown is read: CommonMark and tables, but with an eye for what people write without meaning any markup.

CommonMark takes `**「強調」**です` for no emphasis and `(*^_^*)` for one. Here a marker counts by what is inside of it.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

ADDRESS = re.compile(r"(https?://|mailto:|tel:|line://)", re.IGNORECASE)
BEFORE_CODE = re.compile(r"[A-Za-z0-9)\]]")
AFTER_CODE = re.compile(r"[A-Za-z0-9(\[]")
OPENING = frozenset("「『（【〈《“‘\"'([*_`<$€¥#@&+-")
CLOSING = frozenset("」』）】〉》”’\"')]*_`>。、.,!?！？…:：;%％~〜")
ESCAPES = frozenset("*_`[]()|~$<>#!{}")
ESCAPES_OF_LISTS = frozenset("-+.")
"""Behind a backslash they are themselves only where they would begin a list; elsewhere it is a Windows path."""


@cache
def parser() -> "MarkdownIt":
    """The one parser; its library is imported with the first answer, after LINE has got its 200."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 200}).enable("table")
    # Indented text, underlined headings and far-away addresses: models hardly mean them, and words would get lost.
    made.disable(["code", "html_block", "html_inline", "lheading", "reference"])
    made.normalizeLink = made.normalizeLinkText = str  # type: ignore[method-assign, assignment]  # as written
    made.validateLink = lambda url: bool(ADDRESS.match(url))  # type: ignore[method-assign]
    _teach(made)
    return made


def _teach(made: "MarkdownIt") -> None:
    from markdown_it.rules_block import blockquote
    from markdown_it.rules_block.fence import make_fence_rule
    from markdown_it.rules_inline import escape

    def quotation(state: Any, start: int, end: int, silent: bool) -> bool:
        """A blank behind the sign: `>_<` is a face."""
        at = state.bMarks[start] + state.tShift[start]
        return state.src[at : at + 2].rstrip("\n") in ("> ", ">", ">>") and blockquote(state, start, end, silent)

    def escaped(state: Any, silent: bool) -> bool:
        following = state.src[state.pos + 1 : state.pos + 2]
        begins = not state.src[: state.pos].rpartition("\n")[2].strip(" 0123456789")
        known = following in ESCAPES or following == "\n" or (begins and following in ESCAPES_OF_LISTS)
        is_shrug = state.src[max(state.pos - 1, 0)] == "¯"
        return bool(following) and known and not is_shrug and escape(state, silent)

    alternatives = {"alt": ["paragraph", "blockquote", "list"]}
    made.block.ruler.at("blockquote", quotation, alternatives)  # type: ignore[arg-type]
    made.block.ruler.at("fence", make_fence_rule(markers=("`",)), alternatives)  # type: ignore[arg-type]
    made.inline.ruler.at("escape", escaped)
    made.inline.ruler.at("emphasis", _emphasis)


def _emphasis(state: Any, silent: bool) -> bool:
    """Markers as `markdown_it.rules_inline.emphasis` takes them down, but opening and closing by our own rules."""
    from markdown_it.rules_inline.state_inline import Delimiter

    start, marker = state.pos, state.src[state.pos]
    if silent or marker not in "*_":
        return False
    end = start
    while end < state.posMax and state.src[end] == marker:
        end += 1
    before, after = state.src[start - 1 : start] if start else "", state.src[end : end + 1]
    opens, closes = _opens(marker, end - start, before, after), _closes(marker, end - start, before, after)
    for _ in range(end - start):
        token = state.push("text", "", 0)
        token.content = marker
        state.delimiters.append(Delimiter(ord(marker), end - start, len(state.tokens) - 1, -1, opens, closes))
    state.pos = end
    return True


def _opens(marker: str, count: int, before: str, after: str) -> bool:
    if not after or after.isspace() or BEFORE_CODE.match(before):
        return False
    if marker == "_":
        return count == 1 and after.isalnum() and (not before or before.isspace())
    return count > 1 or (before not in ("(", "（") and (after.isalnum() or after in OPENING))


def _closes(marker: str, count: int, before: str, after: str) -> bool:
    if not before or before.isspace() or AFTER_CODE.match(after):
        return False
    if marker == "_":
        return (
            count == 1 and (before.isalnum() or before in CLOSING) and not after.isalnum() and after not in ("^", "_")
        )
    return count > 1 or (after not in (")", "）") and (before.isalnum() or before in CLOSING))
