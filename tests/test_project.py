"""Rules of the project's shape that no linter knows."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted([ROOT / "main.py", *(ROOT / "bot").rglob("*.py")])
CORE = [path for path in MODULES if path.parent == ROOT / "bot"]
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*(; sys_platform .*)?")
GOOGLE = (
    "google.api_core",
    "google.auth",
    *(f"google.cloud.{name}" for name in ("firestore", "secretmanager", "tasks")),
)
HEAVY = (*GOOGLE, "grpc", "linebot", "markdown_it", "openai", "opentelemetry", "rich")
PURE = ("markdown_it",)
"""What the core may import beside the standard library, inside functions: it knows neither network nor clock."""


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-admin.txt", "requirements-dev.txt", "requirements-tracing.txt"]
)
def test_every_package_is_pinned_exactly(name: str) -> None:
    """Two installations, or two deployments, can never differ."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    packages = [line for line in lines if line and not line.startswith("-r requirements")]
    assert packages
    assert [line for line in packages if not PIN.fullmatch(line)] == []


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_needs_the_standard_library_alone(path: Path) -> None:
    """Only adapters know SDKs, and only app.py and wiring.py know adapters; the simulator is known to nobody."""
    known = {*sys.stdlib_module_names, "bot", *PURE}
    outside = [name for name in _imports(path) if name.partition(".")[0] not in known]
    adapters = [name for name in _imports(path) if name.startswith("bot.adapters")]
    assert outside == []
    assert [name for name in _imports(path) if name.startswith("bot.local")] == []
    assert adapters == [] or path.name in ("app.py", "wiring.py")


def test_nothing_deployed_knows_the_sdk_of_line() -> None:
    """It is slow to import and there to judge: only the stand-in for LINE asks it."""
    knows = [path for path in MODULES if any(name.startswith(("linebot", "pydantic.v1")) for name in _imports(path))]
    assert [str(path.relative_to(ROOT)) for path in knows] == ["bot/local/sdk.py"]


def test_the_entry_point_knows_the_framework_and_the_app() -> None:
    """main.py translates HTTP and does nothing else."""
    known = {name.partition(".")[0] for name in _imports(ROOT / "main.py")} - set(sys.stdlib_module_names)
    assert known == {"bot", "functions_framework", "starlette"}


def test_a_request_can_be_answered_before_anything_heavy_is_loaded() -> None:
    """LINE gives up after two seconds: no SDK is imported by the entry point or by any module of the core."""
    names = ["main", *(f"bot.{path.stem}" for path in CORE if path.stem != "__init__")]
    code = f"import sys, {', '.join(names)}; print(*[name for name in sys.modules if name.startswith({HEAVY})])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PATH": os.defpath}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_every_test_states_its_promise() -> None:
    """A test's docstring says what a user, an operator or a colleague can count on."""
    tests = [
        (path, node)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert tests
    assert [f"{path.relative_to(ROOT)}: {node.name}" for path, node in tests if not ast.get_docstring(node)] == []


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
