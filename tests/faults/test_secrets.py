"""Secrets are missing, unreadable, rotated or revoked, or the environment is malformed."""

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from grpc import StatusCode

from bot.settings import SECRETS
from bot.texts import phrase
from tests.faults.table import Seen
from tests.faults.tried import Case, answered_once, until
from tests.world import ACCESS_TOKEN, API_KEY, CHANNEL_SECRET, ROOT, World

VALUES = {
    "LINE_CHANNEL_SECRET": CHANNEL_SECRET,
    "LINE_CHANNEL_ACCESS_TOKEN": ACCESS_TOKEN,
    "OPENAI_API_KEY": API_KEY,
}
IN_SECRET_MANAGER: dict[str, str | None] = dict.fromkeys(VALUES)
"""Changes to the environment: none of the secrets is in it."""
UNREADABLE: dict[str, bytes | None] = {"disabled": None, "empty": b" \n", "not UTF-8": b"\xff\xfe"}
FAILURE_SECONDS = 1.1
"""So long a failure answers for all who ask, and a little longer."""
row = pytest.mark.row


def _version(kaiwa: World, name: str) -> str:
    return f"projects/{kaiwa.environment['GOOGLE_CLOUD_PROJECT']}/secrets/{SECRETS[name]}/versions/latest"


async def _start_with(kaiwa: World, values: dict[str, str | bytes | None]) -> None:
    kaiwa.secrets.versions = {_version(kaiwa, name): value for name, value in values.items()}
    await kaiwa.restart(**IN_SECRET_MANAGER)


def _case(kaiwa: World) -> Case:
    return Case(kaiwa, kaiwa.person(), "鍵はありますか")


def _names(kaiwa: World, begun: int, name: str) -> int:
    """How many log lines tell that the secret of this name cannot be read."""
    lines = [line for line in kaiwa.log.read_text()[begun:].splitlines() if line.startswith("{")]
    return sum(SECRETS[name] in line for line in lines if json.loads(line)["event"] == "secret_unreadable")


async def _ended(case: Case) -> None:
    await case.answered()
    await case.kaiwa.settled()
    await case.keep()


@row("G1", injected=f"LINE_CHANNEL_SECRET missing, {', '.join(UNREADABLE)}, there, rotated")
@pytest.mark.mode("inline")
async def test_g1_channel_secret_unreadable(kaiwa: World, seen: Seen) -> None:
    """503 and a log line that names it, until it can be read; then, without a restart, the message is answered."""
    begun = len(kaiwa.log.read_text())
    await _start_with(kaiwa, {name: value for name, value in VALUES.items() if name != "LINE_CHANNEL_SECRET"})
    case = _case(kaiwa)
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(case.person, case.text))
    assert (await kaiwa.post(body, signature)).status == 503
    for value in UNREADABLE.values():
        kaiwa.secrets.versions[_version(kaiwa, "LINE_CHANNEL_SECRET")] = value
        await asyncio.sleep(FAILURE_SECONDS)
        assert (await kaiwa.post(body, signature)).status == 503
    assert _names(kaiwa, begun, "LINE_CHANNEL_SECRET") == 1 + len(UNREADABLE)
    kaiwa.secrets.versions[_version(kaiwa, "LINE_CHANNEL_SECRET")] = CHANNEL_SECRET + "\r\n"
    await case.say()
    await _ended(case)
    answered_once(case)
    kaiwa.line.secret = kaiwa.secrets.versions[_version(kaiwa, "LINE_CHANNEL_SECRET")] = "a new secret"
    try:
        assert "新しい鍵で" in await kaiwa.say(case.person, "新しい鍵で")
    finally:
        kaiwa.line.secret = CHANNEL_SECRET
    seen(
        "503 and named in the log each time; answered when it is there, with a line break at its end, and when rotated"
    )


@row("G1", injected="LINE_CHANNEL_ACCESS_TOKEN missing, then there")
async def test_g1_access_token_missing(kaiwa: World, seen: Seen) -> None:
    """503 and a log line that names it; the answer waits, settled, and is shown once when the token is there."""
    begun = len(kaiwa.log.read_text())
    await _start_with(kaiwa, {name: value for name, value in VALUES.items() if name != "LINE_CHANNEL_ACCESS_TOKEN"})
    case = _case(kaiwa)
    event = kaiwa.line.events.text(case.person, case.text)
    first = (await kaiwa.line.deliver(kaiwa.url, event)).status
    case.statuses.append(first)
    await case.refused()
    assert _names(kaiwa, begun, "LINE_CHANNEL_ACCESS_TOKEN")
    kaiwa.secrets.versions[_version(kaiwa, "LINE_CHANNEL_ACCESS_TOKEN")] = ACCESS_TOKEN + "\n"
    await case.deliver(kaiwa.line.redelivered(event))
    await _ended(case)
    seen(f"503 and named in the log; then {len(case.shown)} answer, {len(case.asked)} model call")
    answered_once(case)
    assert len(case.asked) == 1
    assert set(case.attempts) == {200, 503}


@row("G1", injected="OPENAI_API_KEY missing, then unreadable for a moment, then there")
@pytest.mark.mode("queue")
async def test_g1_api_key_missing(kaiwa: World, seen: Seen) -> None:
    """Tried again within the turn; then the person is told, and the operator which secret it is."""
    begun = len(kaiwa.log.read_text())
    await _start_with(kaiwa, {name: value for name, value in VALUES.items() if name != "OPENAI_API_KEY"})
    case = _case(kaiwa)
    await case.say()
    await _ended(case)
    assert case.texts == [phrase("trouble", "ja")]
    assert set(case.attempts) == {200}
    assert _names(kaiwa, begun, "OPENAI_API_KEY")
    kaiwa.secrets.versions[_version(kaiwa, "OPENAI_API_KEY")] = API_KEY + "\n"
    await asyncio.sleep(FAILURE_SECONDS)
    kaiwa.secrets.fail_next(StatusCode.UNAVAILABLE)
    await case.deliver(kaiwa.line.events.postback(case.person, case.shown[0].buttons[0]["data"]))
    await case.answered(2)
    await _ended(case)
    seen("told once after more tries, named in the log; at the button's press answered, after one more failure")
    assert case.text in case.texts[1]
    assert len(case.texts) == 2
    assert [turn.answer for turn in case.state.turns] == [case.texts[1]]


@row("G1", injected="Secret Manager down with forged signatures; then the others rotated")
@pytest.mark.mode("inline")
async def test_g1_rotated(kaiwa: World, seen: Seen) -> None:
    """The last good values stay while Secret Manager is down; rotated ones are picked up without a restart."""
    await _start_with(kaiwa, {name: value + "\n" for name, value in VALUES.items()})
    await kaiwa.say(kaiwa.person(), "はじめまして")
    read = len(kaiwa.secrets.asked)
    kaiwa.secrets.fail_next(StatusCode.UNAVAILABLE, 99)
    body, _ = kaiwa.line.signed()
    forged = base64.b64encode(b"\x00" * 32).decode()
    assert [(await kaiwa.post(body, forged)).status for _ in range(5)] == [401] * 5
    assert "まだ動く" in await kaiwa.say(kaiwa.person(), "まだ動く")
    assert len(kaiwa.secrets.asked) - read == 1
    kaiwa.secrets.heal()
    kaiwa.line.token, kaiwa.model.key = "a new token", "a new key"
    kaiwa.secrets.versions[_version(kaiwa, "LINE_CHANNEL_ACCESS_TOKEN")] = "a new token"
    kaiwa.secrets.versions[_version(kaiwa, "OPENAI_API_KEY")] = "a new key"
    try:
        case = _case(kaiwa)
        await case.say()
        await _ended(case)
    finally:
        kaiwa.line.token, kaiwa.model.key = ACCESS_TOKEN, API_KEY
    seen("5 × 401 and one question to Secret Manager; answered with the new values, each read again once")
    answered_once(case)
    assert case.attempts == [200]
    assert len(kaiwa.secrets.asked) - read == 3


@row("G1", injected="LINE_CHANNEL_ACCESS_TOKEN revoked")
@pytest.mark.mode("queue")
async def test_g1_revoked(kaiwa: World, seen: Seen) -> None:
    """Nothing can be said without the token: the sender is told to try again, and another instance says it once."""
    await _start_with(kaiwa, {**VALUES})
    await kaiwa.say(kaiwa.person(), "まだ")
    kaiwa.line.token = "another token"
    case = _case(kaiwa)
    try:
        await case.say()
        await until(lambda: any(call.status == 401 for call in kaiwa.line.calls_to("/reply")))
        kaiwa.secrets.versions[_version(kaiwa, "LINE_CHANNEL_ACCESS_TOKEN")] = "another token"
        await kaiwa.restart(**IN_SECRET_MANAGER)
        await _ended(case)
    finally:
        kaiwa.line.token = ACCESS_TOKEN
    seen(f"401, then {len(case.shown)} answer with the new token, {len(case.asked)} model call")
    answered_once(case)
    assert len(case.asked) == 1


MALFORMED = {
    "LEASE_SECONDS": "soon",
    "MODEL_DEADLINE_SECONDS": "-1",
    "RETENTION_DAYS": "nan",
    "STORE": "mysql://x",
    "TASKS_QUEUE": "kaiwa",
    "SERVICE_URL": "not a url",
    "LINE_API_BASE_URL": "ftp://line",
    "LINE_DATA_API_BASE_URL": "line",
    "OPENAI_BASE_URL": "//nowhere",
    "OPENAI_REASONING_EFFORT": "much",
    "FIRESTORE_DATABASE": "A B",
    "FIRESTORE_EMULATOR_HOST": "localhost",
    "SECRET_MANAGER_EMULATOR_HOST": "localhost:99999",
    "CLOUD_TASKS_EMULATOR_HOST": ":1",
    "OPENAI_API_KEY_NAME": "sk-secret",
    "LINE_CHANNEL_SECRET_NAME": "latest",
    "LINE_CHANNEL_ACCESS_TOKEN_NAME": "projects/p/secrets/s",
    "GOOGLE_CLOUD_PROJECT": "a/b",
}


@row("G2", injected=f"{len(MALFORMED)} malformed variables at once")
def test_g2_malformed_environment(seen: Seen) -> None:
    """The start ends with one line that names every one of them, and repeats none of their values."""
    command = [str(Path(sys.executable).parent / "functions-framework"), "--target", "webhook", "--port", "0"]
    ended = subprocess.run(command, cwd=ROOT, env=MALFORMED, capture_output=True, text=True, timeout=30, check=False)
    lines = ended.stderr.strip().splitlines()
    named = [name for name in MALFORMED if any(f"{name} must be" in line for line in lines)]
    seen(f"ended with {len(lines)} line that names {len(named)}")
    assert ended.returncode != 0
    assert len(lines) == 1
    assert named == list(MALFORMED)
    assert "sk-secret" not in ended.stderr
    assert "soon" not in ended.stderr
