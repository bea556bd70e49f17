"""`doctor` before an installation on loopback: whole, with each single fault, and with the real function."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.admin.checks.check import Check, Finding, Outcome, Shared
from bot.admin.checks.firestore import COLLECTIONS, EXPIRING, SEARCHED
from bot.admin.checks.function import name_of, region_of
from bot.admin.checks.queue import RETRIES
from bot.admin.doctor import CHECKS, examine
from tests.admin.faults import FAULTS, Fault
from tests.admin.installation import CHANNEL_SECRET, KEY, TOKEN, Installation
from tests.deploy.gcloud import lint
from tests.function import ROOT, Function
from tests.servers.http import Answer, HttpServer

Patch = pytest.MonkeyPatch

UNSEEN = {"redelivery", "automatic replies"}
INDEX = re.compile(r"^ +index (\w+) (\S+) (--\S+)$", re.MULTILINE)
GCLOUD = re.compile(r"gcloud [^;\n]+")
SECONDS = 30.0
HANGING_SECONDS = 4.0
"""The others need a tenth of it."""


@pytest.fixture
async def installation(monkeypatch: Patch) -> AsyncIterator[Installation]:
    # Without a look at the developer's own account.
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    installation = Installation()
    async with installation.running(monkeypatch.setenv):
        yield installation


def verdicts(findings: list[Finding], verdict: str) -> set[str]:
    return {finding.check for finding in findings if finding.verdict == verdict}


async def test_all_is_well(installation: Installation) -> None:
    """Everything is ok but what LINE has no way to tell; that says where to look."""
    findings = await examine(installation.environment, SECONDS)
    assert verdicts(findings, "cannot be seen") == UNSEEN
    assert verdicts(findings, "ok") == {check.name for check in CHECKS} - UNSEEN, findings
    assert all("https://" in finding.remedy for finding in findings if finding.check in UNSEEN)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
async def test_each_fault(installation: Installation, fault: Fault) -> None:
    """Exactly the one check is wrong, tells what it saw and what mends it, and no secret is told."""
    fault.breaks(installation)
    seconds = HANGING_SECONDS if fault.name == "LINE hangs" else SECONDS
    findings = await examine(installation.environment, seconds)
    [wrong] = [finding for finding in findings if finding.verdict == "wrong"]
    assert wrong.check == fault.check
    assert fault.seen in wrong.seen
    assert fault.remedy in wrong.remedy
    assert [finding.check for finding in findings] == [check.name for check in CHECKS]
    assert not re.search("|".join((CHANNEL_SECRET, TOKEN, KEY)), str(findings))


async def test_nobody_can_hang_it(installation: Installation) -> None:
    """With every server silent it ends at its deadline, every check told."""
    async with HttpServer(Answer(delay=600)) as silent:
        for name in ("SERVICE_URL", "LINE_API_BASE_URL"):
            installation.environment[name] = silent.url
        findings = await examine(installation.environment, 1.0)
    assert {"function", "LINE"} <= verdicts(findings, "wrong")
    assert [finding.check for finding in findings] == [check.name for check in CHECKS]


async def test_nothing_unexpected_ends_it() -> None:
    """A check that breaks off is a finding, without its words: they may hold a secret."""

    async def odd(_: Shared) -> Outcome:
        raise ValueError("holds " + TOKEN)

    whole = Shared(SECONDS)
    finding = await whole.once(Check("odd", odd))
    assert (finding.check, finding.verdict) == ("odd", "wrong")
    assert "ValueError" in finding.seen
    assert TOKEN not in str(finding)
    after = await whole.once(Check("after", odd, (Check("odd", odd),)))
    assert (after.verdict, after.seen) == ("not checked", "comes after: odd")
    await whole.close()


async def test_the_real_emulator(installation: Installation, firestore_emulator: str, monkeypatch: Patch) -> None:
    """Google's emulator has no settings to look at: that is said, and is no fault."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    installation.environment["FIRESTORE_EMULATOR_HOST"] = firestore_emulator
    findings = await examine(installation.environment, SECONDS)
    assert verdicts(findings, "wrong") == set()
    [database] = [finding for finding in findings if finding.check == "database"]
    assert (database.verdict, "the emulator has no such settings" in database.seen) == ("not checked", True)


async def test_the_command_and_the_real_function(installation: Installation, tmp_path: Path) -> None:
    """A table with remedies, or JSON; the exit status tells whether anything is wrong. Nothing is written anywhere."""
    environment = {**os.environ, **installation.environment, "FUNCTION_USE_ASGI": "true", "LOG_EXECUTION_ID": "false"}
    function = Function(environment, tmp_path / "function.log")
    try:
        await function.start(SERVICE_URL=function.url)
        environment["SERVICE_URL"] = installation.line.channel.url = function.url
        status, out = await command(environment, "doctor", "--json")
        findings = [json.loads(line) for line in out.splitlines()]
        assert status == 0, out
        assert {finding["verdict"] for finding in findings} == {"ok", "cannot be seen"}, out
        installation.line.channel.active = False
        status, out = await command(environment, "doctor")
        assert status == 1
        assert re.search(r"webhook in use +wrong +LINE sends nothing", out)
        assert '> switch on "Use webhook"' in out
    finally:
        await function.kill()
    assert [call for call in installation.line.calls if call.method == "POST" and "test" not in call.path] == []


async def command(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Exit status and standard output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.admin", *arguments), cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.parametrize(
    ("url", "region", "name"),
    [
        ("https://kaiwa-123456789012.asia-northeast1.run.app", "asia-northeast1", "kaiwa"),
        ("https://my-bot-123456789012.us-central1.run.app/path", "us-central1", "my-bot"),
        ("https://asia-northeast1-my-project.cloudfunctions.net/kaiwa-2", "asia-northeast1", "kaiwa-2"),
        ("https://kaiwa-abcdefghij-an.a.run.app", "", "kaiwa"),
        ("https://bot.example.com", "", "kaiwa"),
    ],
)
def test_what_an_address_tells(url: str, region: str, name: str) -> None:
    """Google's addresses name function and region; of others nothing is guessed."""
    assert (region_of(url), name_of(url)) == (region, name)


async def test_commands_are_gclouds(monkeypatch: Patch, tmp_path: Path) -> None:
    """Every gcloud command that a remedy tells is one that gcloud takes."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    commands: set[str] = set()
    for fault in [one for one in FAULTS if "gcloud" in one.remedy]:
        installation = Installation()
        async with installation.running(monkeypatch.setenv):
            fault.breaks(installation)
            findings = await examine(installation.environment, SECONDS)
        commands |= {found for one in findings for found in GCLOUD.findall(one.remedy)}
    assert len(commands) >= 20
    verdicts = await asyncio.to_thread(lint, sorted(commands), tmp_path)
    assert [one for one in verdicts if not one["success"]] == []


def test_what_is_checked_is_what_is_set_up() -> None:
    """The script that deploys makes the same indexes, exemptions and retries that the doctor looks for."""
    script = (ROOT / "bot" / "cloud" / "deploy.sh").read_text()
    found = {(match[1], match[2].strip("'")): match[3] for match in INDEX.finditer(script)}
    assert found == {**SEARCHED, **{(collection, "*"): "--disable-indexes" for collection in COLLECTIONS}}
    assert f"for collection in {' '.join(EXPIRING)}; do" in script
    assert RETRIES in script
