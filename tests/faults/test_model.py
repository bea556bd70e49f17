"""The model's API refuses, hangs, or answers something else: one answer or one apology, always in time."""

import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest

from bot.bubbles import units
from bot.local.model import Scripted
from bot.texts import Phrase, phrase
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.table import Seen
from tests.faults.tried import Case, answered_once
from tests.starter import Starter
from tests.world import API_KEY, Mode, World, world

DEADLINE_SECONDS = 3.0
EARLY_SECONDS, LATE_SECONDS = 0.5, 1.5
"""So far from the deadline somebody is told: a busy machine takes its time to get there."""
ALWAYS = 9
PROVIDERS_WORDS = "the provider's own words"
row = pytest.mark.row
Failures = Callable[[], list[str]]


@pytest.fixture(scope="session")
async def started(
    request: pytest.FixtureRequest,
    starter: Starter,
    firestore_emulator: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    """As elsewhere, but with little patience for the model."""
    async with world(cast(Mode, request.param), firestore_emulator, tmp_path_factory.mktemp("model")) as made:
        made.environment["LEASE_SECONDS"] = str(LEASE_SECONDS)
        made.environment["MODEL_DEADLINE_SECONDS"] = f"{DEADLINE_SECONDS:g}"
        made.function.starter = starter
        await made.start()
        # Loading the SDKs takes a part of the first turn's deadline.
        await made.say(made.person(), "はじめまして")
        yield made


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the API does, as often as it is asked or `times`; `told`: the apology, empty where there is an answer."""

    what: Scripted
    told: Phrase | None = None
    times: int = ALWAYS
    calls: tuple[int, ...] = (1,)
    is_operators: bool = False

    @property
    def script(self) -> list[str | int | Scripted]:
        return [self.what] * self.times


def _error(status: int, code: str = "", retry_after: str = "") -> Scripted:
    headers = {"retry-after": retry_after} if retry_after else {}
    return Scripted(status=status, code=code, message=PROVIDERS_WORDS, headers=headers)


def _odd(text: str = "", **fields: Any) -> Scripted:
    return Scripted(text, fields=fields)


RETRIED = (2, 3)
"""How often the model is asked where it may help: as often as the deadline allows, three times at most."""
REFUSED = [{"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": PROVIDERS_WORDS}]}]
REASONED = [{"type": "reasoning", "id": "rs_1", "summary": []}]

REFUSALS: dict[str, Trouble] = {
    "429, Retry-After 1": Trouble(_error(429, retry_after="1"), times=1, calls=(2,)),
    "429, Retry-After 30": Trouble(_error(429, retry_after="30"), "busy"),
    "429, Retry-After 600": Trouble(_error(429, retry_after="600"), "busy"),
    "429 insufficient_quota": Trouble(_error(429, "insufficient_quota"), "trouble", is_operators=True),
    "500 once": Trouble(_error(500), times=1, calls=(2,)),
    "500 always": Trouble(_error(500), "busy", calls=RETRIED),
    "401": Trouble(_error(401), "trouble", is_operators=True),
    "404 model": Trouble(_error(404), "trouble", is_operators=True),
    "400 too long, once": Trouble(_error(400, "context_length_exceeded"), times=1, calls=(2,)),
    "400 too long, always": Trouble(_error(400, "context_length_exceeded"), "too_long", calls=(2,)),
}
ANSWERS: dict[str, Trouble] = {
    "a cut connection": Trouble(Scripted(fault="drop"), "busy", calls=RETRIED),
    "HTML": Trouble(Scripted(raw=b"<html>Bad gateway</html>", content_type="text/html"), "busy", calls=RETRIED),
    "truncated JSON": Trouble(Scripted(raw=b'{"id": "resp_1", "output": [{"ty'), "busy", calls=RETRIED),
    "{}": Trouble(Scripted(raw=b"{}"), "busy", calls=RETRIED),
    "failed": Trouble(
        _odd("half of", status="failed", error={"code": "server_error", "message": PROVIDERS_WORDS}),
        "busy",
        calls=RETRIED,
    ),
    "a content filter": Trouble(
        _odd("half of", status="incomplete", incomplete_details={"reason": "content_filter"}), "cannot_answer"
    ),
    "a refusal": Trouble(_odd(output=REFUSED), "cannot_answer"),
    "nothing": Trouble(_odd(output=[]), "busy", calls=RETRIED),
    "blanks": Trouble(_odd("\u200b \n"), "busy", calls=RETRIED),
    "only reasoning": Trouble(_odd(output=REASONED), "busy", calls=RETRIED),
}
SILENCES: dict[str, Scripted] = {
    "a hang": Scripted(fault="hang"),
    "a dripped body": Scripted("遅い", fault="drip"),
    "an answer too late": Scripted("遅い", delay=DEADLINE_SECONDS + 1),
}


async def _ask(kaiwa: World, text: str = "これに答えて") -> Case:
    case = Case(kaiwa, kaiwa.person(), text)
    await case.say()
    await case.answered()
    await kaiwa.settled()
    await case.keep()
    return case


async def _holds(kaiwa: World, seen: Seen, failures: Failures, case: Case, trouble: Trouble) -> None:
    """One answer or one apology with a button, nothing of the provider's, and the next message is answered."""
    told = "answered" if trouble.told is None else f"told once ({trouble.told})"
    seen(f"{told}, {len(case.asked)} model call{'s' if len(case.asked) > 1 else ''}")
    assert len(case.asked) in trouble.calls
    assert set(case.attempts) == {200}
    if trouble.told is None:
        answered_once(case)
    else:
        _is_apology(case, trouble.told)
    assert failures() == ([] if trouble.told is None else ["ERROR" if trouble.is_operators else "WARNING"])
    assert PROVIDERS_WORDS not in kaiwa.log.read_text()
    kaiwa.model.script.clear()
    before = len(case.shown)
    await case.say(text="次の話")
    await case.answered(before + 1)
    assert "次の話" in kaiwa.shown(case.person)[-1]


def _is_apology(case: Case, name: Phrase, language: Any = "ja") -> None:
    assert case.texts == [phrase(name, language)]
    (button,) = case.shown[0].buttons
    assert button["data"].startswith("/retry ")
    (turn,) = case.state.turns
    assert ([said.text for said in turn.said], turn.answer) == ([case.text], "")
    assert (case.state.pending, case.state.outbox, case.state.lease) == ((), (), None)


@pytest.fixture
def failures(kaiwa: World) -> Failures:
    """The severities of what was logged about the model since the test began."""
    begun = len(kaiwa.log.read_text())

    def logged() -> list[str]:
        lines = (json.loads(line) for line in kaiwa.log.read_text()[begun:].splitlines() if line.startswith("{"))
        return [line["severity"] for line in lines if line["event"] == "model_failed"]

    return logged


@row("E1", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", REFUSALS)
async def test_e1_refusals(kaiwa: World, seen: Seen, failures: Failures, what: str) -> None:
    """Waits only where waiting fits; asks again only where that may help."""
    kaiwa.model.script += REFUSALS[what].script
    await _holds(kaiwa, seen, failures, await _ask(kaiwa), REFUSALS[what])


@row("E1", injected="{what}")
@pytest.mark.mode("inline")
@pytest.mark.parametrize("what", ["500 once", "500 always"])
async def test_e1_refusals_inline(kaiwa: World, seen: Seen, failures: Failures, what: str) -> None:
    """The same without a queue."""
    kaiwa.model.script += REFUSALS[what].script
    await _holds(kaiwa, seen, failures, await _ask(kaiwa), REFUSALS[what])


@row("E1", injected="500 always, asked in English; then the button")
@pytest.mark.mode("queue")
async def test_e1_apology_in_the_persons_language(kaiwa: World, seen: Seen) -> None:
    """The apology is in the language of the message; its button has the stored message answered, once."""
    kaiwa.model.script += REFUSALS["500 always"].script
    case = await _ask(kaiwa, "Is anybody there?")
    _is_apology(case, "busy", "en")
    kaiwa.model.script[:] = ["I am here."]
    await case.deliver(kaiwa.line.events.postback(case.person, case.shown[0].buttons[0]["data"]))
    await case.answered(2)
    await kaiwa.settled()
    await case.keep()
    seen(f"told in English, then {len(case.shown) - 1} answer")
    assert case.texts[1:] == ["I am here."]
    assert [turn.answer for turn in case.state.turns] == ["I am here."]


@row("E1", injected="400 too long with a history")
@pytest.mark.mode("queue")
async def test_e1_too_long_is_trimmed_once(kaiwa: World, seen: Seen) -> None:
    """The second question takes half of the turns along, the newest; the others it may search. The answer is one."""
    case = Case(kaiwa, kaiwa.person(), "最後の質問")
    for number in range(4):
        await kaiwa.say(case.person, f"話{number}")
    await kaiwa.settled()
    asked = len(kaiwa.model.requests)
    kaiwa.model.script.append(_error(400, "context_length_exceeded"))
    await case.say()
    await case.answered(5)
    first, second = kaiwa.said_to_model()[asked:]
    seen("2 model calls, the second with half of the turns")
    assert all(f"話{number}" in first for number in range(4))
    assert [f"話{number}" in second.split("最後の質問")[0] for number in (2, 3)] == [True, True]
    assert [line["role"] for line in kaiwa.model.requests[-1]["input"]][:4] == ["user", "assistant"] * 2
    assert len(kaiwa.model.requests[-1]["input"]) == 6
    assert [tool["name"] for tool in kaiwa.model.requests[-1]["tools"]] == ["search_history"]
    assert case.text in kaiwa.shown(case.person)[-1]


@row("E1", injected="500 after the model has searched, once and for good")
@pytest.mark.mode("queue")
async def test_e1_a_search_is_not_repeated(kaiwa: World, seen: Seen) -> None:
    """The second question is asked again with what was found; where it keeps failing there is one apology."""
    person = kaiwa.person()
    for text in ("犬の名前はポチ", "/reset"):
        await kaiwa.say(person, text)
        await kaiwa.settled()
    asked = len(kaiwa.model.requests)
    kaiwa.model.script += [Scripted(searches=("犬",)), 500, "ポチです。"]
    assert await kaiwa.say(person, "犬の名前は?") == "ポチです。"
    again = [
        ["ポチ" in str(item.get("output")) for item in request["input"]] for request in kaiwa.model.requests[asked:]
    ]
    assert [any(found) for found in again] == [False, True, True]
    kaiwa.model.script += [Scripted(searches=("犬",)), 500, 500, 500]
    assert await kaiwa.say(person, "犬の年は?") == phrase("busy", "ja")
    seen(f"answered after {len(again)} calls, then told once")


@row("E1", injected="401 with a key that was rotated")
@pytest.mark.mode("queue")
async def test_e1_401_reads_the_secret_again_once(kaiwa: World, seen: Seen) -> None:
    """The new key is picked up, and the message that met the old one is answered."""
    version = f"projects/{kaiwa.environment['GOOGLE_CLOUD_PROJECT']}/secrets/openai-api-key/versions/latest"
    kaiwa.secrets.versions[version] = API_KEY
    await kaiwa.restart(OPENAI_API_KEY=None)
    await kaiwa.say(kaiwa.person(), "まだ古い鍵で")
    read, asked = len(kaiwa.secrets.asked), len(kaiwa.model.calls)
    kaiwa.model.key = kaiwa.secrets.versions[version] = "another key"
    try:
        case = await _ask(kaiwa)
    finally:
        kaiwa.model.key = API_KEY
    again, statuses = len(kaiwa.secrets.asked) - read, [call.status for call in kaiwa.model.calls[asked:]]
    seen(f"{statuses}, the secret read again {again} time")
    assert (again, statuses) == (1, [401, 200])
    answered_once(case)


@row("E2", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", SILENCES)
async def test_e2_the_total_deadline(kaiwa: World, seen: Seen, what: str) -> None:
    """Whatever it is waiting for, the deadline holds, and the person is told."""
    await kaiwa.say(kaiwa.person(), "はじめまして")  # after a restart, loading the SDKs takes its time as well
    kaiwa.model.script.append(SILENCES[what])
    case = await _ask(kaiwa)
    took = (case.replies[0].at - kaiwa.model.calls[1].at) / 1000
    seen(f"told once after {took:.2f} s of {DEADLINE_SECONDS:g}")
    _is_apology(case, "busy")
    assert len(case.asked) == 1
    assert DEADLINE_SECONDS - EARLY_SECONDS < took < DEADLINE_SECONDS + LATE_SECONDS


@row("E2", injected="a connection that is never made")
@pytest.mark.mode("queue")
async def test_e2_no_connection(kaiwa: World, seen: Seen) -> None:
    """The deadline holds for connecting too."""
    with _nobody() as port:
        await kaiwa.restart(OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1")
        case = await _ask(kaiwa)
    took = case.logged[-1]["model_ms"] / 1000
    seen(f"told once after {took:.2f} s of {DEADLINE_SECONDS:g}")
    _is_apology(case, "busy")
    assert DEADLINE_SECONDS - EARLY_SECONDS < took < DEADLINE_SECONDS + LATE_SECONDS


@contextmanager
def _nobody() -> Iterator[int]:
    """A port where connecting never ends: the queue of those who wait is full."""
    with socket.socket() as listening, ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@row("E3", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", ANSWERS)
async def test_e3_no_answer(kaiwa: World, seen: Seen, failures: Failures, what: str) -> None:
    """Never silence, and never half an answer that passes for a whole one."""
    kaiwa.model.script += ANSWERS[what].script
    case = await _ask(kaiwa)
    await _holds(kaiwa, seen, failures, case, ANSWERS[what])
    assert "half of" not in "".join(kaiwa.shown(case.person))


@row("E3", injected="incomplete at the output limit")
@pytest.mark.mode("queue")
async def test_e3_a_cut_answer_says_so(kaiwa: World, seen: Seen) -> None:
    """What there is of it is shown and kept, with a mark that it was cut."""
    kaiwa.model.script.append(
        _odd("長い話の前半", status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    )
    case = await _ask(kaiwa)
    seen("the answer, marked as cut")
    answered_once(case)
    assert case.texts == ["長い話の前半\n" + phrase("cut", "ja")]


@row("E4", injected="30,000 characters, families, flags and accents")
@pytest.mark.mode("queue")
async def test_e4_a_long_answer(kaiwa: World, seen: Seen) -> None:
    """Five bubbles, the rest at a tap, no character torn, nothing lost."""
    piece = "👨‍👩‍👧‍👦🇯🇵👍🏽か\u3099"
    answer = "".join(f"{number}{piece}" for number in range(30_000 // (len(piece) + 4)))
    kaiwa.model.script.append(answer)
    case = Case(kaiwa, kaiwa.person(), "長い話をして")
    await case.say()
    await case.answered(5)
    await kaiwa.settled()
    while kaiwa.line.sent(case.person.chat_id)[-1].buttons[0]["data"] == "/more":
        before = len(kaiwa.shown(case.person))
        await case.deliver(kaiwa.line.events.postback(case.person, "/more"))
        await case.answered(before + 1)
        await kaiwa.settled()
    shown = kaiwa.shown(case.person)
    seen(
        f"{len(shown)} bubbles in {len(kaiwa.line.calls_to('/reply'))} replies, {len(kaiwa.model.requests)} model call"
    )
    assert "".join(shown) == answer
    assert all(units(bubble) <= 5_000 for bubble in shown)
    assert not [bubble for bubble in shown[1:] if bubble[0] in "\u200d\u3099🏽🇵"]
    assert len(kaiwa.model.requests) == 1


TEXTS = {
    "Markdown": (
        "# 題\n\n**太字** と `code`\n\n- 一\n- 二\n\n[名](https://example.com)",
        "■ 題\n\n太字 と code\n\n• 一\n• 二\n\n名 (https://example.com)",
    ),
    "control characters": ("あ\x00い\x07う\x1b[31m\r\nえ\x7f", "あいう[31m\nえ"),
    "zero-width characters": ("あ\u200bい\u200dう\ufeffえ", None),
    "tag characters": ("はい\U000e0041\U000e0042。", "はい。"),
    "LINE's placeholders": ("$ は $10 です {user} {0} ${x}", None),
    "right to left": ("\u202eabc\u202c と שלום", None),
}


@row("E4", injected="{what}")
@pytest.mark.mode("queue")
@pytest.mark.parametrize("what", TEXTS)
async def test_e4_as_plain_text(kaiwa: World, seen: Seen, what: str) -> None:
    """Shown as it reads, without what a phone cannot show; nothing of it gets a meaning for LINE."""
    answer, shown = TEXTS[what]
    kaiwa.model.script.append(answer)
    case = await _ask(kaiwa)
    seen("shown as plain text")
    answered_once(case)
    assert case.texts == [shown or answer]
    (message,) = case.replies[0].json["messages"]
    assert set(message) <= {"type", "text", "quickReply"}
    assert message["type"] == "text"
