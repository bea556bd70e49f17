"""`cost`: what a month will cost, before it has begun. An estimate: what was used, `usage` tells."""

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby, product
from typing import Any

from bot import prices
from bot.admin import cloud_prices as cloud
from bot.admin.bill import Bill, Size, bill, month
from bot.admin.measured import MEASURED, Work
from bot.admin.printing import Column, add_json, number, positive, progress, show, whole
from bot.admin.simulation import Setting
from bot.app import App
from bot.errors import Misconfigured

HELP = "estimate what a month costs, for so many users"
USERS, MESSAGES = (100, 1_000, 10_000), 30
CPUS = (0.167, 0.25, 0.333, 0.5, 1.0)
AT_ONCE = 80
"""Requests in an instance with a whole CPU; with less of one there is but one at a time."""
MAX_INSTANCES = DISPATCHES = 60
"""Of a deployment, unless it is told otherwise: instances, and tasks that the queue delivers at a time."""
MEMORY = re.compile(r"(\d+)(Mi|Gi)")
LEAST_GIB = 0.125
GIB: Mapping[float, tuple[float, float]] = {1: (LEAST_GIB, 4), 2: (LEAST_GIB, 8), 4: (2, 16), 6: (4, 24), 8: (4, 32)}
"""The least and the most that Cloud Run gives to so many whole CPUs."""


def seconds(value: float) -> str:
    return f"{value:.2f}"


def cpus(value: float) -> str:
    return f"{value:g}"


SIZE = (
    Column("Users", "users", number, is_number=True),
    Column("Messages each", "messages", number, is_number=True),
)
SETTING = (
    Column("CPU", "cpu", cpus, is_number=True),
    Column("At once", "at_once", number, is_number=True),
)
BILL = (
    Column("Compute", "function", number, is_number=True),
    Column("Store", "database", number, is_number=True),
    Column("Queue", "queue", number, is_number=True),
    Column("Other", "other", number, is_number=True),
    Column("Model", "model", number, is_number=True),
    Column("Total", "total", number, is_number=True),
    Column("Busy", "instances", number, is_number=True),
    Column("p95", "added_p95", seconds, is_number=True),
    Column("p99", "added_p99", seconds, is_number=True),
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"Estimate what a month costs, in yen: Google Cloud in Tokyo at the prices of {cloud.SINCE}, what is free "
        "taken off, and the model at Kaiwa's table of prices. Days with an evening and a minute's rush are simulated "
        "with each setting of the function. Compute: CPU, memory and requests. Store: Firestore. Other: secrets, logs "
        "and network. Busy: instances at the same time. p95, p99: seconds of an answer beside the model's own; 95 or "
        "99 in a hundred take no more. LINE's own plan is not in it."
    )
    parser.add_argument("--users", type=whole, action="append", metavar="N", help="people who write (several times)")
    parser.add_argument(
        "--messages", type=whole, action="append", metavar="N", help="of each in a month (several times; default: 30)"
    )
    parser.add_argument("--cpu", type=positive, action="append", help="of an instance (several times; default: five)")
    parser.add_argument("--memory", type=_gib, default="512Mi", help="of an instance (default: 512Mi)")
    parser.add_argument(
        "--concurrency", type=whole, metavar="N", help="requests at once in an instance (default: 80 with a whole CPU)"
    )
    parser.add_argument("--model", help="what answers (default: OPENAI_MODEL)")
    _add_figures(parser)
    add_json(parser)


def _add_figures(parser: argparse.ArgumentParser) -> None:
    """Whoever has measured better."""
    work = MEASURED
    figures = parser.add_argument_group("figures of a message", "in place of those that were measured or assumed")
    figures.add_argument("--thinking", type=positive, help=f"the model's seconds (default: {work.thinking:g})")
    figures.add_argument("--cpu-ms", type=positive, help=f"of a whole CPU (default: {work.cpu * 1000:g})")
    figures.add_argument(
        "--start-ms", type=positive, help=f"of it, until a new instance answers (default: {work.start_cpu * 1000:g})"
    )
    figures.add_argument("--input-tokens", type=whole, metavar="N", help=f"(default: {work.input_tokens:,})")
    figures.add_argument("--output-tokens", type=whole, metavar="N", help=f"(default: {work.output_tokens:,})")


async def run(app: App, arguments: argparse.Namespace) -> int:
    price = prices.Prices(app.settings.prices).of(arguments.model or app.settings.model)
    sizes = [Size(*one) for one in product(arguments.users or USERS, arguments.messages or [MESSAGES])]
    settings = _settings(arguments)
    bills = _bills(sizes, settings, price, _work(arguments))
    if arguments.json:
        show(_rows(bills), (), as_json=True)
    elif len(settings) == 1:
        show(_rows(bills), (*SIZE, *BILL), as_json=False)
        _print(_warnings(bills))
    else:
        for _, same in groupby(bills, lambda one: (one.users, one.messages)):
            _compare(list(same))
    return 0


def _compare(bills: Sequence[Bill]) -> None:
    """All settings of one size, and in words which is cheapest."""
    print(f"{bills[0].users:,} users with {bills[0].messages:,} messages each, yen a month:\n")
    show(_rows(bills), (*SETTING, *BILL), as_json=False)
    _print([*_cheapest(bills), *_warnings(bills)])


def _rows(bills: Sequence[Bill]) -> list[dict[str, Any]]:
    return [asdict(one) for one in bills]


def _print(sentences: Iterable[str]) -> None:
    if told := " ".join(sentences):
        print(f"\n{told}\n")


def _bills(sizes: Sequence[Size], settings: Sequence[Setting], price: prices.Price, work: Work) -> list[Bill]:
    bills = []
    with progress("Simulating", len(sizes) * len(settings)) as done:
        for size in sizes:
            messages = month(size, work)
            for setting in settings:
                bills.append(bill(messages, setting, price, work))
                done()
    return bills


def _cheapest(bills: Sequence[Bill]) -> Iterator[str]:
    """And what more money buys."""
    in_time = [one for one in bills if one.is_in_time] or bills
    cheapest = min(in_time, key=lambda one: (one.total, one.added_p95, one.added_p50))
    quickest = min(in_time, key=lambda one: (one.added_p95, one.added_p50, one.total))
    yield f"{_setting(cheapest)} is cheapest: {cheapest.google:,} yen beside the model's {cheapest.model:,}."
    if sooner := cheapest.added_p95 - quickest.added_p95:
        yield f"{_setting(quickest)} answers {sooner:.2f} s sooner (p95), for {quickest.google:,} yen."


def _warnings(bills: Sequence[Bill]) -> Iterator[str]:
    if late := dict.fromkeys(_setting(one) for one in bills if not one.is_in_time):
        yield f"LINE gives up waiting at a cold start, and sends again: {', '.join(late)}."
    instances, tasks = max(one.instances for one in bills), max(one.tasks for one in bills)
    wanted = [f"MAX_INSTANCES is {instances}"] if instances > MAX_INSTANCES else []
    if tasks > DISPATCHES:
        wanted.append(f"DISPATCHES is {tasks}")
    if wanted:
        yield f"People wait in the queue at the busiest minute unless {' and '.join(wanted)}."


def _setting(one: Bill) -> str:
    """As `make deploy` takes it."""
    return f"CPU={one.cpu:g} CONCURRENCY={one.at_once}"


def _settings(arguments: argparse.Namespace) -> list[Setting]:
    """Those asked for; else those of the usual ones that Cloud Run takes. Raises Misconfigured."""
    wanted = [Setting(cpu, arguments.memory, _at_once(cpu, arguments)) for cpu in arguments.cpu or CPUS]
    possible = [one for one in wanted if _is_possible(one)]
    if not possible or (arguments.cpu and possible != wanted):
        raise Misconfigured(
            "Cloud Run does not take that: below half a CPU 512Mi is the most, below a whole one 1Gi and one request "
            "at a time; above it CPUs are 2, 4, 6 or 8, and 4 need 2Gi, more 4Gi; memory is 128Mi at least and 4Gi "
            "for each CPU at most. Give other values of --cpu, --memory and --concurrency"
        )
    return possible


def _at_once(cpu: float, arguments: argparse.Namespace) -> int:
    asked: int | None = arguments.concurrency
    return asked if asked and (arguments.cpu or cpu >= 1) else AT_ONCE if cpu >= 1 else 1


def _is_possible(one: Setting) -> bool:
    """Source: https://docs.cloud.google.com/run/docs/configuring/services/cpu"""
    if one.cpu >= 1:
        least, most = GIB.get(one.cpu, (1, 0))
        return least <= one.gib <= most
    return one.cpu >= 0.08 and one.at_once == 1 and LEAST_GIB <= one.gib <= (0.5 if one.cpu < 0.5 else 1)


def _work(arguments: argparse.Namespace) -> Work:
    given: dict[str, Any] = {
        "thinking": arguments.thinking,
        "cpu": arguments.cpu_ms and arguments.cpu_ms / 1000,
        "start_cpu": arguments.start_ms and arguments.start_ms / 1000,
        "output_tokens": arguments.output_tokens,
    }
    if tokens := arguments.input_tokens:
        paid = round(MEASURED.paid_tokens * tokens / MEASURED.input_tokens)
        given |= {"input_tokens": tokens, "paid_tokens": paid}
    return replace(MEASURED, **{name: value for name, value in given.items() if value})


def _gib(text: str) -> float:
    found = MEMORY.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError("write it like 512Mi or 1Gi")
    return int(found[1]) / (1024 if found[2] == "Mi" else 1)
