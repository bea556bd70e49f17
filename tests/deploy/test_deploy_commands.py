"""What the deploying scripts would do, as they print it themselves: nothing is started but a shell."""

import os
import shlex
import subprocess
from pathlib import Path

from tests.deploy.commands import load

ROOT = Path(__file__).parents[2]
GCLOUD = """#!/usr/bin/env bash
cat >/dev/null
mark="$SEEN/$(cksum <<<"$*" | tr ' ' -)"
case "$*" in
    "services list"*) exit ;;
    *" list "* | *" list" | *" ttls update "* | *" indexes fields update "*) ;;
    *) exit ;;
esac
[ ! -e "$mark" ] || exit 0
echo "$*" >"$mark"
echo "It is disabled. If you enabled this API recently, wait a few minutes, and retry." >&2
exit 1
"""
TWO = """#!/usr/bin/env bash
case "$*" in
    "services list"*) printf '%s.googleapis.com\\n' cloudfunctions secretmanager logging ;;
    "functions list"*"value(name)"*) printf '%s\\n' $FUNCTIONS ;;
    "secrets list"*) echo openai-api-key ;;
    "logging metrics list"*) echo kaiwa_turns ;;
    *" delete "*) echo "deleted: $*" >&2 ;;
esac
"""
LABEL = "deployed-by=kaiwa,deployed="


def test_what_is_deployed_by_hand_gets_the_traffic() -> None:
    """Also where a failed build, or an operator, has held the traffic at an earlier revision."""
    assert "--serve-all-traffic-latest-revision" in _deployment()


def test_a_build_takes_away_the_mark_of_a_deployment_by_hand() -> None:
    """Else the same files, deployed by hand once more, would be taken for those that are running."""
    steps = load(ROOT / "cloudbuild.yaml")["steps"]
    deploy = next(step for step in steps if step["id"] == "deploy")
    assert f"--update-labels={LABEL}build" in deploy["args"]
    assert any(word.startswith(f"--update-labels={LABEL}") and not word.endswith("=build") for word in _deployment())


def test_what_was_just_enabled_is_waited_for(tmp_path: Path) -> None:
    """Google refuses each first look into a service just enabled, and each first change of the database's fields."""
    seen, gcloud = tmp_path / "seen", tmp_path / "gcloud"
    seen.mkdir()
    gcloud.write_text(GCLOUD)
    gcloud.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SEEN": str(seen),
        "PROJECT": "my-project",
        "PAUSES": "0",
        "RUN": "true",
        "LINE_CHANNEL_SECRET": "0" * 32,
        "LINE_CHANNEL_ACCESS_TOKEN": "token",
        "OPENAI_API_KEY": "key",
    }
    command = ["bash", str(ROOT / "bot/cloud/deploy.sh")]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == 0, done.stderr
    refused = "".join(sorted(mark.read_text() for mark in seen.iterdir()))
    assert refused.count("firestore indexes fields update") == 5
    assert all(service in refused for service in ("functions list", "logging metrics list", "secrets list"))


def test_another_bot_of_the_project_keeps_its_secrets(tmp_path: Path) -> None:
    """Removing one of two leaves what both use; removing the last one takes it away."""
    one, other = (f"projects/my-project/locations/asia-northeast1/functions/{name}" for name in ("trial", "kaiwa"))
    told = _undeployed(tmp_path, f"{one} {other}")
    assert other in told
    assert "deleted: " not in told
    told = _undeployed(tmp_path, one)
    assert "deleted: secrets delete openai-api-key" in told
    assert "deleted: logging metrics delete kaiwa_turns" in told


def _undeployed(folder: Path, functions: str) -> str:
    gcloud = folder / "gcloud"
    gcloud.write_text(TWO)
    gcloud.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "FUNCTIONS": functions, "YES": "1"}
    command = ["bash", str(ROOT / "bot/cloud/undeploy.sh")]
    names = {"PROJECT": "my-project", "NAME": "trial"}
    return subprocess.run(
        command, env={**environment, **names}, capture_output=True, text=True, check=True, timeout=60
    ).stderr


def _deployment() -> list[str]:
    commands = [shlex.split(line) for line in _dry("deploy.sh").splitlines()]
    return next(words for words in commands if words[:3] == ["gcloud", "functions", "deploy"])


def _dry(script: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PROJECT": "my-project"}
    command = ["bash", str(ROOT / "bot/cloud" / script), "--dry-run"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
