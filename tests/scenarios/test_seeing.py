"""What an operator sees of a turn: one line with every number, a trace, and failures that are reported."""

import asyncio
import http.client
import json
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.settings import DEFAULT_MODEL
from tests.servers.http import Answer, HttpServer
from tests.world import ACCESS_TOKEN, API_KEY, CHANNEL_SECRET, World

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
PHASES = ("claim_ms", "read_ms", "model_ms", "settle_ms", "send_ms")
NUMBERS = (
    *PHASES,
    "total_ms",
    "wait_ms",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost_yen",
    "model_calls",
    "retries",
    "searches",
    "web_searches",
    "pictures",
    "duplicates",
    "messages",
    "tries",
    "bubbles",
)
MODEL_SECONDS = 0.3
"""A time that cannot be taken for nothing."""


async def post(kaiwa: World, text: str, trace: str, path: str = "/") -> int:
    """As Google's front end passes on what LINE sends: with the trace that it gave the request."""
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(kaiwa.person(), text))

    def send() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", kaiwa.port, timeout=60)
        headers = {"x-line-signature": signature, "traceparent": f"00-{trace}-{SPAN}-01"}
        connection.request("POST", path, body, headers)
        return connection.getresponse().status

    return await asyncio.to_thread(send)


def logged(kaiwa: World, trace: str) -> list[dict[str, Any]]:
    name = f"projects/{kaiwa.environment['GOOGLE_CLOUD_PROJECT']}/traces/{trace}"
    lines = [json.loads(line) for line in kaiwa.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("logging.googleapis.com/trace") == name]


async def test_one_line_a_turn(kaiwa: World) -> None:
    """Every phase has its time and the sum is the turn's; it stands in the trace of LINE's request, through the queue.

    There is no word, no secret and no raw id in it.
    """

    async def slowly() -> None:
        await asyncio.sleep(MODEL_SECONDS)

    kaiwa.model.script += [500, "ないしょの返事"]
    kaiwa.model_taps.on("/responses", "before", slowly, 2)
    assert await post(kaiwa, "ないしょの発言", TRACE) == 200
    await kaiwa.settled()
    [line] = [line for line in logged(kaiwa, TRACE) if line["event"] == "turn"]
    assert [name for name in NUMBERS if not isinstance(line[name], int | float) or line[name] < 0] == []
    assert line["model_ms"] >= MODEL_SECONDS * 1000
    assert sum(line[name] for name in PHASES) <= line["total_ms"] + len(PHASES)
    assert (line["model_calls"], line["retries"], line["duplicates"], line["messages"]) == (2, 1, 0, 1)
    assert (line["kind"], line["answered"], line["outcome"]) == ("text", True, "released")
    assert line["input_tokens"] > 0
    assert line["output_tokens"] > 0
    assert line["model"] == DEFAULT_MODEL
    assert line["logging.googleapis.com/spanId"] == SPAN
    assert line["logging.googleapis.com/trace_sampled"] is True
    for private in ("ないしょ", kaiwa.people[-1].user_id, CHANNEL_SECRET, ACCESS_TOKEN, API_KEY):
        assert private not in json.dumps(line, ensure_ascii=False)


async def test_a_repeated_event_is_counted(kaiwa: World) -> None:
    """What LINE delivers twice makes no second turn, and the log tells how many were dropped."""
    person = kaiwa.person()
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(person, "一度きり"))
    for _ in range(2):
        assert (await kaiwa.post(body, signature)).status == 200
        await kaiwa.settled()
    lines = [json.loads(line) for line in kaiwa.log.read_text().splitlines() if line.startswith("{")]
    named = [line for line in lines if line["event"] == "events_repeated"]
    assert named[-1]["count"] == 1


async def test_the_unexpected_is_reported(fresh: World, tmp_path: Path) -> None:
    """A defect is an error of this service with its stack, as Error Reporting reads it, and without its words."""
    broken = tmp_path / "aiohttp"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('ないしょ')")
    await fresh.start(PYTHONPATH=str(tmp_path), K_SERVICE="kaiwa-function", K_REVISION="kaiwa-function-00007")
    assert await post(fresh, "ないしょの発言", TRACE, "/tasks/turn") == 500
    [line] = [line for line in logged(fresh, TRACE) if line["event"] == "internal_error"]
    assert line["severity"] == "ERROR"
    assert line["@type"].endswith(".v1beta1.ReportedErrorEvent")
    assert line["serviceContext"] == {"service": "kaiwa-function", "version": "kaiwa-function-00007"}
    assert line["stack_trace"].startswith('Traceback (most recent call last):\n  File "')
    assert line["stack_trace"].endswith(", in <module>\nRuntimeError")
    assert "ないしょ" not in json.dumps(line, ensure_ascii=False)


async def test_spans_of_a_turn(fresh: World) -> None:
    """With ENABLE_TRACING each phase is a span in the trace of LINE's request, before the queue and after it."""
    async with HttpServer(Answer(200, b"")) as collector:
        await fresh.start(ENABLE_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert await post(fresh, "ないしょの発言", TRACE) == 200
        await fresh.settled()
        spans = [span for request in collector.requests for span in _spans(request.body)]
    names = [span.name for span in spans]
    assert {"request", "claim", "turn", "read", "model", "ask", "settle", "send"} <= set(names)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    known = {span.span_id for span in spans} | {bytes.fromhex(SPAN)}
    assert [span.name for span in spans if span.parent_span_id not in known] == []
    assert names.count("request") == (2 if fresh.mode == "queue" else 1)
    [turn] = [span for span in spans if span.name == "turn"]
    told = {one.key: one.value for one in turn.attributes}
    assert told["kaiwa.outcome"].string_value == "released"
    assert told["kaiwa.input_tokens"].int_value > 0
    sent = b"".join(request.body for request in collector.requests)
    for private in ("ないしょ", fresh.people[-1].user_id, CHANNEL_SECRET, ACCESS_TOKEN, API_KEY):
        assert private.encode() not in sent


async def test_a_collector_that_is_down(fresh: World) -> None:
    """Traces that nobody takes cost an answer nothing: it is given once, and the log tells what was lost."""
    async with HttpServer(Answer(503, {"error": "down"})) as collector:
        await fresh.start(ENABLE_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert await fresh.say(fresh.person(), "聞こえますか")
        await fresh.settled()
        assert len(fresh.model.requests) == 1
        async with asyncio.timeout(60):
            while "tracing_failed" not in fresh.log.read_text():  # noqa: ASYNC110  # a process writes it
                await asyncio.sleep(0.1)
    assert all(json.loads(line)["severity"] for line in fresh.log.read_text().splitlines())


def _spans(body: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]
