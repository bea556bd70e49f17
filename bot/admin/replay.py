"""`replay`: have dead letters answered after all, in the way of the button under the apology."""

import argparse
import sys

from bot.admin.dead_letters import Found, dead_letters
from bot.admin.printing import progress, short
from bot.admin.sending import NotTaken, event, send
from bot.app import App, now
from bot.errors import KaiwaError
from bot.gate import TASK, WEBHOOK
from bot.pausing import is_paused

HELP = "have dead letters answered after all; the answers go by push"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("turn", nargs="+", help="turns as `dead-letters` lists them, or: all")


async def run(app: App, arguments: argparse.Namespace) -> int:
    turns = set(arguments.turn)
    found = [one async for one in dead_letters(app) if "all" in turns or one.letter.turn_id in turns]
    unknown = turns - {"all"} - {one.letter.turn_id for one in found}
    for turn_id in sorted(unknown):
        print(f"{turn_id}: no such dead letter", file=sys.stderr)
    outcomes = []
    with progress("Replaying", len(found)) as advance:
        for one in found:
            outcomes.append(await _replayed(app, one))
            advance()
    return 0 if all(outcomes) and not unknown else 1


async def _replayed(app: App, found: Found) -> bool:
    try:
        await replay(app, found)
    except KaiwaError as failure:
        print(f"{found.letter.turn_id}: {failure}", file=sys.stderr)
        return False
    print(f"{found.letter.turn_id}: handed over")
    return True


async def replay(app: App, found: Found) -> None:
    """Send what the button would send. The answer goes by push. Raises NotTaken, Unavailable or Misconfigured."""
    source = found.conversation.source
    if source is None:
        raise NotTaken("the conversation is erased")
    if is_paused(found.conversation, now()):
        raise NotTaken(f"the conversation is paused: `resume {short(found.conversation_id)}` it first")
    # A queue inside this process would end with it: then the turn is run here.
    path = TASK if app.settings.tasks_queue == "inprocess" else WEBHOOK
    await send(app, path, event(source, {"type": "postback", "postback": {"data": f"/retry {found.letter.turn_id}"}}))
