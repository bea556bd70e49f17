"""LINE's webhook signature: base64 of HMAC-SHA256 over the raw body, keyed with the channel secret.

Source: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/
"""

import base64
import binascii
import hmac
from hashlib import sha256


def sign(secret: str, body: bytes) -> str:
    """The `X-Line-Signature` of `body`. A secret of several lines signs with its first, the newest."""
    return _signature(secret.splitlines()[0], body)


def verify(secret: str, body: bytes, signature: str) -> bool:
    """Whether any line of `secret` made this signature; compared in constant time, as bytes: headers may be odd."""
    given = signature.encode(errors="replace")
    # A blank line would be an empty key, with which anybody can sign.
    keys = [line for line in secret.splitlines() if line.strip()]
    return any(hmac.compare_digest(_signature(key, body).encode(), given) for key in keys)


def is_plausible(signature: str) -> bool:
    """Whether it has the form of a signature at all: only then a rotated secret could be why it does not match."""
    try:
        return len(base64.b64decode(signature, validate=True)) == sha256().digest_size
    except (binascii.Error, ValueError):
        return False


def _signature(key: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(key.strip().encode(), body, "sha256")).decode()
