"""What Google Cloud costs in Tokyo: one table with dates and sources, in USD, with what is free each month.

Tokyo is in Cloud Run's first tier; the functions are billed by request (CPU and memory while one is answered). What is
free each day is counted for the month. Not in the table, because a bot alone stays within what is free: builds (2,500
minutes), its image (0.5 GB), spans and pictures in the project's own bucket. An alert on a metric may cost something
from September 2027 on, as others have read.
"""

from dataclasses import dataclass

SINCE = "2026-11-23"
DAYS = 30

RUN = "https://cloud.google.com/run/pricing"
BOOST = "https://docs.cloud.google.com/run/docs/configuring/services/cpu#startup-boost"
FIRESTORE = "https://cloud.google.com/firestore/pricing"
TASKS = "https://cloud.google.com/tasks/pricing"
SECRETS = "https://cloud.google.com/secret-manager/pricing"
OBSERVABILITY = "https://cloud.google.com/stackdriver/pricing"
NETWORK = "https://cloud.google.com/vpc/network-pricing"


@dataclass(frozen=True, slots=True)
class CloudPrice:
    """USD for one, by the page of `source`; so many are `free` in a month."""

    usd: float
    source: str
    free: float = 0.0

    def cost(self, count: float) -> float:
        """USD for `count` in a month."""
        return max(0.0, count - self.free) * self.usd


CPU_SECOND = CloudPrice(0.000_024, RUN, 180_000)
GIB_SECOND = CloudPrice(0.000_002_5, RUN, 360_000)
REQUEST = CloudPrice(0.40 / 1e6, RUN, 2_000_000)
STEP = 0.1
"""Each stretch of time in which an instance is busy is billed in steps of so many seconds."""
BOOSTED_SECONDS = 10.0
"""So long after its start an instance has more CPU, and more is billed. Source: `BOOST`."""
IDLE_SECONDS = 15 * 60.0
"""So long an instance is kept at the most after its last request, for nothing."""

TASK = CloudPrice(0.40 / 1e6, TASKS, 1_000_000)
"""An operation of 32 KB: to create a task is one, to deliver it another."""

READ = CloudPrice(0.038 / 1e5, FIRESTORE, 50_000 * DAYS)
WRITE = CloudPrice(0.115 / 1e5, FIRESTORE, 20_000 * DAYS)
TTL_DELETE = CloudPrice(0.013 / 1e5, FIRESTORE)
GIB_STORED = CloudPrice(0.115, FIRESTORE, 1)
"""Standard edition, asia-northeast1."""

SECRET_VERSION = CloudPrice(0.06, SECRETS, 6)
SECRET_READ = CloudPrice(0.03 / 1e4, SECRETS, 10_000)

GIB_LOGGED = CloudPrice(0.50, OBSERVABILITY, 50)
METRIC_MIB = CloudPrice(0.258, OBSERVABILITY, 150)

GIB_SENT = CloudPrice(0.12, NETWORK)
"""To the internet by the premium tier. What is free there is free for other destinations."""

PRICES = (
    *(CPU_SECOND, GIB_SECOND, REQUEST, TASK, READ, WRITE, TTL_DELETE, GIB_STORED),
    *(SECRET_VERSION, SECRET_READ, GIB_LOGGED, METRIC_MIB, GIB_SENT),
)


def boosted(cpu: float) -> float:
    """CPUs of a starting instance that has so many later. Source: `BOOST`."""
    return 2.0 if cpu <= 1 else min(2 * cpu, 8.0)
