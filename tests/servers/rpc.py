"""A gRPC server on a loopback port, for the stand-ins of Google's services."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc


class RpcServer(ABC):
    """`async with` starts and stops it. `host` is `host:port`; `services` says what it serves."""

    host = ""

    @abstractmethod
    def services(self) -> Sequence[grpc.GenericRpcHandler]: ...

    def listen(self, server: grpc.aio.Server) -> str:
        """Open a port; returns the host that leads there."""
        return f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(self.services())
        self.host = self.listen(self._server)
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)


def service(name: str, **methods: tuple[Any, Any, Any]) -> grpc.GenericRpcHandler:
    """Methods that answer once: the message that each takes, the one that it answers, and who does the work."""
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(
            work, request_deserializer=request.deserialize, response_serializer=answer.serialize
        )
        for method, (request, answer, work) in methods.items()
    }
    return grpc.method_handlers_generic_handler(name, handlers)
