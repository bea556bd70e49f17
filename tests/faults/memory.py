"""How much memory the running function has for itself: the anonymous part of the proportional set size of all its
processes. What it shares of libraries depends on who else has them open.
"""

import os
from pathlib import Path

import pytest

from tests.function import Function

KIB_PER_MIB = 1024


def mebibytes(function: Function) -> float:
    """PSS of the function's process group, in MiB. Skips the test where the system does not tell."""
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("needs /proc/*/smaps_rollup, which only Linux has")
    group = processes(function)
    assert group
    return sum(map(_pss, group)) / KIB_PER_MIB


def processes(function: Function) -> list[int]:
    """The ids of its master and its worker."""
    assert function.process is not None
    everybody = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in everybody if _group_of(pid) == function.process.pid]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
