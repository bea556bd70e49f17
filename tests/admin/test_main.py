"""The command itself: what it knows, and how it fails."""

import asyncio
import signal
import sys
from collections.abc import Sequence

import pytest

from bot.admin.__main__ import COMMANDS, main
from tests.admin.conftest import PERSON, ROOT, Desk


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command and every argument is explained, without any setting."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert out.startswith("usage: python -m bot.admin")
    if not command:
        assert all(f"    {name}" in out for name in COMMANDS)


async def test_malformed_settings(desk: Desk) -> None:
    """One line that names the variable, like the function's own start."""
    desk.environment["STORE"] = "paper"
    status, out, err = await desk.run("conversations")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "STORE" in err


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"STORE": "firestore", "GOOGLE_CLOUD_PROJECT": "p"}, "gcloud auth application-default login"),
        ({"STORE": "firestore", "GOOGLE_CLOUD_PROJECT": "p", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:9"}, "try again"),
        ({"STORE": "sqlite:/nowhere/kaiwa.sqlite"}, "check the path in STORE"),
    ],
)
async def test_no_store(desk: Desk, changes: dict[str, str], remedy: str) -> None:
    """Without credentials, and where nothing answers: one line that says what to do next."""
    # No credentials anywhere: neither in the home directory nor from a metadata server.
    desk.environment |= {"HOME": "/nowhere", "NO_GCE_CHECK": "true", **changes}
    status, out, err = await desk.run("conversations")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert remedy in err


async def test_ctrl_c(desk: Desk) -> None:
    """It ends the command at once, without a word, as shells expect it."""
    reached, connected = asyncio.Event(), []

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        reached.set()

    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    desk.environment |= {"LINE_API_BASE_URL": f"http://127.0.0.1:{port}"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.admin", "usage"),
        cwd=ROOT,
        env=desk.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Shells let what they start in the background ignore it, and so do its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    await asyncio.wait_for(reached.wait(), 60)
    process.send_signal(signal.SIGINT)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 128 + signal.SIGINT
    for writer in connected:
        writer.close()
    silent.close()


async def test_a_reader_that_has_seen_enough(desk: Desk) -> None:
    """`| head` ends the command without a complaint."""
    await desk.run("show", PERSON.id)
    command = f"{sys.executable} -m bot.admin usage --json | true; echo ${{PIPESTATUS[0]}}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command),
        cwd=ROOT,
        env=desk.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert await process.communicate() == (b"0\n", b"")
