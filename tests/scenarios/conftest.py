"""One running function for each way of working, shared by the scenarios; every scenario brings people of its own."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from tests.world import Mode, World, world


@pytest.fixture(scope="session", params=["queue", "inline"])
async def started(
    request: pytest.FixtureRequest, firestore_emulator: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with world(cast(Mode, request.param), firestore_emulator, tmp_path_factory.mktemp("function")) as made:
        await made.start()
        yield made


@pytest.fixture
async def kaiwa(started: World) -> AsyncIterator[World]:
    """The running function, with nothing in flight and nothing counted."""
    await started.settled()
    started.model.calls.clear()
    started.model.script.clear()
    started.model.transcripts.clear()
    started.model.transcriptions.clear()
    started.line.calls.clear()
    started.line.heal()
    started.firestore.reset()
    yield started
    await started.settled()


@pytest.fixture(params=["queue", "inline"])
async def fresh(request: pytest.FixtureRequest, firestore_emulator: str, tmp_path: object) -> AsyncIterator[World]:
    """A world whose function is not started yet."""
    from pathlib import Path

    async with world(cast(Mode, request.param), firestore_emulator, Path(str(tmp_path))) as made:
        yield made
