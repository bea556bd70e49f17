"""What tests of every folder share. Fixtures of one folder live in that folder's own conftest.py."""

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from tests import emulator
from tests.servers.firestore_proxy import FirestoreProxy

# How long one example takes says more about how busy the machine is than about the code.
settings.register_profile("kaiwa", deadline=None)
settings.load_profile("kaiwa")


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """`host:port` of Google's Firestore emulator, started once. Tests keep apart by a project id of their own."""
    with emulator.running() as address:
        yield address


@pytest.fixture
async def firestore_proxy(firestore_emulator: str) -> AsyncIterator[FirestoreProxy]:
    """A proxy in front of the emulator that counts operations, for one test."""
    async with FirestoreProxy(firestore_emulator) as proxy:
        yield proxy
