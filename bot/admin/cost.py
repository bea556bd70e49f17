"""`cost`: what a month will cost, before it has begun. An estimate: what was used, `usage` tells."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from bot import prices
from bot.admin import cloud_prices as cloud
from bot.admin.printing import Column, add_json, number, show, whole
from bot.app import App
from bot.conversation import Usage

HELP = "estimate what a month costs, for so many users"
USERS = (100, 1_000, 10_000)
MEMORY = re.compile(r"(\d+)(Mi|Gi)")

TAKING_IN, TURN = 0.012, 0.035
"""Seconds of a whole CPU for LINE's request, and for the task that answers. Measured."""
AROUND = 0.15
"""Seconds that each request waits for Google's and LINE's services. Estimated."""
THINKING = 3.0
"""Seconds until the model has answered, by default."""
READS, WRITES, ARCHIVED = 2, 3, 0.05
"""For each message: taken in, claimed, settled; a batch is archived for every twentieth."""
TOKENS = Usage(input_tokens=2_000, cached_tokens=1_000, output_tokens=300)
"""Of an ordinary answer."""
CONVERSATION_BYTES, BATCH_BYTES, KEPT_MONTHS = 16_000, 28_000, 3


@dataclass(frozen=True, slots=True)
class Plan:
    """`messages`: of each user in a month; `cpu` in CPUs, `gib` of memory; `thinking`: the model's seconds."""

    users: int
    messages: int
    cpu: float = 0.333
    gib: float = 0.5
    thinking: float = THINKING
    tokens: Usage = TOKENS

    @property
    def answers(self) -> int:
        return self.users * self.messages


@dataclass(frozen=True, slots=True)
class Estimate:
    """Yen in a month, rounded up; `users` and `messages` as they were asked for."""

    users: int
    messages: int
    function: int
    database: int
    queue: int
    model: int
    total: int


def estimate(plan: Plan, price: prices.Price) -> Estimate:
    """What `plan` comes to. Requests that overlap in one instance are cheaper than this; few do at such sizes."""
    function, database, queue = (_yen(usd) for usd in (_function(plan), _database(plan), _queue(plan)))
    model = ceil(prices.cost(price, plan.tokens) * plan.answers / 1e6)
    total = function + database + queue + model
    return Estimate(plan.users, plan.messages, function, database, queue, model, total)


def _function(plan: Plan) -> float:
    seconds = plan.answers * (
        _billed(AROUND + TAKING_IN / min(plan.cpu, 1)) + _billed(AROUND + TURN / min(plan.cpu, 1) + plan.thinking)
    )
    run = cloud.CPU_SECOND.cost(seconds * plan.cpu) + cloud.GIB_SECOND.cost(seconds * plan.gib)
    return run + cloud.REQUEST.cost(2 * plan.answers)


def _billed(seconds: float) -> float:
    return ceil(round(seconds / cloud.STEP, 6)) * cloud.STEP


def _database(plan: Plan) -> float:
    batches = plan.answers * ARCHIVED
    stored = (plan.users * CONVERSATION_BYTES + batches * KEPT_MONTHS * BATCH_BYTES) / 2**30
    asked = cloud.READ.cost(plan.answers * READS) + cloud.WRITE.cost(plan.answers * WRITES + batches)
    return asked + cloud.TTL_DELETE.cost(batches) + cloud.GIB_STORED.cost(stored)


def _queue(plan: Plan) -> float:
    return cloud.TASK.cost(2 * plan.answers)


def _yen(usd: float) -> int:
    return ceil(round(usd * prices.YEN_PER_USD, 6))


COLUMNS = (
    Column("Users", "users", number, is_number=True),
    Column("Messages each", "messages", number, is_number=True),
    Column("Function", "function", number, is_number=True),
    Column("Firestore", "database", number, is_number=True),
    Column("Queue", "queue", number, is_number=True),
    Column("Model", "model", number, is_number=True),
    Column("Yen a month", "total", number, is_number=True),
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"Estimate what a month costs, in yen: Google Cloud in Tokyo at the prices of {cloud.SINCE}, what is free "
        "taken off, and the model at Kaiwa's table of prices. LINE's own plan is not in it."
    )
    parser.add_argument("--users", type=whole, action="append", metavar="N", help="people who write (several times)")
    parser.add_argument("--messages", type=whole, default=30, metavar="N", help="of each in a month (default: 30)")
    parser.add_argument("--cpu", type=float, default=0.333, help="of an instance (default: 0.333)")
    parser.add_argument("--memory", type=_gib, default="512Mi", help="of an instance (default: 512Mi)")
    parser.add_argument("--model", help="what answers (default: OPENAI_MODEL)")
    parser.add_argument("--thinking", type=float, default=THINKING, help="the model's seconds (default: 3)")
    add_json(parser)


async def run(app: App, arguments: argparse.Namespace) -> int:
    price = prices.Prices(app.settings.prices).of(arguments.model or app.settings.model)
    plans = [
        Plan(users, arguments.messages, arguments.cpu, arguments.memory, arguments.thinking)
        for users in arguments.users or USERS
    ]
    show(_rows([estimate(plan, price) for plan in plans]), COLUMNS, as_json=arguments.json)
    return 0


def _rows(estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    return [asdict(one) for one in estimates]


def _gib(text: str) -> float:
    found = MEMORY.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError("write it like 512Mi or 1Gi")
    return int(found[1]) / (1024 if found[2] == "Mi" else 1)
