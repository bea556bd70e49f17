"""The deployment's smoke test, against the real function: it passes what works and names what does not."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deploy import gcloud
from tests.deploy.running import NOBODY, SECRET, function
from tests.function import Function
from tests.servers.http import Answer, HttpServer


@pytest.fixture(scope="module")
async def healthy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Function]:
    log = tmp_path_factory.mktemp("healthy") / "function.log"
    async with function(log, LINE_CHANNEL_SECRET=SECRET) as started:
        yield started


async def test_a_function_that_works_passes(healthy: Function) -> None:
    """It answers, refuses what is forged and takes what is signed; of several channel secrets the newest signs."""
    assert await _smoke(healthy.url, SECRET) == (0, f"{healthy.url} answers as it should\n", "")


async def test_nothing_is_stored_and_nobody_is_written_to(healthy: Function) -> None:
    """The smoke test leaves no trace but the two refusals in the log."""
    before = len(healthy.log.read_text().splitlines())
    await _smoke(healthy.url, SECRET)
    lines = healthy.log.read_text().splitlines()[before:]
    assert [line for line in lines if "the signature does not match" not in line] == []


async def test_another_secret_than_the_functions_is_told(healthy: Function) -> None:
    """A function that would refuse LINE's own webhooks does not pass."""
    code, _, told = await _smoke(healthy.url, "another secret")
    assert code == 1
    assert "a signed webhook came to 401" in told


async def test_a_function_that_cannot_read_its_secrets_is_told(tmp_path: Path) -> None:
    """Missing rights show before any message is lost: the remedy names the secrets."""
    nobody = NOBODY.removeprefix("http://").rstrip("/")
    async with function(tmp_path / "function.log", SECRET_MANAGER_EMULATOR_HOST=nobody) as started:
        code, _, told = await _smoke(started.url, SECRET)
    assert code == 1
    assert "a forged signature came to 503" in told
    assert "cannot read its secrets" in told


@pytest.mark.parametrize("answer", [Answer(200, {"status": "ok"}), Answer(200, b"[]"), Answer(200, b"<p>")])
async def test_another_program_does_not_pass(answer: Answer) -> None:
    """A 200 alone proves nothing: the address may lead to something else."""
    async with HttpServer(answer) as server:
        code, _, told = await _smoke(server.url, SECRET)
    assert (code, "not to 200 with Kaiwa's status" in told) == (1, True)


async def test_silence_does_not_pass() -> None:
    """An address where nobody answers is a failure, not a crash."""
    code, _, told = await _smoke(NOBODY, SECRET)
    assert (code, "GET came to 0" in told) == (1, True)


async def test_a_revision_that_needs_a_moment_passes() -> None:
    """What fails at first is tried again until the time is over."""
    async with HttpServer(Answer(200, {"status": "ok", "name": "kaiwa"})) as server:
        server.script(Answer(503), Answer(200, {"status": "ok", "name": "kaiwa"}), Answer(401), Answer(503))
        server.script(Answer(200, {"status": "ok", "name": "kaiwa"}), Answer(401), Answer(200))
        code, _, told = await _smoke(server.url, SECRET, seconds=30)
    assert (code, told) == (0, "")
    assert [request.method for request in server.requests] == ["GET", "GET", "POST", "POST", "GET", "POST", "POST"]


async def test_without_the_secret_nothing_is_tried() -> None:
    """A build whose secret is not passed on says so."""
    assert await _smoke(NOBODY, " \n") == (
        2,
        "",
        "LINE_CHANNEL_SECRET must be the channel secret that the function reads\n",
    )


async def _smoke(url: str, secret: str, seconds: float = 0) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.cloud.smoke", url, str(seconds)),
        cwd=gcloud.ROOT,
        env={"PATH": os.environ["PATH"], "LINE_CHANNEL_SECRET": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()
