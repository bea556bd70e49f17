"""Google's own Firestore emulator, from the gcloud installation's jar, in a process of its own."""

import fcntl
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tests.requirements import missing

JAR = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
START_SECONDS = 120.0
"""It takes one to four seconds on an idle machine."""


@contextmanager
def shared(folder: Path) -> Iterator[str]:
    """The `host:port` of one emulator for all processes that name the same folder.

    Whoever needs it first starts it, and stops it when all others are done with it: locks end with their process.
    """
    told = folder / "emulator.address"
    with ExitStack() as own:
        starting, users = (own.enter_context((folder / f"emulator.{name}").open("w")) for name in ("starting", "users"))
        fcntl.flock(starting, fcntl.LOCK_EX)
        is_first = not told.exists()
        if is_first:
            told.write_text(own.enter_context(running()))
        address = told.read_text()
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield address
        finally:
            if is_first:
                told.unlink()
                fcntl.flock(users, fcntl.LOCK_EX)


@contextmanager
def running(heap: str = "384m") -> Iterator[str]:
    """The emulator's `host:port`. Skips, or fails in CI, where the emulator is not installed."""
    java, jar = _java(), _jar()
    with TemporaryFile() as log:
        process, address = _start(java, jar, log, heap)
        try:
            _wait(process, address, log)
            _warm_up(address)
            yield address
        finally:
            _stop(process)


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        missing("Java (for the Firestore emulator)", "install a Java runtime, 17 or later")
    return java


def _jar() -> Path:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        missing("gcloud (for the Firestore emulator)", "install https://docs.cloud.google.com/sdk/docs/install")
    asked = [gcloud, "info", "--format=value(installation.sdk_root)"]
    root = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    jar = Path(root) / JAR
    if not jar.is_file():
        missing(
            "The Firestore emulator",
            "`gcloud components install cloud-firestore-emulator`, or "
            "`apt-get install google-cloud-cli-firestore-emulator` where gcloud came from apt",
        )
    return jar


def _start(java: str, jar: Path, log: IO[bytes], heap: str) -> tuple[subprocess.Popen[bytes], str]:
    port = _free_port()
    # Without a limit its heap grows by gigabytes in a long run.
    command = [java, f"-Xmx{heap}", "-cp", str(jar), MAIN_CLASS, "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT), f"127.0.0.1:{port}"


def _free_port() -> int:
    # With port 0 the emulator does not tell which one it got.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], address: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(address):
        if process.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            raise RuntimeError(f"the Firestore emulator did not start:\n{log.read().decode(errors='replace')}")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _warm_up(address: str) -> None:
    """Pay for the first call here: on a busy machine it takes longer than the store waits for one."""
    database = "projects/warm-up/databases/(default)"
    document = {"update": {"name": f"{database}/documents/a/b", "fields": {}}}
    connection = http.client.HTTPConnection(address, timeout=START_SECONDS)
    try:
        for call, body in (("commit", {"writes": [document]}), ("runQuery", {"structuredQuery": {}})):
            headers = {"Content-Type": "application/json", "Authorization": "Bearer owner"}
            connection.request("POST", f"/v1/{database}/documents:{call}", json.dumps(body), headers)
            connection.getresponse().read()
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
