"""Who people are, as LINE tells it.

Source: https://developers.line.biz/en/reference/messaging-api/#get-profile, #get-group-member-profile
"""

from typing import Any

from linebot.v3 import messaging as line
from linebot.v3.messaging.exceptions import ApiException

from bot.conversation import Profile, Source
from bot.errors import KaiwaError
from bot.ports import Clock
from bot.secrets import Secret

LONGEST = 100
KNOWN_BY_NOBODY = (400, 403, 404)


class LineProfiles:
    """`ports.Profiles`. `timeout` in seconds a call."""

    def __init__(self, base_url: str, token: Secret, clock: Clock, timeout: float = 2.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._clock = clock
        self._timeout = timeout
        self._client: line.AsyncApiClient | None = None

    async def profile(self, source: Source, user_id: str) -> Profile | None:
        """Of a one-to-one chat the user's own profile, of a group or room that of its member, friend or not."""
        try:
            token = await self._token.value()
            return await self._ask(source, user_id, token)
        except ApiException as refused:
            if refused.status == 401:
                return await self._ask_again(source, user_id, token)
            # 404: not in this chat, not a friend, has blocked the bot, or has not consented.
            return Profile(user_id, "", self._clock()) if refused.status in KNOWN_BY_NOBODY else None
        except KaiwaError:
            return None
        except Exception:  # noqa: BLE001  # bare aiohttp, decoding and validation errors: a name is not worth a turn
            return None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ask_again(self, source: Source, user_id: str, refused: str) -> Profile | None:
        """With the token that has replaced the refused one, if any has."""
        try:
            fresh = await self._token.refresh(refused)
            return await self._ask(source, user_id, fresh) if fresh != refused else None
        except Exception:  # noqa: BLE001  # as above
            return None

    async def _ask(self, source: Source, user_id: str, token: str) -> Profile:
        api, within = self._api(token), {"_request_timeout": self._timeout}
        if source.type == "group":
            found = await api.get_group_member_profile(source.id, user_id, **within)
        elif source.type == "room":
            found = await api.get_room_member_profile(source.id, user_id, **within)
        else:
            found = await api.get_profile(user_id, **within)
        # Only a person's own profile has a language.
        language = getattr(found, "language", None) or ""
        return Profile(user_id, found.display_name[:LONGEST], self._clock(), language[:LONGEST])

    def _api(self, token: str) -> Any:
        # As in the messenger: one client for the process, made where a loop runs, its token set before each call.
        if self._client is None:
            self._client = line.AsyncApiClient(line.Configuration(host=self._base_url, access_token=token))
        self._client.configuration.access_token = token
        return line.AsyncMessagingApi(self._client)
