"""How the real function is started on this machine."""

import asyncio
import sys
from pathlib import Path

import pytest

from bot import settings
from bot.local import function
from bot.local.__main__ import has_display, options, page_socket
from bot.local.function import Channel, Function, NotStarted, environment, has_real_model
from bot.local.server import listen

STORE = Path("/somewhere/kaiwa.sqlite")
MODEL = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


def made(**given: str) -> dict[str, str]:
    return environment(given, "http://127.0.0.1:1", Channel("secret", "token"), STORE)


def test_environment() -> None:
    """Everything is kept on this machine, and the function's own settings accept it."""
    result = made(PATH="/bin", FUNCTION_SOURCE="elsewhere.py", LINE_CHANNEL_SECRET="a real one")
    assert (result["STORE"], result["TASKS_QUEUE"]) == (f"sqlite:{STORE}", "inprocess")
    assert (result["LINE_CHANNEL_SECRET"], result["LINE_API_BASE_URL"]) == ("secret", "http://127.0.0.1:1")
    assert (result["PATH"], "FUNCTION_SOURCE" in result) == ("/bin", False)
    settings.read(result)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("made-up", "http://127.0.0.1:1/v1")),
        ({"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}, ("made-up", "http://127.0.0.1:1/v1")),
        ({"OPENAI_API_KEY": "sk-1"}, ("sk-1", None)),
        ({"OPENAI_BASE_URL": "http://b"}, ("none-needed", "http://b")),
        ({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://b"}, ("sk-1", "http://b")),
    ],
)
def test_model(given: dict[str, str], expected: tuple[str, str | None]) -> None:
    """A key or an address brings the real model; without both the stand-in answers."""
    result = made(**given)
    assert tuple(result.get(name) for name in MODEL) == expected
    assert has_real_model(given) == (expected[0] != "made-up")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "127.0.0.1,localhost"), ({"no_proxy": "example.com"}, "example.com,127.0.0.1,localhost")],
)
def test_proxy(given: dict[str, str], expected: str) -> None:
    """A proxy for the outside world is not asked for the stand-ins."""
    result = made(HTTP_PROXY="http://proxy", **given)
    assert (result["NO_PROXY"], result["no_proxy"], result["HTTP_PROXY"]) == (expected, expected, "http://proxy")


def test_channels_differ() -> None:
    """Secrets are made up anew in every run."""
    assert Channel() != Channel()


@pytest.mark.parametrize(
    ("given", "platform", "shown"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "w"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_has_display(given: dict[str, str], platform: str, shown: bool) -> None:
    """A browser is opened only where one can show itself."""
    assert has_display(given, platform) is shown


def test_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the store lies in the current folder, and the page opens itself."""
    monkeypatch.chdir(tmp_path)
    given = options([])
    assert (given.port, given.store, given.browser) == (None, tmp_path / "kaiwa.sqlite", True)
    assert options(["--no-browser", "--port", "0"]).browser is False


def test_taken_port() -> None:
    """A port asked for must be free; without one the next free is taken."""
    with page_socket(None) as first, page_socket(None) as second:
        assert first.getsockname()[1] != second.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            page_socket(first.getsockname()[1])


async def run(code: str) -> Function:
    with listen() as listening:
        port = listening.getsockname()[1]
    return Function(await asyncio.create_subprocess_exec(sys.executable, "-c", code), port)


async def test_not_started() -> None:
    """A function that ends before it answers is reported with its exit code."""
    child = await run("raise SystemExit(3)")
    with pytest.raises(NotStarted, match="exit code 3"):
        await child.wait_until_ready()


async def test_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that never answers, and one that does not want to stop is ended."""
    monkeypatch.setattr(function, "START_SECONDS", 0.3)
    monkeypatch.setattr(function, "STOP_SECONDS", 0.3)
    child = await run("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    with pytest.raises(NotStarted, match="did not answer"):
        await child.wait_until_ready()
    await child.stop()
    assert child.process.returncode is not None


async def test_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links lead to the function that was started here, whatever address the environment names."""
    given: dict[str, str] = {}

    async def execute(*_: str, env: dict[str, str], **__: object) -> None:
        given.update(env)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", execute)
    started = await function.start({"SERVICE_URL": "https://production.example", "PATH": "/bin"})
    assert given == {"SERVICE_URL": started.url.rstrip("/"), "PATH": "/bin"}
