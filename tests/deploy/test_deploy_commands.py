"""What the deploying scripts would do, as they print it themselves: nothing is started but a shell."""

import os
import shlex
import subprocess
from pathlib import Path

from tests.deploy.commands import load

ROOT = Path(__file__).parents[2]
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


def _deployment() -> list[str]:
    commands = [shlex.split(line) for line in _dry("deploy.sh").splitlines()]
    return next(words for words in commands if words[:3] == ["gcloud", "functions", "deploy"])


def _dry(script: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PROJECT": "my-project"}
    command = ["bash", str(ROOT / "bot/cloud" / script), "--dry-run"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
