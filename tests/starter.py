"""Starts the function from a process that has already imported what it needs: a tenth of a second instead of some three
seconds of CPU, which tests that start it again and again would spend on little else. The master, its worker and all
that they do are the same; the scenarios start the function from cold.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
ORDER_BYTES = 1 << 16
IMPORTED = (
    "functions_framework._cli",
    "functions_framework._http.gunicorn",
    "functions_framework.aio",
    "uvicorn.protocols.http.auto",
    "uvicorn_worker",
    "bot.app",
    "bot.wiring",
    *(f"bot.adapters.{name}" for name in ("cloud_tasks", "firestore", "line", "openai", "secret_manager")),
)


class Started:
    """As much of asyncio.subprocess.Process as is needed; `pid` is the process group's too.

    `alive` is the end of a pipe whose other end everything of the function holds: it is closed by the last to go.
    """

    def __init__(self, pid: int, alive: int) -> None:
        self.pid = pid
        self._alive = alive
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(alive, self._end)

    @property
    def returncode(self) -> int | None:
        return 0 if self._ended.is_set() else None

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._alive)
        os.close(self._alive)
        self._ended.set()


class Starter:
    def __init__(self, orders: socket.socket, complaints: IO[bytes]) -> None:
        self._orders = orders
        self._complaints = complaints
        self._one_at_a_time = asyncio.Lock()

    async def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> Started:
        """`functions-framework` with these arguments, and all its output in `log`."""
        async with self._one_at_a_time:
            alive, held = os.pipe()
            order = json.dumps([arguments, dict(environment)]).encode()
            pid = b""
            with suppress(ConnectionError):
                socket.send_fds(self._orders, [order], [log.fileno(), held])
                os.close(held)
                pid = await asyncio.to_thread(self._orders.recv, ORDER_BYTES)
            if pid:
                return Started(int(pid), alive)
            os.close(alive)
            self._complaints.seek(0)
            raise RuntimeError(f"the starter has ended:\n{self._complaints.read().decode()}")


@contextmanager
def starting() -> Iterator[Starter]:
    ours, theirs = socket.socketpair()
    with ours, theirs, TemporaryFile() as complaints:
        command = [sys.executable, "-m", "tests.starter", str(theirs.fileno())]
        with subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stderr=complaints):
            theirs.close()
            try:
                yield Starter(ours, complaints)
            finally:
                ours.close()


def _serve(orders: socket.socket) -> None:
    alive: set[int] = set()
    signal.signal(signal.SIGCHLD, lambda *_: alive.difference_update(_ended()))
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES, 2)
        if not order:
            break
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if not pid:
            orders.close()
            _become(order, descriptors[0])
        with suppress(OSError):
            os.setpgid(pid, pid)
        for descriptor in descriptors:
            os.close(descriptor)
        alive.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        orders.send(b"%d" % pid)
    for pid in [*alive]:  # whoever ordered them was killed
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _ended() -> Iterator[int]:
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            yield pid


def _become(order: bytes, log: int) -> None:
    """Everything that a process of its own would have."""
    from functions_framework._cli import _cli

    arguments, environment = json.loads(order)
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["functions-framework", *arguments]
    _cli.main(arguments)


def _import() -> None:
    for name in IMPORTED:
        import_module(name)


if __name__ == "__main__":
    _import()
    _serve(socket.socket(fileno=int(sys.argv[1])))
