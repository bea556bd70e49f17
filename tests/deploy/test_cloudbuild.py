"""cloudbuild.yaml: well formed, complete, and a deployment that the function accepts."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from bot import settings
from tests.deploy import gcloud
from tests.deploy.commands import BUILT_IN, expanded, load

PATH = gcloud.ROOT / "cloudbuild.yaml"
USER_DEFINED = re.compile(r"(?<!\$)\$\{?(_[A-Z0-9_]+|[A-Z][A-Z0-9_]*)\}?")
LOADER = """
import sys
sys.path[:0] = [sys.argv[1] + "/lib", sys.argv[1] + "/lib/third_party"]
from googlecloudsdk.api_lib.cloudbuild import cloudbuild_util, config
build = config.LoadCloudbuildConfigFromPath(sys.argv[2], cloudbuild_util.GetMessagesModule(), params={})
print(*[step.id for step in build.steps], build.options.logging)
"""


def test_the_build_fits_the_published_schema() -> None:
    """No unknown key and no impossible value."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.cloudbuild", str(PATH)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_gcloud_reads_the_build() -> None:
    """gcloud's own loader sees the steps in their order, and where the log goes."""
    python, root = gcloud.run("info", "--format=value(basic.python_location,installation.sdk_root)").split()
    done = subprocess.run(
        [python, "-c", LOADER, root, str(PATH)], capture_output=True, text=True, timeout=60, cwd=Path(root)
    )
    assert done.stdout.split() == ["install", "test", "deploy", "CLOUD_LOGGING_ONLY"], done.stderr


def test_substitutions_are_all_defined_and_all_used() -> None:
    """A misspelt name would be deployed as it stands, and a forgotten one would do nothing."""
    build = load(PATH)
    used = set(USER_DEFINED.findall(str(build["steps"])))
    assert {name for name in used if name.startswith("_")} == set(build["substitutions"])
    assert {name for name in used if not name.startswith("_")} <= set(BUILT_IN)


def test_nothing_is_deployed_untested() -> None:
    """The deployment waits for both the installation and the tests, and the tests are those that CI runs."""
    steps = {step["id"]: step for step in load(PATH)["steps"]}
    assert steps["deploy"]["waitFor"] == ["install", "test"]
    assert steps["test"]["args"] == [".ci/run"]
    assert (gcloud.ROOT / ".ci/run").stat().st_mode & 0o100


def test_the_function_starts_with_the_environment_it_is_given() -> None:
    """What the deployment sets is complete: the function reads it as settings, tasks come back to itself."""
    given = settings.read(_environment())
    assert given.tasks_queue == "projects/my-project/locations/asia-northeast1/queues/kaiwa"
    assert given.service_url == "https://kaiwa-123456789012.asia-northeast1.run.app"
    assert given.project == "my-project"


def test_the_deployment_names_the_function() -> None:
    """The entry point exists, and requests may last longer than a turn of the longest kind."""
    flags = dict(flag.lstrip("-").partition("=")[::2] for flag in _flags())
    deadline = settings.read({}).model_deadline_ms / 1000
    program = ast.parse((gcloud.ROOT / "main.py").read_text())
    assert flags["entry-point"] in {node.name for node in program.body if isinstance(node, ast.AsyncFunctionDef)}
    assert float(flags["timeout"].removesuffix("s")) >= 2 * deadline


def _environment() -> dict[str, str]:
    pairs = [flag.partition("=")[2] for flag in _flags() if flag.startswith("--update-env-vars=")]
    return dict(pair.partition("=")[::2] for flag in pairs for pair in flag.split(","))


def _flags() -> list[str]:
    build = load(PATH)
    (deploy,) = [step for step in build["steps"] if step["id"] == "deploy"]
    return [expanded(argument, {**BUILT_IN, **build["substitutions"]}) for argument in deploy["args"]]
