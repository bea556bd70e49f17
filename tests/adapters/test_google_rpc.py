"""How Google's gRPC services are found, and told who asks."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from bot.adapters import secret_manager
from bot.errors import Misconfigured
from tests.servers.tls import TlsServer

WITH_A_TOKEN = """
import asyncio, sys
import google.auth
from google.oauth2.credentials import Credentials
from bot.adapters.google_rpc import Refused, Service
from bot.adapters.secret_manager import MESSAGES

google.auth.default = lambda **_: (Credentials("the-token"), "p")

async def main():
    service = Service("s", sys.argv[1], None)
    request, answer = MESSAGES["AccessSecretVersionRequest"](name="n"), MESSAGES["AccessSecretVersionResponse"]
    print((await service.call("Read", request, answer)).payload.data.decode())
    await service.close()

asyncio.run(main())
print("google.api_core" in sys.modules)
"""


async def test_a_service_of_google(tmp_path: Path) -> None:
    """Without an emulator it is asked over TLS, with a token, and without Google's own layer above grpc."""
    async with TlsServer(tmp_path) as server:
        environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(server.certificate)}
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WITH_A_TOKEN, server.host, env=environment, stdout=PIPE
        )
        told, _ = await asked.communicate()
    assert told.decode().split() == ["value", "False"]
    assert server.authorizations == ["Bearer the-token"]


async def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without credentials is told what is missing."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    with pytest.raises(Misconfigured, match="DefaultCredentialsError"):
        await secret_manager.SecretManager(None).read("projects/p/secrets/s/versions/1")
