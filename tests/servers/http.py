"""A real HTTP server on a loopback port that plays a script and keeps what it received.

Built on h11 and bare connections, because a test must be able to cut one at any point.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import h11

DropPoint = Literal["", "before_reading", "after_reading", "in_body"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server does with one request. `body`: bytes as they are, anything else as JSON.

    `delay` seconds pass before the first byte, `drip` seconds after every byte of the body. `drop` cuts the connection.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    drop: DropPoint = ""

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Received:
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HttpServer:
    """`async with HttpServer() as server`; answers in the order of `script`, then with `default`."""

    def __init__(self, default: Answer | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.url = ""
        self.port = 0
        self._default = default or Answer(500, {"message": "nothing is scripted"})
        self._script: deque[Answer] = deque()
        self._running: set[asyncio.Task[None]] = set()

    def script(self, *answers: Answer) -> None:
        self._script.extend(answers)

    async def hung_up(self) -> None:
        """As soon as it has closed every connection."""
        if self._running:
            await asyncio.wait(self._running)

    async def __aenter__(self) -> "HttpServer":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(_Connection(reader, writer)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, connection: "_Connection") -> None:
        try:
            while await self._serve_one(connection):
                connection.next_cycle()
        except (ConnectionError, h11.ProtocolError):
            return  # the client went away
        finally:
            connection.close()

    async def _serve_one(self, connection: "_Connection") -> bool:
        """One request and its answer; whether the connection may serve another."""
        if self._script and self._script[0].drop == "before_reading":
            self._script.popleft()
            return False
        received = await connection.request()
        if received is None:
            return False
        self.requests.append(received)
        answer = self._script.popleft() if self._script else self._default
        await asyncio.sleep(answer.delay)
        return await connection.answer(answer)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    def next_cycle(self) -> None:
        self._http.start_next_cycle()

    def close(self) -> None:
        self._writer.close()

    async def request(self) -> Received | None:
        """The next request, read whole; None when the client closed the connection."""
        head, body = None, b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = {name.decode().lower(): value.decode("latin-1") for name, value in head.headers}
                return Received(head.method.decode(), head.target.decode(), headers, body)
            else:
                return None

    async def answer(self, answer: Answer) -> bool:
        if answer.drop == "after_reading":
            return False
        headers = {"content-type": "application/json", **answer.headers, "content-length": str(len(answer.raw))}
        self._send(h11.Response(status_code=answer.status, headers=[*headers.items()]))
        await self._send_body(answer)
        if answer.drop == "in_body":
            return False
        self._send(h11.EndOfMessage())
        await self._writer.drain()
        return self._http.our_state is not h11.MUST_CLOSE

    async def _send_body(self, answer: Answer) -> None:
        raw = answer.raw[: len(answer.raw) // 2] if answer.drop == "in_body" else answer.raw
        pieces = [raw[at : at + 1] for at in range(len(raw))] if answer.drip else [raw]
        for piece in pieces:
            self._send(h11.Data(data=piece))
            await self._writer.drain()
            await asyncio.sleep(answer.drip)

    def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
