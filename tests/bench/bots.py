"""The three that are measured: copied as they would be deployed, compiled as the builder compiles them, and started."""

import asyncio
import compileall
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import BOTS, Bot
from tests.bench.stands import QUEUE, Stands
from tests.bench.usage import cpu_seconds, group

ROOT = Path(__file__).resolve().parents[2]
LEFT_HERE = ("local", "admin", "cloud")
"""What of bot/ .gcloudignore keeps away from a deployment."""
START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.002
INHERITED = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
DEPLOYED = {"PYTHONUNBUFFERED": "TRUE", "FUNCTION_USE_ASGI": "true", "LOG_EXECUTION_ID": "false"}


@dataclass(frozen=True, slots=True)
class Running:
    """A started bot. `began`: time.perf_counter() right before its process was started; `pid` is its group's too."""

    name: Bot
    pid: int
    port: int
    began: float
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def processes(self) -> list[int]:
        return group(self.pid)

    def cpu(self) -> float:
        """Seconds that it has used of the processors, its server included."""
        return cpu_seconds(self.processes())


class Bots:
    """Copies of all three in `folder`, each with its bytecode."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in BOTS:
            _copy(name, folder / name)
            compileall.compile_dir(folder / name, quiet=1)

    @asynccontextmanager
    async def running(
        self, name: Bot, stands: Stands, project: str, *, counted: bool = False, **more: str
    ) -> AsyncIterator[Running]:
        """One of them in a process of its own, as soon as it listens. `more`: variables of its environment."""
        port, log = _free_port(), self._folder / f"{name}.log"
        environment = self._environment(name, stands.environment(project, counted=counted), port)
        if name == "kaiwa":
            environment |= {"CLOUD_TASKS_EMULATOR_HOST": stands.tasks.host}
        process, began = self._start(name, port, environment | more, log)
        bot = Running(name, process.pid, port, began, log)
        try:
            await _listens(process, bot)
            yield bot
        finally:
            await asyncio.to_thread(_stop, process)

    def _environment(self, name: Bot, told: Mapping[str, str], port: int) -> dict[str, str]:
        inherited = {variable: os.environ[variable] for variable in INHERITED if variable in os.environ}
        environment = {**inherited, "HOME": str(self._folder), **DEPLOYED, **told}
        if name == "kaiwa":
            # Limits are kept, as `make deploy` sets them, and never reached.
            limits = {"DAILY_YEN_PER_USER": "100000", "MONTHLY_YEN": "100000000"}
            environment |= {"TASKS_QUEUE": QUEUE, "SERVICE_URL": f"http://127.0.0.1:{port}/", **limits}
        return environment

    def _start(
        self, name: Bot, port: int, environment: Mapping[str, str], log: Path
    ) -> tuple[subprocess.Popen[bytes], float]:
        command = [str(Path(sys.executable).parent / "functions-framework"), "--target", "webhook"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with log.open("wb") as out:
            began = time.perf_counter()
            started = subprocess.Popen(
                command, cwd=self._folder / name, env=dict(environment), stdout=out, stderr=out, process_group=0
            )
        return started, began


def _copy(name: Bot, folder: Path) -> None:
    if name == "kaiwa":
        shutil.copytree(ROOT / "bot", folder / "bot", ignore=_left_here)
        shutil.copy(ROOT / "main.py", folder)
    else:
        shutil.copytree(Path(__file__).parent / name, folder, ignore=shutil.ignore_patterns("__*__*"))


def _left_here(folder: str, names: list[str]) -> list[str]:
    return [*(LEFT_HERE if Path(folder) == ROOT / "bot" else ()), "__pycache__"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _listens(process: subprocess.Popen[bytes], bot: Running) -> None:
    """Look as the platform does, for an open port, so that nothing is asked before the first message."""
    async with asyncio.timeout(START_SECONDS):
        while process.poll() is None:
            with suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", bot.port)
                writer.close()
                return
            await asyncio.sleep(LOOK_SECONDS)
    raise RuntimeError(f"{bot.name} did not start:\n{bot.log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
