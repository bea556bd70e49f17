"""The wiring, in processes of their own: a light start, everything late, and errors that tell nothing."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot import loading, wiring
from bot.app import App
from bot.dispatch import Delivery
from bot.gate import TASK, Request, Response
from bot.loading import Once
from bot.settings import read
from bot.spans import Span, span
from bot.tracing import Tracing
from tests.webhooks import body, pieces, said, signed

ROOT = Path(__file__).parents[1]
HEAVY = (
    "openai",
    "linebot",
    "google.cloud.firestore",
    "google.cloud.tasks",
    "google.cloud.secretmanager",
    "grpc",
    "pydantic",
    "aiohttp",
)
FOR_THE_200 = (
    *("app", "loading", "settings", "limits", "spending", "secrets", "shutdown", "trace", "tracing", "spans", "log"),
    *("gate", "signature", "errors", "events", "commands", "lenient", "document", "media", "conversation"),
    *("dispatch", "ports"),
)
GIVEN = {"LINE_CHANNEL_SECRET": "secret", "LINE_CHANNEL_ACCESS_TOKEN": "token", "OPENAI_API_KEY": "key"}
QUEUE = {"TASKS_QUEUE": "projects/p/locations/l/queues/q", "SERVICE_URL": "https://example.com"}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter that knows nothing but `environment`."""
    known = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | environment
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=known, capture_output=True, text=True, timeout=60)


def app(**environment: str) -> App:
    return App(read(environment), environment)


@pytest.mark.parametrize("environment", [{}, QUEUE, GIVEN | QUEUE, {"STORE": "sqlite::memory:"}])
def test_a_light_start(environment: dict[str, str]) -> None:
    """Importing main.py loads no SDK: a cold start has two seconds in all, and a quarter of a processor."""
    code = f"import main, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = python(code, **environment)
    assert done.stdout.strip() == "[]", done.stderr


def test_what_answers_people_is_not_imported_before_it_is_needed() -> None:
    """With a queue the 200 needs the gate and the dispatcher: the rest of the core would cost it half as much again."""
    code = "import main, sys; print(*sorted(name for name in sys.modules if name.startswith('bot.')))"
    done = python(code, **QUEUE)
    assert set(done.stdout.split()) <= {f"bot.{name}" for name in FOR_THE_200}, done.stderr


def test_a_malformed_environment_stops_the_start() -> None:
    """One line on stderr that names everything wrong, without a stack, and a failing exit."""
    done = python("import main", STORE="x", LEASE_SECONDS="soon")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "STORE must be" in done.stderr
    assert "LEASE_SECONDS must be" in done.stderr


def test_empty_means_unset_for_libraries_too() -> None:
    """An empty FIRESTORE_EMULATOR_HOST or OPENAI_BASE_URL is taken away before any library reads it."""
    code = "import main, os; print([name for name, value in os.environ.items() if not value])"
    assert python(code, OPENAI_BASE_URL="", FIRESTORE_EMULATOR_HOST="", STORE="").stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environment", "first", "rest"),
    [
        (GIVEN, [], ["firestore", "openai", "line", "markdown_it"]),
        ({}, ["secret_manager"], ["firestore", "openai", "line", "markdown_it"]),
        (GIVEN | QUEUE, ["cloud_tasks"], ["firestore", "openai", "line", "markdown_it"]),
        (QUEUE, ["secret_manager", "cloud_tasks"], ["firestore", "openai", "line", "markdown_it"]),
        (GIVEN | {"K_SERVICE": "kaiwa"}, ["google_token"], ["firestore", "openai", "line", "markdown_it"]),
        (
            GIVEN | {"TASKS_QUEUE": "inprocess", "STORE": "sqlite:x"},
            ["in_process"],
            ["sqlite", "openai", "line", "markdown_it"],
        ),
        (GIVEN | {"MEDIA_BUCKET": "pics"}, [], ["firestore", "openai", "line", "markdown_it", "cloud_storage"]),
    ],
)
def test_what_is_imported_first(environment: dict[str, str], first: list[str], rest: list[str]) -> None:
    """What the 200 needs comes before what the answer needs, and what is not used not at all."""
    names = [[name.removeprefix("bot.adapters.") for name in names] for names in app(**environment)._modules()]
    assert names == [first, ["bot.wiring", *rest]]


async def test_the_rest_waits_for_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a queue, imports that the 200 does not need leave the processor to it."""
    imported: list[str] = []
    has_first = threading.Event()

    def load(name: str) -> None:
        imported.append(name)
        has_first.set()

    monkeypatch.setattr(loading, "import_module", load)
    monkeypatch.setattr(loading, "PRELOAD_WAIT_SECONDS", 30.0)
    one = app(**GIVEN, **QUEUE)
    thread = threading.Thread(target=one.preload, daemon=True)
    thread.start()
    assert await asyncio.to_thread(has_first.wait, 10)
    assert imported == ["bot.adapters.cloud_tasks"]
    await one.respond(Request("GET", "/", {}, pieces()))
    await asyncio.to_thread(thread.join, 10)
    assert imported[1:] == [
        "bot.wiring",
        "bot.adapters.firestore",
        "bot.adapters.openai",
        "bot.adapters.line",
        "markdown_it",
    ]


def test_a_module_that_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Told in the log; the thread ends, and the request that needs it will say more."""

    def load(name: str) -> None:
        raise ModuleNotFoundError(name, name="openai")

    monkeypatch.setattr(loading, "import_module", load)
    app(**GIVEN).preload()
    assert json.loads(capsys.readouterr().out)["module"] == "openai"


@pytest.mark.parametrize("missing", [[], ["no_such_module"]])
def test_imports_are_not_searched_for_garbage(missing: list[str]) -> None:
    """Nothing is collected while modules are loaded, nor later among what was loaded then; everything after it is."""
    code = (
        "import gc; from bot.loading import preload; looks = [];"
        "gc.callbacks.append(lambda phase, _: looks.append(phase));"
        f"preload(['bot.wiring'], {missing}, None); searched = len(looks); gc.callbacks.clear();"
        "print(searched, gc.get_freeze_count() > 10_000, gc.isenabled())"
    )
    assert python(code).stdout.splitlines()[-1] == "0 True True"


async def test_the_unexpected(capsys: pytest.CaptureFixture[str]) -> None:
    """A 500, and a log line with the kind and the place of the error, without its words: they may be a user's."""
    one = app(**GIVEN)

    async def broken(*_: object) -> None:
        raise ValueError("private words")

    (await one._wiring()).inbox = Once(broken)  # type: ignore[arg-type]  # it never makes one
    response = await one.respond(signed(body(said("private words")), "secret"))
    assert response == Response(500, {"error": "internal error"})
    out = capsys.readouterr().out
    line = json.loads(out)
    assert (line["event"], line["type"], line["severity"]) == ("internal_error", "ValueError", "ERROR")
    assert line["stack_trace"].endswith("in broken\nValueError")
    assert "private" not in out


async def test_lines_of_a_request_name_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is logged while a request is handled can be found by its trace, and by no other's."""
    one, ids = app(**GIVEN, GOOGLE_CLOUD_PROJECT="p"), ("a" * 32, "b" * 32)
    for id in ids:
        await one.respond(Request("DELETE", "/", {"traceparent": f"00-{id}-{'c' * 16}-00"}, pieces()))
    await one.respond(Request("DELETE", "/", {"traceparent": "nonsense"}, pieces()))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    traces = [line.get("logging.googleapis.com/trace") for line in lines]
    assert traces == [*(f"projects/p/traces/{id}" for id in ids), None]


class Collector:
    """`bot.ports.Traces` that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    async def send(self, spans: Sequence[Span]) -> None:
        self.spans += spans


def traced(**environment: str) -> tuple[App, Collector]:
    """An app whose spans a fake collects; whatever it takes in is done, and measured."""
    one, collector = app(**GIVEN, ENABLE_TRACING="true", **environment), Collector()

    async def make() -> Collector:
        return collector

    async def done(_: Delivery) -> None:
        with span("queue"):
            pass

    one._tracing = Tracing(make)
    one._gate = replace(one._gate, webhook=done, task=done)
    return one, collector


async def test_traced_without_a_queue() -> None:
    """The spans are sent before the answer: one for the request, with its status, a part of the trace it came with."""
    one, collector = traced()
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    await one.respond(signed(body(said("hello")), "secret", traceparent=parent))
    queue, request = collector.spans
    assert (queue.name, request.name, request.fields) == ("queue", "request", {"status": 200})
    assert (request.trace.id, request.parent_id, queue.parent_id) == ("a" * 32, "b" * 16, request.trace.span_id)


async def test_line_does_not_wait_for_a_trace() -> None:
    """With a queue, the webhook's spans go with those of the next task."""
    one, collector = traced(**QUEUE)
    await one.respond(signed(body(said("hello")), "secret"))
    assert collector.spans == []
    await one.respond(signed(body(said("hello")), "secret", TASK))
    assert [one.name for one in collector.spans] == ["queue", "request"] * 2


async def test_what_is_refused_is_not_traced() -> None:
    """Strangers make nobody send anything, and neither does a trace that nobody keeps."""
    one, collector = traced()
    await one.respond(signed(body(said("hello")), "another secret"))
    await one.respond(Request("GET", "/", {}, pieces()))
    await one.respond(signed(body(said("hello")), "secret", traceparent=f"00-{'a' * 32}-{'b' * 16}-00"))
    assert collector.spans == []


def test_without_tracing_nothing_of_it_is_loaded() -> None:
    """Off, neither an answer nor any of the SDKs brings OpenTelemetry's in."""
    code = (
        "import asyncio, sys; from bot.app import App; from bot.gate import Request; from bot.settings import read;"
        "app = App(read({}), {}); app.preload();"
        "asyncio.run(app.respond(Request('GET', '/', {}, None)));"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = python(code)
    assert done.stdout.strip() == "[]", done.stderr


async def test_alive_while_everything_is_down() -> None:
    """`GET /` needs nothing at all; a webhook without its secret is 503."""
    one = app(SECRET_MANAGER_EMULATOR_HOST="127.0.0.1:1", GOOGLE_CLOUD_PROJECT="p")
    assert (await one.respond(Request("GET", "/", {}, pieces()))).status == 200


@pytest.mark.parametrize(("value", "made"), [("", False), ("false", False), ("true", True)])
def test_moderation_only_where_it_is_wanted(value: str, made: bool) -> None:
    """Off, nothing is made of it and nothing imported."""
    code = (
        "import asyncio, os, sys; from bot.app import App; from bot.settings import read;"
        "from bot.wiring import Wiring;"
        "made = asyncio.run(Wiring(App(read(os.environ), {}))._make_moderation(None));"
        "print(made is not None, 'bot.adapters.moderation' in sys.modules)"
    )
    done = python(code, ENABLE_MODERATION=value)
    assert done.stdout.split() == [str(made)] * 2, done.stderr


@pytest.mark.parametrize(("value", "made"), [("", False), ("pictures", True)])
def test_drawing_only_where_there_is_a_bucket(value: str, made: bool) -> None:
    """Without one nothing is made of it and nothing imported."""
    code = (
        "import asyncio, os, sys; from bot.app import App; from bot.settings import read;"
        "from bot.wiring import Wiring;"
        "made = asyncio.run(Wiring(App(read(os.environ), {}))._make_pictures());"
        "print(made is not None, 'google.cloud.storage' in sys.modules)"
    )
    done = python(code, MEDIA_BUCKET=value)
    assert done.stdout.split() == [str(made)] * 2, done.stderr


async def test_made_once() -> None:
    """Ten who need it at once share one; what could not be made is tried again."""
    made: list[object] = []

    async def make() -> object:
        await asyncio.sleep(0)
        made.append(object())
        if len(made) == 1:
            raise OSError
        return made[-1]

    once = Once(make)
    with pytest.raises(OSError):
        await once()
    assert len({id(one) for one in await asyncio.gather(*(once() for _ in range(10)))}) == 1
    assert len(made) == 2


@pytest.mark.parametrize(("deadline_ms", "seconds"), [(1, 5), (5_000, 5), (5_001, 10), (40_000, 40), (300_000, 60)])
def test_loading_seconds(deadline_ms: int, seconds: int) -> None:
    """As long as an answer may take, in LINE's steps of five, sixty at most."""
    assert wiring._loading(deadline_ms) == seconds


def test_the_core_knows_no_sdk() -> None:
    """Only adapters import one, and only app.py and wiring.py import adapters at run time."""
    wrong: list[str] = []
    for path in [*(ROOT / "bot").glob("*.py"), ROOT / "main.py"]:
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and words[1].startswith(
                ("openai", "linebot", "google", "grpc", "aiohttp")
            ):
                wrong.append(f"{path.name}: {line}")
            if path.name not in ("app.py", "wiring.py") and "bot.adapters" in line:
                wrong.append(f"{path.name}: {line}")
    assert wrong == []
