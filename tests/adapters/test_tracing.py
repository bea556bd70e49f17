"""OtlpTraces against a collector on loopback that decodes what it is sent."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import google.auth
import pytest
from google.oauth2.credentials import Credentials
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.adapters import tracing
from bot.adapters.tracing import OtlpTraces
from bot.errors import Unavailable
from bot.spans import Span
from bot.trace import Trace
from tests.servers.http import Answer, HttpServer

REQUEST = Trace("a" * 32, "b" * 16, True, "p")
MODEL = Trace("a" * 32, "c" * 16, True, "p")
SPANS = [
    Span("model", MODEL, "b" * 16, 1_000_000_001, 3_000_000_000, "TimeoutError", {"retries": 2, "cost_yen": 0.5}),
    Span("request", REQUEST, "d" * 16, 1_000_000_000, 4_000_000_000, "", {"status": 200}),
]


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpServer]:
    async with HttpServer(Answer(200, b"")) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        yield server


def decoded(server: HttpServer) -> list[Any]:
    """Each request's one set of spans, with its resource."""
    requests = [ExportTraceServiceRequest.FromString(request.body) for request in server.requests]
    return [request.resource_spans[0] for request in requests]


async def test_spans_as_they_were(collector: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, times, what each is a part of, how it ended and its numbers arrive; nothing else does."""
    monkeypatch.setenv("K_SERVICE", "kaiwa-function")
    await OtlpTraces("my-project").send(SPANS)
    [sent] = decoded(collector)
    assert collector.requests[0].path == "/v1/traces"
    assert "authorization" not in collector.requests[0].headers
    resource = {one.key: one.value.string_value for one in sent.resource.attributes}
    assert (resource["service.name"], resource["gcp.project_id"]) == ("kaiwa-function", "my-project")
    model, request = sent.scope_spans[0].spans
    assert (model.name, model.trace_id.hex(), model.span_id.hex()) == ("model", "a" * 32, "c" * 16)
    assert (model.parent_span_id.hex(), request.parent_span_id.hex()) == ("b" * 16, "d" * 16)
    assert (model.start_time_unix_nano, model.end_time_unix_nano) == (1_000_000_001, 3_000_000_000)
    assert (model.status.code, model.status.message, request.status.code) == (2, "TimeoutError", 0)
    assert (request.kind, model.kind) == (2, 1)
    numbers = {one.key: one.value.int_value or one.value.double_value for one in model.attributes}
    assert numbers == {"kaiwa.retries": 2, "kaiwa.cost_yen": 0.5}


async def test_the_beginning_of_a_trace(collector: HttpServer) -> None:
    """A request that came without a trace has no parent."""
    await OtlpTraces("").send([Span("request", REQUEST, "", 1, 2, "", {})])
    assert decoded(collector)[0].scope_spans[0].spans[0].parent_span_id == b""


async def test_as_googles_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no collector of one's own, spans go to Google with this process's credentials, for their project."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    credentials = Credentials("access-token")  # type: ignore[no-untyped-call]
    monkeypatch.setattr(google.auth, "default", lambda scopes: (credentials, "found-project"))
    assert tracing.GOOGLE == "https://telemetry.googleapis.com/v1/traces"
    async with HttpServer(Answer(200, b"")) as server:
        monkeypatch.setattr(tracing, "GOOGLE", f"{server.url}/v1/traces")
        await OtlpTraces("").send(SPANS)
        assert server.requests[0].headers["authorization"] == "Bearer access-token"
        resource = {one.key: one.value.string_value for one in decoded(server)[0].resource.attributes}
        assert resource["gcp.project_id"] == "found-project"


async def test_what_is_refused(collector: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is told to the caller, and not to the root's logger as well; the next ones are taken."""
    told: list[logging.LogRecord] = []
    listening = logging.Handler()
    monkeypatch.setattr(listening, "emit", told.append)
    monkeypatch.setattr(logging.getLogger(), "handlers", [listening])
    collector.script(Answer(403, {"error": "no"}))
    with pytest.raises(Unavailable):
        await OtlpTraces("p").send(SPANS)
    assert [record for record in told if record.name.startswith("opentelemetry")] == []
    await OtlpTraces("p").send(SPANS)


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that cannot be reached is told to the caller in bounded time."""
    monkeypatch.setattr(tracing, "SECONDS", 0.5)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await OtlpTraces("p").send(SPANS)
