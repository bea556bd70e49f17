"""cloudbuild.yaml: well formed, complete, and a deployment that the function accepts."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot import settings
from tests.deploy import gcloud
from tests.deploy.commands import BUILT_IN, expanded, load

PATH = gcloud.ROOT / "cloudbuild.yaml"
STEPS = ["install", "lint", "types", "test", "hold", "deploy", "release"]
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
    assert done.stdout.split() == [*STEPS, "CLOUD_LOGGING_ONLY"], done.stderr


def test_substitutions_are_all_defined_and_all_used() -> None:
    """A misspelt name would be deployed as it stands, and a forgotten one would do nothing."""
    build = load(PATH)
    used = set(USER_DEFINED.findall(str({**build, "substitutions": {}})))
    assert {name for name in used if name.startswith("_")} == set(build["substitutions"])
    assert {name for name in used if not name.startswith("_")} <= set(BUILT_IN)


def test_nothing_is_deployed_untested() -> None:
    """What CI checks is checked, and the deployment waits for all of it."""
    steps = _steps()
    assert _before(steps, "deploy") == set(STEPS) - {"deploy", "release"}
    assert (steps["lint"]["args"][1:], steps["types"]["args"][1:]) == (["lint"], ["types"])
    assert steps["test"]["args"] == [".ci/run", "install", "tests"]
    ci = (gcloud.ROOT / ".ci/run").read_text()
    assert all(f'step "{name}" ' in ci for name in steps["test"]["args"][1:])


def test_nobody_reaches_what_is_not_tested() -> None:
    """Traffic is held right before the deployment, and released right after it, by the same note of the revision."""
    steps = _steps()
    assert [step["id"] for step in steps.values()][-3:] == ["hold", "deploy", "release"]
    assert (steps["deploy"]["waitFor"], steps["release"]["waitFor"]) == (["hold"], ["deploy"])
    assert not any("allowFailure" in step or "allowExitCodes" in step for step in steps.values())
    assert "--serve-all-traffic-latest-revision" not in _flags()
    hold, release = steps["hold"]["args"], steps["release"]["args"]
    assert (hold[0], release[0]) == ("bot/cloud/hold.sh", "bot/cloud/release.sh")
    assert hold[1:] == release[1:5] == ["${PROJECT_ID}", "${_REGION}", "${_NAME}", "/workspace/.previous"]
    assert f"--update-env-vars=SERVICE_URL={release[5]}" in steps["deploy"]["args"]


def test_the_smoke_test_signs_with_the_secret_that_the_function_reads() -> None:
    """The channel secret is given to the one step that signs, in the version that the function reads."""
    build = load(PATH)
    (secret,) = build["availableSecrets"]["secretManager"]
    name = settings.SECRETS["LINE_CHANNEL_SECRET"]
    assert secret == {
        "versionName": f"projects/${{PROJECT_ID}}/secrets/{name}/versions/latest",
        "env": "LINE_CHANNEL_SECRET",
    }
    assert [step["id"] for step in build["steps"] if "secretEnv" in step] == ["release"]


def test_the_function_starts_with_the_environment_it_is_given() -> None:
    """What the deployment sets is complete: the function reads it as settings, tasks come back to itself."""
    given = settings.read(_environment())
    assert given.tasks_queue == "projects/my-project/locations/asia-northeast1/queues/kaiwa"
    assert given.service_url == "https://kaiwa-123456789012.asia-northeast1.run.app"
    assert given.project == "my-project"
    assert given.model == settings.DEFAULT_MODEL
    assert (given.limits.daily.micro_yen, given.limits.monthly.micro_yen) == (30_000_000, 10_000_000_000)


def test_limits_can_be_taken_away() -> None:
    """An empty substitution is no limit, not a malformed one."""
    none = {"_DAILY_YEN_PER_USER": "", "_MONTHLY_YEN": "", "_MODEL": ""}
    given = settings.read(_environment(none))
    assert given.limits == settings.read({}).limits


def test_further_settings_may_contain_commas(tmp_path: Path) -> None:
    """A list of models goes through, in the way that gcloud has for values with commas."""
    more = {"_ENV": "^;^OPENAI_MODELS=a,b;ENABLE_WEB_SEARCH=true"}
    command = shlex.join(["gcloud", "functions", "deploy", "kaiwa", *_flags(more)])
    (verdict,) = gcloud.lint([command], tmp_path)
    assert verdict["success"], verdict["error_message"]


def test_the_deployment_names_the_function() -> None:
    """The entry point exists, and requests may last longer than a turn of the longest kind."""
    flags = dict(flag.lstrip("-").partition("=")[::2] for flag in _flags())
    deadline = settings.read({}).model_deadline_ms / 1000
    program = ast.parse((gcloud.ROOT / "main.py").read_text())
    assert flags["entry-point"] in {node.name for node in program.body if isinstance(node, ast.AsyncFunctionDef)}
    assert float(flags["timeout"].removesuffix("s")) >= 2 * deadline


def _environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    pairs = [flag.partition("=")[2] for flag in _flags(more) if flag.startswith("--update-env-vars=")]
    return dict(pair.partition("=")[::2] for flag in pairs for pair in flag.split(","))


def _flags(more: Mapping[str, str] | None = None) -> list[str]:
    values = {**BUILT_IN, **load(PATH)["substitutions"], **(more or {})}
    given = [expanded(argument, values) for argument in _steps()["deploy"]["args"]]
    return [argument for argument in given if argument.startswith("--")]


def _steps() -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in load(PATH)["steps"]}


def _before(steps: Mapping[str, Mapping[str, Any]], name: str) -> set[str]:
    waited = {other for other in steps[name].get("waitFor", []) if other != "-"}
    return waited.union(*(_before(steps, other) for other in waited))
