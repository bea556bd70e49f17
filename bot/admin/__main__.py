"""Arguments and printing of `python -m bot.admin`."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from bot import settings
from bot.admin.dead_letters import Found, dead_letters, replay
from bot.app import App
from bot.errors import KaiwaError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when it did what was asked."""
    asked = _parser().parse_args(arguments)
    try:
        app = App(settings.read(os.environ), os.environ)
        return asyncio.run(_run(app, asked))
    except (settings.Malformed, KaiwaError) as failure:
        print(failure, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot.admin", description="Look after a running Kaiwa.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("dead-letters", help="list messages that could not be answered after all tries")
    listing.add_argument("--text", action="store_true", help="show what was written, too")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    again = commands.add_parser("replay", help="have dead letters answered after all; the answers go by push")
    again.add_argument("turn", nargs="+", help="turns as `dead-letters` lists them, or: all")
    return parser


async def _run(app: App, asked: argparse.Namespace) -> int:
    try:
        return await (_list if asked.command == "dead-letters" else _replay)(app, asked)
    finally:
        await app.close()


async def _list(app: App, asked: argparse.Namespace) -> int:
    count = 0
    async for found in dead_letters(app):
        count += 1
        row = found.row(text=asked.text)
        print(json.dumps(row, ensure_ascii=False) if asked.json else _line(row))
    if not count and not asked.json:
        print("no dead letters")
    return 0


async def _replay(app: App, asked: argparse.Namespace) -> int:
    found = [one async for one in dead_letters(app) if "all" in asked.turn or one.letter.turn_id in asked.turn]
    unknown = set(asked.turn) - {"all"} - {one.letter.turn_id for one in found}
    for turn_id in sorted(unknown):
        print(f"{turn_id}: no such dead letter", file=sys.stderr)
    outcomes = [await _replayed(app, one) for one in found]
    return 0 if all(outcomes) and not unknown else 1


async def _replayed(app: App, found: Found) -> bool:
    try:
        await replay(app, found)
    except KaiwaError as failure:
        print(f"{found.letter.turn_id}: {failure}", file=sys.stderr)
        return False
    print(f"{found.letter.turn_id}: handed over")
    return True


def _line(row: dict[str, object]) -> str:
    at = datetime.fromtimestamp(int(str(row["at"])) / 1000, UTC).isoformat(timespec="seconds")
    text = f"  {row['text']!r}" if "text" in row else ""
    return f"{at}  {row['turn']}  {str(row['conversation'])[:12]}  {row['reason']}{text}"


if __name__ == "__main__":
    sys.exit(main())
