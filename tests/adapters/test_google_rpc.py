"""How Google's gRPC services are found, and told who asks."""

from typing import Any

import pytest

from bot.adapters import secret_manager
from bot.adapters.google_rpc import KEEPALIVE, Service
from bot.errors import Misconfigured


async def test_the_address_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an emulator it is Google's own, over TLS, with the credentials that the process has."""
    seen: dict[str, Any] = {}

    class Library:
        @staticmethod
        def create_channel(target: str, **options: Any) -> None:
            seen.update(options, target=target)

    async def found() -> tuple[str, str]:
        return "credentials", "project"

    monkeypatch.setattr("bot.adapters.google_rpc.default_credentials", found)
    monkeypatch.setattr("bot.adapters.google_rpc.import_module", lambda _name: Library)
    await Service("s", "cloudtasks.googleapis.com", None)._connect()
    assert seen == {
        "target": "cloudtasks.googleapis.com:443",
        "credentials": "credentials",
        "options": [KEEPALIVE],
    }


async def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without credentials is told what is missing."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    with pytest.raises(Misconfigured, match="DefaultCredentialsError"):
        await secret_manager.SecretManager(None).read("projects/p/secrets/s/versions/1")
