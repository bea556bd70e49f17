"""Cloud Storage: drawn pictures, each conversation's under a prefix of its own, shown by signed URLs.

The client blocks: it works in threads. STORAGE_EMULATOR_HOST, Google's own variable, sends it elsewhere.
Source: https://docs.cloud.google.com/storage/docs/access-control/signed-urls
"""

import asyncio
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, TypeVar

import google.auth
import google.auth.transport.requests
import requests
from google.api_core import exceptions
from google.auth.credentials import Signing
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.retry import DEFAULT_RETRY

from bot.adapters.google_rpc import SCOPES
from bot.errors import Misconfigured, Unavailable
from bot.ports import Attachment

SECONDS = 10.0
RETRY = DEFAULT_RETRY.with_timeout(SECONDS)
SHOWN_FOR = timedelta(days=7)
"""The longest that a signed URL may work."""
ENDPOINT = "https://storage.googleapis.com"
REMEDY = (
    "let the function's service account create, list and delete objects in MEDIA_BUCKET "
    "(roles/storage.objectUser) and sign for itself (roles/iam.serviceAccountTokenCreator)"
)
USELESS_TO_REPEAT = (DefaultCredentialsError, exceptions.Forbidden, exceptions.NotFound, exceptions.Unauthorized)
FAILURES = (
    exceptions.GoogleAPICallError,
    exceptions.RetryError,
    GoogleAuthError,
    TimeoutError,
    requests.RequestException,
)
"""Everything that a call raises when the other side, or the way to it, is at fault."""

T = TypeVar("T")


class EmulatorSigner(Signing):
    """Signs with a key that everybody knows; an emulator does not ask."""

    signer_email = "nobody@emulator.invalid"
    signer = None

    def sign_bytes(self, message: bytes) -> bytes:
        return sha256(message).digest()


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a bucket keeps: `days` until an object is deleted by its age, 0 for never; `deleted_seconds` after that."""

    location: str
    days: int
    deleted_seconds: int


class CloudStoragePictures:
    """`ports.Pictures`. `signing`: the credentials that sign addresses; unset, this process's own do."""

    def __init__(self, bucket: str, signing: Any = None) -> None:
        self._name = bucket
        self._signing = signing
        self._client: Client | None = None
        self._credentials: Any = None
        self._lock = threading.Lock()

    async def keep(self, conversation_id: str, message_id: str, picture: Attachment) -> str:
        def work() -> str:
            ending = picture.name.rpartition(".")[2]
            name = f"{_prefix(conversation_id, message_id)}{secrets.token_urlsafe(24)}.{ending}"
            blob = self._bucket().blob(name)
            blob.cache_control = "private, max-age=86400"
            blob.upload_from_string(picture.data, picture.content_type, timeout=SECONDS, retry=RETRY)
            return self._signed(blob)

        return await _done(work, "the picture could not be kept")

    async def erase(self, conversation_id: str, message_id: str = "") -> None:
        def work() -> None:
            bucket, prefix = self._bucket(), _prefix(conversation_id, message_id)
            for blob in bucket.list_blobs(prefix=prefix, timeout=SECONDS, retry=RETRY):
                with suppress(exceptions.NotFound):
                    blob.delete(timeout=SECONDS, retry=RETRY)

        await _done(work, "pictures could not be erased")

    async def keeping(self) -> Keeping | None:
        """None when there is no such bucket. Raises Unavailable or Misconfigured."""

        def work() -> Keeping | None:
            bucket = self._bucket()
            try:
                bucket.reload(timeout=SECONDS, retry=RETRY)
            except exceptions.NotFound:
                return None
            return _keeping(bucket)

        return await _done(work, "the bucket cannot be looked at")

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    def _bucket(self) -> Bucket:
        with self._lock:
            if self._client is None:
                self._client = self._connected()
            return self._client.bucket(self._name)

    def _connected(self) -> Client:
        if os.environ.get("STORAGE_EMULATOR_HOST"):
            self._signing = self._signing or EmulatorSigner()
            return Client(project="emulator")
        # The client's own scopes do not allow to sign.
        self._credentials, project = google.auth.default(scopes=SCOPES)
        return Client(project=project, credentials=self._credentials)

    def _signed(self, blob: Blob) -> str:
        signer = self._signing or self._credentials
        if isinstance(signer, Signing):
            by: dict[str, Any] = {"credentials": signer}
        else:
            # On Google Cloud there is no private key: IAM signs, asked with the account's own token.
            if not signer.valid:
                signer.refresh(google.auth.transport.requests.Request())
            by = {"service_account_email": signer.service_account_email, "access_token": signer.token}
        try:
            address: str = blob.generate_signed_url(
                version="v4", expiration=SHOWN_FOR, method="GET", api_access_endpoint=ENDPOINT, **by
            )
        except TransportError:
            raise Misconfigured(f"a picture's address could not be signed; {REMEDY}") from None
        return address


def _keeping(bucket: Bucket) -> Keeping:
    rules = [rule for rule in bucket.lifecycle_rules if rule.get("action", {}).get("type") == "Delete"]
    # A rule with a second condition leaves something.
    ages = [rule["condition"]["age"] for rule in rules if set(rule.get("condition", {})) == {"age"}]
    deleted = bucket.soft_delete_policy.retention_duration_seconds
    return Keeping(str(bucket.location or "").lower(), min(map(int, ages), default=0), int(deleted or 0))


def _prefix(conversation_id: str, message_id: str) -> str:
    """With a slash at the end, so that no other conversation or message begins the same."""
    return f"{conversation_id}/{sha256(message_id.encode()).hexdigest()}/" if message_id else f"{conversation_id}/"


async def _done(work: Callable[[], T], what: str) -> T:
    """In a thread. Raises Unavailable or Misconfigured."""
    try:
        return await asyncio.to_thread(work)
    except FAILURES as error:
        kind = type(error).__name__
        if isinstance(error, USELESS_TO_REPEAT):
            raise Misconfigured(f"{what}: {kind}; {REMEDY}") from None
        raise Unavailable(f"{what}: {kind}; try again") from None
