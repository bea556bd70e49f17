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
    calls of RunQuery. `log` holds the name of every method called, failed calls included.
    """

    reads: int = 0
    writes: int = 0
    deletes: int = 0
    queries: int = 0
    log: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Failure:
    """`status` None: this call goes through."""

    status: grpc.StatusCode | None
    after: bool
    about: bytes


class FirestoreProxy:
    """`async with FirestoreProxy(emulator) as proxy`: set FIRESTORE_EMULATOR_HOST to `proxy.address`.

    `taps` run at calls by the method's name ("Commit", "BatchGetDocuments", "RunQuery").
    """

    def __init__(self, emulator: str) -> None:
        self._emulator = emulator
        self._failures: dict[str, list[_Failure]] = {}
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
        skip: int = 0,
    ) -> None:
        """Answer the next `times` calls of `method` ("Commit", "BatchGetDocuments", "RunQuery") with `status`.

        `after` the emulator has done its work: a lost acknowledgement. `about`: only calls that name this document.
        `skip`: so many calls go through before. Several calls add up.
        """
        passed, failed = _Failure(None, False, about.encode()), _Failure(status, after, about.encode())
        self._failures.setdefault(method, []).extend([passed] * skip + [failed] * times)

    def heal(self, about: str = "") -> None:
        """Forget the failures that have not happened yet, of one document or all, and then the taps too."""
        for method, waiting in self._failures.items():
            self._failures[method] = [failure for failure in waiting if about and failure.about != about.encode()]
        if not about:
            self.taps.clear()

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
        await self._tap(method, "before", context)
        first = await anext(requests, b"")
        failure = self._take_failure(method, first)
        if failure and not failure.after:
            await context.abort(failure.status, "injected by the test")
        asked: list[bytes] = []
        answers = [answer async for answer in self._answers(path, _kept(first, requests, asked), context)]
        self._count(method, asked, answers)
        await self._tap(method, "after", context)
        if failure:
            await context.abort(failure.status, "injected by the test")
        for answer in answers:
            yield answer

    def _take_failure(self, method: str, request: bytes) -> _Failure | None:
        waiting = self._failures.get(method, [])
        failure = next((failure for failure in waiting if failure.about in request), None)
        if failure:
            waiting.remove(failure)
        return failure if failure and failure.status else None

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


def _is_document(answer: bytes) -> bool:
    response = BatchGetDocumentsResponse.deserialize(answer)
    return "found" in response or bool(response.missing)


def _is_result(answer: bytes) -> bool:
    return "document" in RunQueryResponse.deserialize(answer)
