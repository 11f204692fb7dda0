"""The event log: gapless, idempotent, refused when somebody was quicker, whole after any kill."""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils import children
from tests.utils.events.counts import Counts, open_at
from utils.clock import ManualClock
from utils.database import Connection, Database, StateError, Statement
from utils.events import GENESIS, ConcurrencyError, Event, EventStore, NewEvent, rfc3339, uuid7
from utils.events.event import stamp
from utils.events.projections import Behind


@pytest.fixture
def store(database: Database) -> EventStore:
    return EventStore(database, projections=[Counts()], clock=ManualClock())


def _refuse(connection: Connection) -> None:
    raise StateError("not now")


def _together(store: EventStore, *appends: Callable[[], "Future[list[Event]]"]) -> "list[Future[list[Event]]]":
    """Submit appends so that they share one commit."""
    import threading

    entered, go = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        entered.set()
        assert go.wait(30)

    store.submit([], guard=wait)
    assert entered.wait(30)
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


def test_a_view_that_fails_is_left_behind_and_named(database: Database, store: EventStore) -> None:
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


def test_a_follower_gets_what_another_store_appends(database: Database, store: EventStore) -> None:
    """It starts after its position, is woken by a commit, and misses nothing."""
    other = EventStore(database)
    store.append([NewEvent("t", "old")])

    follower = store.follow(after=1)
    other.append([NewEvent("t", "new 1")])
    first = next(follower)
    waiting = Thread(target=lambda: other.append([NewEvent("t", "new 2"), NewEvent("t", "new 3")]))
    waiting.start()

    found = [first, next(follower), next(follower)]

    waiting.join()
    follower.close()
    assert [event.subject for event in found] == ["new 1", "new 2", "new 3"]


def test_two_stores_on_one_log_see_each_other(database: Database, store: EventStore) -> None:
    """Each goes on from where the other stopped: positions, versions, hashes, views."""
    other = EventStore(database, projections=[Counts()])

    for number in range(6):
        (store, other)[number % 2].append([NewEvent("t", "a")])

    assert [event.version for event in store.read()] == [1, 2, 3, 4, 5, 6]
    assert store.verify().fault is None
    assert database.query("SELECT * FROM counts") == [("t", 6, 6)]


def test_a_lone_event_follows_whatever_became_of_the_log(database: Database, store: EventStore) -> None:
    """Whoever appended last looks no more; the log notices when somebody else came, or when its end was taken back."""
    other = EventStore(database, projections=[Counts()], clock=ManualClock())
    store.append([NewEvent("t", "a")])
    store.append([NewEvent("t", "a")])
    other.append([NewEvent("t", "a")])
    (after_another,) = store.append([NewEvent("t", "a")])
    with database.transaction() as connection:
        connection.execute("DELETE FROM log WHERE seq = 4")
    (after_a_cut,) = store.append([NewEvent("t", "b")])

    assert (after_another.seq, after_another.version) == (4, 4)
    assert (after_a_cut.seq, after_a_cut.prev_hash) == (4, after_another.prev_hash)
    assert store.verify().fault is None
    assert store.verify().events == 4


def test_a_lone_event_is_written_with_its_statements_or_not_at_all(store: EventStore) -> None:
    """Also by whoever appended last; a view that cannot take it is left behind, and the event stands."""
    store.append([NewEvent("t", "a")])

    with pytest.raises(StateError):
        store.append([NewEvent("t", "a")], statements=[("INSERT INTO nowhere VALUES (?)", (1,))])
    told = store.append([NewEvent("t", "a")], statements=[("UPDATE counts SET count = ?", (7,))])
    odd = store.append([NewEvent("odd", "a")])

    assert [event.version for event in (*told, *odd)] == [2, 3]
    assert store.database.query("SELECT type, count FROM counts") == [("t", 7)]
    assert [view.name for view in store.views_behind()] == ["counts"]
    assert store.verify().fault is None


def test_of_many_who_expect_one_version_exactly_one_is_written(opened: Callable[[], Database]) -> None:
    """Four that share nothing but the database: each version has one author, and the others are told so."""
    stores = [EventStore(opened()) for _ in range(4)]
    won: list[list[int]] = [[] for _ in stores]

    def write(number: int) -> None:
        version = 0
        while version < 25:
            try:
                (event,) = stores[number].append([NewEvent("t", "a", {"by": number}, expected=version)])
            except ConcurrencyError:
                version += 1
            else:
                won[number].append(event.version)
                version = event.version

    threads = [Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(version for mine in won for version in mine) == list(range(1, 26))
    assert [event.version for event in stores[0].read()] == list(range(1, 26))
    assert all(event.version in won[event.data["by"]] for event in stores[0].read())


def test_an_id_is_one_event_whoever_tells_it_first(opened: Callable[[], Database]) -> None:
    """Four that share nothing but the database tell the same facts: each is there once, and all were told so."""
    stores = [EventStore(opened()) for _ in range(4)]
    told: list[list[Event]] = [[] for _ in stores]

    def tell(number: int) -> None:
        for fact in range(0, 100, 2):
            told[number] += stores[number].append(
                [NewEvent("t", f"s{one % 3}", id=f"fact {one}") for one in (fact, fact + 1)]
            )

    threads = [Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stored = stores[0].read()
    assert sorted(event.id for event in stored) == sorted(f"fact {number}" for number in range(100))
    assert all(sorted(mine) == stored for mine in told)
    assert stores[0].verify().fault is None


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


def test_four_writing_processes_make_one_gapless_chain(address: str, opened: Callable[[], Database]) -> None:
    """Every event that any of them was told of is there, once, in one order, and nobody saw "locked"."""
    writing = [children.start("append", address, f"writer-{number}", 300) for number in range(4)]
    children.let_go(*writing)

    acknowledged = [line for child in writing for line in children.finish(child)]

    store = EventStore(opened())
    stored = [f"{event.seq}:{event.id}" for event in store.read(limit=10_000)]
    assert len(stored) == 4 * 300 * 3
    assert sorted(acknowledged) == sorted(stored)
    assert store.verify().fault is None
    shared = store.read(subject="shared", limit=10_000)
    versions = [event.version for event in shared]
    turns = [event.data["by"] for event in shared]
    assert versions == list(range(1, 1201))
    assert sum(one != next_ for one, next_ in pairwise(turns)) > 3, "they wrote one after the other"


def test_what_was_acknowledged_survives_a_kill(address: str, opened: Callable[[], Database]) -> None:
    """Five times kill -9 at a random moment: everything printed is there, gapless, and the chain verifies."""
    moments = random.Random(20260101)
    acknowledged: list[str] = []
    for number in range(5):
        child = children.start("append", address, f"killed-{number}", 0)
        children.let_go(child)
        assert child.stdout is not None
        acknowledged += [child.stdout.readline().strip() for _ in range(moments.randint(1, 300))]
        child.kill()
        acknowledged += child.stdout.read().split()  # not `communicate`: it passes over what `readline` holds already
        child.communicate(timeout=30)

    store = EventStore(opened())
    stored = [f"{event.seq}:{event.id}" for event in store.read(limit=1_000_000)]
    assert set(acknowledged) <= set(stored)
    assert [int(line.partition(":")[0]) for line in stored] == list(range(1, len(stored) + 1))
    assert store.verify().fault is None
    assert store.append([NewEvent("t", "a")])[0].seq == len(stored) + 1


def test_a_disk_that_fills_in_the_middle_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """The append that did not fit is told so; when there is room again, the log goes on where it was."""
    store = EventStore(open_at(str(tmp_path / "log.db")), projections=[Counts()], clock=ManualClock())

    def room(pages: int) -> Callable[[Connection], None]:
        def limit(connection: Connection) -> None:
            ((used,),) = connection.execute("PRAGMA page_count").fetchall()
            connection.execute(f"PRAGMA max_page_count = {used + pages}")

        return limit

    acknowledged = store.append([NewEvent("t", "a", {"n": n}) for n in range(50)], guard=room(20))
    full: StateError | None = None
    while full is None:
        try:
            acknowledged += store.append([NewEvent("t", "a", {"text": "x" * 3000}) for _ in range(5)])
        except StateError as error:
            full = error

    assert "disk is full" in str(full)
    assert full.transient
    assert store.read() == acknowledged
    assert store.verify().fault is None

    (after,) = store.append([NewEvent("t", "a", {"text": "x" * 3000})], guard=room(100))
    assert (after.seq, after.version) == (len(acknowledged) + 1, len(acknowledged) + 1)
    assert store.verify().fault is None
    assert store.database.query("SELECT * FROM counts") == [("t", after.seq, after.seq)]


def test_moments_are_written_in_utc_with_a_fixed_width() -> None:
    """Text order is time order."""
    moment = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))

    assert rfc3339(moment) == "2026-02-28T23:00:00.000000Z"


@pytest.mark.parametrize("micro", [0, 1, 499_999, 999_999], ids=str)
def test_the_quick_stamp_is_the_same_text(micro: int) -> None:
    """Of any second, however its parts are rounded as a float."""
    for second in (0, 1, 951_782_399, 1_795_000_000, 4_102_444_799):
        moment = datetime.fromtimestamp(second, UTC).replace(microsecond=micro)
        assert stamp(moment.timestamp()) == rfc3339(moment)


@given(st.floats(0.0, 4_102_444_800.0))
def test_the_stamp_of_any_clock_reading_is_that_of_its_moment(now: float) -> None:
    """Also between two microseconds: else what happened at a moment would lie after it."""
    assert stamp(now) == rfc3339(datetime.fromtimestamp(now, UTC))
