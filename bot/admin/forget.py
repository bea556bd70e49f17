"""`forget`: erase what a person has ever written here, when they ask the operator for it."""

import argparse
import signal
import sys

from bot.admin.conversations import type_of
from bot.admin.finding import Found, NotFound, add_id, find
from bot.admin.printing import progress
from bot.app import App
from bot.errors import KaiwaError, Misconfigured

HELP = "erase conversations for good, with their archives and pictures, as /forget does"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Erase conversations for good, with their archives and pictures, as /forget does; also what has expired or "
        "cannot be read any more. A mark without any content stays for a day, so that late copies of old messages are "
        "not answered. Pictures are found only if MEDIA_BUCKET is set as for the function. Backups of the database, "
        "if you make any, keep what was in them."
    )
    add_id(parser, many=True)
    parser.add_argument("--yes", action="store_true", help="do not ask")


async def run(app: App, arguments: argparse.Namespace) -> int:
    found, is_complete = await _found(app, arguments.id)
    if not found or not (arguments.yes or _is_confirmed(found)):
        return 1
    outcomes = []
    with progress("Erasing", len(found)) as advance:
        for one in found:
            outcomes.append(await _forgotten(app, one))
            advance()
    return 0 if all(outcomes) and is_complete else 1


async def _found(app: App, named: list[str]) -> tuple[list[Found], bool]:
    """Each once, and whether all were found; what was not is said."""
    found: dict[str, Found] = {}
    missing = 0
    for name in dict.fromkeys(named):
        try:
            one = await find(app, name)
            found[one.id] = one
        except NotFound as unknown:
            missing += 1
            print(unknown, file=sys.stderr)
    return list(found.values()), not missing


def _is_confirmed(found: list[Found]) -> bool:
    if not sys.stdin.isatty():
        raise Misconfigured("nothing was erased: give --yes where nobody can be asked")
    for one in found:
        state = one.state
        print(f"{one.name}  {type_of(state)}, {len(state.turns)} turns and {state.archived} batches in the archive")
    if _asked(f"Erase {'this' if len(found) == 1 else f'these {len(found)}'} for good? Type yes: ") == "yes":
        return True
    print("nothing was erased")
    return False


def _asked(question: str) -> str:
    # The event loop's own handler of Ctrl-C would wait until the line is typed.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(question).strip().lower()
    except EOFError:
        return ""
    finally:
        signal.signal(signal.SIGINT, before)


async def _forgotten(app: App, found: Found) -> bool:
    try:
        await app.forget(found.id)
    except KaiwaError as failure:
        print(f"{found.name}: not all is erased, repeat this command: {failure}", file=sys.stderr)
        return False
    print(f"{found.name}: erased")
    return True
