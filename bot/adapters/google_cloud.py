"""What the clients of Secret Manager and Cloud Tasks share: credentials, a time limit, and the names of errors."""

import asyncio

import google.auth
import grpc
from google.api_core import exceptions
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from bot.errors import KaiwaError, Misconfigured, Unavailable

SECONDS = 5.0
"""For one call, instead of the minute that the libraries allow."""

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

USELESS_TO_REPEAT = (
    DefaultCredentialsError,
    exceptions.NotFound,
    exceptions.PermissionDenied,
    exceptions.Unauthenticated,
    exceptions.FailedPrecondition,
    exceptions.InvalidArgument,
)
FAILURES = (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError, TimeoutError)
"""Everything that a call raises when the other side, or the way to it, is at fault."""


async def default_credentials() -> tuple[Credentials, str | None]:
    """The credentials that this process runs with, and the project they belong to. Raises one of FAILURES."""
    # Files and the metadata server are read with blocking calls.
    found = asyncio.to_thread(google.auth.default, scopes=SCOPES)
    credentials, project = await asyncio.wait_for(found, SECONDS)
    return credentials, project


def emulator_channel(host: str) -> grpc.aio.Channel:
    """Plaintext, without credentials. An emulator that is started again is found again within a second."""
    return grpc.aio.insecure_channel(host, options=[("grpc.max_reconnect_backoff_ms", 1000)])


def failure(error: Exception, what: str, remedy: str) -> KaiwaError:
    """The error for the pipeline: `what` could not be done; `remedy` is for the operator."""
    kind = type(error).__name__
    if isinstance(error, USELESS_TO_REPEAT):
        return Misconfigured(f"{what}: {kind}; {remedy}")
    return Unavailable(f"{what}: {kind}; try again")
