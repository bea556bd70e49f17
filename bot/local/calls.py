"""What a stand-in received, and what it was told to do wrong."""

from dataclasses import dataclass
from typing import Any, Literal

Fault = int | Literal["drop-before", "drop-after", "hang", "hang-after", "odd-after"]
"""A status instead of the work; or a cut or silent connection, before the work or after it.

`odd-after` is 200 with `{}` after the work.
"""


@dataclass(slots=True)
class Call:
    """One request. `headers` have lower-case names; `json` is None when the body is none; `status` None: unanswered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    json: Any
    at: int
    status: int | None = None


class Faults:
    """Faults waiting for the calls they are meant for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str, Fault]] = []

    def fail_next(self, path_suffix: str, fault: Fault, times: int = 1, chat_id: str = "") -> None:
        """Let the next `times` calls whose path ends so go wrong, in one chat or in any; several of these queue up."""
        self._waiting.extend([(path_suffix, chat_id, fault)] * times)

    def clear(self, chat_id: str = "") -> None:
        """Forget those of this chat, or all."""
        self._waiting = [waiting for waiting in self._waiting if chat_id and waiting[1] != chat_id]

    def take(self, path: str, chat_id: str = "") -> Fault | None:
        for position, (suffix, meant, fault) in enumerate(self._waiting):
            if path.endswith(suffix) and meant in ("", chat_id):
                del self._waiting[position]
                return fault
        return None
