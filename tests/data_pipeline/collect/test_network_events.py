"""What the log is told of our own network: each change once, whoever finds it out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data_pipeline.collect.network_events import last_told, was_away, watched
from tests.utils.listening import Listener
from utils.clock import ManualClock
from utils.events import SCHEMA, EventStore
from utils.network import AWAY_FOR
from utils.sqlite import SqliteDatabase


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(SqliteDatabase(tmp_path / "log.db", migrations=[SCHEMA]))
    yield store
    store.close()
    store.database.close()


def test_two_processes_tell_an_outage_once(events: EventStore) -> None:
    """Both knew the network well, both find it gone and both find it back; the log hears of each change once."""
    clock = ManualClock()
    with Listener() as canary:
        both = [watched([canary.address], lambda: events, clock) for _ in range(2)]
        answers = []
        for change in (lambda: None, canary.stop, canary.start):
            change()
            clock.advance(AWAY_FOR)
            for network in both:
                answers.append(network.away())
                events.append([])  # what was appended before is committed

    assert answers == [False, False, True, True, False, False]
    assert [(event.type, event.subject) for event in events.read()] == [
        ("network.away", "network"),
        ("network.back", "network"),
    ]


def test_a_log_that_was_told_nothing_knows_of_no_outage(events: EventStore) -> None:
    """The default: it is there."""
    assert last_told(events) is None
    assert was_away(events) is False


def test_without_canaries_the_log_is_not_even_opened() -> None:
    """Nobody asks, so there is nothing to tell."""

    def log() -> EventStore:
        raise AssertionError

    network = watched([], log, ManualClock())
    network.look_again()

    assert network.away() is False
