"""`register-webhook`: tell LINE where the function is, have LINE try it, and say what is left to do by hand."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from bot import settings
from bot.adapters.line_channel import LineChannel, Webhook, WebhookTest
from bot.admin.checks.check import Stopped
from bot.admin.checks.google import SIGN_IN
from bot.admin.checks.installation import Installation
from bot.admin.checks.line import CONSOLE, MANAGER, channel, told
from bot.errors import KaiwaError, Misconfigured

HELP = "make this address the channel's webhook, and have LINE test it"
SECONDS = 15.0
TRIES = 3
"""The first may meet a cold start, or reach LINE before its new address does."""
PAUSE_SECONDS = 3.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", type=_url, help="the function's public address, as SERVICE_URL has it; https")


def _url(given: str) -> str:
    """LINE takes https alone; plain http is for a stand-in on this machine."""
    try:
        parts = urlsplit(given)
        is_good = bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        )
    except ValueError:
        is_good = False
    if not is_good:
        raise argparse.ArgumentTypeError("must be an https URL")
    return given


async def run(arguments: argparse.Namespace) -> int:
    return 0 if await register(os.environ, arguments.url) else 1


async def register(environment: Mapping[str, str], url: str, pause: float = PAUSE_SECONDS) -> bool:
    """Whether LINE's test reached the function. `pause`: seconds between tries. Raises KaiwaError or Malformed."""
    installation = Installation(settings.read(environment), environment, SECONDS)
    try:
        line = await installation.once(channel)
        await line.register(url)
        print(f"registered: {url}")
        test = await _tested(line, pause)
        registered = await line.webhook()
    except Stopped as stopped:
        # Without credentials it is stopped by a check that has none itself.
        remedy = stopped.outcome.remedy or SIGN_IN
        raise Misconfigured(f"the access token cannot be read, {stopped.outcome.seen}: {remedy}") from None
    finally:
        await installation.close()
    _report(test, registered)
    return test is not None and test.success


async def _tested(line: LineChannel, pause: float) -> WebhookTest | None:
    """The first success, or the last failure; None when LINE could not be asked."""
    test = None
    for number in range(1, TRIES + 1):
        try:
            test = await line.test_webhook()
            answer = told(test)
        except KaiwaError as failure:
            test, answer = None, str(failure)
        print(f"LINE's test {number} of {TRIES}: {answer}", file=sys.stdout if test and test.success else sys.stderr)
        if (test and test.success) or number == TRIES:
            break
        await asyncio.sleep(pause)
    return test


def _report(test: WebhookTest | None, registered: Webhook | None) -> None:
    """What became of it, and what no program can do."""
    if test is None or not test.success:
        print(_remedy(test), file=sys.stderr)
    print("\nBy hand, once, because LINE has no way for programs:")
    if registered and registered.active:
        print('  [x] "Use webhook" is on')
    else:
        print(f'  [ ] switch on "Use webhook": {CONSOLE}')
    print(f'  [ ] switch on "Webhook redelivery": {CONSOLE}')
    print(f"  [ ] switch off greeting and auto-response messages: {MANAGER} > Response settings")


def _remedy(test: WebhookTest | None) -> str:
    status = test.status if test else 0
    if status == 401:
        return "The function has another channel's secret: add a version of line-channel-secret that is this channel's."
    if status == 503:
        return "The function cannot read its secrets or reach its queue: its log says which."
    if status > 0:
        return "The function answered, but not with 200: its log says why."
    return "LINE's request did not come back: compare the address with SERVICE_URL, and run this again."
