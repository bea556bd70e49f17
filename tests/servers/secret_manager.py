"""A stand-in for Secret Manager: real gRPC on a loopback port, spoken to by Google's own client."""

from collections import deque
from types import TracebackType

import grpc
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


class SecretManagerServer:
    """`versions` maps `projects/P/secrets/S/versions/V` to its value, `asked` lists what was asked for.

    A version that is None is disabled; who asks may not read those that are `denied`. `host` is `host:port`.
    """

    def __init__(self, versions: dict[str, str | bytes | None] | None = None) -> None:
        self.versions: dict[str, str | bytes | None] = versions or {}
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self.host = ""
        self._failures: deque[grpc.StatusCode] = deque()

    def fail_next(self, code: grpc.StatusCode, times: int = 1) -> None:
        self._failures.extend([code] * times)

    def heal(self) -> None:
        """Forget the failures that have not happened yet."""
        self._failures.clear()

    async def __aenter__(self) -> "SecretManagerServer":
        access = grpc.unary_unary_rpc_method_handler(
            self._access,
            request_deserializer=AccessSecretVersionRequest.deserialize,
            response_serializer=AccessSecretVersionResponse.serialize,
        )
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, {"AccessSecretVersion": access})]
        )
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)

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
