"""`resume`: the bot speaks again."""

import argparse

from bot.admin.finding import add_id, find
from bot.admin.pause import set_pause
from bot.app import App, now
from bot.pausing import is_paused

HELP = "let the bot speak again, after `pause`"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = "Let the bot speak again. What was written in the pause is known to its next answer."
    add_id(parser)


async def run(app: App, arguments: argparse.Namespace) -> int:
    found = await find(app, arguments.id)
    if not is_paused(found.state, now()):
        print(f"{found.name}: was not paused")
        return 0
    await set_pause(app, found, 0)
    print(f"{found.name}: the bot speaks again")
    return 0
