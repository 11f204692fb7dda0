"""Rows of all tables from one database to another, whichever they are, and the proof that they are the same."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from utils.database import Connection

__all__ = ["Copied", "TableFigures", "copy_tables", "figures"]

_AT_ONCE = 2_000
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"


@dataclass(frozen=True, slots=True)
class TableFigures:
    """A table's rows, and a number that differs when any of them differs (in whichever order they come)."""

    name: str
    rows: int
    digest: str


Copied = tuple[TableFigures, ...]


def copy_tables(source: Connection, target: Connection) -> Copied:
    """Empty all tables of the target and fill them from a SQLite that has the same ones; what was read.

    Both connections are in a transaction. Memory does not grow with the tables.
    """
    done = []
    for name, columns in _tables(source):
        counted = _Counted(name)
        target.execute(f"DELETE FROM {name}")  # noqa: S608 - our names
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our names
        rows = counted.seen(source.execute(_select(name, columns)))
        while page := list(islice(rows, _AT_ONCE)):
            target.executemany(statement, page)
        done.append(counted.figures())
    return tuple(done)


def figures(source: Connection, target: Connection) -> Copied:
    """What the target has of the tables of a SQLite; read through a cursor of the server, in its transaction."""
    done = []
    for name, columns in _tables(source):
        counted = _Counted(name)
        target.execute(f"DECLARE proof CURSOR FOR {_select(name, columns)}")
        while page := target.execute(f"FETCH {_AT_ONCE} FROM proof").fetchall():
            for _ in counted.seen(page):
                pass
        target.execute("CLOSE proof")
        done.append(counted.figures())
    return tuple(done)


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
