"""Secrets: the environment wins, Secret Manager is asked rarely, and its troubles are outlived."""

import asyncio

import pytest

from bot import secrets
from bot.errors import Misconfigured, Unavailable
from bot.ports import SecretSource
from bot.secrets import Secret
from tests.fakes import FakeClock, FakeSecretSource

VERSION = "projects/p/secrets/s/versions/latest"


class SlowSource(FakeSecretSource):
    """Answers only when told to."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def read(self, version: str) -> str:
        self.reached.set()
        await self.released.wait()
        return await super().read(version)


def secret(source: SecretSource, clock: FakeClock, given: str | None = None) -> Secret:
    async def version() -> str:
        return VERSION

    async def connected() -> SecretSource:
        return source

    return Secret(given, version, connected, clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def source() -> FakeSecretSource:
    return FakeSecretSource({VERSION: "first"})


async def test_the_environment_wins(source: FakeSecretSource, clock: FakeClock) -> None:
    """A given secret is used as it is, stripped, and Secret Manager is never asked."""
    given = secret(source, clock, " given\n")
    assert await given.value() == "given"
    assert await given.refresh("given") == "given"
    assert source.asked == []


@pytest.mark.parametrize("given", [None, "", " \n"])
async def test_blank_means_not_given(source: FakeSecretSource, clock: FakeClock, given: str | None) -> None:
    """An empty variable does not make an empty secret: Secret Manager is asked."""
    assert await secret(source, clock, given).value() == "first"


async def test_a_trailing_newline_is_no_part_of_a_secret(source: FakeSecretSource, clock: FakeClock) -> None:
    """White space around a stored secret is cut off; the lines inside stay."""
    source.values[VERSION] = "\nnew\nold\r\n"
    assert await secret(source, clock).value() == "new\nold"


async def test_an_empty_secret_is_none(source: FakeSecretSource, clock: FakeClock) -> None:
    """A blank version is refused, because an empty key would let anybody sign; the error names the version."""
    source.values[VERSION] = " \n"
    with pytest.raises(Misconfigured, match=VERSION):
        await secret(source, clock).value()


async def test_cached_for_ten_minutes(source: FakeSecretSource, clock: FakeClock) -> None:
    """Secret Manager is asked once in ten minutes; then a rotated value is picked up."""
    rotating = secret(source, clock)
    await rotating.value()
    source.values[VERSION] = "second"
    clock.advance(599)
    assert await rotating.value() == "first"
    assert len(source.asked) == 1
    clock.advance(1)
    assert await rotating.value() == "second"
    assert len(source.asked) == 2


async def test_many_readers_ask_once(clock: FakeClock) -> None:
    """Requests that start together share one read."""
    slow = SlowSource({VERSION: "first"})
    shared = secret(slow, clock)
    readers = [asyncio.create_task(shared.value()) for _ in range(20)]
    await slow.reached.wait()
    slow.released.set()
    assert await asyncio.gather(*readers) == ["first"] * 20
    assert len(slow.asked) == 1


async def test_many_readers_share_one_failure(source: FakeSecretSource, clock: FakeClock) -> None:
    """While Secret Manager is down, those who wait are told by the same failed read, not one after the other."""
    source.fail_next(Unavailable("down"))
    missing = secret(source, clock)
    outcomes = await asyncio.gather(*(missing.value() for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert len(source.asked) == 1


async def test_never_read_raises_and_recovers(source: FakeSecretSource, clock: FakeClock) -> None:
    """Without any value the trouble is raised, and a second later Secret Manager is asked again."""
    source.fail_next(Unavailable("down"))
    missing = secret(source, clock)
    with pytest.raises(Unavailable):
        await missing.value()
    clock.advance(1)
    assert await missing.value() == "first"


@pytest.mark.parametrize("trouble", [Unavailable("down"), Misconfigured("permission taken away")])
async def test_the_last_good_value_stays(
    source: FakeSecretSource,
    clock: FakeClock,
    trouble: Unavailable | Misconfigured,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While Secret Manager cannot be read the old value is used, with a log line, and not asked for at every use."""
    kept = secret(source, clock)
    await kept.value()
    clock.advance(600)
    source.fail_next(trouble, times=2)
    assert [await kept.value() for _ in range(5)] == ["first"] * 5
    assert len(source.asked) == 2
    clock.advance(secrets.BACKOFF_MS / 1000)
    assert await kept.value() == "first"
    clock.advance(secrets.BACKOFF_MS / 1000)
    source.values[VERSION] = "second"
    assert await kept.value() == "second"
    written = capsys.readouterr().out
    assert len(written.splitlines()) == written.count('"event": "secret_unreadable"') == 2
    assert "first" not in written


async def test_a_good_value_is_not_waited_for_long(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal that hangs holds up one caller briefly and nobody else."""
    slow = SlowSource({VERSION: "first"})
    slow.released.set()
    kept = secret(slow, clock)
    await kept.value()
    monkeypatch.setattr(secrets, "PATIENCE_SECONDS", 0.05)
    clock.advance(600)
    slow.released.clear()
    slow.reached.clear()
    renewing = asyncio.create_task(kept.value())
    await slow.reached.wait()
    assert await kept.value() == "first"
    assert not renewing.done()
    assert await asyncio.wait_for(renewing, 5) == "first"


async def test_refused_values_are_read_again(source: FakeSecretSource, clock: FakeClock) -> None:
    """After a 401 the rotated value is read at once, long before the cache runs out."""
    rotated = secret(source, clock)
    stale = await rotated.value()
    source.values[VERSION] = "second"
    assert await rotated.refresh(stale) == "second"
    assert await rotated.value() == "second"


async def test_refresh_at_most_once_a_minute(source: FakeSecretSource, clock: FakeClock) -> None:
    """A thousand refusals in a minute make one read; the next minute may make another."""
    refused = secret(source, clock)
    stale = await refused.value()
    for _ in range(1000):
        assert await refused.refresh(stale) == "first"
    assert len(source.asked) == 2
    clock.advance(59.9)
    await refused.refresh(stale)
    assert len(source.asked) == 2
    clock.advance(0.1)
    await refused.refresh(stale)
    assert len(source.asked) == 3


async def test_refresh_by_a_late_caller_is_free(source: FakeSecretSource, clock: FakeClock) -> None:
    """Whoever was refused with a value that has been replaced already gets the new one without a read."""
    rotated = secret(source, clock)
    stale = await rotated.value()
    source.values[VERSION] = "second"
    assert await asyncio.gather(*(rotated.refresh(stale) for _ in range(20))) == ["second"] * 20
    clock.advance(60)
    assert await rotated.refresh(stale) == "second"
    assert len(source.asked) == 2


async def test_refresh_survives_a_dead_secret_manager(source: FakeSecretSource, clock: FakeClock) -> None:
    """A refresh that fails gives the stale value back instead of an error."""
    refused = secret(source, clock)
    stale = await refused.value()
    source.fail_next(Unavailable("down"))
    assert await refused.refresh(stale) == stale


async def test_values_do_not_travel_in_errors(source: FakeSecretSource, clock: FakeClock) -> None:
    """The representation of a Secret and of its errors shows no value."""
    kept = secret(source, clock)
    await kept.value()
    assert "first" not in repr(kept)
