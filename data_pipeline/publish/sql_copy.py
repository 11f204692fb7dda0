"""Rows into PostgreSQL: copied into a temporary table, from there into the target, so that many are quick."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from data_pipeline.publish.sql_table import Target, plainly_quoted, quoted
from data_pipeline.publish.sql_types import column_type, for_copy
from data_pipeline.publish.sql_write import Mode, on_conflict
from data_pipeline.sql_database import as_literal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from utils.arrow import pa

__all__ = ["copy"]

_STAGING = "pg_temp.orchestrator_staging"
_ORDER = "_orchestrator_row"


def copy(
    connection: "Connection",
    target: Target,
    batches: "Iterable[pa.RecordBatch]",
    *,
    schema: "pa.Schema",
    mode: Mode,
    key: Sequence[str],
) -> int:
    """See `sql_write.write`."""
    columns = {name: quoted(connection, name) for name in schema.names}
    rows = _stage(connection, batches, schema, columns)
    if mode == "replace":
        _execute(connection, f"DELETE FROM {target.name}")  # noqa: S608 - names in this file are quoted
    source = _STAGING
    if mode == "merge":
        keys = ", ".join(columns[name] for name in key)
        twice = f"SELECT 1 FROM {_STAGING} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
        if _execute(connection, twice).first() is not None:
            source = f"(SELECT DISTINCT ON ({keys}) * FROM {_STAGING} ORDER BY {keys}, {_ORDER} DESC)"  # noqa: S608
        _make_room(connection, target, columns, key)
    values = ", ".join(
        f"CAST({columns[name]} AS {as_literal(cast)})" if (cast := target.columns.get(name)) else columns[name]
        for name in columns
    )
    names = ", ".join(columns.values())
    insert = f"INSERT INTO {target.name} ({names}) SELECT {values} FROM {source} AS s ORDER BY s.{_ORDER}"  # noqa: S608
    if mode == "merge" and target.unique:
        insert += on_conflict(columns, key)
    _execute(connection, insert)
    return rows


def _stage(
    connection: "Connection", batches: "Iterable[pa.RecordBatch]", schema: "pa.Schema", columns: dict[str, str]
) -> int:
    import pyarrow.csv

    from utils.arrow import pa

    typed = (
        f"{columns[field.name]} {column_type(field.type, 'postgresql').compile(dialect=connection.dialect)}"
        for field in schema
    )
    parts = ", ".join((*typed, f"{_ORDER} bigserial"))
    _execute(connection, f"CREATE TEMPORARY TABLE orchestrator_staging ({parts}) ON COMMIT DROP")
    options = pyarrow.csv.WriteOptions(include_header=False)
    names = ", ".join(plainly_quoted(connection, name) for name in schema.names)
    raw: Any = connection.connection.driver_connection
    rows = 0
    # A string is quoted and a null is not, so that COPY tells the empty text from nothing.
    with raw.cursor() as cursor, cursor.copy(f"COPY {_STAGING} ({names}) FROM STDIN (FORMAT csv)") as stream:
        for batch in batches:
            sink = pa.BufferOutputStream()
            pyarrow.csv.write_csv(for_copy(batch), sink, options)
            stream.write(memoryview(sink.getvalue()))
            rows += batch.num_rows
    return rows


def _make_room(connection: "Connection", target: Target, columns: dict[str, str], key: Sequence[str]) -> None:
    """Delete rows that have the keys of new ones: all of them where no unique index turns a conflict into an update;
    else those with a null in the key, which conflict with nothing."""
    null = " OR ".join(f"s.{columns[name]} IS NULL" for name in key)
    if not target.unique:
        equal = " AND ".join(f"t.{columns[name]} = s.{columns[name]}" for name in key)
        _execute(connection, f"DELETE FROM {target.name} AS t USING {_STAGING} AS s WHERE {equal}")  # noqa: S608
    found = _execute(connection, f"SELECT 1 FROM {_STAGING} AS s WHERE {null} LIMIT 1").first()  # noqa: S608
    if found is not None:
        same = " AND ".join(f"t.{columns[name]} IS NOT DISTINCT FROM s.{columns[name]}" for name in key)
        _execute(connection, f"DELETE FROM {target.name} AS t USING {_STAGING} AS s WHERE ({null}) AND {same}")  # noqa: S608


def _execute(connection: "Connection", text: str) -> Any:
    import sqlalchemy as sa

    return connection.execute(sa.text(text))
