"""One started instance of the real function, which can be stopped, killed, frozen and started again on its port."""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.starter import Started, Starter

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120
STOP_SECONDS = 15


class Function:
    """The server's master and its worker, in a process group of their own; its output goes to `log`.

    `starter`: whoever has done a part of the work of starting before. `source` and `programs` are the folders of its
    own files and of its Python's programs.
    """

    def __init__(self, environment: dict[str, str], log: Path, starter: Starter | None = None) -> None:
        self.environment = environment
        self.starter = starter
        self.source = ROOT
        self.programs = Path(sys.executable).parent
        self.log = log
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.process: asyncio.subprocess.Process | Started | None = None
        self._changes: dict[str, str | None] = {}

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self, **changes: str | None) -> None:
        """Returns when it answers. `changes` to its environment, None takes a variable away."""
        self._changes = changes
        wanted = {**self.environment, **changes}
        environment = {name: value for name, value in wanted.items() if value is not None}
        arguments = ("--target", "webhook", "--host", "127.0.0.1", "--port", str(self.port))
        with self.log.open("ab") as log:
            if self.starter:
                self.process = await self.starter.start(arguments, environment, log)
            else:
                self.process = await asyncio.create_subprocess_exec(
                    str(self.programs / "functions-framework"),
                    *arguments,
                    cwd=self.source,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    process_group=0,
                )
        await self._until_ready()

    async def revive(self) -> None:
        """Running, and with its own environment."""
        if not self.is_running or self._changes:
            await self.kill()
            await self.start()

    async def stop(self) -> None:
        """SIGTERM, as when an instance is no longer needed; SIGKILL when that does not help."""
        if not self.is_running:
            return
        self.terminate()
        with suppress(TimeoutError):
            await self.ended(STOP_SECONDS)
        await self.kill()

    def terminate(self) -> None:
        """SIGTERM to the server, which passes it on to its worker."""
        if self.process and self.is_running:
            self.process.terminate()

    async def ended(self, seconds: float) -> None:
        """Returns when the process is gone; raises TimeoutError."""
        if self.process:
            await asyncio.wait_for(self.process.wait(), seconds)

    async def kill(self) -> None:
        """SIGKILL to the server and its worker, at once."""
        self._signal(signal.SIGKILL)
        if self.process:
            await self.process.wait()

    async def kill_worker(self) -> None:
        """SIGKILL to the worker alone: the server starts another one at once."""
        if self.process:
            listed = await asyncio.create_subprocess_exec("ps", "-A", "-o", "pid=,ppid=", stdout=subprocess.PIPE)
            pairs = [line.split() for line in (await listed.communicate())[0].decode().splitlines()]
            for pid in [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]:
                os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    async def _until_ready(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while not await asyncio.to_thread(self._answers):
                assert self.is_running, self.log.read_text()
                await asyncio.sleep(0.05)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
