"""A running function for each way of working, with a short lease; every test brings people of its own."""

from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from tests.faults.table import seen, tell
from tests.faults.tried import Tried, trying
from tests.starter import Starter, starting
from tests.world import Mode, World, world

__all__ = ["seen", "tell"]

LEASE_SECONDS = 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both ways of working, unless the test is marked with one."""
    if "started" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("mode")
        metafunc.parametrize("started", marker.args if marker else ["queue", "inline"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def starter() -> Iterator[Starter]:
    with starting() as made:
        yield made


@pytest.fixture(scope="session")
async def started(
    request: pytest.FixtureRequest,
    starter: Starter,
    firestore_emulator: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    async with world(cast(Mode, request.param), firestore_emulator, tmp_path_factory.mktemp("faults")) as made:
        made.environment["LEASE_SECONDS"] = str(LEASE_SECONDS)
        made.environment["LINE_DATA_API_BASE_URL"] = made.environment["LINE_API_BASE_URL"]
        # What is shown here is LINE's own word; the reserve would keep pushes from ever meeting it.
        made.environment["PUSH_RESERVE"] = "0"
        made.function.starter = starter
        await made.start()
        yield made


@pytest.fixture(scope="session")
async def tried(request: pytest.FixtureRequest, started: World) -> Tried:
    """What came of the `PLAYS` of all modules that are run, played side by side in this way of working."""
    modules = {item.module for item in request.session.items if isinstance(item, pytest.Function)}
    plays = [getattr(module, "PLAYS", {}).get(started.mode, {}) for module in modules]
    return await trying(started, {name: play for some in plays for name, play in some.items()}, LEASE_SECONDS + 1)


@pytest.fixture
async def kaiwa(started: World) -> AsyncIterator[World]:
    """The running function, with nothing in flight and nothing counted; whoever ended or changed it gets it back."""
    await started.heal()
    yield started
    await started.heal()
