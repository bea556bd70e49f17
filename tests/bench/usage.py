"""What a process group uses of the machine, as Linux tells it."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

CPU_CLOCK = 2
KIB_PER_MIB = 1024


def group(leader: int) -> list[int]:
    """The processes of the group that `leader` began: a server's master and its worker."""
    everybody = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sorted(pid for pid in everybody if _group_of(pid) == leader)


def cpu_seconds(pids: Sequence[int]) -> float:
    """What they have used of the processors so far, in user and system mode, with the threads that have ended.

    To the nanosecond: /proc/PID/stat counts in hundredths, and a start takes only twenty of them.
    Source: clock_getcpuclockid(3), which makes a clock's number of a process's so.
    """
    return sum(time.clock_gettime((~pid << 3) | CPU_CLOCK) for pid in pids)


def pss_mib(pids: Sequence[int]) -> float:
    """Proportional set size in MiB: what they have for themselves, and their part of what is shared."""
    return sum(map(_pss_kib, pids)) / KIB_PER_MIB


def with_argument(argument: str) -> list[int]:
    """The processes that were started with this among their arguments."""
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if argument in _arguments(path)]


def _arguments(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").split("\0")
    except OSError:
        return []


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
