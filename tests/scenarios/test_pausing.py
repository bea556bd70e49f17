"""A person of the operator's takes over: the operator's command, and the real function over one database."""

import asyncio
import sys

from tests.world import ROOT, World


async def admin(kaiwa: World, *arguments: str) -> str:
    """The operator's command in the function's own environment; what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.admin", *arguments),
        cwd=ROOT,
        env=kaiwa.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    return out.decode()


async def test_a_person_takes_over(kaiwa: World) -> None:
    """In the pause no model is asked and nothing is shown but /help; afterwards the answer knows what was said."""
    person = kaiwa.person()
    await kaiwa.say(person, "注文について")
    await admin(kaiwa, "pause", person.user_id)
    kaiwa.model.calls.clear()
    kaiwa.line.calls.clear()
    for text in ("担当者をお願いします", "注文番号は 4711 です"):
        assert (await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.text(person, text))).status == 200
    await kaiwa.settled()
    assert (kaiwa.model.calls, kaiwa.line.calls) == ([], [])
    assert "/履歴" in await kaiwa.say(person, "/ヘルプ")
    assert kaiwa.model.calls == []
    await admin(kaiwa, "resume", person.user_id)
    await kaiwa.say(person, "番号は何でしたか?")
    (asked,) = kaiwa.model.requests
    assert "4711" in str(asked["input"])
    assert len(kaiwa.shown(person)) == 3


async def test_forgotten_in_a_pause(kaiwa: World) -> None:
    """An operator erases on request; the person who writes again meets the bot anew, and is answered."""
    person = kaiwa.person()
    await kaiwa.say(person, "秘密の話")
    await admin(kaiwa, "pause", person.user_id)
    assert "erased" in await admin(kaiwa, "forget", person.user_id, "--yes")
    kaiwa.model.calls.clear()
    await kaiwa.say(person, "はじめまして")
    assert "秘密" not in str(kaiwa.model.requests)
    assert len(kaiwa.model.requests) == 1
