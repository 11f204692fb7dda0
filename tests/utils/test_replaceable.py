"""A coordination database that is damaged in every way: set aside, begun anew with what could be read, and told."""

import random
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.utils import children
from utils import sqlite as module
from utils.damage import SetAside, set_aside_before
from utils.database import StateError
from utils.replaceable import ReplaceableDatabase
from utils.sqlite import DamagedError, SqliteDatabase

SCHEMA = [
    "CREATE TABLE tokens (name TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE counts (name TEXT PRIMARY KEY, used INTEGER NOT NULL) WITHOUT ROWID",
]
NAMES = [f"provider-{number:04d}" for number in range(200)]
TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Told(list[SetAside]):
    """What a database said about being replaced."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "coordination.db"


@pytest.fixture(autouse=True)
def _nobody_waits_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for a lock that is not there counts as a hang: here it fails after a second."""
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 1000)


def opened(path: Path, told: Told | None = None) -> ReplaceableDatabase:
    telling = (told if told is not None else Told()).append
    return ReplaceableDatabase(path, migrations=SCHEMA, on_set_aside=telling, now=lambda: TIME)


def filled(path: Path, *, in_log: bool = False) -> None:
    """Two hundred tokens and one count; `in_log`: what a killed process leaves, everything in the `-wal`."""
    database = opened(path)
    with database.transaction() as connection:
        connection.executemany(
            "INSERT INTO tokens VALUES (?, ?)", [(name, f"secret of {name} " * 10) for name in NAMES]
        )
        connection.execute("INSERT INTO counts VALUES ('ecb', 41)")
    if not in_log:
        database.close()
        return
    kept = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    database.close()
    for name, content in kept.items():
        if not name.endswith((".lock", "-shm")):
            (path.parent / name).write_bytes(content)


def tokens(database: SqliteDatabase) -> dict[str, str]:
    return dict(database.query("SELECT name, token FROM tokens"))


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test opened is closed at its end."""
    every: list[ReplaceableDatabase] = []
    begin = ReplaceableDatabase._open_file

    def noted(self: ReplaceableDatabase) -> None:
        every.append(self)
        begin(self)

    monkeypatch.setattr(ReplaceableDatabase, "_open_file", noted)
    yield
    for database in every:
        database.close()


def no_sqlite(path: Path) -> None:
    path.write_bytes(b"this is no database, but it is long enough to be looked at as one; " * 40)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_text("in it")


def something_elses(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE invoices (number INTEGER)")
    other.close()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 9")
    other.close()


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("DROP TABLE counts")
    other.close()


def nothing_but_its_log(path: Path) -> None:
    filled(path.with_name("other.db"), in_log=True)
    path.with_name("other.db-wal").rename(path.with_name("coordination.db-wal"))
    path.write_bytes(b"")


DAMAGES = {
    "no database at all": no_sqlite,
    "cut in half": cut_in_half,
    "cut in its header": cut_in_the_header,
    "a directory": a_directory,
    "another program's": something_elses,
    "of a newer version": newer,
    "a table is missing": without_a_table,
    "emptied, its log beside it": nothing_but_its_log,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_set_aside_and_a_new_one_works(path: Path, told: Told, damage) -> None:
    """Once, with the reason and the place; the next opening finds nothing to say."""
    filled(path)
    damage(path)

    database = opened(path, told)
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO counts VALUES ('new', 1)")

    (news,) = told
    assert news.reason
    assert news.moved_to == path.with_name("coordination.db.corrupt-20260102T030405Z")
    assert news.moved_to.exists()
    database.close()
    assert ("new", 1) in opened(path, told).query("SELECT * FROM counts")
    assert len(told) == 1
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [newer, without_a_table], ids=["of a newer version", "a table is missing"])
def test_what_can_be_read_goes_over_to_the_new_file(path: Path, told: Told, damage) -> None:
    """Every token, when the pages are sound; and it is said which table is incomplete."""
    filled(path)
    before = tokens(opened(path))
    damage(path)

    after = tokens(opened(path, told))

    assert after == before
    assert told[0].saved["tokens"] == len(NAMES)
    assert told[0].incomplete == (() if damage is newer else ("counts",))


def test_behind_a_damaged_header_every_row_is_saved(path: Path, told: Told) -> None:
    """The first hundred bytes say how to read the file, and hold nothing; the pages are whole."""
    filled(path)
    before = tokens(opened(path))
    opened(path).close()
    path.write_bytes(b"\xa5" * 100 + path.read_bytes()[100:])

    after = tokens(opened(path, told))

    assert after == before
    assert told[0].incomplete == ()
    assert not list(path.parent.glob("*.mended*"))


def test_around_a_damaged_page_the_rows_are_saved_from_both_ends(path: Path, told: Told) -> None:
    """One page in the middle of the tokens is overwritten: what lies before and behind it is there."""
    filled(path)
    before = tokens(opened(path))
    content = bytearray(path.read_bytes())
    middle = content.index(b"secret of provider-0100")
    page = middle // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(content)

    after = tokens(opened(path, told))

    assert after.items() < before.items()
    assert {NAMES[0], NAMES[-1]} <= after.keys()
    assert len(after) > len(NAMES) * 0.7
    assert told[0].incomplete == ("tokens",)


def test_only_the_newest_two_are_kept(path: Path) -> None:
    """With what belongs to them; the same second makes no difference."""
    for number in range(4):
        for suffix in ("", "-wal"):
            path.with_name(path.name + suffix).write_bytes(b"no database, " * 100 + bytes([number]))
        opened(path).close()

    kept = set_aside_before(path)

    assert [file.name[-3:] for file in kept] == ["Z-3", "Z-4"]
    assert [file.read_bytes()[-1] for file in kept] == [2, 3]
    assert len(list(path.parent.glob("*.corrupt-*-wal"))) == 2


@pytest.mark.parametrize("why", ["locked", "no right", "full"])
def test_what_only_time_or_people_mend_sets_nothing_aside(
    path: Path, told: Told, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is told; the file stays where it is."""
    database = opened(path)
    database.close()
    path.unlink()  # so that opening has to write
    other = sqlite3.connect(path, isolation_level=None)
    if why == "locked":
        monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 20)
        other.execute("BEGIN EXCLUSIVE")
    codes = {"no right": sqlite3.SQLITE_READONLY, "full": sqlite3.SQLITE_FULL}

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError(why)
        error.sqlite_errorcode = codes[why]
        raise error

    if why in codes:
        monkeypatch.setattr(ReplaceableDatabase, "_migrate", fail)

    with pytest.raises(StateError):
        opened(path, told)

    assert not told
    assert not set_aside_before(path)
    other.close()


def test_of_many_who_find_the_damage_one_sets_it_aside(path: Path, told: Told) -> None:
    """Eight threads with a database each, and four processes beside them."""
    filled(path)
    cut_in_half(path)
    waiting = [children.start("open-replaceable", path) for _ in range(4)]
    barrier = threading.Barrier(8)

    def race(_: int) -> int:
        barrier.wait(120)
        return len(tokens(opened(path, told)))

    children.let_go(*waiting)
    with ThreadPoolExecutor(8) as pool:
        counts = set(pool.map(race, range(8)))
    said = sum(int(children.finish(child)[0]) for child in waiting) + len(told)

    assert said == 1
    assert len(counts) == 1
    assert len(set_aside_before(path)) == 1


def test_a_process_goes_over_to_the_file_that_another_one_began(path: Path, told: Told) -> None:
    """What it writes afterwards is in the new file, what others write it sees, and its end takes nothing away."""
    filled(path)
    first = opened(path, told)
    seen = first.changes()
    assert len(tokens(first)) == len(NAMES)
    cut_in_half(path)
    second = opened(path, told)

    with first.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO counts VALUES ('by the first', 1)")
    with second.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO counts VALUES ('by the second', 2)")

    both = {("by the first", 1), ("by the second", 2)}
    assert first.changes() != seen
    assert both <= set(first.query("SELECT * FROM counts"))
    first.close()
    assert both <= set(second.query("SELECT * FROM counts"))
    second.close()
    assert both <= set(opened(path, told).query("SELECT * FROM counts"))
    assert len(told) == 1


def test_damage_found_in_use_fails_once_and_is_mended_by_the_next(path: Path, told: Told) -> None:
    """The statement that finds it raises in words; the one after it works on the new file."""
    filled(path)
    database = opened(path, told)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    # A connection that read the page before has it in memory: ask with another one.
    with database.read(), pytest.raises(DamagedError, match="damaged"), database.transaction() as connection:
        connection.execute("SELECT count(token) FROM tokens").fetchall()
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO counts VALUES ('new', 1)")

    assert ("new", 1) in database.query("SELECT * FROM counts")
    assert len(told) == 1


def test_damage_that_a_borrower_met_is_mended_for_the_next_one(path: Path, told: Told) -> None:
    """Who uses a connection himself gets SQLite's own error; the doubt is noted all the same."""
    filled(path)
    database = opened(path, told)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    with database.read(), pytest.raises(sqlite3.DatabaseError), database.read() as connection:
        connection.execute("SELECT count(token) FROM tokens").fetchall()

    with database.read() as connection:
        assert connection.execute("SELECT count(token) FROM tokens").fetchone() == (told[0].saved["tokens"],)


@pytest.mark.parametrize("way", ["query", "change"])
def test_what_can_be_done_again_is_not_even_told_of_the_damage(path: Path, told: Told, way: str) -> None:
    """A query and a `change` are done once more on the new file."""
    filled(path)
    database = opened(path, told)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    sql = "SELECT count(token) FROM tokens"

    with database.read():  # as above: another connection
        if way == "query":
            ((count,),) = database.query(sql)
        else:
            ((count,),) = database.change(lambda connection: connection.execute(sql).fetchall())

    assert count == told[0].saved["tokens"]


def test_a_file_that_was_deleted_in_use_is_made_anew(path: Path, told: Told) -> None:
    """Nothing is set aside, for there is nothing."""
    database = opened(path, told)
    for file in path.parent.glob("coordination.db*"):
        file.unlink()

    assert database.query("SELECT * FROM counts") == []
    assert not told


def _flipped(path: Path, dice: random.Random) -> str:
    """Flip one to eight bits somewhere, or cut somewhere; what was done."""
    files = [file for file in (path, path.with_name(f"{path.name}-wal")) if file.exists() and file.stat().st_size]
    file = dice.choice(files)
    content = bytearray(file.read_bytes())
    if dice.random() < 0.2:
        end = dice.randrange(len(content))
        file.write_bytes(content[:end])
        return f"{file.name} cut at {end}"
    # Every page has its header at its front, the first one that of the file: most of the harm is done there.
    at = dice.randrange(100) if dice.random() < 0.2 else dice.randrange(len(content))
    if dice.random() < 0.3:
        at = at // 4096 * 4096 + dice.randrange(12)
    at = min(at, len(content) - 1)
    for offset in range(dice.randint(1, 8)):
        content[min(at + offset, len(content) - 1)] ^= 1 << dice.randrange(8)
    file.write_bytes(content)
    return f"{file.name} flipped at {at}"


def _sweep(folder: Path, times: int, seed: int) -> tuple[int, int]:
    """Damage, open, use; how often it was set aside, and how many tokens were saved on average."""
    dice = random.Random(seed)
    (folder / "sound").mkdir()
    (folder / "killed").mkdir()
    filled(folder / "sound" / "coordination.db")
    filled(folder / "killed" / "coordination.db", in_log=True)
    originals = {
        kind: {file.name: file.read_bytes() for file in (folder / kind).iterdir() if not file.name.endswith("-shm")}
        for kind in ("sound", "killed")
    }
    path = folder / "state" / "coordination.db"
    path.parent.mkdir()
    replaced = saved = 0
    for _ in range(times):
        for file in path.parent.iterdir():
            file.unlink()
        for name, content in originals[dice.choice(["sound", "killed"])].items():
            (path.parent / name).write_bytes(content)
        what, told = _flipped(path, dice), Told()
        database = opened(path, told)
        for number in range(2):
            try:
                with database.transaction() as connection:
                    connection.execute("INSERT OR REPLACE INTO counts VALUES ('new', ?)", (number,))
                database.changes()
                saved += number * len(tokens(database))
            except StateError:
                assert not number, what  # damage that only a statement finds: the next one is well
        assert database.query("SELECT used FROM counts WHERE name = 'new'") == [(1,)], what
        database.close()
        replaced += len(told)
    return replaced, saved


def test_whatever_is_flipped_or_cut_the_database_opens_and_works(tmp_path: Path) -> None:
    """A hundred seeded damages to header, pages, free list and log: nothing but StateError, and the next works."""
    replaced, saved = _sweep(tmp_path, 100, seed=4)

    assert 10 < replaced < 100  # a flip in a text, or in the log behind its last commit, is no damage that shows
    assert saved > 100 * len(NAMES) * 0.5


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_ten_thousand_damages(tmp_path: Path) -> None:
    """The full count, with its figures."""
    replaced, saved = _sweep(tmp_path, 10_000, seed=40)

    print(f"\n10,000 damages: set aside {replaced:,}, tokens saved {saved / 10_000 / len(NAMES):.1%}")
