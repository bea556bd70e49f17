"""Secret Manager, read over gRPC. Source: https://docs.cloud.google.com/secret-manager/docs"""

import asyncio

from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

from bot.adapters.google_cloud import FAILURES, SECONDS, default_credentials, emulator_channel, failure
from bot.errors import Misconfigured

REMEDY = "create it, enable this version, and give the function's service account roles/secretmanager.secretAccessor"


class SecretManager:
    """`ports.SecretSource`. `emulator_host` is `host:port` of a plaintext stand-in that asks for no credentials."""

    def __init__(self, emulator_host: str | None) -> None:
        self._emulator_host = emulator_host
        self._client: SecretManagerServiceAsyncClient | None = None
        self._lock = asyncio.Lock()

    async def read(self, version: str) -> str:
        try:
            client = await self._connected()
            response = await client.access_secret_version(name=version, retry=None, timeout=SECONDS)
            return response.payload.data.decode()
        except FAILURES as error:
            raise failure(error, f"cannot read the secret {version}", REMEDY) from error
        except UnicodeDecodeError:
            # Without its cause, which would quote the secret.
            raise Misconfigured(f"the secret {version} is not UTF-8 text; add a version that is") from None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.transport.close()  # type: ignore[no-untyped-call]

    async def _connected(self) -> SecretManagerServiceAsyncClient:
        async with self._lock:  # many first calls at once make one client
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> SecretManagerServiceAsyncClient:
        if self._emulator_host:
            channel = emulator_channel(self._emulator_host)
            transport = SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
            return SecretManagerServiceAsyncClient(transport=transport)
        credentials, _ = await default_credentials()
        return SecretManagerServiceAsyncClient(credentials=credentials)


async def project_id() -> str:
    """The project that the process runs in, from Google's default credentials. Raises Unavailable or Misconfigured."""
    try:
        _, project = await default_credentials()
    except FAILURES as error:
        raise failure(error, "the project is not known", "set GOOGLE_CLOUD_PROJECT") from error
    if not project:
        raise Misconfigured("the project is not known: set GOOGLE_CLOUD_PROJECT")
    return project
