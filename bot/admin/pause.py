"""`pause`: a person takes over in LINE Official Account Manager's chat, and the bot keeps silent meanwhile."""

import argparse
from dataclasses import replace

from bot.admin.finding import Found, NotFound, add_id, find
from bot.admin.printing import positive, time
from bot.app import App, now
from bot.claiming import touched
from bot.conversation import Conversation
from bot.limits import Policy
from bot.ports import Change
from bot.store import update

HELP = "keep the bot silent in a conversation, for a person to take over"
HOURS = 24.0
HOUR_MS = 3_600_000
MOST_HOURS = 24 * 30


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Keep the bot silent in a conversation, so that a person can answer in LINE Official Account Manager's chat. "
        "What is written meanwhile is kept, and the bot knows it afterwards. /forget, taking messages back, and "
        "commands that need no model, as /help, work as always. An answer that is being made still comes."
    )
    add_id(parser)
    parser.add_argument(
        "--hours", type=hours, default=HOURS, metavar="H", help="for so long (default: 24; at most 720)"
    )


def hours(text: str) -> float:
    given = positive(text)
    if given > MOST_HOURS:
        raise argparse.ArgumentTypeError(f"at most {MOST_HOURS}")
    return given


async def run(app: App, arguments: argparse.Namespace) -> int:
    found = await find(app, arguments.id)
    until = now() + round(arguments.hours * HOUR_MS)
    await set_pause(app, found, until)
    print(f"{found.name}: the bot keeps silent until {time(until)}; `resume {found.name}` ends it sooner")
    return 0


async def set_pause(app: App, found: Found, until: int) -> None:
    """Silent until this moment, or no longer with 0. Raises NotFound when there is nothing to be silent in."""
    policy = app.settings.policy

    def transition(state: Conversation) -> Change[bool]:
        # Erased or expired: who writes again begins anew.
        if state.source is None or state.expire_at <= now():
            return Change(state, False)
        return Change(_paused(state, until, policy), True)

    _, is_there = await update(await app.store(), found.id, transition)
    if not is_there:
        raise NotFound(f"{found.name} is erased or expired: there is no conversation any more")


def _paused(state: Conversation, until: int, policy: Policy) -> Conversation:
    return state if state.paused_until == until else touched(replace(state, paused_until=until), now(), policy)
