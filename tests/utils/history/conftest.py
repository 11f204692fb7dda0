"""The databases that the history may lie in: each test of this folder that asks for one runs on both."""

from collections.abc import Callable, Iterator

import pytest

from tests.utils.history.tables import open_at
from utils.database import Database
from utils.history import History


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


@pytest.fixture
def history(database: Database) -> History:
    return History(database)
