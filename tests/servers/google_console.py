"""A stand-in for what stands in Google Cloud's consoles: a queue, a database and its fields, over real gRPC.

Sources: https://docs.cloud.google.com/tasks/docs/reference/rpc and https://firebase.google.com/docs/firestore/reference/rpc
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

import grpc
from google.cloud.firestore_admin_v1.types import Database, Field, GetDatabaseRequest, GetFieldRequest, Index
from google.cloud.firestore_v1.types import BatchGetDocumentsRequest, BatchGetDocumentsResponse
from google.cloud.tasks_v2.types import GetQueueRequest, Queue, RetryConfig
from google.protobuf.duration_pb2 import Duration

from tests.servers.rpc import RpcServer, service

T = TypeVar("T")
TTL = Field.TtlConfig.State


class ConsoleServer(RpcServer):
    """`queues` and `databases` by name.

    `ttl`: the state by `collection.field`; `exempt` have no index, `indexed` one of their own, others are like `*`.
    `refusals`: the status, and its words, of a method or of what has a name.
    """

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.databases: dict[str, Database] = {}
        self.ttl: dict[str, Any] = {}
        self.exempt: set[str] = set()
        self.indexed: set[str] = set()
        self.refusals: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.written: list[str] = []

    def services(self) -> Sequence[grpc.GenericRpcHandler]:
        return [
            service("google.cloud.tasks.v2.CloudTasks", GetQueue=(GetQueueRequest, Queue, self._queue)),
            service(
                "google.firestore.admin.v1.FirestoreAdmin",
                GetDatabase=(GetDatabaseRequest, Database, self._database),
                GetField=(GetFieldRequest, Field, self._field),
            ),
            self._documents(),
        ]

    def _documents(self) -> Any:
        """No document exists."""
        read = grpc.unary_stream_rpc_method_handler(
            self._read,
            request_deserializer=BatchGetDocumentsRequest.deserialize,
            response_serializer=BatchGetDocumentsResponse.serialize,
        )
        return grpc.method_handlers_generic_handler("google.firestore.v1.Firestore", {"BatchGetDocuments": read})

    async def _queue(self, request: GetQueueRequest, context: grpc.aio.ServicerContext) -> Queue:
        return await self._found("GetQueue", self.queues, request.name, context)

    async def _database(self, request: GetDatabaseRequest, context: grpc.aio.ServicerContext) -> Database:
        return await self._found("GetDatabase", self.databases, request.name, context)

    async def _field(self, request: GetFieldRequest, context: grpc.aio.ServicerContext) -> Field:
        await self._refuse("GetField", context)
        parts = request.name.split("/")
        name = f"{parts[5]}.{parts[7]}"
        inherits = name not in self.exempt | self.indexed
        indexes = Field.IndexConfig(uses_ancestor_config=inherits, indexes=[Index()] if name in self.indexed else [])
        ttl = Field.TtlConfig(state=self.ttl[name]) if name in self.ttl else None
        return Field(name=request.name, index_config=indexes, ttl_config=ttl)

    async def _read(
        self, request: BatchGetDocumentsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[BatchGetDocumentsResponse]:
        await self._refuse("BatchGetDocuments", context)
        for name in request.documents:
            yield BatchGetDocumentsResponse(missing=name, read_time={"seconds": 1_800_000_000})

    async def _found(self, method: str, known: dict[str, T], name: str, context: grpc.aio.ServicerContext) -> T:
        await self._refuse(method, context)
        if name not in known:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Requested entity was not found.")
        return known[name]

    async def _refuse(self, method: str, context: grpc.aio.ServicerContext) -> None:
        if method in self.refusals:
            await context.abort(*self.refusals[method])


def queue(name: str, state: Any = Queue.State.RUNNING, **changes: Any) -> Queue:
    """As the project sets it up, but for the `changes` to its retries."""
    retries = {
        "max_attempts": 50,
        "max_retry_duration": Duration(seconds=3600),
        "min_backoff": Duration(seconds=2),
        "max_backoff": Duration(seconds=30),
    }
    return Queue(name=name, state=state, retry_config=RetryConfig(**retries | changes))
