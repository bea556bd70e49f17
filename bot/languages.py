"""The language of the bot's own sentences. Pure."""

from bot.conversation import Conversation, Language


def spoken(state: Conversation, written: Language | None = None) -> Language:
    """What was set for the conversation, else what LINE tells of the person, else what they write, else as before.

    `written`: the language of what was just written, where it tells one. A group has no person whose profile counts.
    """
    return state.preferences.language or _of_profile(state) or written or state.language


def _of_profile(state: Conversation) -> Language | None:
    if state.source is None or not state.source.is_private:
        return None
    tags = [profile.language for profile in state.profiles if profile.user_id == state.source.id and profile.language]
    # BCP 47: `ja`, `ja-JP`. The bot has sentences in two languages; English is read by more of the others.
    return ("ja" if tags[0].lower().partition("-")[0] == "ja" else "en") if tags else None
