"""The state as of a past moment: the log up to there, replayed through the same views."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.utils.events.counts import _TABLE, Counts
from tests.utils.events.sealed import Log
from utils.database import Database, StateError, Statement
from utils.events import Event, NewEvent
from utils.events.as_of import PastStates


@pytest.fixture
def past(log: Log) -> Iterator[PastStates]:
    past = PastStates(log.store, migrations=[_TABLE], projections=[Counts()], clock=log.clock)
    yield past
    past.close()


def _counts(database: Database) -> list[tuple[Any, ...]]:
    return database.query("SELECT * FROM counts ORDER BY type")


@pytest.mark.parametrize("sealed", [False, True], ids=["in the table", "sealed"])
def test_every_moment_has_the_state_that_its_last_event_left(log: Log, past: PastStates, sealed: bool) -> None:
    """Whatever happened since, and wherever the events lie now."""
    then = []
    for _ in range(5):
        log.append(7)
        then.append((log.clock.now(), log.counts()))
        log.clock.sleep(10.0)
    if sealed:
        log.seal(keep=4)

    assert [_counts(past.at(moment)) for moment, _ in then] == [counts for _, counts in then]
    assert log.store.verify().fault is None


def test_a_moment_between_two_events_has_the_state_of_the_earlier(log: Log, past: PastStates) -> None:
    """The event of the moment itself counts; one microsecond earlier it does not."""
    (first,) = log.store.append([NewEvent("a.b", "s")])
    log.clock.sleep(10.0)
    (second,) = log.store.append([NewEvent("a.b", "s")])
    moment = datetime.fromisoformat(second.time)

    assert _counts(past.at(moment)) == [("a.b", 2, 2)]
    assert _counts(past.at(moment.replace(microsecond=0, second=moment.second - 1))) == [("a.b", 1, 1)]
    assert _counts(past.at(datetime.fromisoformat(first.time).replace(year=2020))) == []


def test_a_clock_that_was_set_back_leaves_a_state_that_existed(log: Log, past: PastStates) -> None:
    """The last event that was written when the clock showed no later time, and all before it."""
    log.clock.sleep(100.0)
    log.store.append([NewEvent("a.b", "s")])
    log.clock.set_back(50.0)  # type: ignore[attr-defined]  # a manual clock
    log.store.append([NewEvent("a.b", "s")])

    assert _counts(past.at(log.clock.now())) == [("a.b", 2, 2)]


def test_a_view_that_cannot_take_an_event_is_named(log: Log) -> None:
    """No state is better than a wrong one; and nothing of the attempt stays."""

    class Wrong(Counts):
        name = "wrong"

        def apply(self, event: Event) -> Iterable[Statement]:
            raise KeyError("what it lacks")

    log.append(1)
    past = PastStates(log.store, migrations=[_TABLE], projections=[Wrong()], clock=log.clock)

    with pytest.raises(StateError, match="cannot be told: view wrong: event 1: KeyError"):
        past.at(log.clock.now())
    past.close()
