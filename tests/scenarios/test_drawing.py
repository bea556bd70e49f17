"""Drawing, through the real function, with Google's own client and a stand-in for Cloud Storage."""

from collections.abc import AsyncIterator

import pytest

from bot.local.painting import png
from tests.servers.cloud_storage import CloudStorageServer
from tests.servers.uvicorn import serving
from tests.world import World


@pytest.fixture
async def storage() -> AsyncIterator[tuple[CloudStorageServer, str]]:
    server = CloudStorageServer("pictures")
    async with serving(server.app) as url:
        yield server, url


async def test_a_picture(fresh: World, storage: tuple[CloudStorageServer, str]) -> None:
    """It is shown as an image, lies in the bucket, and goes with its message, or with the whole conversation."""
    server, url = storage
    await fresh.start(MEDIA_BUCKET="pictures", STORAGE_EMULATOR_HOST=url)
    person = fresh.person()
    assert "/描いて" in await fresh.say(person, "/ヘルプ")
    fresh.model.pictures += ["moderation_blocked", 500]
    assert "お答えできません" in await fresh.say(person, "/draw 描けないもの")
    assert "もう一度" in await fresh.say(person, "/draw 失敗するもの")
    button = fresh.line.sent(person.chat_id)[-1].buttons[0]
    await fresh.line.deliver(fresh.url, fresh.line.events.postback(person, str(button["data"])))
    event = fresh.line.events.text(person, "/描いて 月を見る猫")
    await fresh.line.deliver(fresh.url, event)
    shown = [sent.message for sent in (await fresh.line.wait_for_sent(person.chat_id, 5, 20))[3:]]
    await fresh.settled()
    [name] = [name for name, stored in server.objects.items() if stored.data == png("月を見る猫")]
    assert [message["type"] for message in shown] == ["image", "image"]
    address = f"https://storage.googleapis.com/pictures/{name}?X-Goog-"
    assert sum(message["originalContentUrl"].startswith(address) for message in shown) == 1
    assert len(server.objects) == 2
    await fresh.line.deliver(fresh.url, fresh.line.events.unsend(person, event["message"]["id"]))
    await fresh.settled()
    assert name not in server.objects
    assert "消しました" in await fresh.say(person, "/消去")
    assert server.objects == {}
    assert '"pictures": 1' in fresh.log.read_text()
    assert "猫" not in fresh.log.read_text()


async def test_switched_off(kaiwa: World) -> None:
    """Without a bucket /draw is a message as any other, and /help does not know it."""
    person = kaiwa.person()
    assert "描いて" not in await kaiwa.say(person, "/ヘルプ")
    kaiwa.model.script.append("絵は描けません。")
    assert await kaiwa.say(person, "/描いて 猫") == "絵は描けません。"
    assert "/描いて 猫" in kaiwa.said_to_model()[-1]
