"""The stand-in for LINE over real HTTP: it accepts what LINE accepts, and refuses what LINE refuses."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bot.local.calls import Fault
from bot.local.chats import NOTICE, User
from bot.local.line import LineStandIn
from bot.local.webhook import Speaker
from tests.servers.uvicorn import serving

REPLY = "/v2/bot/message/reply"
PUSH = "/v2/bot/message/push"
LOADING = "/v2/bot/chat/loading/start"


class Client:
    """A bot's side of the wire, with a line stand-in whose clock stands still until it is moved."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.now = 1_800_000_000_000
        self.line = LineStandIn("token", "secret", clock=lambda: self.now)
        self.user: User = self.line.chats.add_user("さくら")
        self.base = ""

    def token(self, chat_id: str = "") -> str:
        return self.line.chats.issue_token(chat_id or self.user.id, self.now)

    async def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        sent = {"Authorization": "Bearer token"} | (headers or {})
        async with self.http.post(self.base + path, json=body, headers=sent) as response:
            return response.status, await response.json(), response.headers

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.http.get(self.base + path, headers={"Authorization": "Bearer token"}) as response:
            return response.status, await response.json()

    async def reply(self, token: str, *texts: str, **more: Any) -> tuple[int, Any, Any]:
        return await self.post(REPLY, {"replyToken": token, "messages": messages(*texts)}, **more)

    async def push(self, to: str, key: str = "") -> tuple[int, Any, Any]:
        headers = {"X-Line-Retry-Key": key} if key else {}
        return await self.post(PUSH, {"to": to, "messages": messages("hello")}, headers)


def messages(*texts: str) -> list[Any]:
    return [{"type": "text", "text": text} for text in texts]


@pytest.fixture
async def client(http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    client = Client(http)
    async with serving(client.line.app) as client.base:
        yield client


async def test_reply(client: Client) -> None:
    """A reply is shown in the chat its token belongs to, and its message ids are long decimal strings."""
    status, answer, headers = await client.reply(client.token(), "一", "二")
    shown = client.line.sent(client.user.id)
    assert (status, [bubble.text for bubble in shown]) == (200, ["一", "二"])
    assert [message["id"] for message in answer["sentMessages"]] == [bubble.id for bubble in shown]
    assert all(len(bubble.id) == 18 and bubble.id.isdecimal() for bubble in shown)
    assert headers["x-line-request-id"]


async def test_token_works_once(client: Client) -> None:
    """The second use of a reply token is refused and shows nothing; so is a token that never was."""
    token = client.token()
    assert (await client.reply(token, "first"))[0] == 200
    for refused in (token, "0" * 32):
        status, answer, _ = await client.reply(refused, "second")
        assert (status, answer) == (400, {"message": "Invalid reply token"})
    assert len(client.line.sent(client.user.id)) == 1


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (61, 400)])
async def test_token_lives_a_minute(client: Client, seconds: int, status: int) -> None:
    """A reply token dies a minute after its webhook was received."""
    token = client.token()
    client.now += seconds * 1000
    assert (await client.reply(token, "hello"))[0] == status


@pytest.mark.parametrize(("minutes", "status"), [(19, 200), (21, 400)])
async def test_redelivery_renews_a_token(client: Client, minutes: int, status: int) -> None:
    """A redelivered event's token works for another minute, until the event is 20 minutes old."""
    event = client.line.events.text(Speaker(client.user.id), "hi")
    client.now += minutes * 60_000
    again = client.line.redelivered(event)
    assert again == event | {"deliveryContext": {"isRedelivery": True}}
    assert (await client.reply(again["replyToken"], "hello"))[0] == status


async def test_expired_on_request(client: Client) -> None:
    """A test can let every token die at once."""
    token = client.token()
    client.line.chats.expire_tokens()
    assert (await client.reply(token, "hello"))[0] == 400


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer other", "token"])
async def test_authorization(client: Client, authorization: str) -> None:
    """Without the channel's token nothing works, and the reply token is not spent."""
    token = client.token()
    assert (await client.reply(token, "no", headers={"Authorization": authorization}))[0] == 401
    assert (await client.reply(token, "yes"))[0] == 200


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ([], "messages"),
        (messages(*"123456"), "messages"),
        (messages("", "fine"), "messages[0].text"),
        (messages("fine", "x" * 5001), "messages[1].text"),
        (messages("😀" * 2501), "messages[0].text"),
        ([{"type": "text", "text": 5}], "messages[0].text"),
        ([{"type": "hologram"}], "messages[0].type"),
    ],
)
async def test_wrong_messages(client: Client, wrong: list[Any], where: str) -> None:
    """What LINE's limits forbid is refused in LINE's error shape, and the token stays good."""
    token = client.token()
    status, answer, _ = await client.post(REPLY, {"replyToken": token, "messages": wrong})
    assert (status, answer["message"]) == (400, "The request body has 1 error(s)")
    assert answer["details"][0]["property"] == where
    assert (await client.reply(token, "fine"))[0] == 200


async def test_longest_text(client: Client) -> None:
    """5,000 UTF-16 units pass: 2,500 characters outside of the basic plane."""
    assert (await client.reply(client.token(), "😀" * 2500, "x" * 5000))[0] == 200


def with_buttons(*actions: Any) -> list[Any]:
    items = [{"type": "action", "action": action} for action in actions]
    return [{"type": "text", "text": "hello", "quickReply": {"items": items}}]


MORE = {"type": "postback", "label": "続き", "data": "/more", "displayText": "続き"}


async def test_quick_reply(client: Client) -> None:
    """The last message's buttons are shown with it; those of earlier ones are not."""
    sent = with_buttons({"type": "message", "label": "hidden", "text": "hidden"}) + with_buttons(*[MORE] * 13)
    assert (await client.post(REPLY, {"replyToken": client.token(), "messages": sent}))[0] == 200
    assert [bubble.buttons for bubble in client.line.sent(client.user.id)] == [(), (MORE,) * 13]


@pytest.mark.parametrize(
    "actions",
    [
        [],
        [MORE] * 14,
        [MORE | {"label": "x" * 21}],
        [MORE | {"data": "x" * 301}],
        [MORE | {"data": ""}],
        [{"type": "x"}],
    ],
)
async def test_wrong_quick_reply(client: Client, actions: list[Any]) -> None:
    """Buttons beyond LINE's limits are refused."""
    body = {"replyToken": client.token(), "messages": with_buttons(*actions)}
    assert (await client.post(REPLY, body))[0] == 400


async def test_retry_key_on_reply(client: Client) -> None:
    """A reply with a retry key is refused."""
    status, _, _ = await client.reply(client.token(), "hello", headers={"X-Line-Retry-Key": str(uuid.uuid4())})
    assert status == 400


async def test_push_with_retry_key(client: Client) -> None:
    """The same key is the same message: shown once, and 409 tells what was sent by which request."""
    key = str(uuid.uuid4())
    first_status, first, first_headers = await client.push(client.user.id, key)
    status, again, headers = await client.push(client.user.id, key)
    assert (first_status, status) == (200, 409)
    assert again["sentMessages"] == first["sentMessages"]
    assert headers["x-line-accepted-request-id"] == first_headers["x-line-request-id"]
    assert [bubble.way for bubble in client.line.sent(client.user.id)] == ["push"]
    assert (await client.push(client.user.id, "not a uuid"))[0] == 400


async def test_push_to_nobody(client: Client) -> None:
    """Pushing to an unknown id is refused; to somebody who has blocked the bot it is accepted and shows nothing."""
    status, answer, _ = await client.push("U" + "0" * 32)
    assert (status, answer) == (400, {"message": "Failed to send messages"})
    client.line.chats.set_absent(client.user.id, True)
    assert (await client.push(client.user.id))[0] == 200
    assert client.line.sent(client.user.id) == []


async def test_monthly_quota(client: Client) -> None:
    """A push counts once for each person it reaches; beyond the month's limit it is refused, replies are not."""
    group = client.line.chats.add_group("旅行", (client.user.id, "U1", "U2"))
    client.line.monthly_quota = 4
    assert (await client.push(group.id))[0] == 200
    assert (await client.push(client.user.id))[0] == 200
    status, answer, _ = await client.push(client.user.id)
    assert (status, answer) == (429, {"message": "You have reached your monthly limit."})
    assert (await client.reply(client.token(), "free"))[0] == 200
    assert await client.get("/v2/bot/message/quota") == (200, {"type": "limited", "value": 4})
    assert await client.get("/v2/bot/message/quota/consumption") == (200, {"totalUsage": 4})


@pytest.mark.parametrize(("seconds", "status"), [(5, 202), (60, 202), (0, 400), (65, 400), (7, 400), ("5", 400)])
async def test_loading_seconds(client: Client, seconds: Any, status: int) -> None:
    """The loading animation runs for 5 to 60 seconds in steps of 5."""
    assert (await client.post(LOADING, {"chatId": client.user.id, "loadingSeconds": seconds}))[0] == status


async def test_loading_ends_with_a_message(client: Client) -> None:
    """The animation is for one-to-one chats only, and ends when the bot says something."""
    group = client.line.chats.add_group("旅行", (client.user.id,))
    assert (await client.post(LOADING, {"chatId": group.id}))[0] == 400
    await client.post(LOADING, {"chatId": client.user.id})
    assert client.line.chats.loading == {client.user.id: client.now + 20_000}
    await client.reply(client.token(), "done")
    assert client.line.chats.loading == {}


async def test_profile_info_and_validation(client: Client) -> None:
    """The bot can ask who somebody is, who it is itself, and whether messages would pass."""
    profile = {"userId": client.user.id, "displayName": "さくら", "language": "ja"}
    assert await client.get(f"/v2/bot/profile/{client.user.id}") == (200, profile)
    assert (await client.get("/v2/bot/profile/Unobody"))[0] == 404
    assert (await client.get("/v2/bot/info"))[1]["userId"] == client.line.bot_id
    assert (await client.post("/v2/bot/message/validate/reply", {"messages": messages("fine")}))[0] == 200
    assert (await client.post("/v2/bot/message/validate/reply", {"messages": messages("")}))[0] == 400


async def test_refusals_are_shown(client: Client) -> None:
    """What LINE refuses appears in the chat it was meant for, as a notice and not as the bot's words."""
    token = client.token()
    await client.reply(token, "hello")
    await client.reply(token, "hello")
    assert [bubble.by for bubble in client.line.chats.in_chat(client.user.id)] == ["bot", NOTICE]


async def test_every_call_is_kept(client: Client) -> None:
    """A test can see each request with its headers, body and outcome."""
    await client.reply("nonsense", "hello")
    call = client.line.calls_to("/reply")[0]
    assert (call.status, call.headers["authorization"], call.json["replyToken"]) == (400, "Bearer token", "nonsense")


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
async def test_fail_next_with_a_status(client: Client, status: int) -> None:
    """A planned failure happens as often as asked, on that path alone, and does none of the work."""
    client.line.fail_next("/reply", status, times=2)
    token = client.token()
    assert (await client.push(client.user.id))[0] == 200
    assert [(await client.reply(token, "x"))[0] for _ in range(3)] == [status, status, 200]


async def test_fail_next_in_one_chat(client: Client) -> None:
    """A failure meant for one chat leaves the others alone, and can be taken back."""
    client.line.fail_next("/reply", 500, times=2, chat_id=client.user.id)
    client.line.fail_next("/reply", 503, chat_id="another")
    assert (await client.reply(client.token(), "x"))[0] == 500
    client.line.heal(client.user.id)
    assert (await client.reply(client.token(), "x"))[0] == 200


@pytest.mark.parametrize(("fault", "shown"), [("drop-before", 0), ("drop-after", 1)])
async def test_dropped_connection(client: Client, fault: Fault, shown: int) -> None:
    """A cut connection gives no answer at all, before or after the message was shown."""
    client.line.fail_next("/reply", fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.reply(client.token(), "hello")
    assert len(client.line.sent(client.user.id)) == shown


@pytest.mark.parametrize(("fault", "shown"), [("hang", 0), ("hang-after", 1)])
async def test_hanging_connection(client: Client, fault: Fault, shown: int) -> None:
    """A hanging call answers nothing until the caller gives up, and others are served meanwhile."""
    client.line.fail_next("/reply", fault)
    hanging = asyncio.create_task(client.reply(client.token(), "hello"))
    assert (await client.push(client.user.id))[0] == 200
    done, _ = await asyncio.wait([hanging], timeout=0.2)
    assert not done
    hanging.cancel()
    assert len([bubble for bubble in client.line.sent(client.user.id) if bubble.way == "reply"]) == shown


async def test_odd_answer_after_the_work(client: Client) -> None:
    """LINE may show a message and then answer with an empty object."""
    client.line.fail_next("/push", "odd-after")
    assert (await client.push(client.user.id))[:2] == (200, {})
    assert len(client.line.sent(client.user.id)) == 1


async def test_healed(client: Client) -> None:
    """Planned failures can be forgotten."""
    client.line.fail_next("/reply", 500)
    client.line.heal()
    assert (await client.reply(client.token(), "hello"))[0] == 200


async def test_wait_for_sent(client: Client) -> None:
    """Waiting ends as soon as the bot has spoken, and fails when it does not."""
    waiting = asyncio.create_task(client.line.wait_for_sent(client.user.id, 1))
    await client.reply(client.token(), "hello")
    assert [bubble.text for bubble in await waiting] == ["hello"]
    with pytest.raises(TimeoutError):
        await client.line.wait_for_sent(client.user.id, 2, seconds=0.05)


async def test_member_profiles(client: Client) -> None:
    """Of everybody in the group, friend or not, with a name and no language; of nobody else."""
    line = client.line
    other = line.chats.add_user("Bob")
    group = line.chats.add_group("家族", (client.user.id,))
    line.chats.set_absent(client.user.id, True)
    found = await client.get(f"/v2/bot/group/{group.id}/member/{client.user.id}")
    assert found == (200, {"userId": client.user.id, "displayName": "さくら"})
    assert (await client.get(f"/v2/bot/group/{group.id}/member/{other.id}"))[0] == 404
    assert (await client.get(f"/v2/bot/room/R{'0' * 32}/member/{client.user.id}"))[0] == 404


async def test_quote_tokens(client: Client) -> None:
    """A message quotes by a token that LINE gave out, with whatever event; another is refused and shows nothing."""
    said = client.line.events.text(Speaker(client.user.id), "hello")
    own = said | {"message": said["message"] | {"quoteToken": "made-by-the-test"}}
    client.line.signed(own)
    for token, status in ((said["message"]["quoteToken"], 200), ("made-by-the-test", 200), ("guessed", 400)):
        message = {"type": "text", "text": "yes", "quoteToken": token}
        answered = await client.post(REPLY, {"replyToken": client.token(), "messages": [message]})
        assert answered[0] == status
    assert [bubble.quoted for bubble in client.line.sent(client.user.id)] == [said["message"]["id"]] * 2
