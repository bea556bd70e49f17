"""Errors of Google's client libraries, named after what to do next."""

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from bot.errors import KaiwaError, Misconfigured, Unavailable

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


def failure(error: Exception, what: str, remedy: str) -> KaiwaError:
    """The error for the pipeline: `what` could not be done; `remedy` is for the operator."""
    kind = type(error).__name__
    if isinstance(error, USELESS_TO_REPEAT):
        return Misconfigured(f"{what}: {kind}; {remedy}")
    return Unavailable(f"{what}: {kind}; try again")
