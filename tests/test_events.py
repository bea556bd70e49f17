"""Reading LINE's events: what is odd is left out alone, what matters is found, and nothing raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Source
from bot.events import CLOCK_SKEW_MS, Event, read_event, wake
from tests.webhooks import BOT, GROUP, NOW, ROOM, USER, event, left, mention, said, unsent

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(raw: Any) -> Event | None:
    return read_event(raw, BOT, NOW)


def found(raw: Any) -> Event:
    result = read(raw)
    assert result is not None
    return result


@given(json_values)
def test_any_json_value(raw: Any) -> None:
    """Whatever an event is, reading it does not raise."""
    read(raw)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for name, one in inner for deeper in paths(one, (*path, name)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


EXAMPLES = [
    said("@Kaiwa hello", GROUP, mention=mention(0, 6), quotedMessageId="1", emojis=[{"index": 0, "length": 2}]),
    event("postback", postback={"data": "/history @.x", "params": {"date": "2026-01-01"}}),
    unsent("42"),
    left("leave", GROUP),
    event("follow", follow={"isUnblocked": False}),
    event("message", message={"type": "sticker", "id": "7", "packageId": "1", "stickerId": "2"}),
]


@pytest.mark.parametrize("raw", EXAMPLES, ids=lambda raw: str(raw["type"]))
@given(new=json_values)
def test_wrong_types_at_every_level(raw: Any, new: Any) -> None:
    """Anything in the place of anything: the event is read or skipped, and an Event is always usable."""
    for path in paths(raw):
        result = read(changed(raw, path, new))
        if result:
            assert len(result.source.conversation_id) == 64
            assert 0 < result.at <= NOW + CLOCK_SKEW_MS
            "".join([result.id, result.text, result.message_id, result.token, result.quoted_id]).encode()


@pytest.mark.parametrize(
    ("source_id", "source"),
    [(USER, Source("user", USER)), (GROUP, Source("group", GROUP)), (ROOM, Source("room", ROOM))],
)
def test_where_it_was_said(source_id: str, source: Source) -> None:
    """The conversation is the user's, the group's or the room's, by LINE's own id."""
    assert found(event("follow", source_id)).source == source


def test_the_speaker_makes_no_conversation() -> None:
    """A group's message belongs to the group, whoever wrote it."""
    raw = said("/help", GROUP)
    raw["source"]["userId"] = USER
    assert found(raw).source == Source("group", GROUP)


@pytest.mark.parametrize(
    "source",
    [
        None,
        {},
        {"type": "user"},
        {"type": "user", "userId": ""},
        {"type": "user", "userId": "U" * 201},
        {"type": "group", "userId": USER},
        {"type": "planet", "userId": USER},
        {"type": ["user"], "userId": USER},
        {"userId": USER},
    ],
)
def test_no_conversation_without_an_id(source: Any) -> None:
    """An unknown source, or one whose id is missing, is nobody's conversation."""
    assert read({**said("hello"), "source": source}) is None


@pytest.mark.parametrize("change", [{"webhookEventId": ""}, {"webhookEventId": "x" * 201}, {"webhookEventId": 1}])
@pytest.mark.parametrize("kind", ["message", "follow", "unfollow"])
def test_no_event_without_an_id(change: dict[str, Any], kind: str) -> None:
    """Without its id a duplicate could not be told."""
    assert read({**said("hello"), "type": kind, **change}) is None


@pytest.mark.parametrize("at", [None, "1", 1.5, True, 0, -1, [], {}])
def test_odd_timestamps(at: Any) -> None:
    """A timestamp that is no moment makes the event odd."""
    assert read({**said("hello"), "timestamp": at}) is None


@pytest.mark.parametrize("at", [NOW + 10**9, 10**400])
def test_timestamps_from_the_future(at: int) -> None:
    """They are brought back: otherwise everything that follows would look like a replay."""
    assert found(said("hello", at=at)).at == NOW + CLOCK_SKEW_MS


@pytest.mark.parametrize("mode", ["standby", "sleeping", None, 1])
@pytest.mark.parametrize("kind", ["message", "postback", "follow", "join"])
def test_not_a_word_in_standby(kind: str, mode: Any) -> None:
    """While another speaks for the account, or in a mode we do not know, nothing is taken up."""
    assert read({**said("hello"), "type": kind, "postback": {"data": "/help"}, "mode": mode}) is None


@pytest.mark.parametrize("raw", [unsent("42"), left("unfollow"), left("leave", GROUP)])
def test_taking_back_counts_in_standby(raw: dict[str, Any]) -> None:
    """Who unsends or goes wants it gone, whoever speaks for the account; nothing is said for it."""
    result = found({**raw, "mode": "standby"})
    assert result.action in ("unsend", "left")
    assert result.token == ""


def test_private_messages_are_addressed() -> None:
    """In a one-to-one chat every text is for the bot."""
    result = found(said("hello"))
    assert (result.action, result.kind, result.text, result.addressed) == ("say", "text", "hello", True)
    assert result.token.startswith("token-")
    assert result.message_id.startswith("5")


@pytest.mark.parametrize("text", [" ", "\n\u3000", ""])
def test_blank_texts(text: str) -> None:
    """A blank text in private is answered with a request for words; in a group it is nothing."""
    assert found(said(text)).kind == "unsupported"
    assert read(said(text, GROUP)) is None


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
def test_media(kind: str) -> None:
    """In private it is to be answered like words; in a group, which it cannot call the bot in, it is nothing."""
    result = found(said("", type=kind))
    assert (result.kind, result.addressed) == ("text", True)
    assert result.media is not None
    assert result.media.kind == kind
    assert result.text.startswith("[")
    assert read(said("", GROUP, type=kind)) is None


def test_what_its_own_fields_tell() -> None:
    """Places and stickers are read as words, without anything to fetch."""
    place = found(said("", type="location", title="Park", address="Tokyo 1-2", latitude=35.65, longitude=139.75))
    assert (place.text, place.media, place.kind) == ("[location] Park Tokyo 1-2 (35.65, 139.75)", None, "text")
    assert found(said("", type="sticker", keywords=["happy", "yay"])).text == "[sticker] happy, yay"


def test_stickers_in_groups() -> None:
    """They may be overheard, or quote the bot; a place may not."""
    sticker = found(said("", GROUP, type="sticker", keywords=["ok"], quotedMessageId="99"))
    assert (sticker.addressed, sticker.quoted_id, sticker.text) == (False, "99", "[sticker] ok")
    assert read(said("", GROUP, type="location", latitude=1, longitude=2)) is None


@pytest.mark.parametrize("kind", ["hologram", "textV2"])
def test_unknown_messages(kind: str) -> None:
    """A type of message that LINE has not invented yet: in private the person is told, in a group not a word."""
    assert found(said("x", type=kind)).kind == "unsupported"
    assert read(said("x", GROUP, type=kind)) is None


@pytest.mark.parametrize("kind", ["text", "", None, 5])
def test_odd_messages(kind: Any) -> None:
    """A text without words, or a message of no type, is skipped."""
    raw = said("")
    raw["message"] |= {"type": kind, "text": None}
    assert read(raw) is None


@pytest.mark.parametrize("source_id", [GROUP, ROOM])
def test_groups_are_not_listened_to(source_id: str) -> None:
    """A group's message that neither mentions, quotes nor commands is not for the bot; @All is no mention."""
    assert not found(said("hello everybody", source_id)).addressed
    everybody = {"mentionees": [{"type": "all", "index": 0, "length": 4}]}
    assert not found(said("@All hello", source_id, mention=everybody)).addressed
    another = mention(0, 4, isSelf=False, userId=USER)
    assert not found(said("@Ann hello", source_id, mention=another)).addressed


def test_a_mention_addresses() -> None:
    """A mention of the bot is taken out of the text."""
    result = found(said("@Kaiwa  what is it?", GROUP, mention=mention(0, 6)))
    assert (result.text, result.addressed, result.kind) == ("what is it?", True, "text")


def test_a_mention_by_id() -> None:
    """Without `isSelf` the bot's own id, which the body names as its destination, tells."""
    by_id = {"mentionees": [{"type": "user", "index": 0, "length": 6, "userId": BOT}]}
    raw = said("@Kaiwa hi", GROUP, mention=by_id)
    assert found(raw).text == "hi"
    nameless = read_event(raw, "", NOW)
    assert nameless
    assert not nameless.addressed


def test_a_bare_mention_is_answered() -> None:
    """Nothing but the mention keeps its words: the model needs some."""
    assert found(said("@Kaiwa ", GROUP, mention=mention(0, 7))).text == "@Kaiwa"


def test_a_quotation_may_address() -> None:
    """Whose message is quoted only the conversation knows: it is taken in, but not as addressed."""
    result = found(said("why?", GROUP, quotedMessageId="99"))
    assert (result.addressed, result.quoted_id) == (False, "99")


@pytest.mark.parametrize("text", ["/help", "/リセット", "/履歴 花"])
def test_a_command_addresses(text: str) -> None:
    """A command typed in a group counts without a mention; an unknown one does not."""
    result = found(said(text, GROUP))
    assert (result.addressed, result.kind) == (True, "command")
    assert not found(said("/dance", GROUP)).addressed


def test_positions_count_utf16_units() -> None:
    """Emoji before a mention take two units each."""
    text = "👩‍👩‍👧🎉 @Kaiwa hi"
    index = len("👩‍👩‍👧🎉 ".encode("utf-16-le")) // 2
    assert found(said(text, GROUP, mention=mention(index, 6))).text == "👩‍👩‍👧🎉  hi"


def test_overlapping_mentions_take_nothing_else() -> None:
    """The same place named twice, or halfway, is taken out once; other people's mentions stay."""
    twice = {"mentionees": [*mention(0, 6)["mentionees"]] * 2 + [*mention(3, 4)["mentionees"]]}
    assert found(said("@Kaiwa tell @Ann all", GROUP, mention=twice)).text == "tell @Ann all"


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(-5, 30) | st.none(), st.integers(-5, 30)), max_size=4))
def test_wrong_positions(text: str, spans: list[tuple[int | None, int]]) -> None:
    """Positions that are wrong only cost the text at them; what is left was there, and can be stored."""
    mentions = {"mentionees": [{"index": index, "length": length, "isSelf": True} for index, length in spans]}
    result = read(said(text, GROUP, mention=mentions))
    if result:
        assert result.text
        assert set(result.text) <= {*text, "\ufffd"}


def test_two_mentions() -> None:
    """Each is taken out where it stands."""
    both = {"mentionees": [*mention(9, 6)["mentionees"], *mention(0, 6)["mentionees"]]}
    assert found(said("@Kaiwa a @Kaiwa b", GROUP, mention=both)).text == "a  b"


def test_lone_surrogates_can_be_stored() -> None:
    """JSON may carry them, UTF-8 cannot: they become U+FFFD wherever they stand, ids included."""
    raw = {**said("a\ud83d\x00b", id="4\udc00"), "webhookEventId": "e\ud800", "replyToken": "t\ud800"}
    raw["source"] = {"type": "user", "userId": "U\ud800"}
    result = found(raw)
    assert (result.text, result.message_id, result.id) == ("a\ufffd\x00b", "4\ufffd", "e\ufffd")
    assert len(result.source.conversation_id) == 64


@pytest.mark.parametrize(
    ("raw", "action", "kind"),
    [
        (said("/forget"), "forget", "command"),
        (event("postback", postback={"data": "/消去"}), "forget", "command"),
        (event("postback", postback={"data": "/more"}), "say", "command"),
        (event("follow"), "say", "greeting"),
        (event("join", GROUP), "say", "greeting"),
        (left("unfollow"), "left", "text"),
        (left("leave", ROOM), "left", "text"),
        (unsent("42"), "unsend", "text"),
    ],
)
def test_what_events_do(raw: dict[str, Any], action: str, kind: str) -> None:
    """Each event that matters comes with what it asks for."""
    result = found(raw)
    assert (result.action, result.kind) == (action, kind)


def test_unsend_names_its_message() -> None:
    """By LINE's id; without one there is nothing to withdraw."""
    assert found(unsent("42")).message_id == "42"
    assert read(unsent("")) is None


@pytest.mark.parametrize(
    "kind",
    [
        "messageEdited",
        "memberJoined",
        "memberLeft",
        "videoPlayComplete",
        "beacon",
        "accountLink",
        "membership",
        "module",
        "activated",
        "deactivated",
        "botSuspended",
        "botResumed",
        "delivery",
        "postback",
        "telepathy",
        "",
    ],
)
def test_what_does_not_matter(kind: str) -> None:
    """Other known events, unknown ones, and postbacks that are not ours are skipped."""
    assert read(event(kind, postback={"data": "buy=1"})) is None


def test_our_own_wake_up() -> None:
    """What the queue brings to continue a conversation is read as that, for every kind of source."""
    for source in (Source("user", USER), Source("group", GROUP), Source("room", ROOM)):
        result = found(wake(source, NOW))
        assert (result.action, result.source) == ("wake", source)
