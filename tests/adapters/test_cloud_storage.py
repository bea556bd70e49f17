"""Pictures in Cloud Storage, by Google's client, on a server that plays it."""

import base64
import json
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from google.auth.exceptions import DefaultCredentialsError

from bot.adapters import cloud_storage
from bot.adapters.cloud_storage import CloudStoragePictures
from bot.errors import Misconfigured, Unavailable
from bot.ports import Attachment
from tests.servers.cloud_storage import CloudStorageServer
from tests.servers.uvicorn import serving

PICTURE = Attachment("image/jpeg", b"\xff\xd8\xff picture", "picture.jpg")
MINE, OTHER = "a" * 64, "b" * 64


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CloudStorageServer]:
    server = CloudStorageServer("pictures")
    async with serving(server.app) as url:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        yield server


@pytest.fixture
async def pictures(server: CloudStorageServer) -> AsyncIterator[CloudStoragePictures]:
    made = CloudStoragePictures("pictures")
    yield made
    await made.close()


async def test_a_picture_is_kept(server: CloudStorageServer, pictures: CloudStoragePictures) -> None:
    """Under its conversation and message, by a name that nobody can guess; its signed address lasts seven days."""
    address = urlsplit(await pictures.keep(MINE, "m1", PICTURE))
    [(name, stored)] = server.objects.items()
    assert re.fullmatch(rf"{MINE}/{sha256(b'm1').hexdigest()}/[A-Za-z0-9_-]{{32}}\.jpg", name)
    assert stored.data == PICTURE.data
    assert stored.metadata["contentType"] == "image/jpeg"
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"https://storage.googleapis.com/pictures/{name}"
    query = parse_qs(address.query)
    assert query["X-Goog-Algorithm"] == ["GOOG4-RSA-SHA256"]
    assert query["X-Goog-Expires"] == [str(7 * 24 * 3600)]
    assert len(query["X-Goog-Signature"][0]) == 64
    assert len(address.geturl()) < 2000
    again = await pictures.keep(MINE, "m1", PICTURE)
    assert urlsplit(again).path != address.path


class ServiceAccount:
    """Credentials as they are on Google Cloud: with a token, without a private key."""

    valid = False
    service_account_email = "default"
    token = ""

    def refresh(self, _request: object) -> None:
        self.valid, self.service_account_email, self.token = True, "bot@p.iam.gserviceaccount.com", "the-token"


class Iam:
    """What would go to IAM, and its answer."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.data = json.dumps({"signedBlob": base64.b64encode(b"signature").decode()}).encode()
        self.calls: list[dict[str, Any]] = []

    def __call__(self, **call: Any) -> "Iam":
        self.calls.append(call)
        return self


@pytest.mark.usefixtures("server")
async def test_without_a_private_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Google Cloud IAM signs for the function's own account, asked with its own token."""
    iam = Iam()
    monkeypatch.setattr("google.cloud.storage._signing.requests.Request", lambda *_: iam)
    pictures = CloudStoragePictures("pictures", ServiceAccount())
    query = parse_qs(urlsplit(await pictures.keep(MINE, "m1", PICTURE)).query)
    assert query["X-Goog-Signature"] == [b"signature".hex()]
    assert query["X-Goog-Credential"][0].startswith("bot@p.iam.gserviceaccount.com/")
    [call] = iam.calls
    assert call["url"].split("?")[0].endswith("/serviceAccounts/bot@p.iam.gserviceaccount.com:signBlob")
    assert call["headers"]["Authorization"] == "Bearer the-token"
    await pictures.close()


@pytest.mark.usefixtures("server")
async def test_it_may_not_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is told which role is missing."""
    monkeypatch.setattr("google.cloud.storage._signing.requests.Request", lambda *_: Iam(403))
    pictures = CloudStoragePictures("pictures", ServiceAccount())
    with pytest.raises(Misconfigured, match="serviceAccountTokenCreator"):
        await pictures.keep(MINE, "m1", PICTURE)
    await pictures.close()


async def test_erasing(server: CloudStorageServer, pictures: CloudStoragePictures) -> None:
    """A message's pictures, or all of a conversation, on however many pages; nobody else's; and again."""
    for _ in range(5):
        await pictures.keep(MINE, "m1", PICTURE)
    await pictures.keep(MINE, "m12", PICTURE)
    await pictures.keep(OTHER, "m1", PICTURE)
    await pictures.erase(MINE, "m1")
    assert len(server.objects) == 2
    await pictures.erase(MINE)
    await pictures.erase(MINE)
    assert [name.split("/")[0] for name in server.objects] == [OTHER]


async def test_trouble_that_passes(server: CloudStorageServer, pictures: CloudStoragePictures) -> None:
    """One failure is tried again at once, and goes unnoticed."""
    server.fail_next("POST", 503)
    await pictures.keep(MINE, "m1", PICTURE)
    server.fail_next("GET", 503)
    server.fail_next("DELETE", 503)
    await pictures.erase(MINE)
    assert server.objects == {}


async def test_trouble_that_stays(
    server: CloudStorageServer, pictures: CloudStoragePictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be tried again later; what was not erased is erased then."""
    monkeypatch.setattr(cloud_storage, "RETRY", None)
    await pictures.keep(MINE, "m1", PICTURE)
    server.fail_next("DELETE", 503)
    with pytest.raises(Unavailable):
        await pictures.erase(MINE)
    await pictures.erase(MINE)
    assert server.objects == {}
    server.fail_next("POST", 500)
    with pytest.raises(Unavailable):
        await pictures.keep(MINE, "m1", PICTURE)


@pytest.mark.parametrize("status", [403, 401, 404])
async def test_what_the_operator_has_to_set_right(
    server: CloudStorageServer, pictures: CloudStoragePictures, status: int
) -> None:
    """No rights, or no such bucket: it is said what is needed."""
    server.fail_next("POST", status)
    with pytest.raises(Misconfigured, match="MEDIA_BUCKET"):
        await pictures.keep(MINE, "m1", PICTURE)


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused is Unavailable."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setattr(cloud_storage, "RETRY", None)
    with pytest.raises(Unavailable):
        await CloudStoragePictures("pictures").erase(MINE)


async def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is told."""

    def none(**_: object) -> None:
        raise DefaultCredentialsError("none")  # type: ignore[no-untyped-call]

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr("google.auth.default", none)
    with pytest.raises(Misconfigured, match="MEDIA_BUCKET"):
        await CloudStoragePictures("pictures").erase(MINE)
