"""A log as earlier releases kept it gets links: not an event changes, whatever happens meanwhile, on both databases."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.databases import is_postgres, opened_at
from tests.postgres import execute
from tests.utils import children
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import FIRST_SCHEMA, GENESIS, LINKED_SCHEMA, EventStore, NewEvent, segments
from utils.events.chain import chained
from utils.events.rows import SELECT
from utils.sqlite import SqliteDatabase

BEFORE = (FIRST_SCHEMA, segments.SCHEMA)
NOW = (*BEFORE, f"{LINKED_SCHEMA};{segments.NAMED_SCHEMA}")
OLD_ROW = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Row = tuple[object, ...]


def old_rows(count: int, *, first: int = 1, text: str = "") -> list[Row]:
    """A chain as an earlier release wrote it; of 3 sources, 4 types and 7 subjects."""
    rows: list[Row] = []
    before = GENESIS
    for seq in range(1, first + count):
        about = (f"id-{seq}", f"2026-01-01T00:00:00.{seq:06d}Z", f"source-{seq % 3}", f"t.{seq % 4}", f"s{seq % 7}")
        data = f'{{"n":{seq},"text":"{text}"}}'
        after = chained(before, (seq, *about, (seq + 6) // 7), data.encode())
        rows.append((seq, *about, data, (seq + 6) // 7, before, after))
        before = after
    return rows[first - 1 :]


def kept_before(address: str, rows: Iterable[Row]) -> None:
    """The database that an earlier release left."""
    with closing(opened_at(address, BEFORE)) as database, database.transaction() as connection:
        connection.executemany(OLD_ROW, list(rows))


def test_an_old_log_is_the_same_log_with_links(address: str) -> None:
    """All ten columns to the letter, the head that was kept, and each name's events from the newest to the first."""
    rows = old_rows(60)
    kept_before(address, rows)

    with closing(opened_at(address, NOW)) as database, closing(EventStore(database)) as store:
        assert database.query(f"{SELECT} ORDER BY seq") == rows
        found = store.verify(f"60:{rows[-1][9]}")
        assert (found.events, found.fault) == (60, None)
        for place, kind, name in ((3, "source", "source-2"), (4, "type", "t.1"), (5, "subject", "s6")):
            mine = [row[0] for row in rows if row[place] == name]
            asked = {kind: name}
            assert [event.seq for event in store.read(**asked)] == mine  # type: ignore[arg-type]  # one filter
            assert [event.seq for event in store.read(**asked, newest_first=True)] == mine[::-1]  # type: ignore[arg-type]
        (same,) = store.append([NewEvent("t.1", "s6", id="id-6")])
        (after,) = store.append([NewEvent("t.1", "s6", source="source-2")])
        assert (same.seq, after.seq, after.version) == (6, 61, 9)
        assert store.verify(f"60:{rows[-1][9]}").fault is None


def test_an_empty_old_log_begins_with_links(address: str) -> None:
    """Its first event is the first."""
    kept_before(address, [])

    with closing(opened_at(address, NOW)) as database, closing(EventStore(database)) as store:
        (first,) = store.append([NewEvent("t", "s")])
        assert (first.seq, first.version, first.prev_hash) == (1, 1, GENESIS)
        assert store.verify().fault is None


def test_an_old_log_whose_beginning_was_sealed_keeps_what_it_knows_of_it(address: str) -> None:
    """The first row in the table says what it follows, and a subject that was sealed goes on with its version."""
    rows = old_rows(20, first=41)
    kept_before(address, rows)
    with closing(opened_at(address, BEFORE)) as database, database.transaction() as connection:
        connection.execute("INSERT INTO sealed_subjects VALUES ('gone', 12)")
        connection.execute("INSERT INTO sealed_subjects VALUES ('s6', 2)")

    with closing(opened_at(address, NOW)) as database, closing(EventStore(database)) as store:
        assert database.query(f"{SELECT} ORDER BY seq") == rows
        gone, s6 = store.append([NewEvent("t", "gone"), NewEvent("t", "s6")])
        assert (gone.version, s6.version) == (13, 9)


@pytest.mark.parametrize(
    ("change", "fault"),
    {
        "a changed event": ("UPDATE events SET data = '{}' WHERE seq = 7", "event 7 (t.3, "),
        "another link of the chain": ("UPDATE events SET prev_hash = 'x' WHERE seq = 7", "event 7 (t.3, "),
        "an event removed": ("DELETE FROM events WHERE seq = 7", "event 7 is missing (found 8)"),
    }.values(),
    ids=["a changed event", "another link of the chain", "an event removed"],
)
def test_what_was_wrong_with_an_old_log_is_still_named(address: str, change: str, fault: str) -> None:
    """The links hide nothing."""
    kept_before(address, old_rows(20))
    with closing(opened_at(address, BEFORE)) as database, database.transaction() as connection:
        connection.execute(change)

    with closing(opened_at(address, NOW)) as database, closing(EventStore(database)) as store:
        assert str(store.verify().fault).startswith(fault)


def test_killed_while_it_gets_links_the_old_log_is_as_it_was(address: str) -> None:
    """The next start does it from the beginning; before that, the release before could still use it."""
    rows = old_rows(3000, text="x" * 300)
    kept_before(address, rows)

    _linked_and_killed(address)

    with closing(opened_at(address, BEFORE)) as database:
        assert database.query("SELECT * FROM events ORDER BY seq") == rows
    with closing(opened_at(address, NOW)) as database, closing(EventStore(database)) as store:
        found = store.verify(f"3000:{rows[-1][9]}")
        assert (found.events, found.fault) == (3000, None)


def _linked_and_killed(address: str) -> None:
    """All statements were executed, much of it is in the file; then there is no commit."""
    if is_postgres(address):
        import psycopg

        from utils.postgres_sql import in_postgres

        with psycopg.connect(address) as connection:
            connection.execute(in_postgres(NOW[-1]).encode())
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
            execute(address, f"SELECT pg_terminate_backend({pid})")
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        return
    child = children.start("link-and-wait", address)
    assert child.stdout is not None
    assert child.stdout.readline() == "linked\n"
    assert Path(f"{address}-wal").stat().st_size > 1_000_000
    child.kill()
    child.communicate()


def test_a_disk_too_small_for_the_links_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """With more room the next start does it."""
    path = tmp_path / "log.db"
    rows = old_rows(2000, text="x" * 300)
    kept_before(str(path), rows)

    class Small(SqliteDatabase):
        def connect(self) -> sqlite3.Connection:
            connection = super().connect()
            connection.execute("PRAGMA max_page_count = 400")
            return connection

    with pytest.raises(StateError, match="the disk is full") as told:
        Small(path, migrations=NOW)

    assert told.value.hint
    with closing(opened_at(str(path), NOW)) as database, closing(EventStore(database)) as store:
        assert store.verify(f"2000:{rows[-1][9]}").fault is None


@pytest.mark.parametrize(
    ("change", "fault"),
    {
        "no link": ("UPDATE log SET source_before = 0 WHERE seq = 5", "event 5 (t.done, {time}) is not linked"),
        "a link to another": (
            "UPDATE log SET subject_before = 2 WHERE seq = 6",
            "event 6 (t.done, {time}) is not linked",
        ),
        "a link to itself": ("UPDATE log SET type_before = 6 WHERE seq = 6", "event 6 (t.done, {time}) is not linked"),
        "another newest": (
            "UPDATE names SET newest = 3 WHERE kind = 'type'",
            "table names does not have event 6 as the newest of type t.done",
        ),
        "a name lost": (
            "DELETE FROM names WHERE kind = 'source'",
            "table names does not have event 6 as the newest of source orchestrator",
        ),
        "another version": (
            "UPDATE names SET version = 9 WHERE name = 's0'",
            "table names does not have event 5 as the newest of subject s0",
        ),
    }.values(),
    ids=["no link", "a link to another", "a link to itself", "another newest", "a name lost", "another version"],
)
def test_wrong_links_are_named_and_mended_by_a_rebuild(address: str, change: str, fault: str) -> None:
    """Reading along them ends, and after the rebuild nothing is missing."""
    with closing(opened_at(address, NOW)) as database, closing(EventStore(database, clock=ManualClock())) as store:
        events = store.append([NewEvent("t.done", f"s{n % 2}") for n in range(6)])
        with database.transaction() as connection:
            connection.execute(change)

        assert str(store.verify().fault).startswith(fault.format(time=events[0].time))
        assert len(store.read(type="t.done", limit=50)) <= 6
        assert len(store.read(type="t.done", limit=50, newest_first=True)) <= 50

        assert store.rebuild() == 0  # there are no views
        assert store.verify().fault is None
        assert store.read(type="t.done") == store.read(source="orchestrator") == events
        assert store.read(subject="s0", newest_first=True) == events[4::-2]
        assert store.append([NewEvent("t.done", "s0")])[0].version == 4


def test_names_that_are_behind_the_log_are_made_anew_once(tmp_path: Path) -> None:
    """Who wrote to the log by hand is caught up with, and the next commit finds all in order."""
    with closing(opened_at(str(tmp_path / "log.db"), NOW)) as database, closing(EventStore(database)) as store:
        store.append([NewEvent("t.done", "s0") for _ in range(3)])
        with database.transaction() as connection:
            connection.execute("UPDATE names SET newest = 1 WHERE kind = 'log'")
            connection.execute("INSERT INTO names VALUES ('subject', 'of a tail that was cut', 99, 7)")
        with closing(EventStore(database)) as another:
            another.append([NewEvent("t.done", "s1")])

            assert database.query("SELECT newest FROM names WHERE kind = 'log'") == [(4,)]
            assert database.query("SELECT name FROM names WHERE newest > 4") == []
            assert another.verify().fault is None


def test_an_id_of_ours_is_known_by_the_position_that_it_tells(address: str) -> None:
    """It needs no index; one that only looks like it is another event's."""
    with closing(opened_at(address, NOW)) as database, closing(EventStore(database, clock=ManualClock())) as store:
        events = store.append([NewEvent("t", "s") for _ in range(5000)])
        assert [event.id for event in events] == sorted({event.id for event in events})
        assert store.append([NewEvent("t", "s", id=events[4321].id)]) == [events[4321]]

        alike = events[4321].id[:-1] + ("0" if events[4321].id[-1] != "0" else "1")
        assert store.append([NewEvent("t", "s", id=alike)])[0].seq == 5001
        assert store.append([NewEvent("t", "s", id=alike)])[0].seq == 5001
