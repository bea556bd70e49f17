"""`doctor`: look at everything that a running bot stands on; nothing is changed, nobody is written to."""

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bot import settings
from bot.admin.checks import bucket, configured, firestore, function, google, line, openai, place, queue, secrets
from bot.admin.checks.check import Check, Finding
from bot.admin.checks.installation import Installation
from bot.admin.printing import Column, add_json, positive, show
from bot.bubbles import printable

HELP = "check everything that the bot stands on, and tell what mends it"
SECONDS = 15.0
CHECKS: Sequence[Check] = (
    configured.settings,
    google.credentials,
    secrets.channel_secret,
    secrets.access_token,
    secrets.api_key,
    function.function,
    function.signature,
    line.line,
    line.webhook_address,
    line.webhook_in_use,
    line.webhook_answers,
    line.redelivery,
    line.automatic_replies,
    line.chat_mode,
    line.push_quota,
    openai.openai,
    openai.models_exist,
    openai.prices,
    firestore.database,
    firestore.documents,
    firestore.ttl,
    firestore.indexes,
    firestore.exemptions,
    queue.queue,
    queue.retries,
    place.region,
    place.clock,
    bucket.media_bucket,
)
MALFORMED = "correct the variables that are named, here and where the function is deployed"
COLUMNS = (Column("Check", "check", is_whole=True), Column("Verdict", "verdict", is_whole=True), Column("Seen", "seen"))


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=positive, default=SECONDS, help="how long each check may take (%(default)g)")
    add_json(parser)


async def run(arguments: argparse.Namespace) -> int:
    findings = await examine(os.environ, arguments.seconds)
    rows = [asdict(finding) for finding in findings]
    show(rows, COLUMNS, as_json=arguments.json)
    if not arguments.json:
        _print_remedies(findings)
    return 1 if any(finding.verdict == "wrong" for finding in findings) else 0


async def examine(environment: Mapping[str, str], seconds: float = SECONDS) -> list[Finding]:
    """What every check finds, in their order; they run side by side. `seconds`: how long each may take."""
    try:
        read = settings.read(environment)
    except settings.Malformed as malformed:
        others = [Finding(one.name, "not checked", "comes after: settings") for one in CHECKS[1:]]
        return [Finding(CHECKS[0].name, "wrong", str(malformed), MALFORMED), *others]
    installation = Installation(read, environment, seconds)
    try:
        return list(await asyncio.gather(*(installation.once(check) for check in CHECKS)))
    finally:
        await installation.close()


def _print_remedies(findings: Sequence[Finding]) -> None:
    """Apart from the table, a line each: they are for copying."""
    told = [finding for finding in findings if finding.remedy]
    if told:
        print("\nWhat to do")
    for finding in told:
        print(f"\n{finding.check} ({finding.verdict}):")
        print("\n".join(f"  {printable(one)}" for one in finding.remedy.splitlines()))
    wrong = sum(finding.verdict == "wrong" for finding in findings)
    print(f"\n{wrong} wrong" if wrong else "\nnothing wrong was found")
