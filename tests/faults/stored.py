"""What Firestore holds, read past the function: whether something is really gone."""

import asyncio
import json
import urllib.request
from typing import Any

import pytest

from tests.world import World


@pytest.fixture
def stored(kaiwa: World, firestore_emulator: str) -> "Stored":
    return Stored(firestore_emulator, kaiwa.environment["GOOGLE_CLOUD_PROJECT"])


class Stored:
    """Every document of the running function's project, archives included."""

    def __init__(self, emulator: str, project: str) -> None:
        self._url = f"http://{emulator}/v1/projects/{project}/databases/(default)/documents:runQuery"

    async def everything(self) -> str:
        """All documents with their names, as JSON in plain characters."""
        found = [await asyncio.to_thread(self._all, collection) for collection in ("conversations", "archive")]
        return json.dumps(found, ensure_ascii=False)

    async def has(self, *texts: str) -> list[bool]:
        everything = await self.everything()
        return [text in everything for text in texts]

    def _all(self, collection: str) -> Any:
        query = {"structuredQuery": {"from": [{"collectionId": collection, "allDescendants": True}]}}
        headers = {"Authorization": "Bearer owner", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(query).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
