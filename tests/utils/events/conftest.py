"""The databases that the log may lie in: each test of this folder that asks for one runs on all of them."""

from collections.abc import Callable, Iterator

import pytest

from tests.utils.events.counts import open_at
from utils.database import Database


@pytest.fixture
def opened(address: str) -> Iterator[Callable[[], Database]]:
    """Opens the database once more, as another process would."""
    databases: list[Database] = []

    def open_() -> Database:
        databases.append(open_at(address))
        return databases[-1]

    yield open_
    for database in databases:
        database.close()


@pytest.fixture
def database(opened: Callable[[], Database]) -> Database:
    return opened()
