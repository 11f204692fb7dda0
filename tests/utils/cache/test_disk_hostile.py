"""Planted pickles, foreign file names, damaged values and databases: refused, set aside, never a crash."""

import os
import pickle
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from utils.arrow import pa
from utils.cache import DiskCache
from utils.clock import ManualClock

LIMIT = 16 << 20
EXECUTED: list[str] = []


class Payload:
    """Unpickling it leaves a trace."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return EXECUTED.append, ("pickle executed",)


PICKLE = pickle.dumps(Payload())


@pytest.fixture
def told() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def cache(tmp_path: Path, told: list[tuple[str, dict[str, Any]]]) -> DiskCache:
    EXECUTED.clear()
    cache = DiskCache(
        tmp_path / "cache",
        size_limit=LIMIT,
        clock=ManualClock(),
        listener=lambda event, data: told.append((event, data)),
    )
    cache.set("small", {"a": 1}, ttl=60)
    cache.set("large", b"x" * 100_000, ttl=60)
    return cache


def execute(tmp_path: Path, sql: str, *parameters: object) -> None:
    connection = sqlite3.connect(tmp_path / "cache" / "cache.db")
    connection.execute(sql, parameters)
    connection.commit()
    connection.close()


def use_everything(cache: DiskCache) -> None:
    for key in ("small", "large", "other"):
        cache.get(key)
    cache.statistics()
    cache.purge()
    cache.evict("tag")
    cache.delete("small")
    cache.set("small", 2, ttl=60)
    cache.clear()


@pytest.mark.parametrize(
    "row",
    [
        {"mode": 4, "value": PICKLE},
        {"mode": 1, "value": PICKLE},
        {"mode": 3, "value": "text"},
        {"mode": 1, "value": "text"},
        {"mode": 1, "value": 12},
        {"mode": 1, "value": None},
        {"mode": 0, "value": PICKLE},
        {"mode": "4", "value": PICKLE},
        {"mode": None, "value": None},
        {"mode": 4, "value": None, "filename": "planted.val"},
        {"mode": 2, "value": None, "filename": "planted.val"},
        {"mode": 2, "value": b"OCV2", "filename": "../secret"},
        {"mode": 2, "value": b"OCV2", "filename": "/etc/hostname"},
        {"mode": 2, "value": b"OCV2", "filename": "ab/../../secret"},
        {"mode": 2, "value": b"OCV2", "filename": "ab/" + "0" * 30 + ".val\n"},
        {"mode": 2, "value": b"OCV2", "filename": b"ab/" + b"0" * 30 + b".val"},
        {"mode": 3, "value": None, "filename": "../secret"},
    ],
    ids=lambda row: "-".join(str(value)[:14] for value in row.values()),
)
def test_a_planted_row_is_a_miss_deleted_and_told(
    cache: DiskCache, tmp_path: Path, told: list[tuple[str, dict[str, Any]]], row: dict[str, Any]
) -> None:
    """Whatever mode, value and file name a row claims, nothing runs and nothing outside is read or deleted."""
    secret = tmp_path / "secret"
    secret.write_bytes(PICKLE)
    (tmp_path / "cache" / "planted.val").write_bytes(PICKLE)
    columns = {"filename": None, **row}
    assignments = ", ".join(f"{name} = ?" for name in columns)
    execute(tmp_path, f"UPDATE Cache SET {assignments} WHERE key = 'small'", *columns.values())

    assert cache.get("small") is None

    assert [(event, data["what"], data["key"]) for event, data in told] == [("cache.set_aside", "value", "small")]
    assert cache.get("small") is None
    assert len(told) == 1  # deleted, so it is not found again
    assert cache.get("large") is not None
    use_everything(cache)
    assert secret.exists()
    assert EXECUTED == []


@pytest.mark.parametrize(
    ("key", "raw"),
    [(PICKLE, 0), (PICKLE, 1), (PICKLE, None), (5, 1), (None, 1), ("small", 0), ("small", "x")],
    ids=["pickle", "bytes", "no raw", "int", "null", "raw 0", "raw text"],
)
def test_a_planted_key_never_runs_and_is_purged(cache: DiskCache, tmp_path: Path, key: object, raw: object) -> None:
    """A pickled key would run when diskcache lists its keys; ours are never decoded, and purge removes the row."""
    execute(
        tmp_path,
        "INSERT INTO Cache (key, raw, store_time, mode, value, size) VALUES (?, ?, 0, 4, ?, 0)",
        key,
        raw,
        PICKLE,
    )

    purged = cache.purge()

    assert purged.entries == 1
    assert cache.get("small") is not None
    use_everything(cache)
    assert EXECUTED == []


def test_nothing_is_ever_pickled(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """No operation of the cache calls pickle, for reading or for writing."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)

    cache.set("table", pa.table({"a": [1]}), ttl=60, tag="tag")
    use_everything(cache)

    assert cache.statistics().entries == 0


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "fifo"])
def test_a_value_file_that_is_no_file_is_refused(
    cache: DiskCache, tmp_path: Path, told: list[tuple[str, dict[str, Any]]], kind: str
) -> None:
    """A link is not followed, a pipe not waited for, another file's content (a pickle, too) not believed."""
    secret = tmp_path / "secret"
    secret.write_bytes(PICKLE)
    file = next(tmp_path.rglob("*.val"))
    file.unlink()
    if kind == "link":
        file.symlink_to(secret)
    elif kind == "hard link":
        file.hardlink_to(secret)
    elif kind == "directory":
        file.mkdir()
    else:
        os.mkfifo(file)

    assert cache.get("large") is None

    assert told[0][1]["what"] == "value"
    assert secret.read_bytes() == PICKLE
    assert EXECUTED == []


@pytest.mark.parametrize("damage", ["cut", "emptied", "longer", "flipped"])
def test_a_damaged_value_file_is_a_miss_deleted_and_told(
    cache: DiskCache, tmp_path: Path, told: list[tuple[str, dict[str, Any]]], damage: str
) -> None:
    """Half a file is never half a value."""
    file = next(tmp_path.rglob("*.val"))
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[50_000] ^= 1
    file.write_bytes(
        {"cut": content[:50_000], "emptied": b"", "longer": content + b"x", "flipped": bytes(flipped)}[damage]
    )

    assert cache.get("large") is None

    assert [(event, data["key"], data["reason"]) for event, data in told] == [
        ("cache.set_aside", "large", "the checksum differs")
    ]
    assert not file.exists()
    assert cache.set("large", b"new" * 50_000, ttl=60)
    assert cache.get("large") is not None


def test_a_value_moved_under_another_key_is_refused(
    cache: DiskCache, tmp_path: Path, told: list[tuple[str, dict[str, Any]]]
) -> None:
    """A row whose key was changed does not answer for the new key."""
    execute(tmp_path, "UPDATE Cache SET key = 'other' WHERE key = 'small'")

    assert cache.get("other") is None
    assert told[0][1]["key"] == "other"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", "a lot"),
        ("count", None),
        ("_directory", "/tmp"),
        ("disk__directory", "/tmp"),
        ("sqlite_writable_schema", 1),
        ("eviction_policy", "nonsense"),
        ("disk_min_file_size", "x"),
        ("sqlite_journal_mode", "off"),
        ("cull_limit", 1_000_000),
    ],
)
def test_a_planted_setting_has_no_effect(cache: DiskCache, tmp_path: Path, key: str, value: object) -> None:
    """diskcache would take its directory, its PRAGMAs and its limits from the database; ours does not."""
    execute(tmp_path, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", key, value)
    cache.close()

    cache.set("small", 1, ttl=60)
    cache.set("large", b"x" * 100_000, ttl=60)

    assert cache.get("small") is not None
    assert cache.get("large") is not None
    assert cache.statistics().entries == 2
    assert len(list((tmp_path / "cache").rglob("*.val"))) == 1


DAMAGES: dict[str, Callable[[Path], object]] = {
    "header overwritten": lambda db: _overwrite(db, 0, b"\xff" * 100),
    "pages overwritten": lambda db: _overwrite(db, 4096, os.urandom(db.stat().st_size - 4096)),
    "cut in half": lambda db: os.truncate(db, db.stat().st_size // 2),
    "text": lambda db: db.write_text("this is not a database, " * 500),
    "tables dropped": lambda db: _script(db, "DROP TABLE Cache"),
    "settings dropped": lambda db: _script(db, "DROP TABLE Settings"),
    "a view in its place": lambda db: _script(db, "DROP TABLE Cache; CREATE VIEW Cache AS SELECT 1 AS key"),
    "a hostile trigger": lambda db: _script(
        db, "CREATE TRIGGER t BEFORE INSERT ON Cache BEGIN SELECT RAISE(ABORT, 'no'); END"
    ),
    "other columns": lambda db: _script(db, "DROP TABLE Cache; CREATE TABLE Cache (a, b)"),
}


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _script(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


@pytest.mark.parametrize("opened", [True, False], ids=["in use", "at rest"])
@pytest.mark.parametrize("damage", DAMAGES, ids=[name.replace(" ", "-") for name in DAMAGES])
def test_a_damaged_database_is_set_aside_and_rebuilt(
    cache: DiskCache, tmp_path: Path, told: list[tuple[str, dict[str, Any]]], damage: str, opened: bool
) -> None:
    """Gets are misses, the first set works, the damaged directory is beside it, one event tells so."""
    if not opened:
        cache.close()
        _script(tmp_path / "cache" / "cache.db", "PRAGMA wal_checkpoint(TRUNCATE)")
    _script(tmp_path / "cache" / "cache.db", "PRAGMA wal_checkpoint(TRUNCATE)")
    DAMAGES[damage](tmp_path / "cache" / "cache.db")

    cache.get("small")
    cache.get("unknown")
    stored = cache.set("new", {"b": 2}, ttl=60)
    hit = cache.get("new")

    assert stored is True
    assert hit is not None
    assert hit.value == {"b": 2}
    aside = [data for event, data in told if event == "cache.set_aside" and data["what"] == "cache"]
    assert len(aside) == 1, told
    assert aside[0]["reason"]
    assert Path(aside[0]["moved_to"]).name == "cache.corrupt-20260101T000000Z"
    assert (Path(aside[0]["moved_to"]) / "cache.db").exists()


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_never_crashes_and_never_lies(tmp_path: Path, seed: int) -> None:
    """After random bytes in random files every answer is a miss or right, and the cache works again."""
    rng = random.Random(seed)
    values = {f"k{i}": {"i": i, "pad": "p" * rng.choice([5, 500, 40_000])} for i in range(30)}
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=ManualClock())
    for key, value in values.items():
        cache.set(key, value, ttl=60)
    if seed % 2:
        _script(tmp_path / "cache" / "cache.db", "PRAGMA wal_checkpoint(TRUNCATE)")
        cache.close()
    for path in [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".db-shm"]:
        size = path.stat().st_size
        for _ in range(3):
            if size:
                _overwrite(path, rng.randrange(size), rng.randbytes(rng.choice([1, 8, 64])))

    for key, value in values.items():
        hit = cache.get(key)
        assert hit is None or hit.value == value
    use_everything(cache)
    cache.set("fine", 1, ttl=60)
    cache.set("fine", 2, ttl=60)

    hit = cache.get("fine")
    assert hit is not None
    assert hit.value == 2


@pytest.mark.parametrize("what", ["file", "database is a directory", "database is a link"])
def test_something_else_in_the_place_is_set_aside(
    tmp_path: Path, told: list[tuple[str, dict[str, Any]]], what: str
) -> None:
    """A file where the directory belongs, a directory or a link where the database belongs: moved, told, replaced."""
    path = tmp_path / "cache"
    target = tmp_path / "elsewhere.db"
    if what == "file":
        path.write_text("a file")
    else:
        path.mkdir()
        (path / "cache.db").mkdir() if "directory" in what else (path / "cache.db").symlink_to(target)
    cache = DiskCache(
        path, size_limit=LIMIT, clock=ManualClock(), listener=lambda event, data: told.append((event, data))
    )

    assert cache.set("key", 1, ttl=60)

    assert cache.get("key") is not None
    assert [event for event, _ in told] == ["cache.set_aside"]
    assert not target.exists()


def test_only_the_newest_two_damaged_caches_are_kept(tmp_path: Path) -> None:
    """A disk that damages its database every day is not filled by that."""
    clock = ManualClock()
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock)
    for _ in range(5):
        cache.set("key", 1, ttl=60)
        cache.close()
        (tmp_path / "cache" / "cache.db").write_text("damaged" * 1000)
        clock.advance(86_400)

    cache.set("key", 1, ttl=60)

    assert sorted(path.name for path in tmp_path.glob("cache.corrupt-*")) == [
        "cache.corrupt-20260105T000000Z",
        "cache.corrupt-20260106T000000Z",
    ]


def test_a_mount_point_is_emptied_instead_of_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the directory may be a volume: its content moves into a folder inside it."""
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=ManualClock())
    cache.set("key", 1, ttl=60)
    cache.close()
    (tmp_path / "cache" / "cache.db").write_text("damaged" * 1000)
    rename = Path.rename

    def busy(self: Path, target: Path) -> Path:
        if self == tmp_path / "cache":
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", busy)

    assert cache.set("key", 2, ttl=60)

    assert (tmp_path / "cache" / "corrupt-20260101T000000Z" / "cache.db").exists()
    assert cache.purge().entries == 0


def test_the_processes_that_find_the_damage_set_it_aside_once(tmp_path: Path) -> None:
    """Two objects over one damaged database: one directory aside, both work on with the new one."""
    told: list[str] = []
    caches = [
        DiskCache(
            tmp_path / "cache", size_limit=LIMIT, clock=ManualClock(), listener=lambda event, _: told.append(event)
        )
        for _ in range(2)
    ]
    for number, cache in enumerate(caches):
        cache.set(f"key{number}", number, ttl=60)
    _script(tmp_path / "cache" / "cache.db", "PRAGMA wal_checkpoint(TRUNCATE); DROP TABLE Cache")

    for cache in caches:
        cache.get("key0")
    caches[0].set("after", 1, ttl=60)

    assert caches[1].get("after") is not None
    assert told == ["cache.set_aside"]
    assert len(list(tmp_path.glob("cache.corrupt-*"))) == 1
