"""The real gcloud, kept from the developer's own account and settings; nothing here reaches the network."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.requirements import missing

ROOT = Path(__file__).parents[2]
SECONDS = 120


def run(*arguments: str) -> str:
    """What `gcloud ARGUMENTS` prints. Skips, or fails in CI, where there is no gcloud."""
    executable = shutil.which("gcloud")
    if executable is None:
        missing("gcloud", "install it: https://docs.cloud.google.com/sdk/docs/install")
    with tempfile.TemporaryDirectory() as configuration:
        environment = {
            **os.environ,
            "CLOUDSDK_CONFIG": configuration,
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        }
        done = subprocess.run(
            [executable, *arguments], env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lint(commands: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """gcloud's own verdict on each command: `success`, `command_string` and `error_message`. `folder` is for a file."""
    listing = folder / "commands.json"
    listing.write_text(json.dumps([{"command_string": command} for command in commands]))
    verdicts: list[dict[str, Any]] = json.loads(run("meta", "lint-gcloud-commands", f"--commands-file={listing}"))
    return verdicts
