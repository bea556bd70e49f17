"""LineProfiles against a server that plays LINE: whom it asks, and what every answer is taken for."""

import socket
from collections.abc import AsyncIterator

import pytest

from bot.adapters.line_api import LineApi
from bot.adapters.line_profiles import LineProfiles
from bot.conversation import Profile, Source
from bot.errors import Misconfigured, Unavailable
from tests.adapters.secret_of import VERSION, rotating, unreadable
from tests.fakes import FakeClock
from tests.servers.http import Answer, HttpServer
from tests.webhooks import GROUP, NOW, ROOM, USER

PRIVATE, IN_GROUP, IN_ROOM = Source("user", USER), Source("group", GROUP), Source("room", ROOM)
TARO = {"userId": USER, "displayName": "太郎", "pictureUrl": "https://example.com/a", "statusMessage": "Hi"}
NOTHING = Profile(USER, "", NOW)


class Line:
    """Profiles with the server they are asked of."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.secret, self.source = rotating("token-1")
        self.api = LineApi(server.url + "/", self.secret)
        self.profiles = LineProfiles(self.api, FakeClock(NOW))

    async def ask(self, *answers: Answer, source: Source = PRIVATE) -> Profile | None:
        self.server.script(*answers)
        return await self.profiles.profile(source, USER)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with HttpServer() as server:
        line = Line(server)
        yield line
        await line.api.close()


@pytest.mark.parametrize(
    ("source", "path", "language"),
    [
        (PRIVATE, f"/v2/bot/profile/{USER}", "ja"),
        (IN_GROUP, f"/v2/bot/group/{GROUP}/member/{USER}", ""),
        (IN_ROOM, f"/v2/bot/room/{ROOM}/member/{USER}", ""),
    ],
)
async def test_on_the_wire(line: Line, source: Source, path: str, language: str) -> None:
    """The person's own profile, or that of a member, who need be no friend and whose language is not told."""
    told = {**TARO, "language": "ja"}
    assert await line.ask(Answer(200, told), source=source) == Profile(USER, "太郎", NOW, language)
    [request] = line.server.requests
    assert (request.method, request.path, request.headers["authorization"]) == ("GET", path, "Bearer token-1")


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_what_line_does_not_tell(line: Line, status: int) -> None:
    """Unknown, blocked or without consent: that is an answer, and not to be asked again."""
    assert await line.ask(Answer(status, {"message": "Not found"})) == NOTHING


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, {"message": "The API rate limit has been exceeded. Try again later."}),
        Answer(500, b"\xff\xfe<html>"),
        Answer(500, TARO),
        Answer(302, TARO),
        Answer(200, {**TARO, "language": ["ja"]}),
        Answer(200, b""),
        Answer(200, {"displayName": 5}),
        Answer(200, b"<html>"),
        Answer(drop="after_reading"),
        Answer(delay=30),
    ],
    ids=["limited", "undecodable", "down", "elsewhere", "odd language", "empty", "odd", "html", "cut", "hang"],
)
async def test_no_answer_is_none(line: Line, answer: Answer) -> None:
    """Whatever goes wrong, nothing is raised, and soon."""
    line.profiles = LineProfiles(line.api, FakeClock(NOW), timeout=0.3)
    assert await line.ask(answer) is None


async def test_nobody_listens(line: Line) -> None:
    """A refused connection is no answer."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        api = LineApi(f"http://127.0.0.1:{unused.getsockname()[1]}", line.secret)
        assert await LineProfiles(api, FakeClock(NOW)).profile(PRIVATE, USER) is None
        await api.close()


async def test_a_new_token_is_read(line: Line) -> None:
    """401: a rotated access token is picked up at once; the same one is not tried twice."""
    await line.secret.value()
    line.source.values[VERSION] = "token-2"
    refused, told = Answer(401, {"message": "no"}), Answer(200, TARO)
    assert await line.ask(refused, told) == Profile(USER, "太郎", NOW)
    assert [one.headers["authorization"] for one in line.server.requests] == ["Bearer token-1", "Bearer token-2"]
    assert await line.ask(refused) is None
    assert len(line.server.requests) == 3


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("denied")])
async def test_without_a_token(error: Unavailable | Misconfigured) -> None:
    """When the access token cannot be read LINE is not asked."""
    async with HttpServer() as server:
        profiles = LineProfiles(LineApi(server.url, unreadable(error)), FakeClock(NOW))
        assert await profiles.profile(PRIVATE, USER) is None
        assert server.connections == 0


async def test_what_is_kept_is_bounded(line: Line) -> None:
    """A name and a language longer than LINE's are cut."""
    profile = await line.ask(Answer(200, {**TARO, "displayName": "x" * 5_000, "language": "y" * 5_000}))
    assert profile
    assert len(profile.name) == len(profile.language) == 100


async def test_one_connection(line: Line) -> None:
    """The client lives as long as the process."""
    for _ in range(3):
        await line.ask(Answer(200, TARO))
    assert line.server.connections == 1
