"""What the stand-in model says, in the user's language."""

import re
from collections.abc import Sequence

LONG_CHARACTERS = 30_000
SUMMARY_CHARACTERS = 200
QUOTE_CHARACTERS = 300
RECALLED_CHARACTERS = 1_000
MENTION = re.compile(r"@Kaiwa\b")
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")
SPEAKER = re.compile(r"^[^\s:]{1,40}: ")
"""In a group everybody's words begin with their name."""
BRACKETED = re.compile(r"\[(?:sticker|location)\].*|\[[^\]]*\]|⟦[^⟧]*⟧")
PERCEIVED = re.compile(r"⟦([^⟧]*)⟧")
"""What a picture or a file was taken for; see perceiving.py."""
LABEL = re.compile(r"\[image(?: \d+)?\]|\[file: [^\]]*\]")
ATTACHED = re.compile(r"⟦([^⟧]*)⟧")
"""A picture or a file, as the stand-in tells it."""
MAGIC = {
    "エラー": "error",
    "error": "error",
    "長い": "long",
    "long": "long",
    "遅い": "slow",
    "slow": "slow",
    "コード": "code",
    "code": "code",
    "表": "table",
    "table": "table",
}
"""A message that is nothing but one of these words makes the stand-in misbehave, or write what is shown as a card."""
CODE = """```python
def greet(name: str) -> str:
    return f"{hello}, {{name}}!"


print(greet("Kaiwa"))
```"""
TABLES = {
    True: """| 曜日 | 行き先 | 出発 |
| --- | --- | --- |
| 土 | 清水寺 | 9:00 |
| 日 | 嵐山 | 10:30 |""",
    False: """| Day | Where to | Leaves |
| --- | --- | --- |
| Sat | Kiyomizu-dera | 9:00 |
| Sun | Arashiyama | 10:30 |""",
}


def answer(said: Sequence[str]) -> tuple[str, str]:
    """The magic word in the last message, if it is one, and what to say. `said`: the user's messages it was shown."""
    last = MENTION.sub("", said[-1]).strip() if said else ""
    word = MAGIC.get(SPEAKER.sub("", last).casefold(), "")
    # A picture or a sticker alone has no language: then what was said before has.
    japanese = bool(JAPANESE.search(last if BRACKETED.sub("", last).strip() else "".join(said)))
    if word == "long":
        return word, _long(japanese)
    if word == "code":
        said_so = "あいさつを書く Python の関数です。" if japanese else "A Python function that greets:"
        return word, f"{said_so}\n\n{CODE.format(hello='こんにちは' if japanese else 'Hello')}"
    if word == "table":
        return word, ("週末の予定です。" if japanese else "The plan for the weekend:") + f"\n\n{TABLES[japanese]}"
    return word, _echo(last, said, japanese)


def summary(said: Sequence[str]) -> str:
    """A short account of a conversation, as a model would give it."""
    japanese = bool(JAPANESE.search("".join(said)))
    told = " / ".join(_short(text, 40) for text in said)[:SUMMARY_CHARACTERS]
    return f"これまでの話題: {told}" if japanese else f"So far they talked about: {told}"


def noted(last: str) -> str:
    """What it writes down of pictures and files: that they were there."""
    return ", ".join(ATTACHED.findall(last)) or "a text"


def recalled(found: Sequence[str]) -> str:
    """What it says when its search has come back."""
    told = "\n\n".join(found)[:RECALLED_CHARACTERS]
    japanese = bool(JAPANESE.search(told))
    said_so = (
        "前の会話を探しました。見つかったものです。"
        if japanese
        else "I searched our earlier conversation. This came back:"
    )
    end = (
        "※ AI ではなく、手元で動く代役のモデルがお答えしています。"
        if japanese
        else "(A local stand-in model is answering, not an AI.)"
    )
    return f"{said_so}\n\n{told}\n\n{end}"


def _echo(last: str, said: Sequence[str], japanese: bool) -> str:
    first, count = _short(said[0], 40) if said else "", len(said)
    received = PERCEIVED.findall(last)
    words = _short(LABEL.sub("", PERCEIVED.sub("", last)) if received else last)
    if japanese:
        got = f"{'、'.join(received)} を受け取りました。" if received else ""
        echo = f"「{words}」ですね。" if words or not received else ""
        more = f"\nここまでに {count} 件の発言を見せてもらいました。最初は「{first}」でした。" if count > 1 else ""
        return f"{got}{echo}{more}\n\n※ AI ではなく、手元で動く代役のモデルがお答えしています。"
    got = f"I received {', '.join(received)}. " if received else ""
    echo = f"You said “{words}”." if words or not received else ""
    more = f"\nI was shown {count} messages of yours; the first was “{first}”." if count > 1 else ""
    return f"{got}{echo}{more}\n\n(A local stand-in model is answering, not an AI.)"


def _long(japanese: bool) -> str:
    """Numbered sentences, so that one that is missing would be seen."""
    sentence = "{} 番目の文です。長い返事がどう分けられるかを確かめるための文章です。\n"
    if not japanese:
        sentence = "This is sentence {}, here to show how a long answer is split.\n"
    text = "".join(sentence.format(number) for number in range(1, 1 + LONG_CHARACTERS // (len(sentence) - 2)))
    return text[:LONG_CHARACTERS]


def _short(text: str, most: int = QUOTE_CHARACTERS) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= most else one_line[: most - 1] + "…"
