"""Our own messages are Google's."""

from typing import Any

import pytest
from google.cloud import secretmanager_v1, tasks_v2
from google.cloud.firestore_admin_v1 import types as firestore_admin_v1
from google.protobuf.descriptor import Descriptor

from bot.adapters import cloud_tasks, secret_manager
from bot.adapters.google_rpc import Service
from bot.admin.checks import google
from bot.errors import Misconfigured


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (cloud_tasks.MESSAGES["CreateTaskRequest"], tasks_v2.CreateTaskRequest),
        (cloud_tasks.MESSAGES["Task"], tasks_v2.Task),
        (secret_manager.MESSAGES["AccessSecretVersionRequest"], secretmanager_v1.AccessSecretVersionRequest),
        (secret_manager.MESSAGES["AccessSecretVersionResponse"], secretmanager_v1.AccessSecretVersionResponse),
        (google.TASKS["GetQueueRequest"], tasks_v2.GetQueueRequest),
        (google.TASKS["Queue"], tasks_v2.Queue),
        (google.ADMIN["GetDatabaseRequest"], firestore_admin_v1.GetDatabaseRequest),
        (google.ADMIN["Database"], firestore_admin_v1.Database),
        (google.ADMIN["GetFieldRequest"], firestore_admin_v1.GetFieldRequest),
        (google.ADMIN["Field"], firestore_admin_v1.Field),
    ],
)
def test_messages_are_googles(ours: Any, theirs: Any) -> None:
    """Every field that we use has the name, number, type and label that Google's own library gives it."""
    _same(ours.DESCRIPTOR, theirs.pb().DESCRIPTOR)


async def test_the_address_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an emulator it is Google's own, over TLS, with the credentials that the process has."""
    seen: dict[str, Any] = {}

    class Library:
        @staticmethod
        def create_channel(target: str, **options: Any) -> None:
            seen.update(options, target=target)

    async def found() -> tuple[str, str]:
        return "credentials", "project"

    monkeypatch.setattr("bot.adapters.google_rpc.default_credentials", found)
    monkeypatch.setattr("bot.adapters.google_rpc.import_module", lambda _name: Library)
    await Service("s", "cloudtasks.googleapis.com", None)._connect()
    assert seen == {"target": "cloudtasks.googleapis.com:443", "credentials": "credentials"}


async def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without credentials is told what is missing."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")
    with pytest.raises(Misconfigured, match="DefaultCredentialsError"):
        await secret_manager.SecretManager(None).read("projects/p/secrets/s/versions/1")


def _same(ours: Descriptor, theirs: Descriptor) -> None:
    for name, field in ours.fields_by_name.items():
        original = theirs.fields_by_name[name]
        assert (field.number, field.is_repeated) == (original.number, original.is_repeated), name
        if field.message_type and original.message_type:
            _same(field.message_type, original.message_type)
        else:
            # An enumeration travels as the number that it is.
            assert field.type == original.type or original.enum_type, name
