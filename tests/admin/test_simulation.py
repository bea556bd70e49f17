"""What Cloud Run bills, against figures reckoned by hand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.admin import cloud_prices as cloud
from bot.admin.arrivals import Message, arrivals
from bot.admin.measured import MEASURED, Work
from bot.admin.simulation import Setting, Used, simulate

ROUND = replace(
    MEASURED,
    cpu=0.4,
    intake_part=0.5,
    start_cpu=1.0,
    load_cpu=2.0,
    intake_wait=0.1,
    dispatch=0.05,
    task_wait=0.3,
    placing=0.5,
)
"""Figures that can be added up in one's head: 0.2 s of CPU for each of the two requests."""
HALF = Setting(cpu=0.5, gib=0.5, at_once=1)
WHOLE = Setting(cpu=1.0, gib=0.5, at_once=80)
STARTING = 1.0 + cloud.BOOSTED_SECONDS


def used(times: Sequence[float], setting: Setting, work: Work = ROUND) -> Used:
    return simulate([Message(at, 3.0) for at in times], setting, work)


def test_a_message_that_finds_nobody() -> None:
    """A new instance, billed with two CPUs from its start until ten seconds after it; the answer is in that time."""
    alone = used([0.0], HALF)
    assert (alone.requests, alone.starts, alone.peak) == (2, 1, 1)
    assert alone.cpu_seconds == pytest.approx(2 * STARTING)
    assert alone.gib_seconds == pytest.approx(0.5 * STARTING)
    assert alone.line == pytest.approx([0.5 + 1.0 + 0.2 + 0.1])
    assert alone.added == pytest.approx([0.5 + 1.0 + 0.2 + 0.1 + 0.05 + 2.0 + 0.2 + 0.3])


def test_a_message_that_finds_it_warm() -> None:
    """Half a CPU takes twice as long for the same work, and is billed while the model thinks."""
    cold, warm = used([0.0], HALF), used([0.0, 60.0], HALF)
    assert warm.starts == 1
    assert warm.line[1] == pytest.approx(0.4 + 0.1)
    assert warm.added[1] == pytest.approx(0.5 + 0.05 + 0.4 + 0.3)
    assert warm.cpu_seconds - cold.cpu_seconds == pytest.approx(0.5 * (0.5 + 3.7))
    assert warm.gib_seconds - cold.gib_seconds == pytest.approx(0.5 * (0.5 + 3.7))


def test_time_is_billed_in_tenths_of_a_second() -> None:
    """Each stretch is rounded up; what is a tenth on paper is no more in binary."""
    work = replace(ROUND, intake_wait=0.11, task_wait=0.7)
    cold, warm = used([0.0], HALF, work), used([0.0, 60.0], HALF, work)
    assert warm.cpu_seconds - cold.cpu_seconds == pytest.approx(0.5 * (0.6 + 4.1))


@pytest.mark.parametrize(("pause", "starts"), [(905.0, 1), (910.0, 2)])
def test_an_instance_goes_after_a_quarter_of_an_hour(pause: float, starts: int) -> None:
    """After its last work, here at 7.35 s. It is kept for nothing meanwhile."""
    assert used([0.0, pause], HALF).starts == starts


def test_a_whole_cpu_is_billed_once_for_all_who_write_at_once() -> None:
    """Eighty people cost what one does, where all is waiting; one at a time they cost eighty times as much."""
    idle = replace(ROUND, cpu=0.0, load_cpu=0.0, dispatch=0.0)
    one, crowd = used([0.0, 60.0], WHOLE, idle), used([0.0] + [60.0] * 80, WHOLE, idle)
    assert (crowd.starts, crowd.peak) == (1, 1)
    assert crowd.cpu_seconds == pytest.approx(one.cpu_seconds)
    apart = used([0.0] + [60.0] * 80, HALF, idle)
    assert (apart.starts, apart.peak) == (80, 80)
    assert apart.gib_seconds == pytest.approx(80 * 0.5 * STARTING + 0.5 * 3.4)  # the first is no longer boosted


def test_tasks_under_way_together() -> None:
    """What the queue has to deliver at a time: of those who write at once, not of those who write after them."""
    assert used([0.0, 60.0, 60.1, 120.0, 120.1, 120.2, 180.0], WHOLE).tasks == 3


@pytest.mark.parametrize(("crowd", "starts"), [(80, 1), (81, 2), (160, 2), (161, 3)])
def test_more_than_eighty_need_another(crowd: int, starts: int) -> None:
    """At once are at once, also in an instance that has answered before."""
    idle = replace(ROUND, cpu=0.0, load_cpu=0.0)
    assert used([0.0] + [60.0] * crowd, WHOLE, idle).starts == starts


def test_requests_share_a_cpu() -> None:
    """One after the other: the second waits for the first one's work."""
    both = used([0.0, 60.0, 60.0], WHOLE)
    assert both.line[1:] == pytest.approx([0.2 + 0.1, 0.4 + 0.1])


def test_secrets_are_read_again_after_ten_minutes() -> None:
    """By whoever takes a request then: three of them."""
    assert used([0.0, 300.0], HALF).secret_reads == 3
    assert used([0.0, 300.0, 700.0], HALF).secret_reads == 6


def test_a_larger_cpu_is_boosted_to_more() -> None:
    """Two become four, and eight are the most; one thread of Python is no faster for it."""
    assert [cloud.boosted(cpu) for cpu in (0.08, 1, 2, 4, 8)] == [2, 2, 4, 8, 8]
    assert used([0.0], Setting(2, 0.5, 80)).line == used([0.0], WHOLE).line


def test_nothing_is_lost_in_a_busy_day() -> None:
    """Each message is two requests and one answer, whatever the setting."""
    messages = arrivals(2_000, 1, 500, MEASURED)
    for setting in (HALF, WHOLE):
        day = simulate(messages, setting, MEASURED)
        assert (day.requests, len(day.line), len(day.added)) == (4_000, 2_000, 2_000)
        assert min(day.added) > 0
