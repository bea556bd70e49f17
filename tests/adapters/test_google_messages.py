"""Our own messages are Google's."""

from typing import Any

import pytest
from google.cloud import firestore_v1, secretmanager_v1, tasks_v2
from google.cloud.firestore_admin_v1 import types as firestore_admin_v1
from google.protobuf.descriptor import Descriptor

from bot.adapters import cloud_tasks, firestore_documents, secret_manager
from bot.adapters.google_messages import ONE, messages
from bot.admin.checks import google

DOCUMENTS = ("BatchGetDocumentsRequest", "BatchGetDocumentsResponse", "CommitRequest", "CommitResponse")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (cloud_tasks.MESSAGES["CreateTaskRequest"], tasks_v2.CreateTaskRequest),
        (cloud_tasks.MESSAGES["Task"], tasks_v2.Task),
        (secret_manager.MESSAGES["AccessSecretVersionRequest"], secretmanager_v1.AccessSecretVersionRequest),
        (secret_manager.MESSAGES["AccessSecretVersionResponse"], secretmanager_v1.AccessSecretVersionResponse),
        *((firestore_documents.MESSAGES[name], getattr(firestore_v1.types, name)) for name in DOCUMENTS),
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
    _same(ours.DESCRIPTOR, theirs.pb().DESCRIPTOR, set())


def test_one_of_several_fields() -> None:
    """It is told which one is there, also when that is 0; setting another takes it away."""
    number_or_text = messages("test", {"Value": {"number": (1, "|int64"), "text": (2, "|string")}})["Value"]
    assert number_or_text().WhichOneof(ONE) is None
    message = number_or_text.FromString(number_or_text(number=0).SerializeToString())
    assert message.WhichOneof(ONE) == "number"
    message.text = ""
    assert message.WhichOneof(ONE) == "text"


def _same(ours: Descriptor, theirs: Descriptor, seen: set[str]) -> None:
    if ours.full_name in seen:
        return  # values are made of values
    seen.add(ours.full_name)
    for name, field in ours.fields_by_name.items():
        original = theirs.fields_by_name[name]
        shape = (field.number, field.is_repeated, field.has_presence)
        assert shape == (original.number, original.is_repeated, original.has_presence), name
        if field.message_type and original.message_type:
            _same(field.message_type, original.message_type, seen)
        else:
            # An enumeration travels as the number that it is.
            assert field.type == original.type or original.enum_type, name
