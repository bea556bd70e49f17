"""What can go wrong, named after what the caller should do next."""

from typing import Literal


class KaiwaError(Exception):
    """Base of every error that the pipeline raises on purpose."""


class Unavailable(KaiwaError):
    """A store, queue or secret cannot be reached now: answer 503, the sender tries again."""


class Conflict(KaiwaError):
    """Somebody else wrote the document first: read it again and decide anew."""


class Misconfigured(KaiwaError):
    """Permission denied, or a resource is missing: trying again is useless, tell the operator and apologise."""


ContentFault = Literal["gone", "too_large", "not_ready", "wrong_type"]


class ContentFailed(KaiwaError):
    """What a person sent beside text cannot be had: it was withdrawn, is too large, is not ready, or of no use."""

    def __init__(self, fault: ContentFault) -> None:
        super().__init__(fault)
        self.fault = fault


ModelFault = Literal[
    "busy",
    "keyless",
    "unauthorized",
    "quota",
    "too_long",
    "unreadable",
    "refused",
    "empty",
    "rejected",
    "broken",
    "budget",
]


class ModelFailed(KaiwaError):
    """The model gave no answer.

    `busy` (429, 5xx, a cut connection), `broken` (an answer that cannot be read) and `keyless` (our own key cannot be
    read) may be tried again; `too_long` after trimming; the others will not change, `unreadable` (an image or a file)
    not for this message; `budget`: there was no money left to ask for it. `retry_after` is in seconds, 0 when not told.
    """

    def __init__(self, fault: ModelFault, retry_after: float = 0.0) -> None:
        super().__init__(fault)
        self.fault = fault
        self.retry_after = retry_after

    @property
    def may_pass(self) -> bool:
        """Whether the same question may be answered a moment later."""
        return self.fault in ("busy", "broken", "empty", "keyless")
