"""What is uploaded is all that the function needs."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from tests.deploy import gcloud
from tests.world import world

EXTRA = {"bot.adapters.tracing"}
"""Imported only where traces are switched on; needs packages that an operator adds."""


async def test_the_function_lives_from_what_is_uploaded_alone(firestore_emulator: str, tmp_path: Path) -> None:
    """Installed as Google's builder does it, in an empty environment: it starts, takes a message and answers it."""
    source, programs = _uploaded(tmp_path / "source"), tmp_path / "python" / "bin"
    await _run(sys.executable, "-m", "venv", str(programs.parent), folder=tmp_path)
    python = str(programs / "python")
    # Google's own order: install, compile, check. A conflict of versions would end the build. What is imported of the
    # packages is compiled then: to compile all of it takes longer than all the rest.
    await _run(python, "-m", "pip", "install", "--quiet", "--no-compile", "-r", "requirements.txt", folder=source)
    await _run(python, "-m", "compileall", "-f", "-q", ".", folder=source)
    await _run(python, "-m", "pip", "check", folder=source)
    modules = {".".join(path.relative_to(source).with_suffix("").parts) for path in source.rglob("*.py")}
    await _run(python, "-c", f"import {', '.join(modules - EXTRA)}", folder=source)

    async with world("queue", firestore_emulator, tmp_path) as made:
        made.function.source, made.function.programs = source, programs
        await made.start()
        person = made.person()
        made.model.script.append("from the uploaded files")
        assert await made.say(person, "hello") == "from the uploaded files"
        await made.settled()


def _uploaded(folder: Path) -> Path:
    """A folder with the files that gcloud would upload, and no other."""
    for name in gcloud.run("meta", "list-files-for-upload", str(gcloud.ROOT)).splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(gcloud.ROOT / name, target)
    return folder


async def _run(*command: str, folder: Path) -> None:
    """With the machine's own settings of pip, but nothing that leads Python to this project or its packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
