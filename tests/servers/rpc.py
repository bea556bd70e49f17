"""A gRPC server on a loopback port, for the stand-ins of Google's services."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc


class RpcServer:
    """`async with` starts and stops it. `host` is `host:port`; `services` says what it serves."""

    host = ""

    def services(self) -> Sequence[grpc.GenericRpcHandler]:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(self.services())
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
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
