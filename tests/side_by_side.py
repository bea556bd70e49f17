"""Which tests `make test` runs one after the other in the same process, where it has several (pytest-xdist).

By file, as a rule. Tests that start processes take longest: those that can each run anywhere do, and those that share
something dear, like a world or the plays of `tried`, stay together.
"""

from xdist.scheduler import LoadScopeScheduling

MODES = ("queue", "inline")
ANYWHERE = (
    *(f"tests/faults/test_{name}.py" for name in ("abuse", "crashes", "duplicates", "endurance", "gate", "kills")),
    "tests/faults/test_secrets.py",
)
TOGETHER = {
    "tests/faults/test_firestore.py": "tests/faults: tried",
    "tests/faults/test_line.py": "tests/faults: tried",
}


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]  # comes without types
    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The name of the group that a test belongs to; a group has one way of working, because to change it takes time."""
    path, _, name = nodeid.partition("::")
    if path in ANYWHERE:
        return nodeid
    parameters = name.partition("[")[2].removesuffix("]").split("-")
    return " ".join([TOGETHER.get(path, path), *(mode for mode in MODES if mode in parameters)])
