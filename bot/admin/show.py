"""`show`: how one conversation stands, in words."""

import argparse
from dataclasses import asdict
from typing import Any

from bot.admin.conversations import row, type_of
from bot.admin.finding import Found, add_id, find
from bot.admin.printing import add_json, facts, number, print_json, time, yen
from bot.app import App, now
from bot.conversation import Conversation, Pending, Said, Turn, Usage
from bot.spending import spent_today

HELP = "tell how one conversation stands"


def add(parser: argparse.ArgumentParser) -> None:
    add_id(parser)
    parser.add_argument("--text", action="store_true", help="show what was written, too")
    add_json(parser)


async def run(app: App, arguments: argparse.Namespace) -> int:
    found = await find(app, arguments.id)
    if arguments.json:
        print_json(_object(found, text=arguments.text))
    else:
        facts(_facts(found, text=arguments.text))
        _turns(found.state, text=arguments.text)
    return 0


def _facts(found: Found, *, text: bool) -> list[tuple[str, str]]:
    state = found.state
    return [
        ("Conversation", found.id),
        ("Type", type_of(state)),
        ("Kept until", time(state.expire_at) + " (expired)" * found.is_expired),
        *([("Unreadable", ", ".join(found.damaged))] if found.damaged else []),
        ("Paused", f"until {time(state.paused_until)}" if state.paused_until > now() else "no"),
        *([("Erased", f"all until {time(state.erased_at)}")] if state.erased_at else []),
        ("Language", state.language),
        ("Preferences", _preferences(state, text=text)),
        ("Summary", state.summary if text and state.summary else "yes" if state.summary else "no"),
        ("Archive", f"{number(state.archived)} batches"),
        ("Used today", _used(spent_today(state, now()))),
        ("Used in all", _used(state.usage)),
        ("Lease", f"until {time(state.lease.until)}" if state.lease else "free"),
        ("Pending", _waiting(state.pending)),
        ("Outbox", ", ".join(f"{len(one.bubbles)} bubbles by {one.way}" for one in state.outbox) or "empty"),
        ("Dead letters", number(len(state.dead_letters))),
        ("Turns", number(len(state.turns))),
    ]


def _turns(state: Conversation, *, text: bool) -> None:
    for turn in state.turns:
        length = f"{len(turn.said)} said, {'answered' if turn.answer else 'not answered'}"
        print(f"  {time(turn.at)}  {turn.id}  {length}")
        if text:
            facts([*((f"    {_speaker(said)}", said.text) for said in turn.said), ("    bot", turn.answer)])


def _speaker(said: Said) -> str:
    return said.speaker or "person"


def _preferences(state: Conversation, *, text: bool) -> str:
    """A persona may be the person's own words."""
    chosen = state.preferences
    told = {
        "persona": chosen.persona if text else "yes" if chosen.persona else "",
        "model": chosen.model,
        "language": chosen.language,
        "listening": "yes" if chosen.listening else "",
    }
    return ", ".join(f"{name}: {value}" for name, value in told.items() if value) or "none"


def _used(usage: Usage) -> str:
    return f"{number(usage.turns)} turns, {number(usage.tokens)} tokens, {yen(usage.micro_yen)} yen"


def _waiting(pending: tuple[Pending, ...]) -> str:
    return ", ".join(f"{one.kind} of {time(one.at)} (tried {one.tries} times)" for one in pending) or "nothing"


def _object(found: Found, *, text: bool) -> dict[str, Any]:
    """Times in milliseconds; words only with `text`."""
    state = found.state
    return {
        **row(found.id, state),
        "expire_at": state.expire_at,
        "expired": found.is_expired,
        "damaged": list(found.damaged),
        "erased_at": state.erased_at,
        "language": state.language,
        "preferences": {**asdict(state.preferences), **({} if text else {"persona": bool(state.preferences.persona)})},
        "summary": state.summary if text else bool(state.summary),
        "archived": state.archived,
        "today": asdict(spent_today(state, now())),
        "usage": asdict(state.usage),
        "lease_until": state.lease.until if state.lease else 0,
        "window": [_turn(turn, text=text) for turn in state.turns],
    }


def _turn(turn: Turn, *, text: bool) -> dict[str, Any]:
    said = [{"at": one.at, **({"speaker": one.speaker, "text": one.text} if text else {})} for one in turn.said]
    return {"turn": turn.id, "said": said, "answered": bool(turn.answer), **({"answer": turn.answer} if text else {})}
