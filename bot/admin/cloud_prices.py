"""What Google Cloud costs in Tokyo: one table with its dates and sources, in USD, with what is free each month.

Sources: https://cloud.google.com/run/pricing (Tier 1, billed by request), https://cloud.google.com/firestore/pricing
(Standard edition, asia-northeast1) and https://cloud.google.com/tasks/pricing, read on 2026-11-22.
"""

from dataclasses import dataclass

SINCE = "2026-11-22"
DAYS = 30


@dataclass(frozen=True, slots=True)
class CloudPrice:
    """USD for one; so many are `free` in a month."""

    usd: float
    free: float = 0.0

    def cost(self, count: float) -> float:
        """USD for `count` in a month."""
        return max(0.0, count - self.free) * self.usd


CPU_SECOND = CloudPrice(0.000_024, 180_000)
GIB_SECOND = CloudPrice(0.000_002_5, 360_000)
REQUEST = CloudPrice(0.40 / 1e6, 2_000_000)
STEP = 0.1
"""Requests are billed in steps of so many seconds."""

TASK = CloudPrice(0.40 / 1e6, 1_000_000)
"""An operation of 32 KB: to create a task is one, to deliver it another."""

READ = CloudPrice(0.038 / 1e5, 50_000 * DAYS)
WRITE = CloudPrice(0.115 / 1e5, 20_000 * DAYS)
TTL_DELETE = CloudPrice(0.013 / 1e5)
GIB_STORED = CloudPrice(0.115, 1)
