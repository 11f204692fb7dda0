"""Rows of all tables from one database to another, whichever they are, and the proof that they are the same."""

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from utils.database import Connection
from utils.schema_version import TABLE

__all__ = ["Copied", "TableFigures", "copy_tables", "figures"]

_AT_ONCE = 2_000
_TABLES = f"""
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> '{TABLE}'
ORDER BY name
"""  # noqa: S608 - our own


@dataclass(frozen=True, slots=True)
class TableFigures:
    """A table's rows, and a number that differs when any of them differs (in whichever order they come)."""

    name: str
    rows: int
    digest: str


Copied = tuple[TableFigures, ...]


def copy_tables(
    source: Connection, target: Connection, *, like: Connection, only: Container[str] | None = None
) -> Copied:
    """Empty all tables of the target (or `only` these) and fill them with those of the source; what was read.

    Both connections are in a transaction; `like` is the one that is a SQLite. Memory does not grow with the tables.
    """
    done = []
    for name, columns in _tables(like):
        if only is not None and name not in only:
            continue
        counted = _Counted(name)
        target.execute(f"DELETE FROM {name}")  # noqa: S608 - our names
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our names
        rows = counted.seen(_rows(source, _select(name, columns), local=source is like))
        while page := list(islice(rows, _AT_ONCE)):
            target.executemany(statement, page)
        done.append(counted.figures())
    return tuple(done)


def figures(of: Connection, *, like: Connection) -> Copied:
    """What a database has of the tables of a SQLite."""
    done = []
    for name, columns in _tables(like):
        counted = _Counted(name)
        for _ in counted.seen(_rows(of, _select(name, columns), local=of is like)):
            pass
        done.append(counted.figures())
    return tuple(done)


def _rows(connection: Connection, select: str, *, local: bool) -> Iterator[Sequence[Any]]:
    """One after the other; from a server through its cursor, for its rows would come all at once."""
    if local:
        yield from connection.execute(select)
        return
    connection.execute(f"DECLARE table_rows CURSOR FOR {select}")
    while page := connection.execute(f"FETCH {_AT_ONCE} FROM table_rows").fetchall():
        yield from page
    connection.execute("CLOSE table_rows")


def _tables(sqlite: Connection) -> Iterator[tuple[str, Sequence[str]]]:
    for (name,) in sqlite.execute(_TABLES).fetchall():
        yield name, [row[1] for row in sqlite.execute(f"PRAGMA table_info({name})").fetchall()]


def _select(name: str, columns: Sequence[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM {name}"  # noqa: S608 - our names


class _Counted:
    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = self._sum = 0

    def seen(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        for row in rows:
            self._rows += 1
            written = orjson.dumps(tuple(row), default=_bytes)
            self._sum += int.from_bytes(hashlib.sha256(written).digest(), "big")
            yield row

    def figures(self) -> TableFigures:
        return TableFigures(self._name, self._rows, f"{self._sum % (1 << 256):064x}")


def _bytes(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return ["bytes", bytes(value).hex()]
    raise TypeError(type(value))
