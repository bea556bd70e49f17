"""`make bench`, or `python -m tests.bench`: about ten minutes. Needs Linux, Google's Firestore emulator, and quiet.

QUICK=1     in two or three minutes, to see that everything works; its figures are rough
FULL=1      longer stretches, more rounds and larger stores, in about half an hour
CHECK=1     fail when something is worse than the committed baseline by more than its noise (see baseline.py)
BASELINE=1  keep the figures as the baseline, and the picture for the README

Without BASELINE=1 figures and picture go to .bench/.
"""

import os
import platform
import sys
import time
from pathlib import Path

import pytest

from tests.bench import baseline, plot
from tests.bench.bots import ROOT
from tests.bench.figures import Measured
from tests.bench.run import DEFAULT, FULL, QUICK, run
from tests.bench.table import table

COMMITTED = Path(__file__).parent / "baseline.json"
PICTURE = ROOT / "docs" / "bench.png"
UNTRACKED = ROOT / ".bench"


def main() -> int:
    """The exit status: 1 where something is worse than the baseline."""
    if not Path("/proc/self/smaps_rollup").exists():
        sys.exit("make bench reads /proc, which only Linux has.")
    was = _baseline() if _is_set("CHECK") else None
    began = time.monotonic()
    try:
        measured = run(QUICK if _is_set("QUICK") else FULL if _is_set("FULL") else DEFAULT)
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    _print(measured, time.monotonic() - began)
    _keep(measured)
    return _check(was, measured) if was else 0


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def _baseline() -> Measured:
    try:
        return baseline.read(COMMITTED)
    except (OSError, ValueError, KeyError):
        sys.exit("There is no baseline to check against. Make one with: make bench BASELINE=1")


def _print(measured: Measured, seconds: float) -> None:
    print(table(measured))
    print()
    for note in measured.notes:
        print(note)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    print(f"{machine}, load average now {os.getloadavg()[0]:.1f}; measured in {seconds / 60:.1f} minutes.")


def _keep(measured: Measured) -> None:
    is_baseline = _is_set("BASELINE")
    figures = COMMITTED if is_baseline else UNTRACKED / "figures.json"
    picture = PICTURE if is_baseline else UNTRACKED / "bench.png"
    baseline.write(figures, measured)
    plot.draw(measured, picture)
    print(f"Figures in {figures.relative_to(ROOT)}, plot in {picture.relative_to(ROOT)}.")


def _check(was: Measured, now: Measured) -> int:
    found = baseline.worse(was, now)
    for one in found:
        print(f"WORSE than the baseline: {one}")
    print("Worse than the baseline." if found else "Nothing is worse than the baseline.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
