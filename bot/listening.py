"""`/listen`: whether the bot may follow what a group says among itself. The command's answer tells the whole group."""

from dataclasses import replace
from unicodedata import normalize

from bot.conversation import Conversation, QuickReply
from bot.results import Result
from bot.texts import Phrase, phrase

ON = frozenset({"on", "オン", "開始"})
OFF = frozenset({"off", "オフ", "終了", "停止"})


def listen(state: Conversation, argument: str) -> Result:
    """What `/listen [on|off]` says and sets."""
    word = normalize("NFKC", argument).casefold()
    if state.source is None or state.source.is_private:
        return Result((phrase("listen_in_groups", state.language),))
    wanted = True if word in ON else False if word in OFF else None
    if wanted is None:
        name: Phrase = "listening" if state.preferences.listening else "not_listening"
        return Result((phrase(name, state.language),), quick_replies=_switch(state))
    preferences = replace(state.preferences, listening=wanted)
    sentence = phrase("listening" if wanted else "listening_ended", state.language)
    return Result((sentence,), preferences=preferences)


def _switch(state: Conversation) -> tuple[QuickReply, ...]:
    name: Phrase = "listen_off_label" if state.preferences.listening else "listen_on_label"
    return (QuickReply(phrase(name, state.language), f"/listen {'off' if state.preferences.listening else 'on'}"),)
