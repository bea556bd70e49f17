"""The real function as a child process, started as Google starts it, with this machine's stand-ins around it."""

import asyncio
import http.client
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.local.server import LOOPBACK, listen

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 12.0
LEFT_OUT = ("FUNCTION_SOURCE", "FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "FUNCTION_USE_ASGI", "DEBUG", "WORKERS")
"""What would make functions-framework start something else; the queue in the process needs that to be one process."""


class NotStarted(Exception):
    """The function ended, or stayed silent, before it answered once; what it said is on the terminal."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Made-up credentials of a LINE channel, new in every run."""

    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    access_token: str = field(default_factory=lambda: secrets.token_urlsafe(96))


def has_real_model(environment: Mapping[str, str]) -> bool:
    """Whether the person brought a model: an API key, or the address of a compatible server."""
    return bool(environment.get("OPENAI_API_KEY") or environment.get("OPENAI_BASE_URL"))


def environment(given: Mapping[str, str], stand_ins: str, channel: Channel, store: Path) -> dict[str, str]:
    """The function's environment. `stand_ins`: base URL of LINE's stand-in, and of the model's if it is needed."""
    kept = {name: value for name, value in given.items() if name not in LEFT_OUT}
    direct = ",".join(filter(None, [given.get("NO_PROXY") or given.get("no_proxy"), LOOPBACK, "localhost"]))
    made = {
        "NO_PROXY": direct,
        "no_proxy": direct,
        "STORE": f"sqlite:{store}",
        "TASKS_QUEUE": "inprocess",
        "LINE_CHANNEL_SECRET": channel.secret,
        "LINE_CHANNEL_ACCESS_TOKEN": channel.access_token,
        "LINE_API_BASE_URL": stand_ins,
        "LINE_DATA_API_BASE_URL": stand_ins,
    }
    if not has_real_model(given):
        made |= {"OPENAI_API_KEY": "made-up", "OPENAI_BASE_URL": f"{stand_ins}/v1"}
    elif not given.get("OPENAI_API_KEY"):
        made |= {"OPENAI_API_KEY": "none-needed"}
    return kept | made


class Function:
    """The running child. `url` is its webhook."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}/"

    async def wait_until_ready(self) -> None:
        """Returns when `GET /` answers 200. Raises NotStarted."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await asyncio.to_thread(self._answers):
                    if self.process.returncode is not None:
                        raise NotStarted(f"it ended with exit code {self.process.returncode}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NotStarted(f"it did not answer within {START_SECONDS:.0f} s") from None

    async def stop(self) -> None:
        """Ask it to finish, and end it when it does not."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


async def start(environment: Mapping[str, str]) -> Function:
    """Start the function on a free port; its log goes to this terminal."""
    port = _free_port()
    command = [sys.executable, "-m", "functions_framework", "--target", "webhook"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--host", LOOPBACK, "--port", str(port)),
        cwd=ROOT,
        env={**environment, "SERVICE_URL": f"http://{LOOPBACK}:{port}"},
        stdin=asyncio.subprocess.DEVNULL,
        process_group=0,  # Ctrl-C reaches this program alone, which then lets the function finish its work
    )
    return Function(process, port)


def _free_port() -> int:
    with listen() as listening:
        return int(listening.getsockname()[1])
