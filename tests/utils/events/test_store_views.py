"""Views that the log keeps up to date: one that fails is left behind and named, and catches up."""

from collections.abc import Callable, Iterable

import pytest

from tests.utils.events.counts import Counts
from utils.database import Database, Statement
from utils.events import Event, EventStore, NewEvent
from utils.events.projections import Behind


def test_a_view_that_fails_is_left_behind_and_named(
    database: Database, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and the other views go on; a rebuild takes it back in once it can take all events."""

    class Total(Counts):
        name, tables = "total", ("totals",)

        def apply(self, event: Event) -> Iterable[Statement]:
            return [("INSERT INTO totals VALUES (?)", (event.seq,))]

    with database.transaction() as connection:
        connection.execute("CREATE TABLE totals (seq INTEGER)")
    store = EventStore(database, projections=[Counts(), Total()])

    store.append([NewEvent("t", "a"), NewEvent("odd", "a")])
    store.append([NewEvent("t", "a")])

    assert database.query("SELECT * FROM counts") == []
    assert database.query("SELECT seq FROM totals ORDER BY seq") == [(1,), (2,), (3,)]
    failed = {figures.name: figures.failed for figures in store.projections()}
    assert failed == {"counts": "view counts: event 2: KeyError: 'what an odd event lacks'", "total": ""}
    assert database.query("SELECT name, seq FROM checkpoints") == [("total", 3)]
    assert store.views_behind() == [Behind("counts", 0, "view counts: event 2: KeyError: 'what an odd event lacks'")]
    assert [one.name for one in caplog.records if "view.left_behind" in one.getMessage()] == ["orchestrator.events"]


def _counting_odd(event: Event) -> Iterable[Statement]:
    return [("INSERT INTO counts VALUES (?1, 1, ?2) ON CONFLICT (type) DO UPDATE SET last = ?2", ("any", event.seq))]


@pytest.mark.parametrize("again", ["the next process", "a rebuild"])
def test_a_view_that_was_left_behind_is_tried_again(
    opened: Callable[[], Database], monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Once its fault is mended it is complete, and nothing tells of it any more."""
    database = opened()
    store = EventStore(database, projections=[Counts()])
    store.append([NewEvent("odd", "a")])
    assert [behind.name for behind in EventStore(opened(), projections=[Counts()]).views_behind()] == ["counts"]
    monkeypatch.setattr(Counts, "apply", lambda _, event: _counting_odd(event))

    if again == "a rebuild":
        assert store.rebuild() == 1
    else:
        store = EventStore(opened(), projections=[Counts()])

    assert store.views_behind() == []
    store.append([NewEvent("odd", "a")])
    assert database.query("SELECT * FROM counts") == [("any", 1, 2)]


def test_a_rebuild_leaves_out_a_view_that_fails(database: Database) -> None:
    """The others are rebuilt, and it keeps what it had."""

    class Odd(Counts):
        name, tables = "odd", ("odds",)

        def apply(self, event: Event) -> Iterable[Statement]:
            return [("INSERT INTO odds VALUES (?)", (event.seq,))]

    with database.transaction() as connection:
        connection.execute("CREATE TABLE odds (seq INTEGER)")
    store = EventStore(database, projections=[Counts(), Odd()])
    store.append([NewEvent("t", "a")])
    store.append([NewEvent("odd", "a")])
    with database.transaction() as connection:
        connection.execute("DELETE FROM odds")

    assert store.rebuild() == 2

    assert database.query("SELECT seq FROM odds ORDER BY seq") == [(1,), (2,)]
    assert database.query("SELECT type, count FROM counts") == [("t", 1)]
    assert [(one.name, one.seq) for one in store.views_behind()] == [("counts", 1)]


def test_a_slow_view_is_told_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By name, with the seconds that all who append waited for it."""
    monkeypatch.setattr("utils.events.projections.SLOW_S", 0.0)
    store = EventStore(database, projections=[Counts()])

    for _ in range(3):
        store.append([NewEvent("t", "a")])

    (figures,) = store.projections()
    assert 0 < figures.slowest <= figures.seconds
    assert figures.events == 3
    assert [record.levelname for record in caplog.records if "view.slow" in record.getMessage()] == ["WARNING"]


def test_a_view_whose_statement_is_refused_is_left_behind_too(database: Database) -> None:
    """As one that raises; the statement's own error is named."""

    class Wrong(Counts):
        def apply(self, event: Event) -> Iterable[Statement]:
            return [("INSERT INTO counts VALUES (NULL, 'x')", ())]

    store = EventStore(database, projections=[Wrong()])

    store.append([NewEvent("t", "a")])

    assert "view counts: event 1" in store.projections()[0].failed
    assert [event.seq for event in store.read()] == [1]


def test_a_projection_that_missed_events_replays_them_first(database: Database, store: EventStore) -> None:
    """A new one from the beginning, one that another process did not keep up from its checkpoint."""
    plain = EventStore(database)
    plain.append([NewEvent("t", "a"), NewEvent("t", "a")])
    store.append([NewEvent("u", "a")])
    plain.append([NewEvent("t", "a")])
    store.append([NewEvent("u", "a")])

    assert database.query("SELECT * FROM counts ORDER BY type") == [("t", 3, 4), ("u", 2, 5)]


def test_rebuilt_views_are_the_live_ones(database: Database, store: EventStore) -> None:
    """What somebody changed by hand in a view is mended by replaying the log."""
    store.append([NewEvent("t", "a"), NewEvent("u", "a"), NewEvent("t", "b")])
    live = database.query("SELECT * FROM counts")
    with database.transaction() as connection:
        connection.execute("UPDATE counts SET count = 99")
        connection.execute("INSERT INTO counts VALUES ('stranger', 1, 1)")

    replayed = store.rebuild()

    assert replayed == 3
    assert database.query("SELECT * FROM counts") == live
    store.append([NewEvent("t", "a")])
    assert database.query("SELECT count FROM counts WHERE type = 't'") == [(3,)]


def test_a_view_is_shown_the_events_of_its_types_only(database: Database) -> None:
    """Live as in a replay; it is up to date with the others all the same."""

    class Some(Counts):
        types = frozenset({"seen"})

    store = EventStore(database, projections=[Some()])
    store.append([NewEvent("odd", "a"), NewEvent("seen", "a"), NewEvent("other", "a")])
    live = database.query("SELECT * FROM counts")
    store.rebuild()

    assert live == database.query("SELECT * FROM counts") == [("seen", 1, 2)]
    assert store.views_behind() == []
