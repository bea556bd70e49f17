"""What tests of every folder share. Fixtures of one folder live in that folder's own conftest.py.

`make test` runs several processes side by side (pytest-xdist): what is dear to set up is not set up in each of them.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from tests import emulator
from tests.faults.table import Table
from tests.servers.firestore_proxy import FirestoreProxy

# How long one example takes says more about how busy the machine is than about the code.
settings.register_profile("kaiwa", deadline=None)
settings.load_profile("kaiwa")


def pytest_configure(config: pytest.Config) -> None:
    # Here, because who prints the table collects no tests where several processes run them.
    config.pluginmanager.register(Table(), "fault-matrix")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is busy with it when the others are done."""
    items.sort(key=lambda item: item.path.name != "test_state_machine.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from tests.side_by_side import SideBySide

    config.option.loadscopereorder = False
    return SideBySide(config, log)


@pytest.fixture(scope="session")
def firestore_emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of Google's Firestore emulator, started once. Tests keep apart by a project id of their own."""
    own = tmp_path_factory.getbasetemp()
    with emulator.shared(own.parent if hasattr(request.config, "workerinput") else own) as address:
        yield address


@pytest.fixture
async def firestore_proxy(firestore_emulator: str) -> AsyncIterator[FirestoreProxy]:
    """A proxy in front of the emulator that counts operations, for one test."""
    async with FirestoreProxy(firestore_emulator) as proxy:
        yield proxy
