"""The gate: whatever the network sends, it answers with the right status, and nothing unverified has an effect."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest

from bot.gate import BODY_BYTES
from bot.local.chats import Json
from bot.local.webhook import Speaker, encode, standby
from bot.texts import phrase
from tests.faults.memory import mebibytes
from tests.faults.steps import NO_COSTS, account, costs, count_anew, post_apart, times_asked
from tests.faults.table import Seen
from tests.faults.wire import CHUNKED, Wire, chunk, head, signed
from tests.world import World

row = pytest.mark.row
pytestmark = pytest.mark.mode(
    "inline"
)  # the gate is the same in both; inline, an effect would be there with the status
MIB = 1024 * 1024


@row("C1", injected="no, empty, wrong, odd signature; a body changed by a byte")
async def test_c1_wrong_signatures(kaiwa: World, seen: Seen) -> None:
    """401, on both paths, and nothing of the body goes any further."""
    body, right = kaiwa.line.signed(kaiwa.line.events.text(kaiwa.person(), "こんにちは"))
    name = b"x-line-signature:"
    wrong = [
        *(b"", name, name + b" ", name + b" %%%", name + b" " + "署名".encode(), name + b" \xff\xfe"),
        *(name + f" {value}".encode() for value in (right[:-1], right.lower(), f'"{right}"', right + "=", "A" * 44)),
        *(signed(body + b" "), signed(b""), name + b" " + b"A" * 7000),
    ]
    async with Wire(kaiwa.port) as wire:
        statuses = [await wire.post(body, header, path=path) for header in wrong for path in ("/", "/tasks/turn")]
        for at in (0, len(body) // 2, len(body) - 1):
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            statuses.append(await wire.post(changed, signed(body)))
    seen(f"{statuses.count(401)} of {len(statuses)} × 401, {costs(kaiwa)}")
    assert set(statuses) == {401}
    assert (costs(kaiwa), kaiwa.firestore.counts.log) == (NO_COSTS, [])


@row("C1", injected="the header's name in any case")
async def test_c1_the_header_in_any_case(kaiwa: World, seen: Seen) -> None:
    """LINE says that the case of the header's name may change."""
    person = kaiwa.person()
    names = (b"X-Line-Signature", b"X-LINE-SIGNATURE", b"x-line-signature", b"x-Line-sIGNATURE")
    async with Wire(kaiwa.port) as wire:
        for name in names:
            body = encode(kaiwa.line.bot_id, [kaiwa.line.events.text(person, "こんにちは")])
            header = signed(body).replace(b"x-line-signature", name)
            assert await wire.post(body, header) == 200
    seen(account(kaiwa, person))
    assert len(kaiwa.shown(person)) == len(names)


@row("C2", injected="Content-Length over the limit, nothing sent")
async def test_c2_announced_too_long(kaiwa: World, seen: Seen) -> None:
    """413 before a byte of the body has come."""
    statuses = []
    for announced in (BODY_BYTES + 1, 10**12):
        async with Wire(kaiwa.port) as wire:
            await wire.send(head(b"content-length: %d" % announced, signed(b"")))
            statuses.append(await wire.status())
    seen(f"{statuses}")
    assert statuses == [413, 413]


@row("C2", injected="20 chunked bodies of 64 MiB at once")
async def test_c2_chunked_without_end(kaiwa: World, seen: Seen) -> None:
    """413 when the limit is passed, and what goes on coming is not kept."""
    before = mebibytes(kaiwa.function)
    statuses = await asyncio.gather(*(_flood(kaiwa.port, 64 * MIB) for _ in range(20)))
    grown = mebibytes(kaiwa.function) - before
    seen(f"{statuses.count(413)} × 413, {statuses.count(0)} cut, memory {grown:+.1f} MiB")
    assert set(statuses) <= {413, 0}
    assert 413 in statuses
    assert grown < 20 * BODY_BYTES / MIB + 10


@row("C2", injected="a Content-Length shorter or longer than the body, or no number")
async def test_c2_lying_about_the_length(kaiwa: World, seen: Seen) -> None:
    """A cut body is not signed, a half one has no effect, and the process goes on."""
    person = kaiwa.person()
    body, _ = kaiwa.line.signed(kaiwa.line.events.text(person, "こんにちは"))
    statuses = []
    for announced in (b"%d" % (len(body) - 1), b"0", b"-1", b"x", b"1e3", b"%d, %d" % (len(body), len(body) + 1)):
        async with Wire(kaiwa.port) as wire:
            await wire.send(head(b"content-length: " + announced, signed(body)) + body)
            statuses.append(await wire.status())
    async with Wire(kaiwa.port) as wire:  # hangs up before the end
        await wire.send(head(b"content-length: %d" % len(body), signed(body)) + body[:-1])
    async with Wire(kaiwa.port) as wire:  # hangs up in a chunk
        await wire.send(head(CHUNKED, signed(body)) + b"ffff\r\n" + body[:-1])
    told = costs(kaiwa)
    seen(f"{statuses}, {told}")
    assert set(statuses) <= {400, 401}
    assert (told, kaiwa.firestore.counts.log) == (NO_COSTS, [])
    assert await kaiwa.say(person, "まだ動いていますか")
    assert len(kaiwa.model.requests) == 1  # whoever hung up is not answered later either


@row("C3", injected="signed bodies that are no webhook")
async def test_c3_signed_but_no_webhook(kaiwa: World, seen: Seen) -> None:
    """400, never a 5xx, and nothing happens."""
    good, _ = kaiwa.line.signed(kaiwa.line.events.text(kaiwa.person(), "こんにちは"))
    bodies = list(_no_webhooks(good))
    async with Wire(kaiwa.port) as wire:
        statuses = [await wire.post_signed(body, path=path) for body in bodies for path in ("/", "/tasks/turn")]
        statuses.append(await wire.post_signed(gzip.compress(good), b"content-encoding: gzip"))
    seen(f"{statuses.count(400)} of {len(statuses)} × 400, {costs(kaiwa)}")
    assert set(statuses) == {400}
    assert (costs(kaiwa), kaiwa.firestore.counts.log) == (NO_COSTS, [])


@row("C4", injected="a wrong value in every place of an event, unknown types")
async def test_c4_odd_events(kaiwa: World, seen: Seen) -> None:
    """Each is skipped alone: the good ones between them are answered, the status is 200."""
    odd, good = kaiwa.person(), kaiwa.person()
    events = [*_odd_events(kaiwa, kaiwa.line.events.text(odd, "おかしな話"))]
    texts = [f"まともな話{number:02d}" for number in range(4)]
    count = -(-len(events) // len(texts))
    for number, text in enumerate(texts):
        some = events[number * count : (number + 1) * count]
        assert await post_apart(kaiwa, *some, kaiwa.line.events.text(good, text)) == 200
    replies = [call.json["replyToken"] for call in kaiwa.line.calls_to("/reply")]
    seen(f"{len(events)} skipped, {account(kaiwa, good)}")
    assert times_asked(kaiwa, texts) == [1] * 4
    assert len(replies) == len(kaiwa.shown(good)) == 4
    assert not kaiwa.shown(odd)
    assert not kaiwa.line.calls_to("/push")


@row("C4", injected="a message of a type that LINE has yet to invent")
async def test_c4_unknown_message(kaiwa: World, seen: Seen) -> None:
    """The person is told once that it cannot be read; a group hears nothing, and nobody's money is spent."""
    person = kaiwa.person()
    in_group = Speaker(person.user_id, "C" + person.user_id[1:])
    count_anew(kaiwa)
    for number, speaker in enumerate((person, in_group)):
        hologram = {"type": "hologram", "id": str(number), "shape": [1, 2, 3]}
        assert await post_apart(kaiwa, kaiwa.line.events.message(speaker, hologram)) == 200
    await kaiwa.settled()
    seen(f"{len(kaiwa.shown(person))} sentence, {len(kaiwa.shown(in_group))} in the group")
    assert kaiwa.shown(person) == [phrase("unsupported", "ja")]
    assert not kaiwa.shown(in_group)
    assert not kaiwa.model.requests


@row("C4", injected="a wrong value where an event has something that need not be right")
async def test_c4_what_need_not_be_right(kaiwa: World, seen: Seen) -> None:
    """Fields that only help are left out when they are odd: the message is answered all the same."""
    values: list[Any] = [None, True, -1, 1.5, "", "x", [], [[]], {}, {"a": []}, 2**70]
    people = []
    for place in ("deliveryContext", "replyToken", "message.quoteToken", "message.mention", "message.emojis", "new"):
        person = kaiwa.person()
        people.append(person)
        for value in values:
            event = _with(kaiwa.line.events.text(person, "こんにちは"), place, value)
            assert await post_apart(kaiwa, event) == 200
    seen(account(kaiwa, *people))
    assert [len(kaiwa.shown(person)) for person in people] == [len(values)] * len(people)


@row("C5", injected="no events; another destination, none; standby")
async def test_c5_nothing_to_do(kaiwa: World, seen: Seen) -> None:
    """200 and nothing sent.

    A destination that is well-formed but another bot's is taken for ours: the channel secret is that of one bot, so
    that the signature has proven already whom it is for, and to ask LINE for our own id would cost a call.
    """
    person, other = kaiwa.person(), kaiwa.person()
    event = kaiwa.line.events.text(person, "だれに言っているのでしょう")
    bodies = [encode(destination, [event]) for destination in ("", "kaiwa", "U123", kaiwa.line.bot_id.upper())]
    odds: list[Any] = [None, 1, [], {}]
    bodies += [json.dumps({"events": [event], "destination": odd}).encode() for odd in odds]
    bodies += [json.dumps({"events": [event]}).encode(), encode(kaiwa.line.bot_id, [])]
    bodies += [encode(kaiwa.line.bot_id, [standby(event)]), encode(kaiwa.line.bot_id, [event | {"mode": "new"}])]
    async with Wire(kaiwa.port) as wire:
        statuses = [await wire.post_signed(body) for body in bodies]
        told = costs(kaiwa)
        count_anew(kaiwa)
        anothers = encode("U" + "0" * 32, [kaiwa.line.events.text(other, "こんにちは")])
        assert await wire.post_signed(anothers) == 200
    seen(f"{statuses.count(200)} of {len(statuses)} × 200, {told}")
    assert set(statuses) == {200}
    assert told == NO_COSTS
    assert len(kaiwa.shown(other)) == 1


ODD_TEXTS = {
    "a lone surrogate": "半分\ud83dだけ",
    "two in the wrong order": "\udc00\ud800逆",
    "NUL": "ゼロ\x00文字",
    "control characters": "\x1b[31m赤\x07\x08\x7f\x85",
    "invisible and directed": "\u202eみぎから\u200b\ufeff\u2028",
    "no characters": "\ufffe\uffff",
}


@pytest.mark.parametrize("what", ODD_TEXTS)
@pytest.mark.mode("queue")
@row("C6", injected="{what} in a text")
async def test_c6_odd_characters(kaiwa: World, seen: Seen, what: str) -> None:
    """Stored, carried through the queue and answered; a second turn and the history still work."""
    person = kaiwa.person()
    text = ODD_TEXTS[what]
    await kaiwa.say(person, text)
    await kaiwa.settled()
    await kaiwa.say(person, "さっき何と書いた?")
    await kaiwa.settled()
    history = await kaiwa.say(person, "/history")
    seen(account(kaiwa, person))
    assert len(kaiwa.model.requests) == 2
    assert "さっき何と書いた?" in history
    plain = "".join(character for character in text if character >= "\u3040" and character < "\ud800")
    assert all(character in str(kaiwa.model.requests[1]["input"][0]["content"]) for character in plain)


async def _flood(port: int, size: int) -> int:
    """Sends a chunked body until it is answered or cut: the status, 0 when it was cut without one."""
    async with Wire(port) as wire:
        piece, status = chunk(b"x" * 65536), asyncio.ensure_future(wire.status())
        with suppress(OSError, EOFError):
            await wire.send(head(CHUNKED, signed(b"")))
            for _ in range(size // 65536):
                if status.done():
                    break
                await wire.send(piece)
                await asyncio.sleep(0)
        try:
            return await status
        except (OSError, EOFError):
            return 0


def _no_webhooks(good: bytes) -> Iterator[bytes]:
    yield from (b"", b" ", b"null", b"true", b"42", b"[]", b'"text"', b"{}", b'{"events":null}', b'{"events":{}}')
    yield from (b"[" * 100_000, b'{"a":' * 50_000, b'{"events":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    yield from (b'{"events":[],"x":%s}' % value for value in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 9999))
    yield from (b'{"events":[],"events":[]}', b'{"events":[{"a":1,"a":2}]}')
    yield from (b'{"events":[],"x":"\xff"}', b'{"events":[],"x":"\xed\xa0\x80"}', b'{"events":[],"x":"\x00"}')
    yield from (b"\xef\xbb\xbf" + good, good.decode().encode("utf-16"), gzip.compress(good))
    yield from (good + b"x", good[:-1], good[1:], good.replace(b'"', b"'"))


WRONG: dict[str, list[Any]] = {
    "type": [None, True, 0, "", "hologram", "kaiwa.wake", [], {}],
    "mode": [None, True, 0, "", "Active", "channel", [], {}],
    "timestamp": [None, True, 0, -1, 1.5, "1", "", [], {}],
    "webhookEventId": [None, True, 0, "", "x" * 201, [], {}],
    "source": [None, True, 0, "", "user", [], {}, ["user"], {"type": "user"}, {"userId": "U1"}],
    "source.type": [None, True, 0, "", "group", "channel", [], {}],
    "source.userId": [None, True, 0, "", "U" * 201, [], {}],
    "message": [None, True, 0, "", "text", [], {}, ["text"]],
    "message.type": [None, True, 0, "", [], {}],
    "message.id": [None, True, 0, "", "1" * 201, [], {}],
    "message.text": [None, True, 0, 1.5, [], {}, ["おかしな話"]],
}


def _odd_events(kaiwa: World, good: Json) -> Iterator[Any]:
    yield from (None, True, 0, 1.5, "", "event", [], [good], {}, {"events": [good]})
    for place, values in WRONG.items():
        for value in values:
            yield _with(good, place, value)
        yield _without(good, place)
    deep: Any = {}
    for _ in range(60):
        deep = {"deeper": [deep]}
    yield good | {"more": deep}


def _with(event: Json, place: str, value: Any) -> Json:
    changed = deepcopy(event)
    *outer, name = place.split(".")
    inner = changed
    for step in outer:
        inner = inner[step]
    inner[name] = value
    return changed


def _without(event: Json, place: str) -> Json:
    changed = deepcopy(event)
    *outer, name = place.split(".")
    inner = changed
    for step in outer:
        inner = inner[step]
    del inner[name]
    return changed
