"""OpenTelemetry: spans sent by OTLP over HTTP to Cloud Trace, or to OTEL_EXPORTER_OTLP_ENDPOINT.

Sources: https://docs.cloud.google.com/stackdriver/docs/reference/telemetry/overview,
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import asyncio
import logging
import os
import threading
from collections.abc import Sequence

import google.auth
from google.auth.transport.requests import AuthorizedSession
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from bot.adapters.google_rpc import SCOPES
from bot.errors import Unavailable
from bot.spans import Span
from bot.trace import Trace

GOOGLE = "https://telemetry.googleapis.com/v1/traces"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own variables; the exporter reads them itself."""
SECONDS = 5.0
SCOPE = InstrumentationScope("kaiwa")

# Its complaints, which the log tells in its own way, would be lines without severity.
logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
logging.getLogger("opentelemetry").propagate = False


class OtlpTraces:
    """`ports.Traces`. The spans come ready-made: the SDK is loaded when they are over."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._made: tuple[OTLPSpanExporter, Resource] | None = None

    async def send(self, spans: Sequence[Span]) -> None:
        """Raises Unavailable, or an error of Google's credentials."""
        await asyncio.to_thread(self._send, spans)

    def _send(self, spans: Sequence[Span]) -> None:
        with self._lock:  # the exporter is not made for several threads
            self._made = self._made or self._connected()
            exporter, resource = self._made
            if exporter.export([_readable(span, resource) for span in spans]) is not SpanExportResult.SUCCESS:
                raise Unavailable("the spans were not taken")

    def _connected(self) -> tuple[OTLPSpanExporter, Resource]:
        if any(os.environ.get(name) for name in ENDPOINTS):
            return OTLPSpanExporter(timeout=SECONDS), _resource(self._project)
        credentials, project = google.auth.default(scopes=SCOPES)
        session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        return OTLPSpanExporter(GOOGLE, session=session, timeout=SECONDS), _resource(self._project or project or "")


def _resource(project: str) -> Resource:
    """Google finds the project by its attribute."""
    named = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or os.environ.get("K_SERVICE") or "kaiwa",
        "service.version": os.environ.get("K_REVISION", ""),
        "gcp.project_id": project,
    }
    return Resource.create({name: value for name, value in named.items() if value})


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        span.name,
        _context(span.trace, span.trace.span_id),
        _context(span.trace, span.parent_id, is_remote=span.name == "request") if span.parent_id else None,
        resource,
        {f"kaiwa.{name}": value for name, value in span.fields.items()},
        kind=SpanKind.SERVER if span.name == "request" else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.UNSET),
        start_time=span.began,
        end_time=span.ended,
        instrumentation_scope=SCOPE,
    )


def _context(trace: Trace, span_id: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace.id, 16), int(span_id, 16), is_remote, TraceFlags(trace.sampled))
