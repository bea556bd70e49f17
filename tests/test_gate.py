"""The gate: the contract's table, and nothing unverified gets further."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest

from bot.dispatch import Delivery
from bot.errors import KaiwaError, Misconfigured, Unavailable
from bot.gate import BODY_BYTES, TASK, WEBHOOK, Gate, Request, Response
from bot.secrets import Secret
from bot.signature import sign
from tests.fakes import FakeClock, FakeSecretSource
from tests.webhooks import BOT, NOW, body, pieces, said, signed

VERSION = "projects/p/secrets/line-channel-secret/versions/latest"


@dataclass
class Taker:
    """Stands behind the gate and keeps what gets through."""

    deliveries: list[Delivery] = field(default_factory=list)
    failure: KaiwaError | None = None

    async def __call__(self, delivery: Delivery) -> None:
        if self.failure:
            raise self.failure
        self.deliveries.append(delivery)


@dataclass
class Entry:
    """A gate with all that it needs."""

    gate: Gate
    source: FakeSecretSource
    webhook: Taker
    task: Taker
    clock: FakeClock

    async def status(self, request: Request) -> int:
        return (await self.gate.answer(request)).status

    @property
    def is_untouched(self) -> bool:
        return not self.webhook.deliveries and not self.task.deliveries


@pytest.fixture
def entry() -> Entry:
    clock, webhook, task = FakeClock(NOW), Taker(), Taker()
    source = FakeSecretSource({VERSION: "secret"})

    async def version() -> str:
        return VERSION

    async def connected() -> FakeSecretSource:
        return source

    return Entry(Gate(Secret(None, version, connected, clock), webhook, task, clock), source, webhook, task, clock)


async def test_a_signed_body_is_taken(entry: Entry) -> None:
    """200, and its events go on with the moment of their receipt."""
    raw = said("hello")
    assert await entry.status(signed(body(raw), "secret")) == 200
    [delivery] = entry.webhook.deliveries
    assert (delivery.destination, delivery.received_at) == (BOT, NOW)
    assert [(event.text, kept) for event, kept in delivery.events] == [("hello", raw)]


async def test_a_task_is_taken_by_the_other_way(entry: Entry) -> None:
    """`POST /tasks/turn` is handled, not queued again."""
    assert await entry.status(signed(body(said("hello")), "secret", TASK)) == 200
    assert len(entry.task.deliveries) == 1
    assert not entry.webhook.deliveries


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_status(entry: Entry, method: str) -> None:
    """`GET /` answers without any secret and tells nothing of interest."""
    entry.source.values.clear()
    response = await entry.gate.answer(Request(method, WEBHOOK, {}, pieces()))
    assert response.status == 200
    assert response.body == {"status": "ok", "name": "kaiwa"}
    assert not entry.source.asked


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/", 405),
        ("DELETE", "/", 405),
        ("GET", TASK, 405),
        ("POST", "/tasks", 404),
        ("POST", "/tasks/turn/", 404),
        ("GET", "/favicon.ico", 404),
        ("POST", "//", 404),
    ],
)
async def test_anything_else(entry: Entry, method: str, path: str, status: int) -> None:
    """Other paths are 404, other methods 405, even when signed."""
    content = body(said("x"))
    headers = {"x-line-signature": sign("secret", content)}
    assert await entry.status(Request(method, path, headers, pieces(content))) == status
    assert entry.is_untouched


GOOD = body(said("hello"))


@pytest.mark.parametrize("path", [WEBHOOK, TASK])
@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        " ",
        sign("other", GOOD),
        sign("secret", GOOD + b" "),
        sign("secret", GOOD)[:-1],
        sign("secret", GOOD) + " ",
        "%%%",
        "署名",
        "\xff\xfe",
        sign("secret", GOOD).lower(),
    ],
)
async def test_without_a_good_signature(entry: Entry, signature: str | None, path: str) -> None:
    """401, and nothing of the body goes further."""
    headers = {} if signature is None else {"x-line-signature": signature}
    assert await entry.status(Request("POST", path, headers, pieces(GOOD))) == 401
    assert entry.is_untouched


async def test_the_body_is_verified_as_it_came(entry: Entry) -> None:
    """A body changed by a byte is refused; odd white space that was signed is fine."""
    content = b' {"events" :\t[ ] }\r\n'
    assert await entry.status(signed(content, "secret")) == 200
    request = Request(
        "POST", WEBHOOK, {"x-line-signature": sign("secret", content)}, pieces(content.replace(b"\t", b" "))
    )
    assert await entry.status(request) == 401


class Endless:
    """A body without an end that counts what was taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 64 * 1024
            yield bytes(64 * 1024)


@pytest.mark.parametrize("headers", [{}, {"content-length": "10"}, {"content-length": "x"}, {"content-length": "-1"}])
async def test_an_endless_body_is_given_up(entry: Entry, headers: dict[str, str]) -> None:
    """Chunked or lying about its length: 413 as soon as it is over the limit, whatever its signature."""
    endless = Endless()
    request = Request("POST", WEBHOOK, {**headers, "x-line-signature": "x"}, aiter(endless))
    assert await asyncio.wait_for(entry.status(request), 10) == 413
    assert endless.taken <= BODY_BYTES + 64 * 1024
    assert entry.is_untouched


async def test_an_announced_length_is_believed(entry: Entry) -> None:
    """A Content-Length over the limit: 413 without reading anything."""
    endless = Endless()
    headers = {"content-length": str(BODY_BYTES + 1), "x-line-signature": "x"}
    assert await entry.status(Request("POST", WEBHOOK, headers, aiter(endless))) == 413
    assert endless.taken == 0


async def test_exactly_the_limit_is_taken(entry: Entry) -> None:
    """512 KiB are allowed, one byte more is not."""
    content = b'{"events":[]}'.ljust(BODY_BYTES)
    assert await entry.status(signed(content, "secret")) == 200
    assert await entry.status(signed(content + b" ", "secret")) == 413


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"42",
        b'"text"',
        b"{}",
        b'{"events": null}',
        b'{"events": {}}',
        b"[" * 100_000,
        b'{"events":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"events": [], "x": NaN}',
        b'{"events": [], "x": -Infinity}',
        b'{"events": [], "x": 1e999}',
        b'{"events": [], "events": []}',
        b'{"events": [{"type": "a", "type": "b"}]}',
        b'{"events": [], "x": "\xff"}',
        b'{"events": [], "x": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"events": []}',
        '{"events": []}'.encode("utf-16"),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b'{"events": [], "x": ' + b"9" * 10_000 + b"}",
        b'{"events": []} x',
        b'{"events": [], "x": "\x00"}',
    ],
    ids=lambda content: repr(content[:30]),
)
async def test_signed_but_not_a_webhook(entry: Entry, content: bytes) -> None:
    """400 and nothing goes further, never a 5xx."""
    assert await entry.status(signed(content, "secret")) == 400
    assert entry.is_untouched


@pytest.mark.parametrize(
    "content",
    [body(), body(destination=None), body(destination=["x"]), body(None, 1, "x", [], {}), body(said("x", type=3))],
)
async def test_nothing_to_do(entry: Entry, content: bytes) -> None:
    """LINE's own test of the address, and bodies of odd events only: 200 and nobody is woken."""
    assert await entry.status(signed(content, "secret")) == 200
    assert entry.is_untouched


@pytest.mark.parametrize("destination", [None, "", 1, ["U"], "U", "kaiwa", BOT.upper(), BOT + "0", "C" + BOT[1:]])
async def test_another_destination(entry: Entry, destination: object) -> None:
    """A webhook that is addressed to no bot of LINE's form is for nobody: 200, and its events go no further."""
    content = body(said("hello"), destination=destination)
    assert await entry.status(signed(content, "secret")) == 200
    assert entry.is_untouched
    assert await entry.status(signed(content, "secret", TASK)) == 200
    assert len(entry.task.deliveries) == 1  # our own queue names none when it only wakes a conversation


async def test_an_odd_event_does_not_spoil_the_others(entry: Entry) -> None:
    """It is skipped, the others are handled, the answer is 200."""
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    standby = {**said("standby"), "mode": "standby"}
    content = body(None, said("one"), {**said("x"), "more": deep}, standby, {**said("x"), "source": {}}, said("two"))
    assert await entry.status(signed(content, "secret")) == 200
    assert [event.text for event, _ in entry.webhook.deliveries[0].events] == ["one", "two"]


async def test_a_rotated_secret_is_picked_up(entry: Entry) -> None:
    """A plausible signature that does not match has the secret read again, at most once a minute."""
    assert await entry.status(signed(GOOD, "secret")) == 200
    entry.source.values[VERSION] = "rotated"
    assert await entry.status(signed(GOOD, "rotated")) == 200
    for _ in range(50):
        assert await entry.status(signed(GOOD, "forged")) == 401
    assert len(entry.source.asked) == 2
    entry.clock.advance(61)
    assert await entry.status(signed(GOOD, "forged")) == 401
    assert len(entry.source.asked) == 3


async def test_garbage_never_reaches_the_secrets(entry: Entry) -> None:
    """What cannot be a signature is refused without asking for the secret at all."""
    for signature in ("", "x", "A" * 1000):
        assert await entry.status(Request("POST", WEBHOOK, {"x-line-signature": signature}, pieces(GOOD))) == 401
    assert not entry.source.asked


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("denied")])
async def test_secrets_that_cannot_be_read(entry: Entry, error: KaiwaError) -> None:
    """503, so that the sender tries again; then it works."""
    entry.source.fail_next(error)
    assert await entry.status(signed(GOOD, "secret")) == 503
    assert entry.is_untouched
    entry.clock.advance(2)
    assert await entry.status(signed(GOOD, "secret")) == 200


@pytest.mark.parametrize("error", [Unavailable("queue or store is down"), Misconfigured("no such queue")])
async def test_events_that_are_not_safe(entry: Entry, error: KaiwaError) -> None:
    """503 by either way, and the reason is not told to the sender."""
    entry.webhook.failure = entry.task.failure = error
    for path in (WEBHOOK, TASK):
        response = await entry.gate.answer(signed(GOOD, "secret", path))
        assert response.status == 503
        assert str(error) not in json.dumps(response.body)


async def received_at(entry: Entry, path: str, told: object) -> int:
    await entry.gate.answer(signed(body(said("x"), receivedAt=told), "secret", path))
    taker = entry.task if path == TASK else entry.webhook
    return taker.deliveries[-1].received_at


async def test_the_queue_tells_the_time_of_receipt(entry: Entry) -> None:
    """A reply token ages from when LINE's webhook came, not from when the task runs."""
    assert await received_at(entry, TASK, NOW - 30_000) == NOW - 30_000


@pytest.mark.parametrize("told", [NOW + 1, 10**30, 0, -5, "1", True, None, 1.5, [NOW]])
async def test_odd_times_of_receipt(entry: Entry, told: object) -> None:
    """One from the future, or one that is no number, counts as now."""
    assert await received_at(entry, TASK, told) == NOW


async def test_only_the_queue_tells_the_time(entry: Entry) -> None:
    """LINE's own bodies carry no such field; there it means nothing."""
    assert await received_at(entry, WEBHOOK, NOW - 30_000) == NOW


async def test_logs_tell_nothing(entry: Entry, capsys: pytest.CaptureFixture[str]) -> None:
    """Refusals are logged with their status, without anything from the request."""
    wrong: list[Callable[[], Request]] = [
        lambda: signed(body(said("private words")), "forged"),
        lambda: signed(b'"private words"', "secret"),
        lambda: Request("POST", "/private words", {}, pieces()),
    ]
    for request in wrong:
        await entry.gate.answer(request())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == [401, 400, 404]
    assert "private" not in json.dumps(lines)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_link_is_answered(entry: Entry, method: str) -> None:
    """Whatever follows `/export/` goes to the exports; a store that cannot be read is 503, without the reason."""
    tokens: list[str] = []

    async def export(token: str) -> Response:
        tokens.append(token)
        if token == "down":
            raise Unavailable("the store is down")
        return Response(200, "the file", {"X-Robots-Tag": "noindex"})

    gate = replace(entry.gate, export=export)
    good = await gate.answer(Request(method, "/export/abc", {}, pieces()))
    down = await gate.answer(Request(method, "/export/down", {}, pieces()))
    assert (good, down.status) == (Response(200, "the file", {"X-Robots-Tag": "noindex"}), 503)
    assert tokens == ["abc", "down"]
    assert "store" not in str(down.body)


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/export/abc", 404), ("GET", "/export", 404)])
async def test_no_link(entry: Entry, method: str, path: str, status: int) -> None:
    """Only links are read, and only with GET and HEAD."""
    assert await entry.status(Request(method, path, {}, pieces())) == status
