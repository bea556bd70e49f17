"""Whether a deployed function does its work: `LINE_CHANNEL_SECRET=... python -m bot.cloud.smoke URL [SECONDS]`.

Nothing is stored and nobody is written to: the one signed webhook holds no events. But to accept it, the function has
to read its secret with its own rights. Ends with 0, or with 1 and what was wrong when SECONDS (60) have passed.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

from bot.signature import sign

SECONDS = 60.0
"""A new revision starts in seconds; its address may take longer to be known everywhere."""
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 15.0
EMPTY = json.dumps({"destination": "U" + "0" * 32, "events": []}).encode()
FORGED = base64.b64encode(bytes(32)).decode()


def main() -> int:
    """Every check in its order, each repeated until it holds."""
    url, secret = sys.argv[1], os.environ.get("LINE_CHANNEL_SECRET", "").strip()
    if not secret:
        print("LINE_CHANNEL_SECRET must be the channel secret that the function reads", file=sys.stderr)
        return 2
    until = time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else SECONDS)
    while True:
        problem = _problem(url, secret)
        if not problem:
            print(f"{url} answers as it should")
            return 0
        if time.monotonic() > until:
            print(f"{url}: {problem}", file=sys.stderr)
            return 1
        time.sleep(PAUSE_SECONDS)


def _problem(url: str, secret: str) -> str:
    status, body = _answer(urllib.request.Request(url))  # noqa: S310  # the operator's own address
    if status != 200 or not _is_kaiwa(body):
        return f"GET came to {status}, not to 200 with Kaiwa's status; read the revision's log"
    status, _ = _answer(_webhook(url, FORGED))
    if status != 401:
        return f"a forged signature came to {status}, not to 401; if it is 503, the function cannot read its secrets"
    status, _ = _answer(_webhook(url, sign(secret, EMPTY)))
    if status != 200:
        return f"a signed webhook came to {status}, not to 200; compare the channel secret's versions"
    return ""


def _webhook(url: str, signature: str) -> urllib.request.Request:
    headers = {"content-type": "application/json", "x-line-signature": signature}
    return urllib.request.Request(url, EMPTY, headers)  # noqa: S310  # as above


def _answer(request: urllib.request.Request) -> tuple[int, bytes]:
    """Status and body; status 0 where there was no answer, with the reason as the body."""
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310  # as above
            return response.status, response.read()
    except urllib.error.HTTPError as refused:
        return refused.code, b""
    except OSError as silent:
        return 0, str(silent).encode()


def _is_kaiwa(body: bytes) -> bool:
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and (answer.get("status"), answer.get("name")) == ("ok", "kaiwa")


if __name__ == "__main__":
    sys.exit(main())
