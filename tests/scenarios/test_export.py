"""The whole conversation as a file, through the real function: in it is all of one conversation, and nothing else."""

import asyncio
import http.client
import json
import re
from email.message import Message
from urllib.parse import urlsplit

import grpc

from bot.local.webhook import Speaker
from tests.world import World

LINK = re.compile(r"https?://\S+/export/([A-Za-z0-9_-]+)\?openExternalBrowser=1")


async def get(url: str, method: str = "GET") -> tuple[int, Message, str]:
    """Status, headers and body of what a browser gets there."""

    def ask() -> tuple[int, Message, str]:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request(method, f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()

    return await asyncio.to_thread(ask)


async def linked(kaiwa: World, person: Speaker, command: str = "/書き出し") -> str:
    found = LINK.search(await kaiwa.say(person, command))
    assert found
    await kaiwa.settled()
    return found.group()


async def test_the_whole_conversation(kaiwa: World) -> None:
    """45 turns, archived ones and those from before /reset too, in their order, and no other conversation's text."""
    person, other = kaiwa.person(), kaiwa.person()
    group = Speaker(person.user_id, "C" + person.user_id[1:])
    await kaiwa.say(other, "よその人の話")
    await kaiwa.say(group, "@Kaiwa グループでの話")
    await kaiwa.say(person, "消すはずの話")
    await kaiwa.say(person, "/消去")
    for number in range(45):
        await kaiwa.say(person, f"質問その{number}です")
        if number == 30:
            await kaiwa.say(person, "/リセット")
    status, headers, text = await get(await linked(kaiwa, person))
    assert status == 200
    places = [text.index(f"あなた: 質問その{number}です") for number in range(45)]
    assert places == sorted(places)
    assert text.count("Kaiwa: ") == 45
    assert not any(words in text for words in ("よその人の話", "グループでの話", "消すはずの話", "/export", "書き出し"))
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="kaiwa-\d{4}-\d\d-\d\d\.txt"', headers["Content-Disposition"])
    assert (headers["Cache-Control"], headers["X-Robots-Tag"]) == ("no-store", "noindex, nofollow")
    body = json.loads((await get(await linked(kaiwa, person, "/export json")))[2])
    assert [turn["messages"][0]["text"] for turn in body["turns"]] == [f"質問その{number}です" for number in range(45)]


async def test_forgotten(kaiwa: World) -> None:
    """After /forget the link is dead, also when a new conversation has begun."""
    person = kaiwa.person()
    await kaiwa.say(person, "忘れる話")
    link = await linked(kaiwa, person)
    assert "忘れる話" in (await get(link))[2]
    await kaiwa.say(person, "/消去")
    await kaiwa.settled()
    assert (await get(link))[0] == 404
    await kaiwa.say(person, "新しい話")
    status, _, text = await get(link)
    assert status == 404
    assert "新しい話" not in text


async def test_links_that_do_not_work(kaiwa: World) -> None:
    """One character more, less or other: 404 with a sentence in words; nothing of it is in the log."""
    person = kaiwa.person()
    await kaiwa.say(person, "こんにちは")
    link = await linked(kaiwa, person)
    found = LINK.fullmatch(link)
    assert found
    token = found.group(1)
    flipped = ("A" if token[50] != "A" else "B").join((token[:50], token[51:]))
    for wrong in (flipped, token[:-1], token + "A", "", "%2e%2e", "x" * 5000):
        status, headers, text = await get(link.replace(token, wrong))
        assert status == 404
        assert "/export" in text
        assert "こんにちは" not in text
        assert headers["Content-Type"].startswith("text/plain")
    status, headers, text = await get(link, "HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 0
    assert token not in kaiwa.log.read_text()
    assert flipped not in kaiwa.log.read_text()


async def test_an_unsent_message(kaiwa: World) -> None:
    """It is not in the file, nor is its answer."""
    person = kaiwa.person()
    kaiwa.model.script += ["九八七六ですね。", "そうですね。"]
    event = kaiwa.line.events.text(person, "番号は九八七六")
    await kaiwa.line.deliver(kaiwa.url, event)
    await kaiwa.line.wait_for_sent(person.chat_id, 1)
    await kaiwa.say(person, "よい天気")
    link = await linked(kaiwa, person)
    assert "九八七六" in (await get(link))[2]
    await kaiwa.line.deliver(kaiwa.url, kaiwa.line.events.unsend(person, event["message"]["id"]))
    await kaiwa.settled()
    text = (await get(link))[2]
    assert "九八七六" not in text
    assert "よい天気" in text


async def test_the_store_is_down(kaiwa: World) -> None:
    """503 and no reason; the status is told all the same."""
    person = kaiwa.person()
    await kaiwa.say(person, "こんにちは")
    link = await linked(kaiwa, person)
    kaiwa.firestore.fail_next("BatchGetDocuments", grpc.StatusCode.UNAVAILABLE, times=100)
    try:
        status, _, text = await get(link)
        assert (status, json.loads(text)) == (503, {"error": "try again later"})
        assert (await get(kaiwa.url))[0] == 200
    finally:
        kaiwa.firestore.heal()
    assert (await get(link))[0] == 200
