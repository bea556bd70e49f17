"""SecretManager, against a stand-in that speaks gRPC on a loopback port."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import grpc
import pytest

from bot.adapters import google_rpc
from bot.adapters.secret_manager import SecretManager, project_id
from bot.errors import Misconfigured, Unavailable
from tests.adapters.grpc_errors import MEANINGS
from tests.servers.http import Answer, HttpServer
from tests.servers.secret_manager import SecretManagerServer

VERSION = "projects/p/secrets/openai-api-key/versions/latest"


@pytest.fixture
async def server() -> AsyncIterator[SecretManagerServer]:
    async with SecretManagerServer({VERSION: "first"}) as server:
        yield server


@pytest.fixture
async def source(server: SecretManagerServer) -> AsyncIterator[SecretManager]:
    source = SecretManager(server.host)
    yield source
    await source.close()


async def test_reads_the_named_version(server: SecretManagerServer, source: SecretManager) -> None:
    """The version asked for is the one that comes, as it is stored, and a new value shows at the next read."""
    assert await source.read(VERSION) == "first"
    server.versions[VERSION] = "秘密\n"
    assert await source.read(VERSION) == "秘密\n"
    assert server.asked == [VERSION, VERSION]


async def test_many_first_reads_at_once(server: SecretManagerServer, source: SecretManager) -> None:
    """Readers that start together are all served."""
    assert await asyncio.gather(*(source.read(VERSION) for _ in range(20))) == ["first"] * 20


@pytest.mark.parametrize(("code", "error"), MEANINGS)
async def test_what_an_error_means(
    server: SecretManagerServer, source: SecretManager, code: grpc.StatusCode, error: type[Exception]
) -> None:
    """Every failure is named after what to do, names the version, and is not tried again here."""
    server.fail_next(code)
    with pytest.raises(error, match=VERSION):
        await source.read(VERSION)
    assert server.asked == [VERSION]
    assert await source.read(VERSION) == "first"


@pytest.mark.parametrize("value", [None, b"\xff\xfe"], ids=["disabled", "binary"])
async def test_an_unusable_version(server: SecretManagerServer, source: SecretManager, value: bytes | None) -> None:
    """A disabled or binary version is the operator's to mend; the error tells how and quotes no byte of it."""
    server.versions[VERSION] = value
    with pytest.raises(Misconfigured, match=VERSION) as raised:
        await source.read(VERSION)
    assert "xff" not in str(raised.value)
    assert not isinstance(raised.value.__cause__, UnicodeDecodeError)


async def test_nobody_listening_is_unavailable() -> None:
    """A Secret Manager that is down is reported at once, not after a minute."""
    async with SecretManagerServer() as server:
        source = SecretManager(server.host)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await source.read(VERSION)
    assert time.monotonic() - started < google_rpc.SECONDS
    await source.close()


async def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of Google Cloud, without an emulator, the operator is told what to set up."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    with pytest.raises(Misconfigured, match="DefaultCredentialsError"):
        await SecretManager(None).read(VERSION)


async def test_project_id_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that cannot be found out asks for the variable that names it."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    with pytest.raises(Misconfigured, match="set GOOGLE_CLOUD_PROJECT"):
        await project_id()


async def test_project_id_of_the_metadata_server() -> None:
    """On Google Cloud the project is the metadata server's."""
    flavor = {"Metadata-Flavor": "Google", "content-type": "text/plain"}
    async with HttpServer(Answer(200, b"my-project", flavor)) as metadata:
        code = "import asyncio; from bot.adapters.secret_manager import project_id; print(asyncio.run(project_id()))"
        # A process of its own: google-auth reads these variables when it is imported.
        asked = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            env={"GCE_METADATA_HOST": f"127.0.0.1:{metadata.port}", "GCE_METADATA_IP": f"127.0.0.1:{metadata.port}"},
            stdout=subprocess.PIPE,
        )
        written, _ = await asyncio.wait_for(asked.communicate(), 60)
    assert written.decode().strip() == "my-project"
    assert any(request.path.startswith("/computeMetadata/v1/project/project-id") for request in metadata.requests)
