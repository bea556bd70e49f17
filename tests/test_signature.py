"""The signature: LINE's own algorithm, several keys, nothing that raises."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signature import is_plausible, sign, verify

BODY = '{"events":[],"text":"こんにちは"}'.encode()


def test_lines_own_algorithm() -> None:
    """base64(HMAC-SHA256(channel secret, raw body))."""
    expected = base64.b64encode(hmac.digest(b"secret", BODY, "sha256")).decode()
    assert sign("secret", BODY) == expected
    assert verify("secret", BODY, expected)


def test_any_line_verifies_and_the_first_signs() -> None:
    """While a secret is rotated both the new and the old one count, and our own tasks carry the new one's signature."""
    both = "new\nold\r\n"
    assert verify(both, BODY, sign("new", BODY))
    assert verify(both, BODY, sign("old", BODY))
    assert sign(both, BODY) == sign("new", BODY)
    assert not verify(both, BODY, sign("older", BODY))


@pytest.mark.parametrize("secret", ["new\n\nold", "new\n \t\nold", "new\n\u3000"])
def test_a_blank_line_is_no_key(secret: str) -> None:
    """Otherwise anybody could sign with the empty key."""
    empty = base64.b64encode(hmac.digest(b"", BODY, "sha256")).decode()
    assert not verify(secret, BODY, empty)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_every_byte_counts(at: int, change: int) -> None:
    """A body with one byte changed does not verify."""
    changed = bytearray(BODY)
    changed[at] ^= change
    assert not verify("secret", bytes(changed), sign("secret", BODY))


@given(st.text(st.characters()))
def test_odd_signatures_are_only_wrong(signature: str) -> None:
    """Whatever stands in the header, nothing raises."""
    assert not verify("secret", BODY, signature)
    is_plausible(signature)


@pytest.mark.parametrize("signature", ["", "x", "äöü", "A" * 43, "A" * 44, "A" * 43 + "=\n", "!" * 43 + "=", "\udc80"])
def test_implausible(signature: str) -> None:
    """What does not decode to 32 bytes cannot be a signature by another secret."""
    assert not is_plausible(signature)


def test_plausible() -> None:
    """A signature by another secret is one."""
    assert is_plausible(sign("other", BODY))
