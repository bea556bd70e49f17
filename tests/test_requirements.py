"""What is missing is never passed over in silence."""

import pytest

from tests.requirements import missing


def test_at_home_it_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The skipped test says what is missing and how to get it."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"A telescope is missing. To run this test: buy one"):
        missing("A telescope", "buy one")


def test_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything must be tested, a skipped test is a failure."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="buy one"):
        missing("A telescope", "buy one")
