"""`python -m bot.local`: the whole bot on this machine, without any account, with a chat page to try it."""

import argparse
import asyncio
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import Route

from bot.local import function
from bot.local.function import Channel, Function, NotStarted
from bot.local.line import LineStandIn
from bot.local.model import ModelStandIn
from bot.local.page import About, ChatPage
from bot.local.server import listen, serving
from bot.settings import DEFAULT_MODEL

PORT = 8080
PORTS_TRIED = 50
MODEL_DELAY_SECONDS = 0.8
"""Long enough to see the loading animation."""


@dataclass(frozen=True, slots=True)
class Options:
    port: int | None
    store: Path
    browser: bool


def options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m bot.local", description=__doc__)
    parser.add_argument("--port", type=int, help=f"the page's port (default {PORT}, or the next free one)")
    parser.add_argument("--store", type=Path, default=Path("kaiwa.sqlite"), help="where conversations are kept")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    given = parser.parse_args(arguments)
    return Options(given.port, given.store.resolve(), not given.no_browser)


def page_socket(port: int | None) -> socket.socket:
    """The port asked for, or the first free one from the default on. Raises OSError when there is none."""
    if port is not None:
        return listen(port)
    for candidate in range(PORT, PORT + PORTS_TRIED):
        try:
            return listen(candidate)
        except OSError:
            continue
    return listen()


def has_display(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser can show itself; without one Python would start a text browser in this terminal."""
    return platform == "darwin" or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


async def run(given: Options, listening: socket.socket, environment: Mapping[str, str]) -> int:
    """Serve the page there and run the function until told to stop; returns the exit code."""
    stop = _stop_signal()
    channel = Channel()
    line = LineStandIn(channel.access_token, channel.secret)
    page = ChatPage(line, _about(given, environment))
    stand_ins: list[Route] = [*line.routes, *ModelStandIn(delay=MODEL_DELAY_SECONDS).routes]
    async with serving(page.app(*stand_ins), listening) as url:
        child = await function.start(function.environment(environment, url, channel, given.store))
        page.function_url = child.url
        try:
            return await _until_stopped(child, stop, url, given.browser and has_display(environment))
        finally:
            await child.stop()


async def _until_stopped(child: Function, stop: asyncio.Event, url: str, browser: bool) -> int:
    stopped, ended = asyncio.create_task(stop.wait()), asyncio.create_task(child.process.wait())
    ready = asyncio.create_task(child.wait_until_ready())
    try:
        await asyncio.wait([ready, stopped], return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return 0
        await ready
        print(f"Kaiwa is running: {url}  (Ctrl-C stops it)", flush=True)
        if browser:
            await asyncio.to_thread(webbrowser.open, url)
        await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            return 0
        raise NotStarted(f"it ended with exit code {child.process.returncode}")
    except NotStarted as reason:
        print(f"The function does not run: {reason}. See its messages above.", file=sys.stderr)
        return 1
    finally:
        for task in (stopped, ended, ready):
            task.cancel()


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _about(given: Options, environment: Mapping[str, str]) -> About:
    model = environment.get("OPENAI_MODEL") or DEFAULT_MODEL
    return About(model, not function.has_real_model(environment), f"SQLite: {given.store.name}")


def main() -> int:
    given = options(sys.argv[1:])
    try:
        listening = page_socket(given.port)
    except OSError as trouble:
        print(f"Port {given.port} cannot be used: {trouble.strerror}. Choose another with --port.", file=sys.stderr)
        return 1
    return asyncio.run(run(given, listening, os.environ))


if __name__ == "__main__":
    sys.exit(main())
