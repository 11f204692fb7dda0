"""Rows into a table: appended, merged by key, or in the place of all that is there; within one transaction.

Rows are deleted and inserted, never the table itself: its grants, indexes and views stay, and readers see the old rows
until the commit.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from data_pipeline.publish.sql_table import Target, quoted
from data_pipeline.publish.sql_types import for_driver

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from utils.arrow import pa

__all__ = ["Mode", "write"]

Mode = Literal["merge", "append", "replace"]
_ROWS = 10_000
"""Rows handed to a driver at a time."""


def write(
    connection: "Connection",
    target: Target,
    batches: "Iterable[pa.RecordBatch]",
    *,
    schema: "pa.Schema",
    mode: Mode,
    key: Sequence[str],
) -> int:
    """Write the rows; gives how many there were. Of rows with the same key the last one counts (`merge`)."""
    if connection.dialect.name == "postgresql" and _has_copy(connection):
        from data_pipeline.publish.sql_copy import copy

        return copy(connection, target, batches, schema=schema, mode=mode, key=key)
    return _by_row(connection, target, batches, mode, key)


def _has_copy(connection: "Connection") -> bool:
    return connection.dialect.driver == "psycopg"


def _by_row(
    connection: "Connection", target: Target, batches: "Iterable[pa.RecordBatch]", mode: Mode, key: Sequence[str]
) -> int:
    """With the statements that every database knows; SQLite also updates where a key is taken."""
    import sqlalchemy as sa

    if mode == "replace":
        connection.execute(sa.text(f"DELETE FROM {target.name}"))  # noqa: S608 - the name is quoted
    upsert = mode == "merge" and target.unique and connection.dialect.name == "sqlite"
    insert = None
    count = 0
    for names, came in _rows(batches, connection.dialect.name):
        rows = came
        count += len(rows)
        places = {name: f"p{position}" for position, name in enumerate(names)}
        if insert is None:
            insert = sa.text(_insert(connection, target, places, key if upsert else None))
        if mode == "merge":
            rows = _last_of_each_key(rows, [places[name] for name in key])
            _make_room(connection, target, rows, {name: places[name] for name in key}, only_null=upsert)
        if rows:
            connection.execute(insert, rows)
    return count


def _rows(batches: "Iterable[pa.RecordBatch]", dialect: str) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            columns = [for_driver(column, dialect) for column in part.columns]
            places = [f"p{position}" for position in range(len(columns))]
            yield part.schema.names, [dict(zip(places, row, strict=True)) for row in zip(*columns, strict=True)]


def _insert(connection: "Connection", target: Target, places: dict[str, str], key: Sequence[str] | None) -> str:
    columns = {name: quoted(connection, name) for name in places}
    values = ", ".join(f":{place}" for place in places.values())
    text = f"INSERT INTO {target.name} ({', '.join(columns.values())}) VALUES ({values})"  # noqa: S608 - names are quoted
    if key is None:
        return text
    return text + on_conflict(columns, key)


def on_conflict(columns: dict[str, str], key: Sequence[str]) -> str:
    """What PostgreSQL and SQLite do where the key is taken. `columns`: name -> quoted name."""
    others = [written for name, written in columns.items() if name not in key]
    action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
    return f" ON CONFLICT ({', '.join(columns[name] for name in key)}) DO {action}"


def _last_of_each_key(rows: list[dict[str, Any]], key: list[str]) -> list[dict[str, Any]]:
    last = {tuple(row[place] for place in key): row for row in rows}
    return rows if len(last) == len(rows) else list(last.values())


def _make_room(
    connection: "Connection", target: Target, rows: list[dict[str, Any]], key: dict[str, str], *, only_null: bool
) -> None:
    """Delete the rows that have the keys of new ones. A null equals no null in a unique index, so it is told apart."""
    import sqlalchemy as sa

    groups: dict[tuple[bool, ...], list[dict[str, Any]]] = {}
    for row in rows:
        nulls = tuple(row[place] is None for place in key.values())
        if not only_null or any(nulls):
            groups.setdefault(nulls, []).append({place: row[place] for place in key.values()})
    for nulls, found in groups.items():
        where = " AND ".join(
            f"{quoted(connection, name)} IS NULL" if null else f"{quoted(connection, name)} = :{place}"
            for (name, place), null in zip(key.items(), nulls, strict=True)
        )
        used = [place for place, null in zip(key.values(), nulls, strict=True) if not null]
        values = [{place: row[place] for place in used} for row in found]
        statement = sa.text(f"DELETE FROM {target.name} WHERE {where}")  # noqa: S608 - names are quoted, values bound
        connection.execute(statement, values if used else {})
