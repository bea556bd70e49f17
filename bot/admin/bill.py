"""The bill of a month: what was simulated and what is counted, at the table's prices. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from bot import prices
from bot.admin import cloud_prices as cloud
from bot.admin.arrivals import Message, arrivals
from bot.admin.measured import MEASURED, Work
from bot.admin.simulation import Setting, Used, simulate

GIB = 2**30
ENOUGH = 10_000
"""So many messages are simulated, in whole days: beyond that the function's cost changes by a percent or two."""
OPERATIONS = 2
"""Of Cloud Tasks for each task: it is created, and delivered."""
LINE_WAITS = 2.0
"""So many seconds LINE waits for an answer to its request. https://developers.line.biz/en/docs/messaging-api/"""


@dataclass(frozen=True, slots=True)
class Size:
    """`messages`: of each user in a month."""

    users: int
    messages: int

    @property
    def total(self) -> int:
        return self.users * self.messages


@dataclass(frozen=True, slots=True)
class Bill:
    """Yen in a month, each rounded up; `other`: secrets, logs with their metrics, and network.

    `instances`, `tasks`: so many were busy together; `starts`: of instances in a day; `added_...`: seconds of an
    answer beyond the model's own; `line_longest`: seconds that LINE waited for an answer to its request.
    """

    users: int
    messages: int
    cpu: float
    gib: float
    at_once: int
    function: int
    database: int
    queue: int
    secrets: int
    logs: int
    network: int
    other: int
    model: int
    total: int
    instances: int
    tasks: int
    starts: float
    added_p50: float
    added_p95: float
    added_p99: float
    line_longest: float

    @property
    def google(self) -> int:
        return self.total - self.model

    @property
    def is_in_time(self) -> bool:
        """Whether LINE never had to wait longer than it does."""
        return self.line_longest <= LINE_WAITS


@dataclass(frozen=True, slots=True)
class Month:
    """The messages of some days of it; `share`: what part of the month they are."""

    size: Size
    days: int
    messages: Sequence[Message]

    @property
    def share(self) -> float:
        return len(self.messages) / self.size.total


def month(size: Size, work: Work = MEASURED) -> Month:
    """As many days as make `ENOUGH` messages, the same for every setting."""
    days = min(cloud.DAYS, ceil(ENOUGH / size.total * cloud.DAYS))
    count = round(size.total * days / cloud.DAYS)
    return Month(size, days, arrivals(count, days, round(size.users * work.burst_part), work))


def bill(month: Month, setting: Setting, price: prices.Price, work: Work = MEASURED) -> Bill:
    """What the month comes to with this setting."""
    size, used = month.size, simulate(month.messages, setting, work)
    function, database, queue = map(_yen, (_function(used, month), _database(size, work), _queue(size, work)))
    secrets, logs, network = map(_yen, (_secrets(used, month, work), _logs(size, work), _network(size, work)))
    model = ceil(_model(size, price, work) / 1e6)
    return Bill(
        users=size.users,
        messages=size.messages,
        cpu=setting.cpu,
        gib=setting.gib,
        at_once=setting.at_once,
        function=function,
        database=database,
        queue=queue,
        secrets=secrets,
        logs=logs,
        network=network,
        other=secrets + logs + network,
        model=model,
        total=function + database + queue + secrets + logs + network + model,
        instances=used.peak,
        tasks=used.tasks,
        starts=round(used.starts / month.days, 1),
        added_p50=_percentile(used.added, 50),
        added_p95=_percentile(used.added, 95),
        added_p99=_percentile(used.added, 99),
        line_longest=round(max(used.line), 2),
    )


def _function(used: Used, month: Month) -> float:
    cpu, gib, requests = (count / month.share for count in (used.cpu_seconds, used.gib_seconds, used.requests))
    return cloud.CPU_SECOND.cost(cpu) + cloud.GIB_SECOND.cost(gib) + cloud.REQUEST.cost(requests)


def _database(size: Size, work: Work) -> float:
    batches = size.total * work.archived
    stored = (size.users * work.conversation_bytes + batches * work.archive_months * work.archive_bytes) / GIB
    asked = cloud.READ.cost(size.total * work.reads) + cloud.WRITE.cost(size.total * work.writes)
    return asked + cloud.TTL_DELETE.cost(batches) + cloud.GIB_STORED.cost(stored)


def _queue(size: Size, work: Work) -> float:
    return cloud.TASK.cost(OPERATIONS * work.tasks * size.total)


def _secrets(used: Used, month: Month, work: Work) -> float:
    return cloud.SECRET_VERSION.cost(work.secrets) + cloud.SECRET_READ.cost(used.secret_reads / month.share)


def _logs(size: Size, work: Work) -> float:
    return cloud.GIB_LOGGED.cost(size.total * work.log_bytes / GIB) + cloud.METRIC_MIB.cost(work.metrics_mib)


def _network(size: Size, work: Work) -> float:
    return cloud.GIB_SENT.cost(size.total * work.sent_bytes / GIB)


def _model(size: Size, price: prices.Price, work: Work) -> float:
    """Millionths of a yen. What is not found in the cache is written into it, which costs something too."""
    usage = work.tokens
    each = prices.cost(price, usage, written=usage.input_tokens - usage.cached_tokens)
    return each * work.model_calls * size.total


def _yen(usd: float) -> int:
    return ceil(round(usd * prices.YEN_PER_USD, 6))


def _percentile(seconds: Sequence[float], percent: float) -> float:
    ordered = sorted(seconds)
    return round(ordered[max(0, ceil(len(ordered) * percent / 100) - 1)], 2)
