"""Who cannot wait for a locked database is held up once and shortly."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from utils.database import StateError
from utils.impatient import Impatient
from utils.sqlite import BUSY_TIMEOUT_MS, SqliteDatabase

SCHEMA = "CREATE TABLE notes (text TEXT)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with closing(SqliteDatabase(tmp_path / "notes.db", migrations=[SCHEMA])) as opened:
        yield opened


@pytest.fixture
def lock(database: SqliteDatabase) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else, who holds the lock."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


def waits(impatient: Impatient) -> int:
    """For how many milliseconds a lock would be waited for."""
    with impatient.read() as connection:
        ((milliseconds,),) = connection.execute("PRAGMA busy_timeout").fetchall()
    return int(milliseconds)


def note(impatient: Impatient, text: str) -> None:
    with impatient.transaction() as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))


def test_after_a_failure_nobody_waits_until_it_is_back(database: SqliteDatabase, lock: sqlite3.Connection) -> None:
    """The first one waits as long as it may, the second not at all; a success makes it worth waiting for again."""
    impatient = Impatient(database, patience_ms=50)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        note(impatient, "lost")

    after_failure = waits(impatient)
    lock.execute("ROLLBACK")
    note(impatient, "kept")

    assert (after_failure, waits(impatient)) == (0, 50)
    assert database.query("SELECT text FROM notes") == [("kept",)]


def test_others_wait_as_long_as_before(database: SqliteDatabase) -> None:
    """A connection that was lent goes back as it came, also after a failure."""
    impatient = Impatient(database, patience_ms=50)
    note(impatient, "kept")
    with pytest.raises(sqlite3.OperationalError, match="no such table"), impatient.transaction() as connection:
        connection.execute("INSERT INTO letters VALUES (1)")

    assert database.query("PRAGMA busy_timeout") == [(BUSY_TIMEOUT_MS,)]


def test_what_fails_in_the_middle_leaves_nothing(database: SqliteDatabase) -> None:
    """Neither rows nor a lock."""
    impatient = Impatient(database)
    with pytest.raises(sqlite3.OperationalError, match="no such table"), impatient.transaction() as connection:
        connection.executemany("INSERT INTO notes VALUES (?)", [("half",)]).execute("INSERT INTO letters VALUES (1)")

    note(impatient, "whole")

    assert database.query("SELECT text FROM notes") == [("whole",)]


def test_a_database_that_was_closed_says_so(database: SqliteDatabase) -> None:
    """As it does to everybody."""
    impatient = Impatient(database)
    database.close()

    with pytest.raises(StateError, match="was closed"):
        note(impatient, "lost")
