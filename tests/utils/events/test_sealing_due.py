"""What is due to be sealed: by age, by size, once a day, and only what everybody has seen."""

import pytest

from tests.utils.events.counts import Counts
from tests.utils.events.sealed import Log
from utils.database import Database, Statement
from utils.events import Event as LogEvent
from utils.events import EventStore, NewEvent, sealing

DAYS = 86_400.0


def test_what_is_older_than_the_age_is_due(log: Log) -> None:
    """By the time of the events; the newest one stays, however old it is."""
    log.append(5)
    log.clock.sleep(50 * DAYS)
    log.append(3)
    log.clock.sleep(41 * DAYS)

    assert log.sealing.due(age=90 * DAYS, size=10**9) == sealing.Due(1, 5)
    log.clock.sleep(400 * DAYS)
    assert log.sealing.due(age=90 * DAYS, size=10**9) == sealing.Due(1, 7)


def test_what_is_beyond_the_size_is_due_but_nothing_of_the_last_day(log: Log) -> None:
    """The oldest first, as many as are too many; today's events stay whatever they take."""
    log.store.append([NewEvent("t", "s", {"text": "x" * 5000}) for _ in range(1000)])

    assert log.sealing.due(age=90 * DAYS, size=3_000_000).events == 0
    log.clock.sleep(2 * DAYS)
    due = log.sealing.due(age=90 * DAYS, size=3_000_000)

    kept = 1000 - due.last
    assert due.first == 1
    assert 2_000_000 < kept * 5300 < 3_100_000


def test_few_events_are_sealed_once_a_day(log: Log) -> None:
    """A quiet log is not cut into crumbs; what waits goes with the next day's."""
    log.append(5)
    log.clock.sleep(100 * DAYS)
    assert log.sealing.seal(log.sealing.due(age=90 * DAYS, size=10**9)) is not None
    log.append(5)
    log.clock.sleep(0.5 * DAYS)

    assert log.sealing.due(age=0.0, size=10**9).events == 0
    log.clock.sleep(0.6 * DAYS)
    assert log.sealing.due(age=0.0, size=10**9) == sealing.Due(5, 10)


def test_a_segment_ends_where_it_holds_enough(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number of events, and by the bytes of their data."""
    monkeypatch.setattr(sealing, "EVENTS_AT_MOST", 1500)
    monkeypatch.setattr(sealing, "BYTES_AT_MOST", 100_000)
    log.store.append([NewEvent("t", "s") for _ in range(1600)])
    log.store.append([NewEvent("t", "s", {"text": "x" * 100}) for _ in range(2000)])

    first = log.sealing.seal(sealing.Due(1, 3500))
    second = log.sealing.seal(sealing.Due(1501, 3500))

    assert (first and first.last, second and second.last) == (1500, 2500)


class _Slow(Counts):
    """A view that cannot take what happened."""

    name = "slow"

    def apply(self, event: LogEvent) -> list[Statement]:
        raise KeyError("what it lacks")


def test_what_a_view_or_a_consumer_has_not_seen_stays(database: Database, log: Log) -> None:
    """It is said who keeps it back, and from where on."""
    log.append(5)
    behind = EventStore(database, projections=[Counts(), _Slow()], archive=log.archive, clock=log.clock)
    behind.append([NewEvent("t", "s")])
    log.clock.sleep(100 * DAYS)

    view = sealing.Sealing(behind, clock=log.clock).due(age=90 * DAYS, size=10**9)
    consumer = sealing.Sealing(log.store, needed=lambda: 3, clock=log.clock).due(age=90 * DAYS, size=10**9)

    assert (view.events, view.held_back) == (0, "view slow has seen the log up to event 0 only")
    assert (consumer.last, consumer.held_back) == (3, "a consumer has seen the log up to event 3 only")
