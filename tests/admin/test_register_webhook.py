"""`register-webhook` before LINE's stand-in, which really sends its test to a function on loopback."""

from collections.abc import AsyncIterator

import pytest

from bot.admin.__main__ import main
from bot.admin.register_webhook import register
from bot.errors import KaiwaError
from bot.local.line import LineStandIn
from tests.servers.http import Answer, HttpServer
from tests.servers.uvicorn import serving

URL = "https://kaiwa-123456789012.asia-northeast1.run.app"
GOOD, COLD = Answer(200), Answer(503)


class Desk:
    def __init__(self, line: LineStandIn, function: HttpServer, environment: dict[str, str]) -> None:
        self.line = line
        self.function = function
        self.environment = environment

    async def register(self, *answers: Answer) -> bool:
        """With these from the function, one for each test."""
        self.function.script(*answers)
        return await register(self.environment, URL, pause=0.01)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    line = LineStandIn("token", "secret")
    async with serving(line.app) as line_url, HttpServer() as function:
        line.channel.route = lambda url: function.url
        yield Desk(line, function, {"LINE_API_BASE_URL": line_url, "LINE_CHANNEL_ACCESS_TOKEN": "token"})


async def test_it_is_registered_and_tested(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """LINE has the address, has reached it, and what only a person can do is told."""
    assert await desk.register(GOOD)
    assert desk.line.channel.url == URL
    assert desk.line.channel.tested == [URL]
    out = capsys.readouterr().out
    assert f"registered: {URL}" in out
    assert "OK, status 200" in out
    assert '[x] "Use webhook" is on' in out
    assert '[ ] switch on "Webhook redelivery"' in out
    assert "auto-response" in out


async def test_use_webhook_is_off(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """What LINE tells of its own switch is passed on."""
    desk.line.channel.active = False
    assert await desk.register(GOOD)
    assert '[ ] switch on "Use webhook"' in capsys.readouterr().out


async def test_a_cold_start(desk: Desk) -> None:
    """A function that is not awake yet gets three tries."""
    assert await desk.register(COLD, COLD, GOOD)
    assert len(desk.function.requests) == 3


@pytest.mark.parametrize(
    ("answer", "told", "remedy"),
    [
        (Answer(401), "ERROR_STATUS_CODE, status 401", "another channel's secret"),
        (Answer(503), "ERROR_STATUS_CODE, status 503", "cannot read its secrets"),
        (Answer(404), "ERROR_STATUS_CODE, status 404", "its log says why"),
        (Answer(drop="after_reading"), "COULD_NOT_CONNECT, status 0", "compare the address"),
    ],
)
async def test_a_test_that_fails(
    desk: Desk, capsys: pytest.CaptureFixture[str], answer: Answer, told: str, remedy: str
) -> None:
    """After three tries it has failed: LINE's own words, and what they mean."""
    assert not await desk.register(answer, answer, answer)
    assert len(desk.function.requests) == 3
    err = capsys.readouterr().err
    assert f"LINE's test 3 of 3: {told}" in err
    assert remedy in err


async def test_line_cannot_test(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Sixty tests an hour are all: beyond, it is told that nothing was tested."""
    desk.line.fail_next("/test", 429, 9)
    assert not await desk.register()
    assert "LINE answered 429" in capsys.readouterr().err
    assert desk.line.channel.url == URL


async def test_a_token_that_line_refuses(desk: Desk) -> None:
    """Nothing is registered, and the reason is told."""
    desk.environment["LINE_CHANNEL_ACCESS_TOKEN"] = "old"
    with pytest.raises(KaiwaError, match="LINE answered 401"):
        await desk.register()
    assert desk.line.channel.url == ""


async def test_no_token(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token and without credentials to read it: one line, with how to mend it."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    desk.environment |= {"LINE_CHANNEL_ACCESS_TOKEN": "", "GOOGLE_CLOUD_PROJECT": "p"}
    with pytest.raises(KaiwaError, match="gcloud auth application-default login"):
        await desk.register()


@pytest.mark.parametrize(
    "url", ["http://kaiwa.example", "kaiwa.example", "https://", "ftp://kaiwa.example", "https://[", ""]
)
def test_only_https(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """LINE takes nothing else, and is not asked."""
    with pytest.raises(SystemExit) as ended:
        main(["register-webhook", url])
    assert ended.value.code == 2
    assert "must be an https URL" in capsys.readouterr().err
