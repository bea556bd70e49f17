"""The people of a conversation: who has to be looked up, and by which name the model knows them. Pure.

A name is whatever a person has typed into LINE: it is cleaned until it can be nothing but a name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from bot.bubbles import printable
from bot.conversation import Conversation, Pending, Profile
from bot.limits import PROFILE_MS, PROFILE_RETRY_MS, PROFILES

USER_ID = re.compile("U[0-9a-f]{32}")
"""LINE forbids to ask for ids that do not exist."""
SOMEBODY = "Somebody"
NAME_CHARACTERS = 50
SYNTAX = re.compile(r'[\s:\uff1a\[\]\uff3b\uff3d<>"\u201c\u201d#`|]+')
"""What could end a name and begin something else, where names stand before what is said or inside a mark."""
ROLES = frozenset({"you", "kaiwa", "assistant", "user", "developer", "system", "tool", "bot", SOMEBODY.casefold()})


def wanted(state: Conversation, segment: Sequence[Pending], now: int) -> tuple[str, ...]:
    """The user ids to be asked for before this segment is answered: each once a day, so many as are kept."""
    if state.source is None:
        return ()
    heard = (*segment, *reversed(state.overheard))
    ids = [state.source.id] if state.source.is_private else [pending.speaker for pending in heard]
    known = {profile.user_id for profile in state.profiles if profile.at > now - PROFILE_MS}
    unknown = (user_id for user_id in dict.fromkeys(ids) if USER_ID.fullmatch(user_id) and user_id not in known)
    return tuple(unknown)[:PROFILES]


def unreached(state: Conversation, user_id: str, now: int) -> Profile:
    """What is kept of a person when LINE could not be asked: as before, and asked for again only after a while."""
    known = next((profile for profile in state.profiles if profile.user_id == user_id), None)
    at = now - PROFILE_MS + PROFILE_RETRY_MS
    return Profile(user_id, known.name, at, known.language) if known else Profile(user_id, "", at)


def names(profiles: Iterable[Profile]) -> dict[str, str]:
    """The name of each person by user id, where there is one; of several profiles the last counts."""
    return {profile.user_id: cleaned(profile.name) for profile in profiles}


def known_as(names: Mapping[str, str], speaker: str) -> str:
    """The name of a speaker; what is no user id is a name already, of somebody who is asked about again."""
    return names.get(speaker, "") if USER_ID.fullmatch(speaker) else cleaned(speaker)


def cleaned(name: str) -> str:
    """One line of 50 characters at most, without what could be taken for anything else; maybe nothing."""
    plain = SYNTAX.sub(" ", printable(name.replace("\n", " "))).strip()[:NAME_CHARACTERS].strip()
    return f"{plain} (a person)" if plain.casefold() in ROLES else plain
