"""Links to exports: they open what they were made for, for an hour, and nothing else does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Conversation, Source
from bot.limits import EXPORT_MS
from bot.links import Grant, Links, opened, signed
from bot.signature import sign
from bot.texts import phrase
from tests.fakes import FakeClock
from tests.pipeline import secret
from tests.webhooks import NOW, USER

STATE = Conversation(source=Source("user", USER), generation=NOW - 5, language="en")
ID = Source("user", USER).conversation_id
GRANT = Grant(ID, NOW - 5, NOW + EXPORT_MS)
ADDRESS = "https://kaiwa.example/bot"


def links(value: str = "one", clock: FakeClock | None = None, address: str = ADDRESS) -> Links:
    return Links(secret(value), address, clock or FakeClock(NOW))


async def linked(argument: str = "", by: Links | None = None) -> str:
    """The token in the link that /export shows."""
    [bubble] = (await (by or links()).result(ID, STATE, argument)).bubbles
    start, token = bubble.split("\n")[-1].removesuffix("?openExternalBrowser=1").rsplit("/", 1)
    assert start == f"{ADDRESS}/export"
    return token


@pytest.mark.parametrize(("argument", "is_json"), [("", False), ("json", True), ("JSON", True), ("pdf", False)])
async def test_a_link_opens_its_conversation(argument: str, is_json: bool) -> None:
    """Of this generation, for an hour, in the form that was asked for."""
    assert await links().read(await linked(argument)) == replace(GRANT, is_json=is_json)


async def test_a_link_expires() -> None:
    """Up to its last millisecond it works."""
    clock = FakeClock(NOW)
    token = await linked()
    clock.advance(EXPORT_MS / 1000 - 0.001)
    assert await links(clock=clock).read(token)
    clock.advance(0.001)
    assert await links(clock=clock).read(token) is None


async def test_a_rotated_secret() -> None:
    """What an older line has signed still opens, what a foreign secret has signed does not."""
    token = await linked(by=links("old"))
    assert await links("new\nold").read(token)
    assert await links("new").read(token) is None
    assert await links("old").read(await linked(by=links("new\nold"))) is None


@given(st.integers(0, 107), st.sampled_from("AZaz09-_"))
def test_no_other_token_opens(at: int, character: str) -> None:
    """Whatever single character is changed."""
    token = signed(GRANT, "one")
    changed = token[:at] + character + token[at + 1 :]
    assert (opened(changed, "one") is None) == (changed != token)


@pytest.mark.parametrize("token", ["", "x", "A" * 107, "A" * 109, "=" * 108, "あ" * 108, "A" * 107 + "\n", "../" * 36])
async def test_malformed(token: str) -> None:
    """Whatever stands in the path."""
    assert await links().read(token) is None


def test_a_blank_line_of_the_secret_signs_nothing() -> None:
    """It would be an empty key, which everybody has."""
    assert opened(signed(GRANT, "" + " \n"), "one\n \n") is None


def test_no_signature_of_a_webhook_is_one_of_a_link() -> None:
    """The keys differ: who gets something signed as LINE signs it has no link."""
    import base64

    raw = base64.urlsafe_b64decode(signed(GRANT, "one"))
    forged = raw[:-32] + base64.b64decode(sign("one", raw[:-32]))
    assert opened(base64.urlsafe_b64encode(forged).decode(), "one") is None


async def test_without_an_address() -> None:
    """It is told who has to set it."""
    result = await links(address="").result(ID, STATE, "")
    assert result.bubbles == (phrase("export_impossible", "en"),)
