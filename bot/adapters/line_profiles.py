"""Who people are, as LINE tells it.

Source: https://developers.line.biz/en/reference/messaging-api/#get-profile, #get-group-member-profile
"""

from urllib.parse import quote

from bot.adapters.line_api import LineApi
from bot.conversation import Profile, Source
from bot.errors import KaiwaError
from bot.ports import Clock

LONGEST = 100
KNOWN_BY_NOBODY = (400, 403, 404)


class LineProfiles:
    """`ports.Profiles`. `timeout` in seconds a call."""

    def __init__(self, api: LineApi, clock: Clock, timeout: float = 2.0) -> None:
        self._api = api
        self._clock = clock
        self._timeout = timeout

    async def profile(self, source: Source, user_id: str) -> Profile | None:
        """Of a one-to-one chat the user's own profile, of a group or room that of its member, friend or not."""
        try:
            answer = await self._api.call("GET", _path(source, user_id), timeout=self._timeout)
        except KaiwaError:
            return None  # a name is not worth a turn
        # 404: not in this chat, not a friend, has blocked the bot, or has not consented.
        if answer.status in KNOWN_BY_NOBODY:
            return Profile(user_id, "", self._clock())
        name = answer.told.get("displayName") if answer.is_success else None
        # Only a person's own profile has a language.
        language = (answer.told.get("language") if source.is_private else None) or ""
        if not (isinstance(name, str) and isinstance(language, str)):
            return None
        return Profile(user_id, name[:LONGEST], self._clock(), language[:LONGEST])


def _path(source: Source, user_id: str) -> str:
    user = quote(user_id, safe="")
    if source.type in ("group", "room"):
        return f"/v2/bot/{source.type}/{quote(source.id, safe='')}/member/{user}"
    return f"/v2/bot/profile/{user}"
