"""The database: opening, lending connections, transactions, and failures in words."""

import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.utils import children
from utils import sqlite as module
from utils.database import StateError
from utils.file_lock import FileLock
from utils.sqlite import SqliteDatabase, prepare_directory

SCHEMA = "CREATE TABLE things (name TEXT PRIMARY KEY, body TEXT)"


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "some.db", migrations=[SCHEMA])


def _insert(database: SqliteDatabase, *names: str, body: str = "") -> None:
    with database.transaction() as connection:
        connection.executemany("INSERT INTO things VALUES (?, ?)", [(name, body) for name in names])


def test_sixteen_processes_open_a_new_database_at_once(tmp_path: Path) -> None:
    """Nobody sees "locked" at the switch to WAL, and the schema is made once."""
    opening = [children.start("open", tmp_path / "new.db") for _ in range(16)]

    children.let_go(*opening)

    assert [children.finish(child) for child in opening] == [["opened"]] * 16


def test_only_we_can_read_the_files(database: SqliteDatabase) -> None:
    """The database and the files that SQLite puts beside it have mode 0600."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('a', '')")

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in database.path.parent.iterdir()}

    assert modes == dict.fromkeys(("some.db", "some.db-wal", "some.db-shm", "some.lock"), 0o600)


def test_each_migration_runs_once(tmp_path: Path) -> None:
    """A newer program adds its migrations to what an older one made; rows stay."""
    old = SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])
    with old.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('a', 'kept')")
    old.close()

    new = SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA, "ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 3"])

    assert new.query("SELECT * FROM things") == [("a", "kept", 3)]
    assert new.query("PRAGMA user_version") == [(2,)]


def test_a_failed_migration_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """A migration is all or nothing."""
    SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA]).close()

    with pytest.raises(StateError, match="syntax"):
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA, "CREATE TABLE more (x); NONSENSE"])

    again = SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])
    assert again.query("SELECT name FROM sqlite_master WHERE type = 'table'") == [("things",), ("schema_version",)]


@pytest.mark.parametrize(
    ("forgotten", "use"),
    [("SELECT 1", "release 9.8.7: use that one"), ("DROP TABLE schema_version", "a newer release: use that one")],
)
def test_a_newer_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str, use: str) -> None:
    """An older program does not touch what a newer one wrote, and names that one."""
    SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA]).close()
    with monkeypatch.context() as tomorrow:
        tomorrow.setattr("utils.sqlite.release", lambda: "9.8.7")
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA, "CREATE TABLE more (x)"]).close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute(forgotten)
    connection.close()

    with pytest.raises(StateError, match="schema version 2, this program knows 1") as refused:
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])

    assert use in refused.value.hint


def test_one_that_somebody_opens_for_ever_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped while it opened it keeps the lock."""
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 10)

    with FileLock(tmp_path / "a.lock"), pytest.raises(StateError, match=r"a\.db: another process kept it") as told:
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])

    assert told.value.transient
    assert "kill -CONT" in told.value.hint


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    (tmp_path / "a.db").write_bytes(b"this is no database at all" * 100)

    with pytest.raises(StateError, match=r"a\.db: the database is damaged") as told:
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])

    assert "backup" in told.value.hint


def test_a_damaged_page_is_told_when_it_is_read(tmp_path: Path) -> None:
    """A database that opens but is broken inside gives a StateError, not SQLite's own."""
    database = SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])
    with database.transaction() as connection:
        connection.executemany("INSERT INTO things VALUES (?, ?)", [(str(n), "x" * 500) for n in range(100)])
    database.close()
    content = bytearray((tmp_path / "a.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "a.db").write_bytes(content)

    with pytest.raises(StateError, match="damaged"):
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA]).query("SELECT * FROM things")


def test_a_lock_that_stays_is_told_as_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the waiting time the error says that it may pass."""
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 20)
    database = SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StateError, match="locked") as told:
        _insert(database, "a")

    assert told.value.transient
    other.close()


def test_a_transaction_that_raises_leaves_nothing(database: SqliteDatabase) -> None:
    """What was written in the block is undone, and the next transaction works."""
    with pytest.raises(StateError, match="UNIQUE"):
        _insert(database, "a", "a")

    _insert(database, "b")

    assert database.query("SELECT name FROM things") == [("b",)]


def test_a_full_disk_in_a_transaction_is_told_as_such(database: SqliteDatabase) -> None:
    """SQLite has rolled back by itself then; the error is still the disk's, and there is room again later."""
    (pages,) = database.query("PRAGMA page_count")[0]
    database.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="disk is full") as told:
        _insert(database, "a", body="x" * 100_000)

    database.query("PRAGMA max_page_count = 1000000")
    _insert(database, "b", body="x" * 100_000)

    assert told.value.transient
    assert database.query("SELECT name FROM things") == [("b",)]


def test_threads_that_come_and_go_leave_no_connections_behind(database: SqliteDatabase) -> None:
    """Connections are lent: a hundred pools of workers need no more than one pool."""
    for _ in range(20):
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: database.query("SELECT 1"), range(8))) == [[(1,)]] * 8

    assert len(database._open) <= 5


def test_readers_do_not_wait_for_a_writer(database: SqliteDatabase) -> None:
    """A query in another thread sees the last commit while a transaction is open."""
    seen: list[object] = []
    with database.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('a', '')")
        reader = threading.Thread(target=lambda: seen.append(database.query("SELECT count(*) FROM things")))
        reader.start()
        reader.join(120)

    assert seen == [[(0,)]]


def test_a_closed_database_says_so(database: SqliteDatabase) -> None:
    """Using it is an error, and closing it twice is none."""
    database.close()
    database.close()

    with pytest.raises(StateError, match="closed"):
        database.query("SELECT 1")


def test_power_durability_flushes_each_commit(tmp_path: Path) -> None:
    """`power` is SQLite's FULL (2), `process` is NORMAL (1)."""
    for durability, level in (("process", 1), ("power", 2)):
        database = SqliteDatabase(tmp_path / f"{durability}.db", migrations=[SCHEMA], durability=durability)  # type: ignore[arg-type]  # a literal of the loop

        assert database.query("PRAGMA synchronous") == [(level,)]


def test_a_state_directory_is_made_for_us_alone(tmp_path: Path) -> None:
    """Mode 0700, with its parents."""
    prepare_directory(tmp_path / "deep" / "state")

    assert stat.S_IMODE((tmp_path / "deep" / "state").stat().st_mode) == 0o700


@pytest.mark.parametrize("below", ["state", "state/inner"], ids=["is a file", "lies below a file"])
def test_a_file_in_place_of_the_directory_is_told(tmp_path: Path, below: str) -> None:
    """The message names the path and the option."""
    (tmp_path / "state").write_text("")

    with pytest.raises(StateError, match="is not a directory") as told:
        prepare_directory(tmp_path / below)

    assert "--state-dir" in told.value.hint


@pytest.mark.parametrize("there", [True, False], ids=["exists", "would be made"])
def test_a_directory_that_this_user_cannot_write_is_told(there: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also when it would have to be made in such a directory."""
    base = tmp_path_factory.mktemp("locked")
    for folder in (base, base.parent, base.parent.parent):
        folder.chmod(0o755)  # the other user must get as far as here
    path = base if there else base / "state"
    base.chmod(0o555)

    (told,) = [" ".join(children.finish(children.start("prepare-as-nobody", path)))]

    assert str(path) in told
    assert "cannot be written" in told
    assert "--state-dir" in told
    base.chmod(0o755)


MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:45 / {folder} rw,relatime shared:2 - {kind} server:/export rw
31 22 0:46 / {folder}/local rw,relatime - ext4 /dev/other rw
"""


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    """Before anything is made there; a local disk mounted inside is fine."""
    shared = tmp_path / "shared ü"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(folder=str(shared).replace(" ", r"\040"), kind=kind), encoding="utf-8")

    with pytest.raises(StateError, match=f"network file system \\({kind}\\)") as told:
        prepare_directory(shared / "state", mounts=str(mounts))
    prepare_directory(shared / "local" / "state", mounts=str(mounts))

    assert "local disk" in told.value.hint
    assert not (shared / "state").exists()


def test_without_a_mount_table_nothing_is_refused(tmp_path: Path) -> None:
    """Other systems than Linux have none."""
    prepare_directory(tmp_path / "state", mounts=str(tmp_path / "missing"))

    assert (tmp_path / "state").is_dir()


def test_damage_that_sqlite_cannot_tell_in_words_is_told(tmp_path: Path) -> None:
    """Its message quotes the name of a table, which is no text any more."""
    SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA]).close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET name = CAST(x'a0a0' AS TEXT), sql = 'CREATE TABLE ('")
    connection.close()

    with pytest.raises(StateError, match=r"a\.db: the database is damaged \(.*a0") as told:
        SqliteDatabase(tmp_path / "a.db", migrations=[SCHEMA])

    assert "backup" in told.value.hint
