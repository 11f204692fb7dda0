"""Our log as the benchmarks of it use it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.events_workload import data, kind, source, subject
from utils.database import Durability
from utils.events import SCHEMA, EventStore, NewEvent
from utils.sqlite import SqliteDatabase


@contextmanager
def log(path: Path, durability: Durability = "process") -> Iterator[EventStore]:
    """An empty log."""
    with (
        closing(SqliteDatabase(path, migrations=[SCHEMA], durability=durability)) as database,
        closing(EventStore(database)) as store,
    ):
        yield store


def event(number: int) -> NewEvent:
    return NewEvent(kind(number), subject(number), data(number), source(number))


def appending(store: EventStore) -> Callable[[int], object]:
    """One event a call."""
    return lambda number: store.append([event(number)])
