"""Where and when: one region for all parts, and the same time here as there."""

from email.utils import parsedate_to_datetime

import aiohttp

from bot.admin.checks.check import LATER, Outcome, Stopped, check, ok, skipped, wrong
from bot.admin.checks.firestore import described
from bot.admin.checks.function import front, region_of
from bot.admin.checks.installation import Installation, Page
from bot.admin.checks.queue import location

MOST_SECONDS = 5.0
MULTI_REGIONS = {"nam5": "us-", "nam7": "us-", "eur3": "europe-"}
"""Which regions a database of several lies near to. Source: https://firebase.google.com/docs/firestore/locations"""


@check("region")
async def region(of: Installation) -> Outcome:
    places = {
        "the function": region_of(of.settings.service_url),
        "the queue": location(of),
        "the database": await _database(of),
    }
    known = {part: place for part, place in places.items() if place}
    seen = ", ".join(f"{part} in {place}" for part, place in known.items())
    if len(known) < 2:
        return skipped(f"only one place is known: {seen}" if seen else "no place is known")
    if not _are_near(list(known.values())):
        return wrong(f"far from each other: {seen}", "make the parts in one region: the database cannot be moved")
    return ok(seen)


async def _database(of: Installation) -> str:
    try:
        return str((await described(of)).location_id)
    except Stopped:
        return ""  # what is wrong with it the check of the database tells


def _are_near(places: list[str]) -> bool:
    regions = {place for place in places if place not in MULTI_REGIONS}
    prefixes = [MULTI_REGIONS[place] for place in places if place in MULTI_REGIONS]
    return len(regions) <= 1 and all(one.startswith(prefix) for one in regions for prefix in prefixes)


@check("clock")
async def clock(of: Installation) -> Outcome:
    found = {name: seconds for name, seconds in [*await _function(of), *await _line(of)] if seconds is not None}
    if not found:
        return skipped("nobody told the time")
    seen = ", ".join(f"{seconds:.0f} s from {name}" for name, seconds in found.items())
    if min(found.values()) > MOST_SECONDS:
        remedy = "set this machine's clock by the network: sudo timedatectl set-ntp true"
        return wrong(f"this machine's clock is off: {seen}", remedy)
    if max(found.values()) > MOST_SECONDS:
        return wrong(f"the clocks there differ: {seen}", LATER)
    return ok(f"this machine's clock is {seen}")


async def _function(of: Installation) -> list[tuple[str, float | None]]:
    try:
        return [("the function's", _off(await front(of)))]
    except Stopped:
        return []


async def _line(of: Installation) -> list[tuple[str, float | None]]:
    try:
        return [("LINE's", _off(await of.get(of.settings.line_api_base_url)))]
    except (aiohttp.ClientError, TimeoutError, OSError):
        return []


def _off(page: Page) -> float | None:
    """Seconds between the clocks, at least: the header has whole seconds, and the way there takes time."""
    try:
        there = parsedate_to_datetime(page.date).timestamp()
    except (TypeError, ValueError):
        return None
    return max(0.0, page.began / 1000 - there - 1, there - page.ended / 1000)
