"""The databases that the log may lie in: each test of this folder that asks for one runs on all of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.utils.events.counts import Counts, open_at
from tests.utils.events.sealed import Log
from utils.clock import ManualClock
from utils.database import Database
from utils.events import EventStore


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
def store(database: Database) -> EventStore:
    """A log with one small view."""
    return EventStore(database, projections=[Counts()], clock=ManualClock())


@pytest.fixture
def log(database: Database, tmp_path: Path) -> Log:
    """A log whose past can be sealed."""
    return Log(database, tmp_path / "storage")
