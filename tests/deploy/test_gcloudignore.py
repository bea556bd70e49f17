"""A deployment takes the runtime along, and nothing else."""

import shutil
from pathlib import Path

from tests.deploy import gcloud

LITTER = [
    ".env",
    ".git/config",
    ".venv/lib/site.py",
    "bot/__pycache__/turn.cpython-313.pyc",
    "bot/chats.sqlite",
    "bot/cloud/.previous",
    "bot/chats.sqlite-wal",
    "chats.sqlite",
    "notes/bot/draft.py",
    "tests/bot/copy.py",
]
"""What may lie about in a developer's folder."""


def test_exactly_the_runtime_is_uploaded(tmp_path: Path) -> None:
    """main.py, requirements.txt and bot/ go up, without the simulator, the operator's command and what sets it up."""
    folder = _working_folder(tmp_path / "kaiwa")
    modules = {str(path.relative_to(gcloud.ROOT)) for path in (gcloud.ROOT / "bot").rglob("*.py")}
    kept = {path for path in modules if path.startswith(("bot/local/", "bot/admin/", "bot/cloud/"))}

    uploaded = set(gcloud.run("meta", "list-files-for-upload", str(folder)).split("\n")) - {""}

    assert {path.split("/")[1] for path in kept} == {"local", "admin", "cloud"}
    assert uploaded == {"main.py", "requirements.txt", *(modules - kept)}


def _working_folder(folder: Path) -> Path:
    """A copy of the project as a developer's folder looks, litter included."""
    unwanted = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__")
    shutil.copytree(gcloud.ROOT, folder, ignore=unwanted)
    for name in LITTER:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder
