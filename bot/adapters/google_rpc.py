"""Google's gRPC services, called with no more than the messages that Kaiwa needs.

On a cold start secrets are read and tasks are created before LINE gets its 200, and LINE waits two seconds. Google's
client libraries for these two services take longer to load than all the rest; grpc and protobuf, on which they stand,
a tenth of that.
"""

import asyncio
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import quote

import google.auth
import grpc
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from bot.errors import KaiwaError, Misconfigured, Unavailable

SECONDS = 5.0
"""For one call, instead of the minute that the libraries allow."""

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

USELESS_TO_REPEAT = frozenset(
    {
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)

Fields = Mapping[str, tuple[int, str]]
"""The number and type of each field: a scalar (`string`), a message (`Task`), or a list of messages (`*Header`)."""


def messages(package: str, declared: Mapping[str, Fields]) -> dict[str, type[Any]]:
    """Protocol buffers that have these fields; others in what a service answers are passed over."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in declared.items():
        file.message_type.append(DescriptorProto(name=name, field=[_field(package, *one) for one in fields.items()]))
    pool = DescriptorPool()  # of its own: Google's libraries may be loaded as well, and define the same names
    pool.AddSerializedFile(file.SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in declared}


def _field(package: str, name: str, declared: tuple[int, str]) -> FieldDescriptorProto:
    number, kind = declared
    field = FieldDescriptorProto(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind.startswith("*"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    if kind.lstrip("*")[0].isupper():
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{package}.{kind.lstrip('*')}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    return field


class Refused(Exception):
    """The service, or the way to it, answered with this status; `details` are its words, for operators alone."""

    def __init__(self, code: grpc.StatusCode, details: str = "") -> None:
        super().__init__(code.name)
        self.code = code
        self.details = details


FAILURES = (Refused, GoogleAuthError, TimeoutError)
"""Everything that a call raises when the other side, or the way to it, is at fault."""


class Service:
    """One service at `host`; `emulator_host` is `host:port` of a plaintext stand-in that asks for no credentials."""

    def __init__(self, name: str, host: str, emulator_host: str | None) -> None:
        self._name = name
        self._host = host
        self._emulator_host = emulator_host
        self._channel: Any = None
        self._lock = asyncio.Lock()

    async def call(self, method: str, request: Any, answer: type[Any], **routed: str) -> Any:
        """One try. `routed`: the field by which Google finds the place. Raises one of FAILURES."""
        channel = await self._connected()
        call = channel.unary_unary(
            f"/{self._name}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        params = "&".join(f"{field}={quote(value, safe='')}" for field, value in routed.items())
        try:
            return await call(request, timeout=SECONDS, metadata=(("x-goog-request-params", params),))
        except grpc.aio.AioRpcError as error:
            raise Refused(error.code(), error.details() or "") from None

    async def close(self) -> None:
        """Connects again if it is used again."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def _connected(self) -> Any:
        async with self._lock:  # many first calls at once make one channel
            if self._channel is None:
                self._channel = await self._connect()
            return self._channel

    async def _connect(self) -> Any:
        if self._emulator_host:
            # An emulator that is started again is found again within a second.
            options = [("grpc.max_reconnect_backoff_ms", 1000)]
            return grpc.aio.insecure_channel(self._emulator_host, options=options)
        credentials, _ = await default_credentials()
        library = await asyncio.to_thread(import_module, "google.api_core.grpc_helpers_async")
        return library.create_channel(f"{self._host}:443", credentials=credentials)


async def default_credentials() -> tuple[Credentials, str | None]:
    """The credentials that this process runs with, and the project they belong to. Raises one of FAILURES."""
    # Files and the metadata server are read with blocking calls.
    found = asyncio.to_thread(google.auth.default, scopes=SCOPES)
    credentials, project = await asyncio.wait_for(found, SECONDS)
    return credentials, project


async def check_credentials() -> str:
    """Whose they are, once Google has really given a token for them. Raises one of FAILURES."""
    credentials, _ = await default_credentials()

    def refreshed() -> None:
        from google.auth.transport.requests import Request

        credentials.refresh(Request())  # type: ignore[no-untyped-call]  # the library has none

    await asyncio.wait_for(asyncio.to_thread(refreshed), SECONDS)
    return getattr(credentials, "service_account_email", None) or getattr(credentials, "account", None) or "a user"


def failure(error: Exception, what: str, remedy: str) -> KaiwaError:
    """The error for the pipeline: `what` could not be done; `remedy` is for the operator."""
    if isinstance(error, Refused):
        kind, is_useless = error.code.name, error.code in USELESS_TO_REPEAT
    else:
        kind, is_useless = type(error).__name__, isinstance(error, DefaultCredentialsError)
    return Misconfigured(f"{what}: {kind}; {remedy}") if is_useless else Unavailable(f"{what}: {kind}; try again")
