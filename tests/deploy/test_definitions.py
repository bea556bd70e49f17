"""Metrics, alerts and the dashboard: Google takes them, and what they look for is what the program logs."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from bot import log
from tests.deploy import gcloud
from tests.deploy.commands import in_shell
from tests.pipeline import Pipeline
from tests.webhooks import said

CLOUD = gcloud.ROOT / "bot" / "cloud"
METRICS = sorted((CLOUD / "metrics").iterdir())
ALERTS = sorted((CLOUD / "alerts").iterdir())
DASHBOARD = CLOUD / "dashboard.json"
VALUES = {"@PROJECT@": "my-project", "@NAME@": "kaiwa", "@REGION@": "asia-northeast1", "@QUEUE@": "kaiwa"}

EVENT = re.compile(r'jsonPayload\.event="(\w+)"')
FIELD = re.compile(r"jsonPayload\.(\w+)")
USER_METRIC = re.compile(r"logging\.googleapis\.com/user/(\w+)|logging_googleapis_com:user_(\w+)_sum\b")
CODE = re.compile(r"`([^`]+)`")
LOADER = """
import json, sys
sys.path[:0] = [sys.argv[1] + "/lib", sys.argv[1] + "/lib/third_party"]
from googlecloudsdk.api_lib.util import apis, messages
for api, version, kind, given in json.load(sys.stdin):
    messages.DictToMessageWithErrorCheck(given, getattr(apis.GetMessagesModule(api, version), kind))
    print("taken")
"""


def test_google_takes_every_definition() -> None:
    """gcloud's own classes know every field of every file, and every value's type."""
    given: list[tuple[str, str, str, Any]] = [("logging", "v2", "LogMetric", _metric(path)) for path in METRICS]
    given += [("monitoring", "v3", "AlertPolicy", json.loads(_filled(path))) for path in ALERTS]
    given += [("monitoring", "v1", "Dashboard", json.loads(_filled(DASHBOARD)))]
    done = _load(given)
    assert (done.stdout.split(), len(given)) == (["taken"] * len(given), len(METRICS) + len(ALERTS) + 1), done.stderr


@pytest.mark.parametrize("given", [{"descriptoin": "x"}, {"valueExtractor": 5}, {"metricDescriptor": {"unti": "1"}}])
def test_a_misspelt_definition_is_not_taken(given: dict[str, Any]) -> None:
    """The check above would see an unknown field, at any depth, and a value of a wrong type."""
    done = _load([("logging", "v2", "LogMetric", given)])
    assert done.returncode != 0


@pytest.mark.parametrize("path", METRICS, ids=lambda path: path.stem)
async def test_every_metric_reads_what_the_program_logs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its event exists, and every field that it takes a value or a label from is on that event's line."""
    metric = _metric(path)
    extractors = [metric.get("valueExtractor", ""), *metric.get("labelExtractors", {}).values()]
    wanted = {name for text in (metric["filter"], *extractors) for name in FIELD.findall(text)}
    events = EVENT.findall(metric["filter"]) or ["turn"]  # all errors have an event
    assert metric["name"] == path.stem
    assert (metric["metricDescriptor"]["valueType"] == "DISTRIBUTION") == bool(metric.get("valueExtractor"))
    assert set(metric.get("labelExtractors", {})) == {
        label["key"] for label in metric["metricDescriptor"].get("labels", [])
    }
    for event in events:
        assert wanted <= {"event"} | await _fields(event, capsys), path.name


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
async def test_every_alert_reads_what_the_program_logs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log line that wakes somebody is one that is written, with what the message quotes from it."""
    policy = json.loads(_filled(path))
    (condition,) = policy["conditions"]
    matched = condition.get("conditionMatchedLog")
    if not matched:
        assert 'run_googleapis_com:request_count{monitored_resource="cloud_run_revision"' in str(condition)
        return
    (event,) = EVENT.findall(matched["filter"])
    extracted = matched.get("labelExtractors", {})
    assert {name for value in extracted.values() for name in FIELD.findall(value)} <= await _fields(event, capsys)
    assert set(re.findall(r"\$\{log\.extracted_label\.(\w+)\}", policy["documentation"]["content"])) == set(extracted)
    assert policy["alertStrategy"]["notificationRateLimit"]


def test_somebody_is_told_of_what_only_a_person_can_mend() -> None:
    """Failing requests, messages given up, a model that refuses, and the month's money: nearly used, and used."""
    assert [path.stem for path in ALERTS] == ["budget-low", "budget-used", "dead-letters", "errors", "model-refused"]
    events = [EVENT.findall(path.read_text().replace("\\", "")) for path in ALERTS]
    assert events == [["budget_low"], ["budget_used"], ["dead_letter"], [], ["model_failed"]]


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_every_alert_says_what_to_do_next(path: Path, tmp_path: Path) -> None:
    """Its text names commands, and they are ones that gcloud, the admin command or make have."""
    content = json.loads(_filled(path))["documentation"]["content"]
    code = CODE.findall(content)
    commands = in_shell("\n".join(code), {})
    assert [verdict["error_message"] for verdict in gcloud.lint(commands, tmp_path) if not verdict["success"]] == []
    admin = [shlex.split(text)[3] for text in code if text.startswith("python -m bot.admin ")]
    known = {path.stem.replace("_", "-") for path in (gcloud.ROOT / "bot" / "admin").glob("*.py")}
    targets = {text.split()[1] for text in code if text.startswith("make ")}
    assert admin or commands
    assert set(admin) <= known
    assert all(re.search(rf"^{target}:", (gcloud.ROOT / "Makefile").read_text(), re.MULTILINE) for target in targets)


def test_the_dashboard_shows_every_metric() -> None:
    """None is made that nobody sees, and none is shown that is not made; so are instances, the queue and 5xx."""
    text = DASHBOARD.read_text()
    shown = {first or second for first, second in USER_METRIC.findall(text)}
    assert shown == {path.stem for path in METRICS}
    for other in ("run.googleapis.com/request_count", "run.googleapis.com/container/instance_count"):
        assert other in text
    assert "cloudtasks.googleapis.com/queue/depth" in text


def test_the_dashboards_tiles_lie_side_by_side() -> None:
    """No tile covers another, and none leaves the 48 columns that Google has."""
    dashboard = json.loads(_filled(DASHBOARD))
    cells = [
        (x, y)
        for tile in dashboard["mosaicLayout"]["tiles"]
        for x in range(tile.get("xPos", 0), tile.get("xPos", 0) + tile["width"])
        for y in range(tile.get("yPos", 0), tile.get("yPos", 0) + tile["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < dashboard["mosaicLayout"]["columns"] == 48


def test_definitions_are_of_one_function_alone() -> None:
    """Another program in the project does not mix in: every filter names the service, and nothing is left open."""
    for path in (*METRICS, *ALERTS, DASHBOARD):
        filled = _filled(path)
        assert "@" not in filled, path.name
        assert 'service_name="kaiwa"' in filled.replace("\\", "")
        assert "uptime" not in filled


@cache
def _logged() -> dict[str, set[str]]:
    """Fields by event, out of the sources: where the name is passed on, those of every name in that file."""
    fields: dict[str, set[str]] = {}
    for path in (gcloud.ROOT / "bot").rglob("*.py"):
        if path.name == "log.py":
            continue
        tree = ast.parse(path.read_text())
        names = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & set(get_args(log.EventName))
        for call in _calls(tree):
            given = {keyword.arg for keyword in call.keywords if keyword.arg}
            first = call.args[0]
            for name in [first.value] if isinstance(first, ast.Constant) else names:
                fields.setdefault(str(name), set()).update(given)
    return fields


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "log.event":
            yield node


async def _fields(event: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    if event != "turn":
        return _logged()[event]
    await Pipeline().take(said("hello"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (turn,) = [line for line in lines if line["event"] == "turn"]
    return set(turn)


def _load(given: list[tuple[str, str, str, Any]]) -> "subprocess.CompletedProcess[str]":
    python, root = gcloud.run("info", "--format=value(basic.python_location,installation.sdk_root)").split()
    return subprocess.run(
        [python, "-c", LOADER, root], input=json.dumps(given), capture_output=True, text=True, timeout=60
    )


def _metric(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(_filled(path))
    return loaded


def _filled(path: Path) -> str:
    text = path.read_text()
    for placeholder, value in VALUES.items():
        text = text.replace(placeholder, value)
    return text
