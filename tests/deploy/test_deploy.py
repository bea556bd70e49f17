"""`make deploy` and `make undeploy`: the real scripts and gcloud, before a stand-in for Google's APIs and LINE's.

One story, told once for all tests of this file: typed at a terminal and cut off half-way, gone on with, run again,
removed.
"""

import asyncio
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from bot import settings
from bot.local.line import LineStandIn
from tests.deploy import gcloud
from tests.deploy.commands import in_shell
from tests.requirements import missing
from tests.servers.google_apis import Call, GoogleApis, encoded, environment
from tests.servers.http import Answer, HttpServer
from tests.servers.uvicorn import serving

SCRIPTS = gcloud.ROOT / "bot" / "cloud"
CHANNEL_SECRET, ACCESS_TOKEN, API_KEY = "0123456789abcdef" * 2, "line-token-typed", "sk-typed"
TYPED = {
    "LINE_CHANNEL_SECRET (": CHANNEL_SECRET,
    "LINE_CHANNEL_ACCESS_TOKEN (": ACCESS_TOKEN,
    "OPENAI_API_KEY (": API_KEY,
}
PROJECT = "projects/my-project"
PLACE = f"{PROJECT}/locations/asia-northeast1"
RUNTIME, BUILDER = (f"kaiwa-{name}@my-project.iam.gserviceaccount.com" for name in ("run", "build"))
URL = "https://kaiwa-123456789012.asia-northeast1.run.app"
SECONDS = 400
SECOND_SECRET = 22
"""The change with which the second secret is made; the first one has been typed."""


@dataclass(slots=True)
class Ended:
    """One run of a script: its exit status, all that it wrote, and what it changed."""

    status: int
    told: str
    changes: list[Call]


@dataclass(slots=True)
class Desk:
    """Where an operator sits: a shell with gcloud, and the stand-ins that it reaches."""

    apis: GoogleApis
    line: LineStandIn
    environment: dict[str, str]
    processes: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith(":addVersion"):
            self.processes += [path.read_text(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline")]
        await self.apis(scope, receive, send)

    async def run(self, script: str, *, is_cut: bool = False, typed: Mapping[str, str] = TYPED, **more: str) -> Ended:
        """At a terminal. `is_cut`: killed, with all that it has started, when the stand-in halts."""
        before = len(self.apis.changes)
        terminal, inside = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            str(SCRIPTS / script),
            env={**self.environment, **more},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        talk = asyncio.create_task(_talk(terminal, typed))
        async with asyncio.timeout(SECONDS):
            if is_cut:
                await self.apis.halted.wait()
                os.killpg(process.pid, signal.SIGKILL)
            status = await process.wait()
            told = await talk
        return Ended(status, told, self.apis.changes[before:])


async def _talk(terminal: int, typed: Mapping[str, str]) -> str:
    """All that is shown, until the other side hangs up; questions are answered as they come."""
    told, left, loop = "", dict(typed), asyncio.get_running_loop()
    while True:
        try:
            told += (await loop.run_in_executor(None, os.read, terminal, 4096)).decode(errors="replace")
        except OSError:
            os.close(terminal)
            return told
        for question in [question for question in left if question in told]:
            os.write(terminal, f"{left.pop(question)}\n".encode())


@dataclass(slots=True)
class Story:
    """What came of each run, and how things stood after the deployment."""

    cut: Ended
    completed: Ended
    secrets_at_the_cut: list[str]
    resources: dict[str, dict[str, Any]]
    policies: dict[str, dict[str, set[str]]]
    again: Ended
    removed: Ended
    left: list[str]
    desk: Desk


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    if shutil.which("gcloud") is None:
        missing("gcloud", "install it: https://docs.cloud.google.com/sdk/docs/install")
    folder = tmp_path_factory.mktemp("deploy")
    (folder / "token").write_text("a fake access token")
    desk = Desk(GoogleApis(), LineStandIn(ACCESS_TOKEN, CHANNEL_SECRET), {})
    async with HttpServer(Answer(200)) as function, serving(desk) as google, serving(desk.line.app) as line:
        desk.line.channel.route = lambda _url: function.url
        desk.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **environment(google),
            "CLOUDSDK_CONFIG": str(folder / "config"),
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(folder / "token"),
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
            "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
            "LINE_API_BASE_URL": line,
            "RUN": sys.executable,
            "DEFINITIONS": str(_definitions(folder / "definitions")),
            "PAUSES": "0",
            "PROJECT": "my-project",
            "ALERT_EMAIL": "ops@example.com",
        }
        yield desk


def _definitions(folder: Path) -> Path:
    """The first of each kind: every one costs seconds, and all of them are looked at elsewhere."""
    for kind in ("metrics", "alerts"):
        (folder / kind).mkdir(parents=True)
        shutil.copy(min((SCRIPTS / kind).iterdir()), folder / kind)
    shutil.copy(SCRIPTS / "dashboard.json", folder)
    return folder


@pytest.fixture(scope="module")
async def story(desk: Desk) -> Story:
    apis = desk.apis
    apis.halt_at = SECOND_SECRET
    cut = await desk.run("deploy.sh", is_cut=True)
    secrets = [name for name in apis.resources if re.fullmatch(f"{PROJECT}/secrets/[a-z-]+", name)]
    completed = await desk.run("deploy.sh")
    resources, policies = dict(apis.resources), {name: dict(roles) for name, roles in apis.policies.items()}
    again = await desk.run("deploy.sh", typed={})
    removed = await desk.run("undeploy.sh", typed={"id to go on: ": "my-project"}, DELETE_DATA="yes")
    left = [name for name in apis.resources if "/services/" not in name]
    return Story(cut, completed, secrets, resources, policies, again, removed, left, desk)


def test_deployed_although_it_was_cut_off(story: Story) -> None:
    """Killed in the middle of the secrets, it goes on from there: nothing is asked or made twice, and all is told."""
    assert story.cut.status == -signal.SIGKILL
    assert story.secrets_at_the_cut == [f"{PROJECT}/secrets/line-channel-secret"]
    assert story.completed.status == 0, story.completed.told
    assert "LINE_CHANNEL_SECRET (" not in story.completed.told
    assert story.desk.apis.failures == []
    for told in (URL, RUNTIME, BUILDER, "Expected cost, in yen a month", "Webhook redelivery"):
        assert told in story.completed.told


def test_the_function(story: Story) -> None:
    """It is sent as the parameters say, with an environment that it accepts, and open to LINE."""
    sent = story.resources[f"{PLACE}/functions/kaiwa"]
    service = sent["serviceConfig"]
    wanted = {
        "availableMemory": "512Mi",
        "availableCpu": "0.333",
        "maxInstanceCount": 60,
        "maxInstanceRequestConcurrency": 1,
        "timeoutSeconds": 120,
        "serviceAccountEmail": RUNTIME,
        "allTrafficOnLatestRevision": True,
    }
    assert {name: service[name] for name in wanted} == wanted
    assert (sent["buildConfig"]["runtime"], sent["buildConfig"]["entryPoint"]) == ("python313", "webhook")
    assert sent["buildConfig"]["serviceAccount"] == f"{PROJECT}/serviceAccounts/{BUILDER}"
    given = settings.read(service["environmentVariables"])
    assert (given.tasks_queue, given.service_url, given.project) == (f"{PLACE}/queues/kaiwa", URL, "my-project")
    assert (given.limits.daily.micro_yen, given.limits.monthly.micro_yen) == (30_000_000, 10_000_000_000)
    assert service["environmentVariables"]["FUNCTION_USE_ASGI"] == "true"
    assert story.policies[f"{PLACE}/services/kaiwa"] == {"roles/run.invoker": {"allUsers"}}


def test_the_queue(story: Story) -> None:
    """It tries for an hour at least, as the design asks, and no faster than the parameters say."""
    queue = story.resources[f"{PLACE}/queues/kaiwa"]
    retry = queue["retryConfig"]
    assert (retry["maxAttempts"], retry["maxRetryDuration"]) == (50, "3600s")
    assert (retry["minBackoff"], retry["maxBackoff"]) == ("2s", "30s")
    assert (queue["rateLimits"]["maxDispatchesPerSecond"], queue["rateLimits"]["maxConcurrentDispatches"]) == (50, 60)


def test_the_database(story: Story) -> None:
    """Native, in the region; old documents are deleted; indexed is what is asked for, and nothing else."""
    database = f"{PROJECT}/databases/(default)"
    assert story.resources[database]["locationId"] == "asia-northeast1"
    fields = {
        name.removeprefix(f"{database}/collectionGroups/").replace("/fields/", "."): one
        for name, one in story.resources.items()
        if "/fields/" in name
    }
    assert {name for name, one in fields.items() if "ttlConfig" in one} == {
        "conversations.expire_at",
        "archive.expire_at",
    }
    indexed = {name: one["indexConfig"].get("indexes", []) for name, one in fields.items() if "indexConfig" in one}
    assert {name for name, indexes in indexed.items() if not indexes} == {"conversations.*", "archive.*", "ledger.*"}
    assert {name for name, indexes in indexed.items() if indexes} == {
        "conversations.dead_letter_count",
        "archive.message_ids",
    }


def test_rights(story: Story) -> None:
    """Each account has what it needs: secrets one by one, the queue for itself, and of the project the least."""
    for secret in ("line-channel-secret", "line-channel-access-token", "openai-api-key"):
        accessor = {"roles/secretmanager.secretAccessor": {f"serviceAccount:{RUNTIME}"}}
        assert story.policies[f"{PROJECT}/secrets/{secret}"] == accessor
    assert story.policies[f"{PLACE}/queues/kaiwa"] == {"roles/cloudtasks.enqueuer": {f"serviceAccount:{RUNTIME}"}}
    of_project = story.policies["projects/my-project"]
    assert {role for role, who in of_project.items() if f"serviceAccount:{RUNTIME}" in who} == {"roles/datastore.user"}
    assert {role.removeprefix("roles/") for role, who in of_project.items() if f"serviceAccount:{BUILDER}" in who} == {
        *("logging.logWriter", "artifactregistry.writer", "storage.objectViewer"),
    }


def test_secrets_are_nowhere_else(story: Story) -> None:
    """Typed without an echo, they arrive whole, and stand in no output and in no process's arguments."""
    payloads = [payload["data"] for _, payload in sorted(story.desk.apis.payloads.items())]
    assert payloads == [encoded(ACCESS_TOKEN), encoded(CHANNEL_SECRET), encoded(API_KEY)]
    told = story.cut.told + story.completed.told + story.again.told + story.removed.told
    assert "LINE_CHANNEL_SECRET (" in told
    processes = "".join(story.desk.processes)
    assert "addVersion" not in told
    assert "versions\0add" in processes
    for secret in (CHANNEL_SECRET, ACCESS_TOKEN, API_KEY):
        assert secret not in told
        assert secret not in processes


def test_what_watches_it(story: Story) -> None:
    """Metrics, alerts that mail to whom they should, and the dashboard, with every placeholder filled."""
    metrics = [name.rpartition("/")[2] for name in story.resources if "/metrics/" in name]
    assert metrics == [min((SCRIPTS / "metrics").iterdir()).stem]
    [channel] = [one for name, one in story.resources.items() if "/notificationChannels/" in name]
    assert channel["labels"] == {"email_address": "ops@example.com"}
    alerts = [one for name, one in story.resources.items() if "/alertPolicies/" in name]
    assert [alert["notificationChannels"] for alert in alerts] == [[channel["name"]]]
    assert len([name for name in story.resources if "/dashboards/" in name]) == 1


def test_line_knows_the_address(story: Story) -> None:
    """The webhook is registered, and LINE has tested it."""
    assert story.desk.line.channel.url == URL
    assert story.desk.line.channel.tested[0] == URL


def test_again_without_change(story: Story) -> None:
    """A second deployment of the same changes nothing, asks for nothing, and says so."""
    assert story.again.status == 0, story.again.told
    assert story.again.changes == []
    assert "Nothing has changed" in story.again.told


def test_removed(story: Story) -> None:
    """Once the project's id is typed everything that was made is gone, with its rights."""
    assert story.removed.status == 0, story.removed.told
    assert story.left == []
    assert [who for roles in story.desk.apis.policies.values() for who in roles.values() if who] == []


@pytest.mark.parametrize(
    ("script", "more", "why"),
    [
        ("deploy.sh", {"PROJECT": ""}, "PROJECT=my-project"),
        ("deploy.sh", {"PROJECT": "My Project"}, "PROJECT must be a project id"),
        ("deploy.sh", {"CONCURRENCY": "80"}, "needs a whole CPU"),
        ("deploy.sh", {"MONTHLY_YEN": "much"}, "MONTHLY_YEN must be yen"),
        ("deploy.sh", {"TIMEOUT": "2m"}, "TIMEOUT must be seconds"),
        ("undeploy.sh", {}, "say so with YES=1"),
    ],
)
def test_what_is_refused_at_once(script: str, more: dict[str, str], why: str) -> None:
    """A parameter that cannot be, or a removal that nobody confirms, is told before anything is asked of Google."""
    given = {"PATH": os.environ["PATH"], "PROJECT": "my-project", **more}
    done = subprocess.run([SCRIPTS / script], env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert why in done.stderr


def test_a_dry_run_shows_what_gcloud_accepts(tmp_path: Path) -> None:
    """Nothing is asked of anybody; every printed command, of both scripts, is one that gcloud knows."""
    printed = "".join(_dry(script) for script in ("deploy.sh", "undeploy.sh"))
    commands = list(dict.fromkeys(in_shell(printed, {"PROJECT_NUMBER": "123456789012"})))
    verdicts = gcloud.lint(commands, tmp_path)
    assert len(verdicts) == len(commands) == DRY_COMMANDS
    assert [one["command_string"] + one["error_message"] for one in verdicts if not one["success"]] == []


DRY_COMMANDS = 83
"""Of both scripts, with a budget and an address for alerts."""


def _dry(script: str) -> str:
    given = {
        **{"PATH": os.environ["PATH"], "PROJECT": "my-project", "BUDGET": "3000", "ALERT_EMAIL": "ops@example.com"},
        **{"DELETE_DATA": "yes", "MODEL": "gpt-6-luna", "ENV": "ENABLE_WEB_SEARCH=true"},
    }
    command = [str(SCRIPTS / script), "--dry-run"]
    done = subprocess.run(command, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_calls_the_scripts() -> None:
    """`make deploy` and `make undeploy` are these scripts, with their arguments."""
    for target in ("deploy", "undeploy"):
        command = ["make", "-n", target, "PROJECT=my-project", "ARGS=--dry-run"]
        done = subprocess.run(command, cwd=gcloud.ROOT, capture_output=True, text=True)
        assert f"bot/cloud/{target}.sh --dry-run" in done.stdout
