"""A database whose content can be had again: is it damaged, what can be saved from it, and where does it go."""

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "Saved",
    "SetAside",
    "at_path",
    "flaw",
    "is_damage",
    "move_aside",
    "put_back",
    "salvage",
    "set_aside_before",
]

_KEPT = 2  # of those that were set aside; the rest is old news
_HEADER = 100  # bytes
_BESIDE = ("", "-wal", "-shm")  # SQLite finds the log by the database's name: they move together
_PASSES = {  # what says nothing about the file: only time or people mend it
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR),
    *(
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_AUTH,
    ),
}

_COLUMNS = """
SELECT m.name, x.name, x.pk, x.type = 'BLOB' FROM sqlite_schema AS m, pragma_table_info(m.name) AS x
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, x.cid
"""


class _Column(NamedTuple):
    place: int  # in the primary key; 0: none
    binary: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """The rows of one table that could still be read. `whole`: as far as can be told, these are all."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class SetAside:
    """What became of a damaged database: where it lies now, why, and how many rows of each table were saved."""

    path: Path
    moved_to: Path
    reason: str
    saved: dict[str, int]
    incomplete: tuple[str, ...]


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error while opening speaks of the file's content, and not of locks, rights or room."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF not in _PASSES


def at_path(path: Path) -> str | None:
    """Why there can be no database at `path`, before SQLite looks at it."""
    if path.is_symlink() or not path.exists():
        return None
    if not path.is_file():
        return "is not a file"
    wal = path.with_name(f"{path.name}-wal")
    # SQLite takes an empty file for a new database and deletes the log beside it without a word.
    if path.stat().st_size == 0 and wal.is_file() and wal.stat().st_size:
        return "was cut to nothing"
    return None


def flaw(connection: sqlite3.Connection, migrations: Sequence[str], *, check: str = "quick_check") -> str | None:
    """What is wrong with an open database, in words: its pages, its version, or its tables.

    Args:
        check: The pragma that reads every page; `integrity_check` also compares indexes with their tables; "": none.

    Raises:
        sqlite3.Error: it cannot even be looked at; see `is_damage`.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= len(migrations):
        return f"has schema version {version}, this program knows {len(migrations)}"
    if check:
        (found,) = connection.execute(f"PRAGMA {check}(1)").fetchone()
        if found != "ok":
            return str(found).replace("\n", " ")
    expected, there = _tables(migrations[:version]), _columns(connection)
    if not version and there:
        return f"holds the tables of something else ({', '.join(sorted(there))})"
    if lacking := [table for table, columns in expected.items() if there.get(table) != columns]:
        return f"lacks the table {lacking[0]}"
    return None


def salvage(path: Path, migrations: Sequence[str]) -> list[Saved]:
    """Every row that can still be read, table by table, from both ends of each; never raises.

    A refresh token that rotated exists nowhere else, so it is worth the try.
    """
    saved = _readable(path, migrations)
    if any(part.rows for part in saved) or not path.is_file():
        return saved
    mended = path.with_name(f"{path.name}.mended")
    try:
        with os.fdopen(os.open(mended, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
            content = path.read_bytes()
            copy.write(_header(migrations, len(content)) + content[_HEADER:])
        return _readable(mended, migrations)
    except OSError:
        return saved
    finally:
        for suffix in _BESIDE:
            _remove(mended.with_name(mended.name + suffix))


def _readable(path: Path, migrations: Sequence[str]) -> list[Saved]:
    expected = _tables(migrations)
    try:
        with contextlib.closing(
            sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True, timeout=1.0)
        ) as damaged:
            damaged.text_factory = bytes  # one text that is no UTF-8 must not end the reading of the others
            return [_rows(damaged, table, columns) for table, columns in expected.items()]
    except (sqlite3.Error, UnicodeDecodeError, OSError):  # see `utils/sqlite.py::damaged`
        return [Saved(table, tuple(columns), (), whole=False) for table, columns in expected.items()]


def _header(migrations: Sequence[str], size: int) -> bytes:
    """The first bytes of a sound database of this size: the pages behind a damaged header may be whole.

    The file format is described at https://www.sqlite.org/fileformat.html#the_database_header.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for script in migrations:
            model.executescript(script)
        header = bytearray(model.serialize()[:_HEADER])
    header[28:32] = (size // int.from_bytes(header[16:18], "big")).to_bytes(4, "big")
    header[32:40] = bytes(8)  # no free list: what is on it holds no rows
    header[92:96] = header[24:28]  # so that the number of pages above is believed
    return bytes(header)


def put_back(connection: sqlite3.Connection, saved: Sequence[Saved]) -> dict[str, int]:
    """Insert what was saved into the new database; how many rows of each table it took."""
    counts = {}
    connection.execute("BEGIN IMMEDIATE")
    for part in saved:
        names, marks = ", ".join(f'"{name}"' for name in part.columns), ", ".join("?" * len(part.columns))
        insert = f'INSERT OR IGNORE INTO "{part.table}" ({names}) VALUES ({marks})'  # noqa: S608 - names of our schema
        counts[part.table] = 0
        for row in part.rows:
            with contextlib.suppress(sqlite3.Error, OverflowError):  # a row that fits no more is lost like the others
                counts[part.table] += connection.execute(insert, row).rowcount
    connection.execute("COMMIT")
    return counts


def move_aside(path: Path, moment: datetime) -> Path:
    """Rename `path` and what belongs to it to `<name>.corrupt-<time>`; only the newest two of these stay."""
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    same = [number for time, number, _ in _set_aside(path) if time == stamp]
    target = path.with_name(f"{path.name}.corrupt-{stamp}" + (f"-{same[-1] + 1}" if same else ""))
    for suffix in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(target.with_name(target.name + suffix))
    for old in set_aside_before(path)[:-_KEPT]:
        for suffix in _BESIDE:
            _remove(old.with_name(old.name + suffix))
    return target


def set_aside_before(path: Path) -> list[Path]:
    """The damaged files that were set aside from `path`, oldest first."""
    return [entry for *_, entry in _set_aside(path)]


def _set_aside(path: Path) -> list[tuple[str, int, Path]]:
    named = re.compile(re.escape(path.name) + r"\.corrupt-(\d{8}T\d{6}Z)(?:-(\d+))?")
    found = [(match, entry) for entry in path.parent.iterdir() if (match := named.fullmatch(entry.name))]
    return sorted((match[1], int(match[2] or 1), entry) for match, entry in found)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _tables(migrations: Sequence[str]) -> dict[str, dict[str, _Column]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for script in migrations:
            model.executescript(script)
        return _columns(model)


def _columns(connection: sqlite3.Connection) -> dict[str, dict[str, _Column]]:
    """By table: its columns."""
    tables: dict[str, dict[str, _Column]] = {}
    for table, column, place, binary in connection.execute(_COLUMNS):
        tables.setdefault(table, {})[column] = _Column(place, bool(binary))
    return tables


def _rows(damaged: sqlite3.Connection, table: str, columns: dict[str, _Column]) -> Saved:
    names = ", ".join(f'"{name}"' for name in columns)
    keyed = {name: column for name, column in columns.items() if column.place}
    key = [f'"{name}"' for name in sorted(keyed, key=lambda name: keyed[name].place)] or ["rowid"]
    found: dict[tuple[Any, ...], None] = {}

    def note(sql: str, values: tuple[Any, ...] = ()) -> bool:
        """Whether every row that the statement gives could be read."""
        try:
            for row in damaged.execute(sql, values):
                if (sound := _sound(row, columns)) is not None:
                    found[sound] = None
        except (sqlite3.Error, UnicodeDecodeError):
            return False
        return True

    def ordered(what: str, by: list[str]) -> Iterator[str]:
        for direction in ("", " DESC"):  # a page in between cannot be read: come from the other end
            order = ", ".join(name + direction for name in by)
            yield f'SELECT {what} FROM "{table}" ORDER BY {order}'  # noqa: S608 - our own names

    # By rowid first, which some tables do not have: an index may be damaged, and is not needed for that.
    whole = any(note(sql) for sql in (*ordered(names, ["rowid"]), *ordered(names, key)))
    if not whole and keyed:  # the keys of a table with rowids lie in other pages, whole ones perhaps
        places = [list(columns).index(name) for name in keyed]
        had = {tuple(row[place] for place in places) for row in found}
        fits = " AND ".join(f'"{name}" = ?' for name in keyed)
        for sql in ordered(", ".join(f'"{name}"' for name in keyed), key):
            with contextlib.suppress(sqlite3.Error):
                for row in damaged.execute(sql):
                    values = _sound(row, keyed)
                    if values is not None and values not in had:
                        had.add(values)
                        note(f'SELECT {names} FROM "{table}" WHERE {fits}', values)  # noqa: S608 - our own names
    return Saved(table, tuple(columns), tuple(found), whole)


def _sound(row: tuple[Any, ...], columns: Mapping[str, _Column]) -> tuple[Any, ...] | None:
    """The row with texts where texts belong; None when one of them is none."""
    try:
        return tuple(
            value.decode() if isinstance(value, bytes) and not column.binary else value
            for value, column in zip(row, columns.values(), strict=True)
        )
    except UnicodeDecodeError:
        return None
