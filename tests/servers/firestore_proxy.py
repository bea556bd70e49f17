"""A proxy in front of the Firestore emulator that counts what is billed, where it is billed: at the wire.

It forwards raw bytes, so that every client and every method passes; it reads only what it counts.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self

import grpc
from google.cloud.firestore_v1.types import BatchGetDocumentsResponse, CommitRequest, RunQueryResponse

from tests.servers.taps import Cut, Moment, Taps

_UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


@dataclass(slots=True)
class Counts:
    """Operations as Firestore bills them. `writes` and `deletes` are counted when a Commit succeeds.

    `reads` are documents found, found missing, or returned by a query: one at least for every call. `queries` are the
    calls of RunQuery. `ledger`: those writes that are to the month's account. `log` holds the name of every method
    called, failed calls included.
    """

    reads: int = 0
    writes: int = 0
    deletes: int = 0
    queries: int = 0
    ledger: int = 0
    log: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Failure:
    """`since`: the step of a turn that it begins with; empty when it has begun."""

    method: str
    status: grpc.StatusCode
    after: bool
    about: bytes
    since: str
    left: int

    def take(self, method: str, step: str, request: bytes) -> bool:
        """Whether this call is one that fails; counted down."""
        if self.method != method or self.about not in request:
            return False
        if self.since == step:
            self.since = ""
        meets = not self.since and self.left > 0
        self.left -= meets
        return meets


class FirestoreProxy:
    """`async with FirestoreProxy(emulator) as proxy`: set FIRESTORE_EMULATOR_HOST to `proxy.address`.

    `taps` run at calls by the method's name ("Commit", "BatchGetDocuments", "RunQuery"); what a commit does to a
    conversation's turn stands before it ("claim.Commit", "settle.Commit", "delivered.Commit").
    """

    def __init__(self, emulator: str) -> None:
        self._emulator = emulator
        self._failures: list[_Failure] = []
        self.counts = Counts()
        self.taps = Taps()
        self.address = ""

    def reset(self) -> Counts:
        """Start counting anew; returns what was counted so far."""
        counts, self.counts = self.counts, Counts()
        return counts

    def fail_next(
        self,
        method: str,
        status: grpc.StatusCode,
        after: bool = False,
        times: int = 1,
        about: str = "",
        since: str = "",
    ) -> None:
        """Answer the next `times` calls of `method` ("Commit", "BatchGetDocuments", "RunQuery") with `status`.

        `after` the emulator has done its work: a lost acknowledgement. `about`: only calls that name this document.
        `since` "settle" or "delivered": the commits before that step go through. Several calls add up.
        """
        self._failures.append(_Failure(method, status, after, about.encode(), since, times))

    def heal(self, about: str = "") -> None:
        """Forget the failures that have not happened yet, of one document or all, and then the taps too."""
        self._failures = [failure for failure in self._failures if about and failure.about != about.encode()]
        if not about:
            self.taps.clear()

    def waiting(self, about: str) -> int:
        """How many failures of this document have not happened yet."""
        return sum(failure.left for failure in self._failures if failure.about == about.encode())

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._emulator, options=_UNLIMITED)
        self._server = grpc.aio.server(options=_UNLIMITED)
        self._server.add_generic_rpc_handlers((_EveryMethod(self._forward),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
        await self._channel.close()

    async def _forward(
        self, path: str, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        method = path.rpartition("/")[2]
        self.counts.log.append(method)
        first = await anext(requests, b"")
        step = _step(first) if method == "Commit" else ""
        name = f"{step}.{method}" if step else method
        await self._tap(name, "before", context)
        failure = next((failure for failure in self._failures if failure.take(method, step, first)), None)
        if failure and not failure.after:
            await context.abort(failure.status, "injected by the test")
        asked: list[bytes] = []
        answers = [answer async for answer in self._answers(path, _kept(first, requests, asked), context)]
        self._count(method, asked, answers)
        await self._tap(name, "after", context)
        if failure:
            await context.abort(failure.status, "injected by the test")
        for answer in answers:
            yield answer

    async def _tap(self, method: str, moment: Moment, context: grpc.aio.ServicerContext) -> None:
        try:
            await self.taps.run(method, moment)
        except Cut:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "cut by the test")

    async def _answers(
        self, path: str, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        metadata = [(key, value) for key, value in context.invocation_metadata() if key != "user-agent"]
        call = self._channel.stream_stream(path)(requests, timeout=context.time_remaining(), metadata=metadata)
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))

    def _count(self, method: str, asked: list[bytes], answers: list[bytes]) -> None:
        counts = self.counts
        if method == "BatchGetDocuments":
            counts.reads += max(1, sum(map(_is_document, answers)))
        elif method == "RunQuery":
            counts.queries += 1
            counts.reads += max(1, sum(map(_is_result, answers)))
        elif method == "Commit":
            writes = [write for request in asked for write in CommitRequest.deserialize(request).writes]
            deletes = sum(bool(write.delete) for write in writes)
            counts.deletes += deletes
            counts.writes += len(writes) - deletes
            counts.ledger += sum("/ledger/" in write.update.name for write in writes)


class _EveryMethod(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    def __init__(self, forward: Callable[..., AsyncIterator[bytes]]) -> None:
        self._forward = forward

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def handle(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            async for answer in self._forward(details.method, requests, context):
                yield answer

        return grpc.stream_stream_rpc_method_handler(handle)


async def _kept(first: bytes, requests: AsyncIterator[bytes], kept: list[bytes]) -> AsyncIterator[bytes]:
    kept.append(first)
    yield first
    async for request in requests:
        kept.append(request)
        yield request


def _step(request: bytes) -> str:
    """Which step of a turn a commit is: with a lease, and with or without an answer to send; or the month's account."""
    writes = CommitRequest.deserialize(request).writes
    if any("/ledger/" in write.update.name for write in writes):
        return "ledger"
    written = {field for write in writes for field in write.update.fields}
    if "lease" not in written:
        return "delivered"
    return "settle" if "outbox" in written else "claim"


def _is_document(answer: bytes) -> bool:
    response = BatchGetDocumentsResponse.deserialize(answer)
    return "found" in response or bool(response.missing)


def _is_result(answer: bytes) -> bool:
    return "document" in RunQueryResponse.deserialize(answer)
