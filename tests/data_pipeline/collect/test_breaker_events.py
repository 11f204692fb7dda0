"""What the log is told of a circuit that moves: enough to show it as it stands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data_pipeline.collect.breaker_events import note_breaker
from utils.clock import ManualClock
from utils.events import SCHEMA, EventStore
from utils.resilience import CircuitBreaker
from utils.sqlite import SqliteDatabase


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA]))
    yield store
    store.close()
    store.database.close()


def test_a_circuit_that_is_held_is_told_as_held(events: EventStore) -> None:
    """Also one that code opens or keeps closed: else the page would promise a next try that never comes."""
    clock = ManualClock()
    breaker = CircuitBreaker(
        "ecb", failure_threshold=1, listener=lambda moved: note_breaker(events, moved), clock=clock
    )

    breaker.record_failure()
    breaker.force_open("they asked us to stop")
    breaker.force_closed("they are back")
    breaker.close()
    events.append([])  # what was submitted before is committed

    assert [(event.type, event.data["held"], event.data["open_until"]) for event in events.read()] == [
        ("breaker.opened", False, clock.time() + 60.0),
        ("breaker.opened", True, None),
        ("breaker.closed", True, None),
        ("breaker.closed", False, None),
    ]
