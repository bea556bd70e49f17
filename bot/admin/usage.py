"""`usage`: what the bot has cost, this month and in each conversation, against what it may cost."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.admin.conversations import scan, type_of
from bot.admin.printing import Column, add_json, facts, number, print_json, short, show, whole, yen
from bot.app import App, now
from bot.conversation import Conversation, Usage
from bot.errors import KaiwaError
from bot.settings import Settings
from bot.spending import Month, month, spent_today

HELP = "tell what the bot has cost, and what is left of the month's limits"
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
TOP = 10

COLUMNS = (
    Column("Conversation", "conversation", short, is_whole=True),
    Column("Type", "type"),
    Column("Turns", "turns", number, is_number=True),
    Column("Tokens", "tokens", number, is_number=True),
    Column("Yen", "micro_yen", yen, is_number=True),
)


@dataclass(frozen=True, slots=True)
class Pushes:
    """`limit` None: LINE sets none. `unknown`: why LINE could not be asked."""

    used: int = 0
    limit: int | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """What one conversation has used."""

    id: str
    type: str
    today: Usage
    total: Usage

    def row(self, usage: Usage) -> dict[str, Any]:
        return {"conversation": self.id, "type": self.type, **_figures(usage)}


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Tell what the whole bot has cost in a month, what is left of the month's limits and of LINE's pushes, and "
        "what each conversation that is still kept has used. Days and months are Japan's. Yen are what Kaiwa's table "
        "of prices comes to; the bill is OpenAI's."
    )
    parser.add_argument("--month", type=_month, metavar="YYYY-MM", help="the account of another month than this")
    parser.add_argument("--top", type=whole, default=TOP, metavar="N", help=f"so many conversations (default: {TOP})")
    add_json(parser)


async def run(app: App, arguments: argparse.Namespace) -> int:
    wanted = arguments.month or month(now())
    account = await (await app.ledger()).read_month(wanted)
    pushes = await _pushes(app)
    used = [_used(one, state) async for one, state in scan(app, "Adding up")]
    if arguments.json:
        _print_objects(app.settings, wanted, account, pushes, used, arguments.top)
    else:
        facts(_facts(app.settings, wanted, account, pushes, used))
        _print_most(used, arguments.top)
    return 0


def _month(text: str) -> str:
    if not MONTH.fullmatch(text):
        raise argparse.ArgumentTypeError("a month is written as 2026-11")
    return text


async def _pushes(app: App) -> Pushes:
    """The rest is worth showing without LINE."""
    from bot.adapters.line_api import LineApi  # loads aiohttp, which is slow
    from bot.adapters.line_channel import LineChannel

    api = LineApi(app.settings.line_api_base_url, app.access_token)
    channel = LineChannel(api)
    try:
        return Pushes(await channel.consumption(), await channel.quota())
    except KaiwaError as failure:
        return Pushes(unknown=str(failure))
    finally:
        await api.close()


def _used(conversation_id: str, state: Conversation) -> Used:
    return Used(conversation_id, type_of(state), spent_today(state, now()), state.usage)


def _facts(
    settings: Settings, wanted: str, account: Month, pushes: Pushes, used: Sequence[Used]
) -> list[tuple[str, str]]:
    limit, today = settings.limits.monthly, [one.today for one in used if one.today != Usage()]
    return [
        ("Month", wanted),
        ("Used", _told(account.usage)),
        ("Yen set aside", _part(account.reserved.micro_yen, limit.micro_yen, yen, "MONTHLY_YEN")),
        ("Tokens set aside", _part(account.reserved.tokens, limit.tokens, number, "MONTHLY_TOKENS")),
        ("LINE's pushes", _pushed(pushes, settings.push_reserve)),
        ("Conversations", f"{number(len(used))}, {number(len(today))} of them today"),
        ("They used today", _told(sum(today, Usage()))),
        ("They used in all", _told(sum((one.total for one in used), Usage()))),
    ]


def _told(usage: Usage) -> str:
    return f"{yen(usage.micro_yen)} yen, {number(usage.tokens)} tokens, {number(usage.turns)} turns"


def _part(value: int, limit: int, shown: Callable[[int], str], name: str) -> str:
    if not limit:
        return f"{shown(value)}; no limit ({name} is not set)"
    return f"{shown(value)} of {shown(limit)}, {value / limit:.0%} ({name})"


def _pushed(pushes: Pushes, reserve: int) -> str:
    if pushes.unknown:
        return f"unknown: {pushes.unknown}"
    if pushes.limit is None:
        return f"{number(pushes.used)} this month; no limit"
    return f"{number(pushes.used)} of {number(pushes.limit)} this month; {number(reserve)} are kept in reserve"


def _most(used: Sequence[Used], top: int, usage_of: Callable[[Used], Usage]) -> list[dict[str, Any]]:
    rows = [one.row(usage_of(one)) for one in used if usage_of(one) != Usage()]
    return sorted(rows, key=lambda row: (row["micro_yen"], row["tokens"]), reverse=True)[:top]


def _print_most(used: Sequence[Used], top: int) -> None:
    for title, usage_of in MOST.items():
        if rows := _most(used, top, usage_of):
            print(f"\nMost {title}")
            show(rows, COLUMNS, as_json=False)


def _print_objects(
    settings: Settings, wanted: str, account: Month, pushes: Pushes, used: Sequence[Used], top: int
) -> None:
    """Each object tells its `kind`; limits are 0 where none is set, LINE's is null."""
    limits = {f"limit_{name}": value for name, value in asdict(settings.limits.monthly).items()}
    reserved = {f"reserved_{name}": value for name, value in asdict(account.reserved).items()}
    print_json({"kind": "month", "month": wanted, **_figures(account.usage), **reserved, **limits})
    print_json({"kind": "pushes", **asdict(pushes), "reserve": settings.push_reserve})
    for title, usage_of in MOST.items():
        total = sum((usage_of(one) for one in used), Usage())
        print_json({"kind": title, "conversations": len(used), **_figures(total)})
        for row in _most(used, top, usage_of):
            print_json({"kind": f"most {title}", **row})


def _figures(usage: Usage) -> dict[str, int]:
    return {**asdict(usage), "tokens": usage.tokens}


MOST: Mapping[str, Callable[[Used], Usage]] = {"today": lambda used: used.today, "in all": lambda used: used.total}
