"""The queue: that it is there, runs, and tries again as often as the bot counts on."""

from typing import Any

from bot.adapters.google_rpc import Refused
from bot.admin.checks.check import Outcome, Stopped, check, ok, skipped, wrong
from bot.admin.checks.google import CLOUD_TASKS, call, explain
from bot.admin.checks.installation import Installation

RUNNING = 1
STATES = {0: "in no state", 1: "running", 2: "paused", 3: "disabled"}
RETRIES = "--max-attempts=50 --max-retry-duration=3600s --min-backoff=2s --max-backoff=30s"
WANTED = {"max-attempts": 50.0, "max-retry-duration": 3600.0, "min-backoff": 2.0, "max-backoff": 30.0}


def location(of: Installation) -> str:
    """Of the queue; empty where there is none in the cloud."""
    parts = of.settings.tasks_queue.split("/")
    return parts[3] if len(parts) == 6 else ""


def _flags(of: Installation) -> str:
    _, project, _, place, _, queue = of.settings.tasks_queue.split("/")
    return f"{queue} --location={place} --project={project}"


async def _queue(of: Installation) -> Any:
    if not location(of):
        raise Stopped(skipped("TASKS_QUEUE names no queue in the cloud"))
    try:
        return await call(of, CLOUD_TASKS, "GetQueue", of.settings.tasks_queue)
    except Refused as refused:
        create = f"gcloud tasks queues create {_flags(of)} {RETRIES}"
        raise Stopped(explain(of, CLOUD_TASKS, refused, of.settings.tasks_queue, create)) from None


@check("queue")
async def queue(of: Installation) -> Outcome:
    state = (await of.once(_queue)).state
    if state != RUNNING:
        return wrong(
            f"it is {STATES.get(state, state)}: no message is answered", f"gcloud tasks queues resume {_flags(of)}"
        )
    return ok(f"{of.settings.tasks_queue} is running")


@check("queue retries", queue)
async def retries(of: Installation) -> Outcome:
    config = (await of.once(_queue)).retry_config
    seconds = (config.max_retry_duration, config.min_backoff, config.max_backoff)
    figures = (float(config.max_attempts), *(one.seconds + one.nanos / 1e9 for one in seconds))
    found = dict(zip(WANTED, figures, strict=True))
    other = [f"{name} is {found[name]:g}, not {wanted:g}" for name, wanted in WANTED.items() if found[name] != wanted]
    if other:
        return wrong("; ".join(other), f"gcloud tasks queues update {_flags(of)} {RETRIES}")
    return ok("50 attempts within an hour, 2 to 30 seconds apart")
