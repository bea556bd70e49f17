"""Traffic around a deployment: the build's own scripts, the real gcloud and function, a stand-in for Cloud Run.

Two addresses lead to functions: `good` takes what is signed with the secret, `bad` does not.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy import gcloud
from tests.deploy.commands import in_shell
from tests.deploy.running import SECRET, function
from tests.function import Function
from tests.requirements import missing
from tests.servers.cloud_run import CloudRunServer, environment
from tests.servers.http import Answer, HttpServer
from tests.servers.uvicorn import serving

OLD, NEW = "kaiwa-00001-abc", "kaiwa-00002-def"
SCRIPTS = gcloud.ROOT / "bot" / "cloud"


@dataclass(frozen=True, slots=True)
class Build:
    """The build's folder and its way to Cloud Run."""

    run: CloudRunServer
    environment: dict[str, str]
    noted: Path

    async def hold(self) -> tuple[int | None, str]:
        return await _ended(await self.start("hold.sh"))

    async def release(self, url: str, **more: str) -> tuple[int | None, str]:
        return await _ended(await self.start("release.sh", url, **more))

    async def start(self, script: str, *url: str, **more: str) -> asyncio.subprocess.Process:
        arguments = ("my-project", "asia-northeast1", "kaiwa", str(self.noted), *url)
        return await asyncio.create_subprocess_exec(
            *(str(SCRIPTS / script), *arguments),
            env={**self.environment, "LINE_CHANNEL_SECRET": SECRET, "SMOKE_SECONDS": "0", **more},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
        )


@pytest.fixture(scope="module")
async def good(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Function]:
    log = tmp_path_factory.mktemp("good") / "function.log"
    async with function(log, LINE_CHANNEL_SECRET=SECRET) as started:
        yield started


@pytest.fixture(scope="module")
async def bad(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Function]:
    log = tmp_path_factory.mktemp("bad") / "function.log"
    async with function(log, LINE_CHANNEL_SECRET="what another channel has") as started:
        yield started


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    """A project whose function has one revision."""
    if shutil.which("gcloud") is None:
        missing("gcloud", "install it: https://docs.cloud.google.com/sdk/docs/install")
    token = tmp_path / "token"
    token.write_text("not a token")
    run = CloudRunServer("kaiwa", OLD)
    async with serving(run.app) as url:
        given = {"CLOUDSDK_CONFIG": str(tmp_path / "gcloud"), "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token)}
        quiet = {"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true"}
        path = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        yield Build(run, {**path, **given, **quiet, **environment(url)}, tmp_path / "previous")


async def test_a_new_revision_gets_no_traffic_before_it_is_tested(build: Build) -> None:
    """What answers now is noted and held, whatever is deployed next; also when traffic was split by hand."""
    build.run.deploy("kaiwa-00002-try")
    build.run.traffic = [
        {"revisionName": "kaiwa-00002-try", "percent": 9},
        {"revisionName": OLD, "percent": 91},
        {"latestRevision": True, "tag": "mine"},
    ]
    build.run.urls = {"mine": "http://mine.test"}

    assert (await build.hold())[0] == 0

    build.run.deploy("kaiwa-00003-new")
    assert build.noted.read_text().strip() == OLD
    assert build.run.shares == {OLD: 100}
    assert {"latestRevision": True, "tag": "mine"} in build.run.traffic


async def test_a_revision_that_works_gets_all_traffic(build: Build, good: Function) -> None:
    """It is tested at its own address, released, and tested where LINE sends; later revisions get traffic again."""
    await _deployed(build)
    build.run.urls = {"next": good.url}

    code, told = await build.release(good.url)

    assert code == 0, told
    assert told.count("answers as it should") == 2
    assert build.run.shares == {NEW: 100}
    assert build.run.traffic == [{"latestRevision": True, "percent": 100}]


async def test_a_revision_that_fails_never_gets_traffic(build: Build, good: Function, bad: Function) -> None:
    """The build fails, the previous revision has all traffic, and had it all the time."""
    await _deployed(build)
    build.run.urls = {"next": bad.url}

    code, told = await build.release(good.url)

    assert code == 1
    assert f"Returned to {OLD}" in told
    assert build.run.shares == {OLD: 100}
    assert all({"revisionName": OLD, "percent": 100} in traffic for traffic in build.run.changes)


async def test_a_release_that_fails_where_line_sends_is_taken_back(build: Build, good: Function, bad: Function) -> None:
    """Also when the first return is refused: the previous revision gets all traffic, and the build fails."""
    await _deployed(build)
    build.run.urls = {"next": good.url}
    build.run.refuse_after(2)

    code, told = await build.release(bad.url)

    assert (code, f"Returned to {OLD}" in told) == (1, True)
    assert [NEW in _shares(build, traffic) for traffic in build.run.changes] == [False, False, True, False]
    assert build.run.shares == {OLD: 100}


async def test_a_build_that_is_cut_off_leaves_the_previous_revision(build: Build, good: Function) -> None:
    """Cancelled in the middle of the test: nothing of the new revision is left in the traffic."""
    await _deployed(build)
    async with HttpServer(Answer(503)) as server:
        build.run.urls = {"next": server.url}
        process = await build.start("release.sh", good.url, SMOKE_SECONDS="600")
        async with asyncio.timeout(120):
            while not server.requests:  # noqa: ASYNC110  # the server counts, it does not call
                await asyncio.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        code, _ = await _ended(process)
    assert code == 1
    assert build.run.shares == {OLD: 100}


async def test_a_first_deployment_that_fails_says_what_to_do(build: Build, bad: Function) -> None:
    """There is nothing to hold and nothing to return to: the build fails, and says so."""
    build.run.revisions.clear()
    code, told = await build.hold()
    assert (code, "There is no function kaiwa yet" in told) == (0, True)
    build.run.deploy(NEW)
    build.run.urls = {"next": bad.url}

    code, told = await build.release(bad.url)

    assert (code, build.run.shares) == (1, {NEW: 100})
    assert "there is nothing to return to. Mend it and deploy again." in told


async def test_what_is_left_to_do_by_hand_is_told(build: Build, bad: Function, tmp_path: Path) -> None:
    """When Cloud Run refuses every return, the build's last words are a command that gcloud accepts."""
    await _deployed(build)
    build.run.urls = {"next": bad.url}
    build.run.refuse_after(1, times=99)

    code, told = await build.release(bad.url)

    (command,) = in_shell(told.rpartition("at once:")[2], {})
    assert (code, command) == (
        1,
        "gcloud run services update-traffic kaiwa --region=asia-northeast1 --project=my-project "
        f"--to-revisions={OLD}=100",
    )
    assert [verdict["success"] for verdict in gcloud.lint([command], tmp_path)] == [True]


async def test_without_rights_nothing_is_deployed(build: Build) -> None:
    """A service that cannot be read is not taken for a function that is new: the build ends before it deploys."""
    build.run.is_forbidden = True
    code, told = await build.hold()
    assert code != 0
    assert "Permission 'run.services.list' denied" in told


async def _deployed(build: Build) -> None:
    code, told = await build.hold()
    assert code == 0, told
    build.run.deploy(NEW)


def _shares(build: Build, traffic: list[dict[str, object]]) -> list[object]:
    return [
        NEW if target.get("latestRevision") else target["revisionName"] for target in traffic if "percent" in target
    ]


async def _ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    out, _ = await process.communicate()
    return process.returncode, out.decode()
