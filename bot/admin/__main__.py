"""`python -m bot.admin COMMAND`: which commands there are, and what becomes of their failures."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from bot import log, settings
from bot.admin import (
    conversations,
    cost,
    dead_letters,
    doctor,
    export,
    forget,
    pause,
    register_webhook,
    replay,
    resume,
    show,
    usage,
)
from bot.app import App
from bot.errors import KaiwaError

INTERRUPTED = 130
"""As shells count it: 128 and the number of the signal."""


class Command(Protocol):
    """A module for each command. `HELP` is one line; `add` adds the arguments; `run` returns the exit status."""

    HELP: str

    def add(self, parser: argparse.ArgumentParser) -> None: ...

    async def run(self, app: App, arguments: argparse.Namespace) -> int: ...


class Outsider(Protocol):
    """A command that looks at the installation from outside, even where no bot could be put together."""

    HELP: str

    def add(self, parser: argparse.ArgumentParser) -> None: ...

    async def run(self, arguments: argparse.Namespace) -> int: ...


OUTSIDERS: Mapping[str, Outsider] = {
    "doctor": doctor,
    "register-webhook": register_webhook,
}
COMMANDS: Mapping[str, Command] = {
    "usage": usage,
    "cost": cost,
    "conversations": conversations,
    "show": show,
    "export": export,
    "forget": forget,
    "pause": pause,
    "resume": resume,
    "dead-letters": dead_letters,
    "replay": replay,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when it did what was asked."""
    asked = _parser().parse_args(arguments)
    try:
        with log.on_stderr():
            status = asyncio.run(_run(asked))
        sys.stdout.flush()
        return status
    except (settings.Malformed, KaiwaError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough; Python must not complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        formatter_class=partial(argparse.HelpFormatter, max_help_position=20),
        prog="python -m bot.admin",
        description="Look after a running Kaiwa. It reads the same environment variables as the function.",
        epilog="`python -m bot.admin COMMAND --help` tells more of each.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    every: Mapping[str, Outsider | Command] = {**OUTSIDERS, **COMMANDS}
    for name, command in every.items():
        command.add(commands.add_parser(name, help=command.HELP, description=f"{command.HELP.capitalize()}."))
    return parser


async def _run(asked: argparse.Namespace) -> int:
    if outsider := OUTSIDERS.get(asked.command):
        return await outsider.run(asked)
    app = App(settings.read(os.environ), os.environ)
    try:
        return await COMMANDS[asked.command].run(app, asked)
    finally:
        await app.close()


if __name__ == "__main__":
    sys.exit(main())
