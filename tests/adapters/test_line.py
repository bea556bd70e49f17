"""LineMessenger against a server that plays LINE: what goes out on the wire, and what every answer is taken for."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from bot import cards
from bot.adapters.line import LineMessenger
from bot.adapters.line_api import LineApi
from bot.conversation import QuickReply
from bot.errors import Unavailable
from bot.ports import Receipt, Sent
from tests.adapters.secret_of import VERSION, rotating, unreadable
from tests.servers.http import Answer, HttpServer
from tests.test_shapes import codes, sources, tables

USER = "U" + "0" * 32
RETRY_KEY = "123e4567-e89b-12d3-a456-426614174000"
REQUEST_ID = {"x-line-request-id": "request-1"}


def sent(*ids: str) -> Answer:
    return Answer(200, {"sentMessages": [{"id": one, "quoteToken": "q"} for one in ids]}, REQUEST_ID)


def refused(status: int, message: str = "no") -> Answer:
    return Answer(status, {"message": message}, REQUEST_ID)


class Line:
    """A messenger with the server it talks to."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.secret, self.source = rotating("token-1")
        self.api = LineApi(server.url + "/", self.secret)
        self.messenger = LineMessenger(self.api, timeout=5.0)

    async def reply(self, *answers: Answer) -> Receipt:
        self.server.script(*answers)
        return await self.messenger.reply("reply-token", ["hello"])

    async def push(self, *answers: Answer) -> Receipt:
        self.server.script(*answers)
        return await self.messenger.push(USER, ["hello"], RETRY_KEY)

    @property
    def tokens(self) -> list[str]:
        return [request.headers["authorization"] for request in self.server.requests]


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with HttpServer() as server:
        line = Line(server)
        yield line
        await line.api.close()


async def test_reply_on_the_wire(line: Line) -> None:
    """A reply is one POST with the token and plain text messages, and carries no retry key, which LINE would refuse."""
    line.server.script(sent("11", "12"))
    receipt = await line.messenger.reply("reply-token", ["{braces}", "二つ目 😀"])
    assert receipt == Receipt(Sent.ACCEPTED, ("11", "12"), "request-1")
    [request] = line.server.requests
    assert (request.method, request.path) == ("POST", "/v2/bot/message/reply")
    assert request.headers["authorization"] == "Bearer token-1"
    assert "x-line-retry-key" not in request.headers
    assert request.json["replyToken"] == "reply-token"
    assert request.json["messages"] == [{"type": "text", "text": "{braces}"}, {"type": "text", "text": "二つ目 😀"}]


async def test_push_on_the_wire(line: Line) -> None:
    """A push names its recipient and carries the retry key on its first try already."""
    receipt = await line.push(sent("11"))
    assert receipt == Receipt(Sent.ACCEPTED, ("11",), "request-1")
    [request] = line.server.requests
    assert (request.method, request.path) == ("POST", "/v2/bot/message/push")
    assert request.headers["x-line-retry-key"] == RETRY_KEY
    assert request.json["to"] == USER
    assert request.json["messages"] == [{"type": "text", "text": "hello"}]


async def test_quick_replies_ride_on_the_last_message(line: Line) -> None:
    """Buttons are postbacks under the last bubble, with a label that LINE takes; one it would refuse is left out."""
    line.server.script(sent("11", "12"))
    buttons = [QuickReply("続き", "more=1"), QuickReply("x" * 25, "more=2"), QuickReply("too long", "y" * 301)]
    await line.messenger.reply("reply-token", ["one", "two"], buttons)
    first, last = line.server.requests[0].json["messages"]
    assert "quickReply" not in first
    actions = [item["action"] for item in last["quickReply"]["items"]]
    assert actions == [
        {"type": "postback", "label": "続き", "data": "more=1", "displayText": "続き"},
        {"type": "postback", "label": "x" * 20, "data": "more=2", "displayText": "x" * 20},
    ]


async def test_a_quotation_on_the_wire(line: Line) -> None:
    """The first text quotes, whether it is replied or pushed; what is no text cannot."""
    line.server.script(sent("11", "12"), sent("13"), sent("14"))
    await line.messenger.reply("reply-token", ["```\ncode\n```", "one", "two"], (), "q-1")
    await line.messenger.push(USER, ["one"], RETRY_KEY, (), "q-2")
    await line.messenger.reply("reply-token", ["one"])
    shown = [[one.get("quoteToken") for one in request.json["messages"]] for request in line.server.requests]
    assert shown == [[None, "q-1", None], ["q-2"], [None]]
    assert [one["type"] for one in line.server.requests[0].json["messages"]] == ["flex", "text", "text"]


async def test_loading_on_the_wire(line: Line) -> None:
    """The animation is asked for by user id and seconds."""
    line.server.script(Answer(202))
    await line.messenger.show_loading(USER, 60)
    [request] = line.server.requests
    assert request.path == "/v2/bot/chat/loading/start"
    assert request.json == {"chatId": USER, "loadingSeconds": 60}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {}, REQUEST_ID),
        Answer(200, b"", REQUEST_ID),
        Answer(200, b"<html>", REQUEST_ID),
        Answer(200, [], REQUEST_ID),
        Answer(200, {"sentMessages": 5}, REQUEST_ID),
        Answer(200, {"sentMessages": [{}]}, REQUEST_ID),
        Answer(200, b"\xff\xfe", REQUEST_ID),
        Answer(200, b"{}", {**REQUEST_ID, "content-type": "application/json; charset=klingon-8"}),
        Answer(200, b"[" * 100_000, REQUEST_ID),
    ],
    ids=["object", "empty", "html", "list", "number", "no id", "not utf-8", "charset", "nested"],
)
async def test_an_odd_body_after_200_is_success(line: Line, answer: Answer) -> None:
    """Once LINE has said 200 the message is out: nothing in the body can make it look unsent."""
    assert await line.reply(answer) == Receipt(Sent.ACCEPTED, (), "request-1")
    assert await line.push(answer) == Receipt(Sent.ACCEPTED, (), "request-1")


async def test_every_id_is_read(line: Line) -> None:
    """More messages than LINE takes are still a success, with their ids."""
    ids = tuple(str(number) for number in range(6))
    assert (await line.reply(sent(*ids))).message_ids == ids


async def test_409_of_a_push_is_success(line: Line) -> None:
    """The retry key had been accepted: the message is out, and LINE repeats its ids."""
    body = {"message": "The retry key is already accepted", "sentMessages": [{"id": "11"}]}
    assert await line.push(Answer(409, body, REQUEST_ID)) == Receipt(Sent.ACCEPTED, ("11",), "request-1")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refused(400, "Invalid reply token"), Sent.REFUSED),
        (refused(403), Sent.REFUSED),
        (refused(404), Sent.REFUSED),
        (refused(410), Sent.REFUSED),
        (refused(413), Sent.REFUSED),
        (refused(429, "You have reached your monthly limit."), Sent.QUOTA),
        (refused(429, "Monthly Limit reached"), Sent.QUOTA),
        (refused(429, "The API rate limit has been exceeded. Try again later."), Sent.LIMITED),
        (Answer(429, b"", REQUEST_ID), Sent.LIMITED),
        (refused(500), Sent.AMBIGUOUS),
        (refused(503), Sent.AMBIGUOUS),
        (Answer(304, b"", REQUEST_ID), Sent.AMBIGUOUS),
    ],
)
async def test_what_a_status_means(line: Line, answer: Answer, outcome: Sent) -> None:
    """Every status is judged, in one request, and LINE's request id is kept for its support."""
    assert await line.reply(answer) == Receipt(outcome, (), "request-1")
    assert await line.push(answer) == Receipt(outcome, (), "request-1")
    assert len(line.server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(502, b"\xff\xfe<html>"),
        Answer(drop="before_reading"),
        Answer(drop="after_reading"),
    ],
    ids=["502 undecodable", "cut before", "cut after"],
)
async def test_no_clear_answer_is_ambiguous(line: Line, answer: Answer) -> None:
    """Whatever leaves it open whether the message was shown is called ambiguous, and not tried again here."""
    assert (await line.reply(answer)).sent is Sent.AMBIGUOUS
    assert (await line.push(answer)).sent is Sent.AMBIGUOUS
    assert line.server.connections <= 2


ODD = b"\xff\xfe<html> monthly limit"


@pytest.mark.parametrize("rest", [{}, {"drop": "in_body"}, {"drip": 0.1}], ids=["undecodable", "cut", "slow"])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Sent.ACCEPTED), (409, Sent.ACCEPTED), (400, Sent.REFUSED), (500, Sent.AMBIGUOUS)],
)
async def test_the_status_counts(line: Line, status: int, outcome: Sent, rest: dict[str, Any]) -> None:
    """Once LINE has said what it did, trouble with the rest of its answer takes nothing of that back."""
    messenger = LineMessenger(line.api, timeout=0.5)
    line.server.script(Answer(status, ODD, REQUEST_ID, **rest))
    assert await messenger.push(USER, ["hello"], RETRY_KEY) == Receipt(outcome, (), "request-1")


async def test_a_limit_without_its_text(line: Line) -> None:
    """Which of the two limits it is can be told by the text alone: without it, the one that soon passes."""
    assert (await line.push(Answer(429, ODD, REQUEST_ID))).sent is Sent.QUOTA
    assert (await line.push(Answer(429, ODD, REQUEST_ID, drop="in_body"))).sent is Sent.LIMITED


async def test_a_slow_answer_is_ambiguous_in_time(line: Line) -> None:
    """Who waits for a word from LINE does not wait for ever."""
    messenger = LineMessenger(line.api, timeout=0.3)
    line.server.script(Answer(delay=30))
    assert (await messenger.reply("reply-token", ["hello"])).sent is Sent.AMBIGUOUS


async def test_a_refused_connection_showed_nothing(line: Line) -> None:
    """Where nobody listens nothing was sent: it may be tried again in any way."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = LineApi(f"http://127.0.0.1:{unused.getsockname()[1]}", line.secret)
        assert (await LineMessenger(api).reply("reply-token", ["hello"])).sent is Sent.LIMITED
        await api.close()


async def test_401_reads_the_token_again(line: Line) -> None:
    """A rotated access token is picked up by the call that was refused, and kept for the next."""
    line.server.script(sent("1"))
    await line.messenger.reply("reply-token", ["before"])
    line.source.values[VERSION] = "token-2"
    assert (await line.push(refused(401), sent("2"), sent("3"))).sent is Sent.ACCEPTED
    assert (await line.push()).message_ids == ("3",)
    assert line.tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2"]
    assert line.server.requests[1].body == line.server.requests[2].body
    assert line.server.requests[2].headers["x-line-retry-key"] == RETRY_KEY


async def test_401_without_a_new_token_is_limited(line: Line) -> None:
    """The same token is not tried twice; nothing was shown, later it may work."""
    assert await line.reply(refused(401)) == Receipt(Sent.LIMITED)
    assert len(line.server.requests) == 1


async def test_401_twice_is_limited(line: Line) -> None:
    """There is one more try with a new token, not more."""
    await line.secret.value()
    line.source.values[VERSION] = "token-2"
    assert (await line.reply(refused(401), refused(401), sent("1"))).sent is Sent.LIMITED
    assert len(line.server.requests) == 2


async def test_an_unreadable_token_is_no_answer_of_line() -> None:
    """Without an access token nothing is sent and the caller hears why."""
    async with HttpServer() as server:
        messenger = LineMessenger(LineApi(server.url, unreadable(Unavailable("down"))))
        with pytest.raises(Unavailable):
            await messenger.reply("reply-token", ["hello"])
        with pytest.raises(Unavailable):
            await messenger.push(USER, ["hello"], RETRY_KEY)
        await messenger.show_loading(USER, 5)
        assert server.connections == 0


@pytest.mark.parametrize(
    "answer", [refused(400), refused(401), refused(500), Answer(drop="after_reading"), Answer(delay=30)]
)
async def test_a_failing_animation_harms_nobody(line: Line, answer: Answer) -> None:
    """Whatever LINE does with the animation, the call returns."""
    messenger = LineMessenger(line.api, timeout=0.3)
    line.server.script(answer)
    await messenger.show_loading(USER, 20)


async def test_an_unusable_token_never_looks_sent(line: Line) -> None:
    """A call that breaks before it leaves, after one that went well, is not taken for a success."""
    assert (await line.reply(sent("1"))).sent is Sent.ACCEPTED
    broken, _ = rotating("to\nken")
    api = LineApi(line.server.url, broken)
    assert (await LineMessenger(api).reply("reply-token", ["hello"])).sent is not Sent.ACCEPTED
    await api.close()
    assert len(line.server.requests) == 1


async def test_one_connection_for_many_messages(line: Line) -> None:
    """Messages in a row share a connection."""
    for number in range(5):
        await line.reply(sent(str(number)))
    assert line.server.connections == 1


async def test_simultaneous_answers_are_not_mixed_up(line: Line) -> None:
    """Calls that run at once each get the outcome of their own answer."""
    answers: list[Answer] = [Answer(200, {}, delay=0.05) if number % 2 else refused(400) for number in range(20)]
    line.server.script(*answers)
    receipts = await asyncio.gather(*(line.messenger.reply(f"token-{number}", ["x"]) for number in range(20)))
    assert Counter(receipt.sent for receipt in receipts) == {Sent.ACCEPTED: 10, Sent.REFUSED: 10}


CODE, TABLE = "```py\nx = 1\n```", "| a | b |\n| --- | --- |\n| 1 | 2 |"
PICTURE = '![海](https://a.jp/1.png "https://a.jp/2.png")'


async def test_cards_on_the_wire(line: Line) -> None:
    """Code and tables go out as Flex and pictures as images, exactly as they were made; the buttons are on the last."""
    bubbles = ["text", CODE, TABLE, "Sources:\n- [a](https://a.jp)", PICTURE]
    line.server.script(sent(*"12345"))
    receipt = await line.messenger.reply("reply-token", bubbles, [QuickReply("続き", "/more")], "quote")
    assert receipt.message_ids == tuple("12345")
    [request] = line.server.requests
    *_, last = messages = request.json["messages"]
    assert last.pop("quickReply")["items"][0]["action"]["data"] == "/more"
    assert messages[0].pop("quoteToken") == "quote"
    assert messages == [cards.message(bubble) for bubble in bubbles]
    assert [message["type"] for message in messages] == ["text", "flex", "flex", "flex", "image"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bubble=(codes | tables | sources).map(str))
async def test_any_card_goes_out_as_it_is(line: Line, bubble: str) -> None:
    """Nothing of it is changed on its way."""
    line.server.script(sent("1"))
    await line.messenger.reply("reply-token", [bubble])
    assert line.server.requests[-1].json["messages"] == [cards.message(bubble)]


async def test_the_first_text_quotes(line: Line) -> None:
    """Only text can quote: where a card comes first the next text does, and where there is none nothing."""
    line.server.script(sent("1", "2"), sent("3"))
    await line.messenger.reply("reply-token", [CODE, "text", "more"], quote_token="quote")
    await line.messenger.reply("reply-token", [CODE], quote_token="quote")
    first, second = (request.json["messages"] for request in line.server.requests)
    assert ["quoteToken" in message for message in first] == [False, True, False]
    assert "quoteToken" not in second[0]


async def test_a_refused_card_goes_as_text(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    """A call that LINE refused showed nothing: the same token, or the same retry key, brings the text."""
    line.server.script(refused(400), sent("1", "2"), refused(400), sent("3", "4"))
    buttons = [QuickReply("続き", "/more")]
    assert await line.messenger.reply("token", ["a", CODE], buttons, "q") == Receipt(
        Sent.ACCEPTED, ("1", "2"), "request-1"
    )
    assert (await line.messenger.push(USER, ["a", CODE], RETRY_KEY, buttons)).message_ids == ("3", "4")
    requests = line.server.requests
    assert [request.json.get("replyToken", request.json.get("to")) for request in requests] == ["token"] * 2 + [
        USER
    ] * 2
    assert [request.headers.get("x-line-retry-key") for request in requests[2:]] == [RETRY_KEY] * 2
    for request in (requests[1], requests[3]):
        assert [message["type"] for message in request.json["messages"]] == ["text", "text"]
        assert request.json["messages"][1]["text"] == "[py]\nx = 1"
        assert request.json["messages"][1]["quickReply"]
    assert requests[1].json["messages"][0]["quoteToken"] == "q"
    logged = capsys.readouterr().out
    assert '"event": "card_refused"' in logged
    assert "x = 1" not in logged


@pytest.mark.parametrize(
    "answer", [refused(500), refused(429), refused(429, "monthly limit"), Answer(drop="after_reading")]
)
async def test_only_a_refused_card_is_tried_as_text(line: Line, answer: Answer) -> None:
    """What may have been shown, or may be shown later, is not sent in another form."""
    line.server.script(answer)
    await line.messenger.reply("reply-token", [CODE])
    assert len(line.server.requests) == 1


async def test_text_that_is_refused_stays_refused(line: Line) -> None:
    """It is tried once, and a card twice: a token that is dead is dead."""
    line.server.script(refused(400), refused(400), refused(400))
    assert (await line.messenger.reply("reply-token", ["text"])).sent is Sent.REFUSED
    assert (await line.messenger.reply("reply-token", [CODE])).sent is Sent.REFUSED
    assert len(line.server.requests) == 3
