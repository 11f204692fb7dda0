"""The event log: gapless, idempotent, refused when somebody was quicker."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from utils.clock import ManualClock
from utils.database import Connection, Database, StateError
from utils.events import GENESIS, ConcurrencyError, Event, EventStore, NewEvent, uuid7


def _refuse(connection: Connection) -> None:
    raise StateError("not now")


def _together(store: EventStore, *appends: Callable[[], "Future[list[Event]]"]) -> "list[Future[list[Event]]]":
    """Submit appends so that they share one commit."""
    import threading

    entered, go = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        entered.set()
        assert go.wait(120)

    store.submit([], guard=wait)
    assert entered.wait(120)
    futures = [append() for append in appends]
    go.set()
    return futures


def test_an_event_is_stored_as_the_envelope_says(store: EventStore) -> None:
    """The first event of a log, field by field; what is read back is what was told."""
    (event,) = store.append([NewEvent("dataset.collected", "fx", {"rows": 3}, source="pipeline")])

    assert (event.seq, event.version, event.prev_hash) == (1, 1, GENESIS)
    assert (event.type, event.subject, event.source) == ("dataset.collected", "fx", "pipeline")
    assert event.time == "2026-01-01T00:00:00.000000Z"
    assert store.read() == [event]
    assert store.head() == (1, event.hash)
    assert event.to_json()["data"] == {"rows": 3}


def test_ids_are_uuids_of_version_7_and_tell_the_time() -> None:
    """RFC 9562: 48 bits of milliseconds, version 7, variant 10; text order is time order."""
    import uuid

    ids = [uuid7(moment) for moment in (1.0, 1.5, 1_700_000_000.25, 1_700_000_000.5)]

    parsed = [uuid.UUID(text) for text in ids]
    assert {(u.version, u.variant) for u in parsed} == {(7, uuid.RFC_4122)}
    assert [u.int >> 80 for u in parsed] == [1000, 1500, 1_700_000_000_250, 1_700_000_000_500]
    assert ids == sorted(ids)
    assert len({uuid7(1.0) for _ in range(1000)}) == 1000


def test_versions_count_the_events_of_a_subject(store: EventStore) -> None:
    """From 1, without a gap, also across commits."""
    for _ in range(2):
        store.append([NewEvent("t", "a"), NewEvent("t", "b"), NewEvent("t", "a")])

    assert [(e.subject, e.version) for e in store.read()] == [
        *(("a", 1), ("b", 1), ("a", 2)),
        *(("a", 3), ("b", 2), ("a", 4)),
    ]


def test_the_same_id_is_one_event(store: EventStore) -> None:
    """A repeat writes nothing, its statements neither, and is told the event that stands in the log."""
    statement = ("INSERT INTO counts VALUES ('by hand', 1, 0)", ())
    event = NewEvent("t", "a", {"n": 1}, id="once", expected=0)

    first = store.append([event], statements=[statement])
    second = store.append([event], statements=[statement], guard=_refuse)

    assert first == second == store.read()


def test_the_same_id_is_one_event_within_a_commit_and_within_an_append(store: EventStore) -> None:
    """However they come together."""
    twice = _together(
        store,
        lambda: store.submit([NewEvent("t", "a", id="x")]),
        lambda: store.submit([NewEvent("t", "a", id="x")]),
        lambda: store.submit([NewEvent("t", "b", id="y"), NewEvent("t", "b", id="y")]),
    )

    ids = [[event.id for event in future.result()] for future in twice]

    assert ids == [["x"], ["x"], ["y", "y"]]
    assert [event.id for event in store.read()] == ["x", "y"]


def test_an_append_of_which_a_part_is_known_adds_the_rest(store: EventStore) -> None:
    """Nothing that was acknowledged is missing."""
    store.append([NewEvent("t", "a", id="known")])

    told = store.append([NewEvent("t", "a", id="known"), NewEvent("t", "b", id="new")])

    assert [event.id for event in told] == ["known", "new"] == [event.id for event in store.read()]


def test_an_unexpected_version_refuses_the_append(store: EventStore) -> None:
    """Nothing of it is written, nor are its statements run; with the right version it goes through."""
    store.append([NewEvent("t", "a")])
    late = [NewEvent("t", "b"), NewEvent("t", "a", expected=0)]

    with pytest.raises(ConcurrencyError, match="a is at version 1, not 0") as told:
        store.append(late, statements=[("DELETE FROM counts", ())])
    store.append([NewEvent("t", "a", expected=1)])

    assert told.value.transient
    assert [(event.subject, event.version) for event in store.read()] == [("a", 1), ("a", 2)]
    assert store.database.query("SELECT * FROM counts") == [("t", 2, 2)]


def test_of_two_who_expect_the_same_version_in_one_commit_one_gets_it(store: EventStore) -> None:
    """Sharing a commit does not blind them to each other."""
    first, second = _together(
        store,
        lambda: store.submit([NewEvent("t", "a", {"who": 1}, expected=0)]),
        lambda: store.submit([NewEvent("t", "a", {"who": 2}, expected=0)]),
    )

    assert first.result()[0].version == 1
    assert isinstance(second.exception(), ConcurrencyError)


def test_a_guard_refuses_only_its_own_append(store: EventStore) -> None:
    """Its neighbours in the same commit are written."""
    before, refused, after = _together(
        store,
        lambda: store.submit([NewEvent("t", "before")]),
        lambda: store.submit([NewEvent("t", "refused")], guard=_refuse),
        lambda: store.submit([NewEvent("t", "after")]),
    )

    assert before.result()[0].seq == 1
    assert after.result()[0].seq == 2
    with pytest.raises(StateError, match="not now"):
        refused.result()
    assert store.verify().fault is None


def test_a_guard_sees_what_came_before_it_in_the_same_commit(store: EventStore) -> None:
    """So of two who claim the same thing at once, one gets it."""

    def unclaimed(connection: Connection) -> None:
        if connection.execute("SELECT 1 FROM counts WHERE type = 'claimed'").fetchone():
            raise StateError("somebody has it")

    first, second = _together(
        store,
        lambda: store.submit([NewEvent("claimed", "a")], guard=unclaimed),
        lambda: store.submit([NewEvent("claimed", "a")], guard=unclaimed),
    )

    assert len(first.result()) == 1
    assert isinstance(second.exception(), StateError)


def test_a_bad_event_fails_alone(store: EventStore) -> None:
    """Its neighbours are written, the log stays gapless, and the subject's version is not used up."""
    bad = NewEvent("t", "a", {"moment": object()})
    before, failed, after = _together(
        store,
        lambda: store.submit([NewEvent("t", "a")]),
        lambda: store.submit([NewEvent("t", "a"), bad]),
        lambda: store.submit([NewEvent("t", "a", expected=1)]),
    )

    assert isinstance(failed.exception(10), TypeError)
    assert [future.result()[0].version for future in (before, after)] == [1, 2]
    assert store.append([NewEvent("t", "a")])[0].version == 3
    assert store.verify().fault is None


def test_statements_are_written_with_their_events_or_not_at_all(store: EventStore) -> None:
    """A statement that fails takes its events with it."""
    with pytest.raises(StateError, match=r"(?i)unique"):
        store.append([NewEvent("t", "a")], statements=[("INSERT INTO counts VALUES ('t', 0, 0)", ())])

    assert store.read() == []
    assert store.database.query("SELECT * FROM counts") == []


def test_listeners_hear_of_events_after_their_commit(database: Database) -> None:
    """What is announced can be read by anybody."""
    heard: list[tuple[list[str], int]] = []

    def announce(events: Any) -> None:
        heard.append(([event.type for event in events], database.query("SELECT count(*) FROM events")[0][0]))

    store = EventStore(database, announce=announce)
    store.append([NewEvent("a", "s"), NewEvent("b", "s")])
    with pytest.raises(StateError):
        store.append([NewEvent("c", "s")], guard=_refuse)

    assert heard == [(["a", "b"], 2)]


def test_events_are_found_by_what_the_envelope_says(database: Database) -> None:
    """By type, family of types, source, subject, time and position; newest first when asked."""
    clock = ManualClock()
    store = EventStore(database, clock=clock)
    for kind, subject, source in (("run.started", "r", "x"), ("run.finished", "r", "x"), ("runner", "a", "y")):
        store.append([NewEvent(kind, subject, source=source)])
        clock.advance(60)

    def found(**filters: Any) -> list[int]:
        return [event.seq for event in store.read(**filters)]

    assert found(type="run.started") == [1]
    assert found(type="run.*") == [1, 2]
    assert found(source="y") == [3]
    assert found(subject="r", newest_first=True) == [2, 1]
    assert found(after=1, limit=1) == [2]
    assert found(since="2026-01-01T00:01:00.000000Z", until="2026-01-01T00:02:00.000000Z") == [2]


def test_names_are_found_by_a_part_of_them_the_last_used_first(store: EventStore) -> None:
    """Sources, types and subjects, as many as are asked for; signs of patterns mean themselves."""
    store.append([NewEvent("fx.done", "a"), NewEvent("t", "euro_fx"), NewEvent("t", "100%", source="FX house")])

    assert store.names("fx", limit=9) == [("source", "FX house"), ("subject", "euro_fx"), ("type", "fx.done")]
    assert store.names("_", limit=9) == [("subject", "euro_fx")]
    assert store.names("%", limit=9) == [("subject", "100%")]
    assert len(store.names("", limit=2)) == 2
