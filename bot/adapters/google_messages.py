"""Google's protocol buffers, declared with no more than the fields that Kaiwa needs.

Google's client libraries bring hundreds of messages and a second layer around each one: they take longer to load and
to fill than all that Kaiwa does with them. On the wire both are the same.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

Fields = Mapping[str, tuple[int, str]]
"""The number and type of each field: a scalar (`string`) or a message (`Task`).

`*Header` is a list; a map is a list of its entries, messages of a `key` and a `value`. Of the fields that begin with
`|` a message has one, which `WhichOneof(ONE)` names, even if it is 0 or empty. An enumeration is an `int32`.
"""

ONE = "one"


def messages(package: str, declared: Mapping[str, Fields]) -> dict[str, type[Any]]:
    """Protocol buffers that have these fields; others in what a service answers are passed over."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in declared.items():
        message = DescriptorProto(name=name, field=[_field(package, *one) for one in fields.items()])
        if any(field.HasField("oneof_index") for field in message.field):
            message.oneof_decl.add(name=ONE)
        file.message_type.append(message)
    pool = DescriptorPool()  # of its own: Google's libraries may be loaded as well, and define the same names
    pool.AddSerializedFile(file.SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in declared}


def _field(package: str, name: str, declared: tuple[int, str]) -> FieldDescriptorProto:
    number, kind = declared
    field = FieldDescriptorProto(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind.startswith("*"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    if kind.startswith("|"):
        field.oneof_index = 0
    plain = kind.lstrip("*|")
    if plain[0].isupper():
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{package}.{plain}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{plain.upper()}")
    return field
