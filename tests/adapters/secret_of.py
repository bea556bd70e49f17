"""Secrets for adapter tests: a value that a rotation replaces."""

from bot.errors import KaiwaError
from bot.ports import SecretSource
from bot.secrets import Secret
from tests.fakes import FakeClock, FakeSecretSource

VERSION = "projects/p/secrets/s/versions/latest"


def rotating(value: str) -> tuple[Secret, FakeSecretSource]:
    """A secret, and the source in which a test rotates it: `source.values[VERSION] = "new"`."""
    source = FakeSecretSource({VERSION: value})
    return _secret(source), source


def unreadable(error: KaiwaError) -> Secret:
    source = FakeSecretSource()
    source.fail_next(error, times=1000)
    return _secret(source)


def _secret(source: FakeSecretSource) -> Secret:
    async def version() -> str:
        return VERSION

    async def connected() -> SecretSource:
        return source

    return Secret(None, version, connected, FakeClock())
