"""A started function for the deployment's own checks: no database, no secret manager, nothing asked of anybody."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.function import Function

SECRET = "the newest line\nthe line before"
BARE = {"PATH": os.environ["PATH"], "STORE": "sqlite::memory:", "GOOGLE_CLOUD_PROJECT": "my-project"}
NOBODY = "http://127.0.0.1:9/"
"""Nothing listens on the discard port."""


@asynccontextmanager
async def function(log: Path, **environment: str) -> AsyncIterator[Function]:
    """The real one, as long as the block runs."""
    started = Function({**BARE, **environment}, log)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()
