"""Secret Manager, read over gRPC. Source: https://docs.cloud.google.com/secret-manager/docs"""

from bot.adapters.google_messages import messages
from bot.adapters.google_rpc import FAILURES, Service, default_credentials, failure
from bot.errors import Misconfigured

REMEDY = "create it, enable this version, and give the function's service account roles/secretmanager.secretAccessor"
MESSAGES = messages(
    "google.cloud.secretmanager.v1",
    {
        "AccessSecretVersionRequest": {"name": (1, "string")},
        "AccessSecretVersionResponse": {"payload": (2, "SecretPayload")},
        "SecretPayload": {"data": (1, "bytes")},
    },
)
"""Source: https://github.com/googleapis/googleapis/tree/master/google/cloud/secretmanager/v1"""


class SecretManager:
    """`ports.SecretSource`. `emulator_host` is `host:port` of a plaintext stand-in that asks for no credentials."""

    def __init__(self, emulator_host: str | None) -> None:
        name = "google.cloud.secretmanager.v1.SecretManagerService"
        self._service = Service(name, "secretmanager.googleapis.com:443", emulator_host)

    async def read(self, version: str) -> str:
        request, answer = MESSAGES["AccessSecretVersionRequest"](name=version), MESSAGES["AccessSecretVersionResponse"]
        try:
            response = await self._service.call("AccessSecretVersion", request, answer, name=version)
            value: bytes = response.payload.data
            return value.decode()
        except FAILURES as error:
            raise failure(error, f"cannot read the secret {version}", REMEDY) from error
        except UnicodeDecodeError:
            # Without its cause, which would quote the secret.
            raise Misconfigured(f"the secret {version} is not UTF-8 text; add a version that is") from None

    async def close(self) -> None:
        await self._service.close()


async def project_id() -> str:
    """The project that the process runs in, from Google's default credentials. Raises Unavailable or Misconfigured."""
    try:
        _, project = await default_credentials()
    except FAILURES as error:
        raise failure(error, "the project is not known", "set GOOGLE_CLOUD_PROJECT") from error
    if not project:
        raise Misconfigured("the project is not known: set GOOGLE_CLOUD_PROJECT")
    return project
