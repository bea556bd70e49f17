"""The outside contract: statuses, start-up, secrets and what is logged."""

import asyncio
import http.client
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import ACCESS_TOKEN, API_KEY, CHANNEL_SECRET, ROOT, World


async def request(kaiwa: World, method: str, path: str) -> tuple[int, bytes]:
    def ask() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", kaiwa.port, timeout=10)
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()

    return await asyncio.to_thread(ask)


async def test_what_is_refused_leaves_no_trace(kaiwa: World) -> None:
    """Bad signature, garbage and oversize get their status; nothing is stored or sent, and the process lives on."""
    person = kaiwa.person()
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(person, "こんにちは"))
    large = b"x" * (512 * 1024 + 1)
    garbage = [b"null", b"[]", b"{}", b'{"events": 1}', b"\xff\xfe", b"[" * 100_000, b'{"events":[NaN]}']
    statuses = [
        (await kaiwa.post(body, "")).status,
        (await kaiwa.post(body, "no signature")).status,
        (await kaiwa.post(body + b" ", signature)).status,
        (await kaiwa.post(large, "whatever")).status,
        *[(await kaiwa.post(text, _signed(text))).status for text in garbage],
    ]
    assert statuses == [401, 401, 401, 413, *[400] * len(garbage)]
    await kaiwa.settled()
    assert kaiwa.firestore.counts.log == []
    assert kaiwa.line.calls == []
    assert kaiwa.model.requests == []
    assert await kaiwa.say(person, "まだ動いていますか")


async def test_the_other_routes(kaiwa: World) -> None:
    """GET / tells a short status, what is not there is 404, and another method 405."""
    status, body = await request(kaiwa, "GET", "/")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert (await request(kaiwa, "GET", "/tasks/turn"))[0] == 405
    assert (await request(kaiwa, "DELETE", "/"))[0] == 405
    assert (await request(kaiwa, "GET", "/admin"))[0] == 404


async def test_an_empty_body_of_events(kaiwa: World) -> None:
    """LINE's connection test, a signed body without events, is answered 200 and costs nothing."""
    assert (await kaiwa.post(*kaiwa.line.signed())).status == 200
    assert kaiwa.firestore.counts.log == []


async def test_a_task_is_taken_with_and_without_a_queue(kaiwa: World) -> None:
    """What the queue would bring to /tasks/turn is answered, whether this function has a queue or not."""
    person = kaiwa.person()
    body, signature = kaiwa.line.signed(kaiwa.line.events.text(person, "待ち行列から"))
    assert (await kaiwa.post(body, signature, "tasks/turn")).status == 200
    assert len(kaiwa.line.sent(person.chat_id)) == 1
    assert (await kaiwa.post(body, "wrong", "tasks/turn")).status == 401


async def test_no_secret_and_no_message_text_is_logged(kaiwa: World) -> None:
    """The log has one line a turn, of fields: no text, no secret, no raw user id."""
    person = kaiwa.person()
    kaiwa.model.script += ["ないしょの返事", 500, 500, 500]
    await kaiwa.say(person, "ないしょの発言")
    await kaiwa.say(person, "ないしょの失敗")
    await kaiwa.say(person, "/history ないしょ")
    await kaiwa.settled()
    log = kaiwa.log.read_text()
    assert log.count('"event": "turn"') >= 3
    assert all(json.loads(line)["severity"] for line in log.splitlines())
    for private in ("ないしょ", person.user_id, CHANNEL_SECRET, ACCESS_TOKEN, API_KEY):
        assert private not in log


async def test_secrets_come_from_secret_manager(fresh: World) -> None:
    """Without them in the environment, all three secrets are read from Secret Manager, once each."""
    project = fresh.environment["GOOGLE_CLOUD_PROJECT"]
    names = {
        "line-channel-secret": CHANNEL_SECRET + "\n",
        "line-channel-access-token": ACCESS_TOKEN,
        "openai-api-key": API_KEY,
    }
    fresh.secrets.versions.update(
        {f"projects/{project}/secrets/{name}/versions/latest": value for name, value in names.items()}
    )
    await fresh.start(LINE_CHANNEL_SECRET=None, LINE_CHANNEL_ACCESS_TOKEN="", OPENAI_API_KEY=None)
    for text in ("一回目", "二回目"):
        await fresh.say(fresh.person(), text)
    assert len(fresh.secrets.asked) == 3


async def test_a_rotated_key_needs_no_restart(fresh: World) -> None:
    """After a 401 the secret is read again once, and the message is answered with the new one."""
    project = fresh.environment["GOOGLE_CLOUD_PROJECT"]
    version = f"projects/{project}/secrets/openai-api-key/versions/latest"
    fresh.secrets.versions[version] = "an-old-key"
    await fresh.start(OPENAI_API_KEY=None)
    fresh.model.key = "an-old-key"
    await fresh.say(fresh.person(), "古い鍵で")
    fresh.model.key = fresh.secrets.versions[version] = "a-new-key"
    assert "新しい鍵で" in await fresh.say(fresh.person(), "新しい鍵で")


async def test_it_starts_while_everything_is_down(fresh: World) -> None:
    """GET / answers 200 and a webhook 503 while no secret, store or queue can be reached."""
    nowhere = "127.0.0.1:9"
    await fresh.start(LINE_CHANNEL_SECRET=None, SECRET_MANAGER_EMULATOR_HOST=nowhere, FIRESTORE_EMULATOR_HOST=nowhere)
    body, signature = fresh.line.signed(fresh.line.events.text(fresh.person(), "だれかいますか"))
    assert (await fresh.post(body, signature)).status == 503
    assert (await request(fresh, "GET", "/"))[0] == 200


async def test_a_store_or_queue_that_cannot_be_reached(fresh: World) -> None:
    """503, so that the sender tries again; when it does, the message is answered."""
    nowhere = "127.0.0.1:9"
    down = {"queue": "CLOUD_TASKS_EMULATOR_HOST", "inline": "FIRESTORE_EMULATOR_HOST"}[fresh.mode]
    await fresh.start(**{down: nowhere})
    person = fresh.person()
    body, signature = fresh.line.signed(fresh.line.events.text(person, "届きますか"))
    assert (await fresh.post(body, signature)).status == 503
    await fresh.stop()
    await fresh.start()
    assert (await fresh.post(body, signature)).status == 200
    assert len(await fresh.line.wait_for_sent(person.chat_id, 1)) == 1


async def test_a_duplicate_after_a_restart(fresh: World) -> None:
    """What was answered before a restart is not answered again after it."""
    await fresh.start()
    person = fresh.person()
    body, signature = fresh.line.signed(fresh.line.events.text(person, "一度きり"))
    assert (await fresh.post(body, signature)).status == 200
    await fresh.line.wait_for_sent(person.chat_id, 1)
    await fresh.settled()
    await fresh.stop()
    await fresh.start()
    assert (await fresh.post(body, signature)).status == 200
    await fresh.settled()
    assert len(fresh.line.sent(person.chat_id)) == len(fresh.model.requests) == 1


@pytest.mark.parametrize("names", [["LEASE_SECONDS"], ["STORE", "TASKS_QUEUE", "RETENTION_DAYS"]])
def test_malformed_settings_stop_the_start(names: list[str]) -> None:
    """A malformed variable ends the process with one line that names every one of them, and not their values."""
    environment = dict.fromkeys(names, "!wrong!")
    command = [str(Path(sys.executable).parent / "functions-framework"), "--target", "webhook", "--port", "0"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1
    assert all(name in lines[0] for name in names)
    assert "!wrong!" not in lines[0]


def _signed(body: bytes) -> str:
    from bot.local.webhook import sign

    return sign(CHANNEL_SECRET, body)
