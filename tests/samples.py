"""A webhook event of every kind that LINE documents, with every value of its enumerations, and some of no kind yet.

Source: https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from collections.abc import Iterator
from typing import Any, Literal

from tests.webhooks import BOT, GROUP, NOW, ROOM, USER, event

Outcome = Literal["answered", "told", "silent", "withdrawn", "erased"]
"""`answered` by the model, `told` a sentence of the bot's own, `silent`: nothing is said and nothing stored."""
Sample = tuple[str, dict[str, Any], Outcome]

LINE_CONTENT = {"type": "line"}
EXTERNAL = {
    "type": "external",
    "originalContentUrl": "https://example.com/original.jpg",
    "previewImageUrl": "https://example.com/preview.jpg",
}
STICKERS = (
    *("STATIC", "ANIMATION", "SOUND", "ANIMATION_SOUND", "POPUP", "POPUP_SOUND", "CUSTOM", "MESSAGE", "NAME_TEXT"),
    *("PER_STICKER_TEXT", "HOLOGRAM"),
)
TEXT = {"type": "text", "text": "hello"}
EMOJIS = [{"index": 0, "length": 5, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"}]
MORE = {"quoteToken": "q3Plxr4AgKd", "markAsReadToken": "30yhdy232", "quotedMessageId": "468789577898262530", "new": {}}

MESSAGES: dict[str, dict[str, Any]] = {
    "text": TEXT,
    "text with emoji": {**TEXT, "text": "(hello) there", "emojis": EMOJIS},
    "text that mentions all": {**TEXT, "mention": {"mentionees": [{"type": "all", "index": 0, "length": 2}]}},
    "text that mentions another": {
        **TEXT,
        "mention": {"mentionees": [{"type": "user", "index": 0, "length": 2, "userId": USER, "isSelf": False}]},
    },
    "text that mentions somebody unnamed": {**TEXT, "mention": {"mentionees": [{"type": "user", "index": 0}]}},
    "text that mentions a future being": {**TEXT, "mention": {"mentionees": [{"type": "role", "index": 0}, 7]}},
    "image": {"type": "image", "contentProvider": LINE_CONTENT},
    "image from elsewhere": {"type": "image", "contentProvider": EXTERNAL},
    "image from the future": {"type": "image", "contentProvider": {"type": "orbit"}},
    "image of a set": {
        "type": "image",
        "contentProvider": LINE_CONTENT,
        "imageSet": {"id": "E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855", "index": 1, "total": 1},
    },
    "image of a set without a size": {"type": "image", "contentProvider": LINE_CONTENT, "imageSet": {"id": "E005"}},
    "video": {"type": "video", "contentProvider": LINE_CONTENT},
    "video from elsewhere": {"type": "video", "duration": 60_000, "contentProvider": EXTERNAL},
    "audio": {"type": "audio", "contentProvider": LINE_CONTENT},
    "audio from elsewhere": {"type": "audio", "duration": 60_000, "contentProvider": EXTERNAL},
    "file": {"type": "file", "fileName": "file.txt", "fileSize": 2138},
    "location": {"type": "location", "latitude": 35.66, "longitude": 139.72},
    "location with a name": {
        "type": "location",
        "title": "my location",
        "address": "1-3 Kioicho, Chiyoda-ku",
        "latitude": 35.67966,
        "longitude": 139.73669,
    },
    **{
        f"sticker {kind}": {"type": "sticker", "packageId": "446", "stickerId": "1988", "stickerResourceType": kind}
        for kind in STICKERS
    },
    "sticker with words": {
        "type": "sticker",
        "packageId": "738839",
        "stickerId": "12287850",
        "stickerResourceType": "MESSAGE",
        "keywords": ["Anticipation", "Sparkle"],
        "text": "Let's hang out!",
    },
    "message of the future": {"type": "hologram", "depth": 3},
}
"""By name: the message object, without its id."""

TOLD_ALONE = ("video", "video from elsewhere", "message of the future")
"""What even in a one-to-one chat only a sentence answers; what cannot be fetched is told so as well."""
FETCHED = ("image", "audio", "file")

POSTBACKS: dict[str, dict[str, Any]] = {
    "of another program": {"data": "storeId=12345"},
    "with a date": {"data": "storeId=12345", "params": {"date": "2017-09-03"}},
    "with a time": {"data": "storeId=12345", "params": {"time": "15:00"}},
    "with a moment": {"data": "storeId=12345", "params": {"datetime": "2017-12-25T01:00"}},
    **{
        f"of a rich menu: {status}": {
            "data": "richmenu-changed-to-b",
            "params": {"newRichMenuAliasId": "richmenu-alias-b", "status": status},
        }
        for status in ("SUCCESS", "RICHMENU_ALIAS_ID_NOTFOUND", "RICHMENU_NOTFOUND", "FAILED", "FUTURE")
    },
    "empty": {},
}

SILENT: dict[str, tuple[dict[str, Any], str]] = {
    "memberJoined": ({"joined": {"members": [{"type": "user", "userId": USER}]}}, GROUP),
    "memberJoined without a name": ({"joined": {"members": [{"type": "user"}]}}, ROOM),
    "memberLeft": ({"left": {"members": [{"type": "user", "userId": USER}]}}, GROUP),
    "videoPlayComplete": ({"videoPlayComplete": {"trackingId": "track-id"}}, USER),
    **{
        f"beacon {kind}": ({"beacon": {"hwid": "d41d8cd98f", "type": kind}}, USER)
        for kind in ("enter", "banner", "stay")
    },
    "beacon with a message": ({"beacon": {"hwid": "d41d8cd98f", "type": "enter", "dm": "0a0b"}}, USER),
    "beacon future": ({"beacon": {"hwid": "d41d8cd98f", "type": "leave"}}, USER),
    **{
        f"accountLink {result}": ({"link": {"result": result, "nonce": "n"}}, USER)
        for result in ("ok", "failed", "new")
    },
    **{
        f"membership {kind}": ({"membership": {"type": kind, "membershipId": 3189}}, USER)
        for kind in ("joined", "left", "renewed", "paused")
    },
    "module attached": ({"module": {"type": "attached", "botId": BOT, "scopes": ["message:send"]}}, ""),
    "module detached": ({"module": {"type": "detached", "botId": BOT, "reason": "bot_deleted"}}, ""),
    "module detached without a reason": ({"module": {"type": "detached", "botId": BOT}}, ""),
    "module future": ({"module": {"type": "exploded"}}, ""),
    "activated": ({"chatControl": {"expireAt": NOW + 1}}, USER),
    "deactivated": ({}, USER),
    "botSuspended": ({}, ""),
    "botResumed": ({}, ""),
    "delivery": ({"delivery": {"data": "15034552939884E28681A7D668CEA94C147C716C0EC9DFE8B80B44EF3B57F6BD"}}, ""),
    "telepathy": ({"telepathy": {"thought": "hello"}}, USER),
    "telepathy in a group": ({"telepathy": {"thought": "hello"}}, GROUP),
}
"""By type and what is special about it: the event's own fields, and where it happens; "": it has no source."""


def samples() -> Iterator[Sample]:
    """Each with its name and what has to come of it; every event is new at every call."""
    yield from _messages()
    yield from _edits()
    yield from _others()
    for name, postback in POSTBACKS.items():
        yield f"postback {name}", event("postback", postback=postback), "silent"
    for name, (fields, source_id) in SILENT.items():
        yield name, _event(name.split()[0], source_id, **fields), "silent"


def _messages() -> Iterator[Sample]:
    for number, (name, message) in enumerate(MESSAGES.items()):
        alone = "told" if name in TOLD_ALONE or message["type"] in FETCHED else "answered"
        for where, source_id in (("", USER), (" in a group", GROUP), (" in a room", ROOM)):
            outcome: Any = alone if source_id == USER else "silent"
            least = {"id": f"4687895778{number:08}", **message}
            yield f"{name}{where}", event("message", source_id, message=least), outcome
            yield f"{name}{where}, all fields", event("message", source_id, message={**least, **MORE}, new=1), outcome
        yield f"{name} in standby", _standby(event("message", message={"id": "1", **message})), "silent"
        yield f"{name} without an id", event("message", message=message), "silent"
    anonymous = event("message", message={"id": "2", **TEXT})
    for source in ({"type": "user"}, {"type": "square", "squareId": "S1"}, {}, None):
        yield f"text from {source}", {**anonymous, "source": source}, "silent"
    yield "text without a source", {name: anonymous[name] for name in anonymous if name != "source"}, "silent"
    yield "text in an unknown mode", event("message", message={"id": "3", **TEXT}, mode="dreaming"), "silent"


def _edits() -> Iterator[Sample]:
    mention = {"mentionees": [{"type": "user", "index": 0, "length": 6, "userId": BOT, "isSelf": True}]}
    spoken = {"id": "5", "type": "text", "text": "@Kaiwa hello", "mention": mention}
    yield "edited to mention the bot", event("messageEdited", GROUP, message=spoken), "answered"
    yield "edited", event("messageEdited", GROUP, message={"id": "6", **TEXT, **MORE}), "silent"
    yield (
        "edited into a command",
        event("messageEdited", GROUP, message={"id": "7", "type": "text", "text": "/forget"}),
        "silent",
    )
    yield "edited image", event("messageEdited", GROUP, message={"id": "8", "type": "image"}), "silent"
    yield "edited in standby", _standby(event("messageEdited", GROUP, message=spoken)), "silent"


def _others() -> Iterator[Sample]:
    for unblocked in ({}, {"isUnblocked": False}, {"isUnblocked": True}, {"isUnblocked": "maybe"}):
        yield f"follow {unblocked}", event("follow", follow=unblocked), "told"
    yield "follow without details", event("follow"), "told"
    yield "follow in standby", _standby(event("follow", follow={"isUnblocked": False})), "silent"
    for place, source_id in (("group", GROUP), ("room", ROOM)):
        yield f"join a {place}", event("join", source_id), "told"
        yield f"leave a {place}", _tokenless(event("leave", source_id)), "erased"
        yield f"unsend in a {place}", _tokenless(event("unsend", source_id, unsend={"messageId": "9"})), "withdrawn"
    yield "join in standby", _standby(event("join", GROUP)), "silent"
    yield "unfollow", _tokenless(event("unfollow")), "erased"
    yield "unsend", _tokenless(event("unsend", unsend={"messageId": "9"})), "withdrawn"
    yield "unsend of nothing", _tokenless(event("unsend")), "silent"
    yield "postback of the bot's own", event("postback", postback={"data": "/help"}), "told"
    yield "postback in standby", _standby(event("postback", postback={"data": "/help"})), "silent"


def _event(kind: str, source_id: str, **fields: Any) -> dict[str, Any]:
    if source_id:
        return event(kind, source_id, **fields)
    return {name: value for name, value in event(kind, **fields).items() if name not in ("source", "replyToken")}


def _standby(raw: dict[str, Any]) -> dict[str, Any]:
    return {**_tokenless(raw), "mode": "standby"}


def _tokenless(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != "replyToken"}
