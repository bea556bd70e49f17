"""`export`: a whole conversation, as the person's own /export gives it."""

import argparse
import os
import sys
from math import inf
from pathlib import Path

from bot import export
from bot.admin.finding import NotFound, add_id, find
from bot.app import App, now
from bot.errors import Misconfigured

HELP = "write out a whole conversation, as its own /export does"


def add(parser: argparse.ArgumentParser) -> None:
    add_id(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="for people, or for programs")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to; only you may read it (default: here)")


async def run(app: App, arguments: argparse.Namespace) -> int:
    found = await find(app, arguments.id)
    exported = await export.read(await app.store(), found.id, found.state.generation, now, inf)
    if exported is None:
        raise NotFound(f"{found.name} is erased or expired: nothing is left to write out")
    content = export.as_json(exported) if arguments.format == "json" else export.as_text(exported)
    if arguments.output is None:
        sys.stdout.write(content)
    else:
        _write(arguments.output, content)
        print(f"{found.name}: {len(exported.turns)} turns written to {arguments.output}")
    return 0


def _write(path: Path, content: str) -> None:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written ({error.strerror}): name another --output") from None
