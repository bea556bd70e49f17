"""A stand-in for Secret Manager: real gRPC on a loopback port."""

from collections import deque
from collections.abc import Sequence

import grpc
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

from tests.servers.rpc import RpcServer, service

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


class SecretManagerServer(RpcServer):
    """`versions` maps `projects/P/secrets/S/versions/V` to its value, `asked` lists what was asked for.

    A version that is None is disabled; who asks may not read those that are `denied`.
    """

    def __init__(self, versions: dict[str, str | bytes | None] | None = None) -> None:
        self.versions: dict[str, str | bytes | None] = versions or {}
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self._failures: deque[grpc.StatusCode] = deque()

    def fail_next(self, code: grpc.StatusCode, times: int = 1) -> None:
        self._failures.extend([code] * times)

    def heal(self) -> None:
        """Forget the failures that have not happened yet."""
        self._failures.clear()

    def services(self) -> Sequence[grpc.GenericRpcHandler]:
        access = (AccessSecretVersionRequest, AccessSecretVersionResponse, self._access)
        return [service(SERVICE, AccessSecretVersion=access)]

    async def _access(
        self, request: AccessSecretVersionRequest, context: grpc.aio.ServicerContext
    ) -> AccessSecretVersionResponse:
        self.asked.append(request.name)
        if self._failures:
            await context.abort(self._failures.popleft(), "scripted failure")
        if request.name in self.denied:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission 'secretmanager.versions.access' denied")
        if request.name not in self.versions:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Secret Version [{request.name}] not found.")
        value = self.versions[request.name]
        if value is None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"[{request.name}] is in DISABLED state.")
        data = value.encode() if isinstance(value, str) else value
        return AccessSecretVersionResponse(name=request.name, payload={"data": data})
