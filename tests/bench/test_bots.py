"""The bots that Kaiwa is measured beside: a comparison with one that does not work would be worth nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bench.bots import Bots
from tests.bench.sending import letters, sending
from tests.bench.stands import ANSWER, Stands, standing
from tests.bench.starts import project, user_id

REPLY_SECONDS = 60.0


@pytest.fixture
async def stands(firestore_emulator: str) -> AsyncIterator[Stands]:
    async with standing(firestore_emulator) as started:
        yield started


async def test_both_answer(stands: Stands, tmp_path: Path) -> None:
    """The bare one with a 200; the plain one with a reply, and the second time it remembers; it lets nobody else in."""
    bots = Bots(tmp_path)
    first, second, forged = letters(stands.line, [user_id()] * 3, every_ms=1000)
    async with bots.running("bare", stands, project()) as bare, sending(bare.url) as sender:
        assert (await sender.send(first)).status == 200
    async with bots.running("plain", stands, project(), counted=True) as plain, sending(plain.url) as sender:
        for number, letter in enumerate((first, second), 1):
            assert (await sender.send(letter)).status == 200, plain.log.read_text()
            await stands.line.reply(letter.token, REPLY_SECONDS)
            assert stands.line.texts[letter.token] == f"{number}. {ANSWER}"
            assert len(stands.model.asked[-1]["input"]) == number * 2 - 1
        assert (stands.proxy.counts.writes, stands.proxy.counts.reads) == (4, 1 + 3)
        assert (await sender.send(type(forged)(forged.body, first.signature, ""))).status == 401
