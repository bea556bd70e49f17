"""What some tests need beside Python. Missing at home they are skipped, loudly; missing in CI is a failure."""

import os
from typing import NoReturn

import pytest


def missing(what: str, how: str) -> NoReturn:
    """End the test: `what` was not found, and so is not tested; `how` says where to get it."""
    message = f"{what} is missing. To run this test: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
