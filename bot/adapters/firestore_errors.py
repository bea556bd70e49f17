"""Firestore's errors, named after what to do next. Never its own text: it may quote what was to be stored."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.auth.exceptions import DefaultCredentialsError
from grpc import StatusCode

from bot.adapters.google_rpc import FAILURES, Refused
from bot.errors import Conflict, Misconfigured, Unavailable

ALLOW = "enable its API and give the service account roles/datastore.user"
USELESS_TO_REPEAT = {
    StatusCode.PERMISSION_DENIED: f"Firestore says PermissionDenied: {ALLOW}",
    StatusCode.UNAUTHENTICATED: f"Firestore says Unauthenticated: {ALLOW}",
    StatusCode.NOT_FOUND: (
        "the Firestore database does not exist: create it with `gcloud firestore databases create`, "
        "or set FIRESTORE_DATABASE"
    ),
    StatusCode.FAILED_PRECONDITION: (
        "Firestore refuses: the database must be in Native mode, with `message_ids` of `archive` indexed"
    ),
    StatusCode.INVALID_ARGUMENT: (
        "Firestore says InvalidArgument: check FIRESTORE_DATABASE, and that no document exceeds 1 MiB"
    ),
}
SOMEBODY_ELSE_WROTE = (StatusCode.FAILED_PRECONDITION, StatusCode.ALREADY_EXISTS, StatusCode.ABORTED)


@contextmanager
def translated() -> Iterator[None]:
    """Every failure of a call, as Misconfigured or Unavailable."""
    try:
        yield
    except Refused as refused:
        if refused.code in USELESS_TO_REPEAT:
            raise Misconfigured(USELESS_TO_REPEAT[refused.code]) from None
        raise Unavailable(f"Firestore says {refused.code.name}; try again") from None
    except DefaultCredentialsError:
        raise Misconfigured(
            "no Google credentials: run `gcloud auth application-default login`, or set STORE=sqlite:PATH"
        ) from None
    except FAILURES as error:
        raise Unavailable(f"no Google credentials now ({type(error).__name__}); try again") from None


@contextmanager
def conflicts(replacing: bool) -> Iterator[None]:
    """What means that somebody else wrote first.

    NOT_FOUND while replacing: the document has vanished, or the database never was. Conflict in both cases, since the
    read that follows it tells them apart.
    """
    try:
        yield
    except Refused as refused:
        if refused.code in SOMEBODY_ELSE_WROTE:
            raise Conflict("the conversation has changed; read it again") from None
        if replacing and refused.code is StatusCode.NOT_FOUND:
            raise Conflict("the conversation is gone; read it again") from None
        raise
