"""A pytest plugin: prints every test with a row, as `row<tab>test`; for a run that only collects."""

import pytest

from tests.faults.table import rows_of

PREFIX = "row of the matrix:"


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        for row, _ in rows_of(item):
            print(f"{PREFIX}\t{row}\t{item.name}")
