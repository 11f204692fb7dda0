"""One query in one read-only transaction, its rows handed on batch by batch within the time that is left."""

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.sql.query import BoundQuery
from data_pipeline.collect.sql.types import AS_TEXT, Columns
from utils.resilience.deadline import check, remaining

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

    from utils.arrow import pa

__all__ = ["answer"]

_LOOK_EVERY = 10_000
"""Instructions of SQLite's machine between two looks at the time; well under a millisecond."""

PART = 32 * 2**20
"""Bytes of rows that one fetch aims at; a driver holds them twice or more."""
_GROWTH = 20
"""How many times larger a fetch may be than the one before: rows of a megabyte are met one by one."""
_LOOKED_AT = 50

_SETTINGS = """
SELECT set_config('transaction_read_only', 'on', true), set_config('statement_timeout', %s, true),
    set_config('TimeZone', %s, true), set_config('DateStyle', 'ISO', true),
    set_config('IntervalStyle', 'iso_8601', true)
"""


def answer(
    engine: "Engine", query: BoundQuery, request: CollectRequest, take: "Callable[[pa.RecordBatch], None]"
) -> tuple[str, ...]:
    """Run the query and `take` its rows; gives notes on columns. An answer without rows is one empty batch.

    Raises:
        SQLAlchemyError: what the database or its driver said.
        DeadlineExceededError, Cancelled: the time is over, or the work was called off.
    """
    import sqlalchemy as sa

    check(request.dataset)
    statement = sa.text(query.text)
    if query.lists:
        statement = statement.bindparams(*(sa.bindparam(name, expanding=True) for name in query.lists))
    dialect = engine.dialect.name
    values = {name: _as_bound(value, dialect, request.zone) for name, value in query.values.items()}
    with ExitStack() as opened, engine.connect() as connection:
        limit = _prepare(connection, request)
        if dialect == "postgresql":
            # SQLAlchemy forgets a cursor whose connection went away, and then psycopg complains that it is still open.
            sa.event.listen(connection, "before_cursor_execute", lambda _c, cursor, *_: opened.callback(cursor.close))
        limit()
        # A cursor on the server is for one SELECT; it is what keeps the driver from holding the whole answer.
        streamed = statement.execution_options(stream_results=True)
        try:
            result = connection.execute(streamed, values)
            if not result.returns_rows:
                raise sa.exc.InvalidRequestError("the query returns no rows: let it be a SELECT")
            assert result.cursor is not None  # it returns rows
            columns = Columns(result.cursor.description, typed=dialect == "postgresql")
            for batch in _batches(result, columns, request.options.batch_rows):
                take(batch)
                check(request.dataset)
                limit()
        except sa.exc.SQLAlchemyError:
            check(request.dataset)  # a statement that the deadline ended is no slow statement
            raise
        return columns.notes


def _batches(result: "CursorResult[Any]", columns: Columns, most: int) -> "Iterator[pa.RecordBatch]":
    """The rows, `most` at a time, or fewer that weigh `PART`, judged by those before; at least one batch."""
    waiting: list[Any] = []
    weight, fetched, size, empty = 0, 1, 1, True
    while part := result.fetchmany(size):
        each = _bytes_each(part)
        waiting += part
        weight += each * len(part)
        if len(waiting) >= most or weight >= PART:
            yield columns.batch(waiting)
            waiting, weight, empty = [], 0, False
        fetched = min(most, fetched * _GROWTH)
        size = max(1, min(fetched, most - len(waiting), (PART - weight) // each))
    if waiting or empty:
        yield columns.batch(waiting)


def _bytes_each(rows: Sequence[Any]) -> int:
    """What a row weighs, by a few of them."""
    some = rows[:: max(1, len(rows) // _LOOKED_AT)]
    cells = (len(cell) if isinstance(cell, str | bytes) else 16 for row in some for cell in row)
    return max(1, sum(cells) // len(some))


def _prepare(connection: "Connection", request: CollectRequest) -> Callable[[], None]:
    """Make the session read-only and bounded; gives what is to be called before each fetch."""
    seconds = min(request.options.statement_timeout or math.inf, remaining())
    dialect = connection.dialect.name
    raw: Any = connection.connection.driver_connection
    if dialect == "postgresql" and hasattr(raw, "adapters"):  # psycopg 3
        from psycopg.types.string import TextLoader

        for name in AS_TEXT:
            if raw.adapters.types.get(name) is not None:
                raw.adapters.register_loader(name, TextLoader)
        milliseconds = 0 if seconds == math.inf else max(1, math.ceil(seconds * 1000))
        connection.exec_driver_sql(_SETTINGS, (str(milliseconds), request.zone))
    elif dialect == "sqlite":
        # A cell is held several times on its way; and to attach another file would make it.
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(10**6, request.memory_limit // 16))
        raw.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        clock = request.clock
        until = [math.inf]
        raw.set_progress_handler(lambda: int(clock.monotonic() > until[0]), _LOOK_EVERY)

        def again() -> None:
            until[0] = clock.monotonic() + min(request.options.statement_timeout or math.inf, remaining())

        return again
    return lambda: None


def _as_bound(value: Any, dialect: str, zone: str) -> Any:
    """A value as the driver takes it. Moments without a zone are the dataset's own, as everywhere.

    SQLite keeps moments as text; the form with a space is what its own functions write, and sorts before the one with
    a `T`, so that a cursor in it never skips a row.
    """
    if isinstance(value, list):
        return [_as_bound(item, dialect, zone) for item in value]
    if dialect == "postgresql":
        return value
    if isinstance(value, datetime):
        local = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if value.tzinfo else value
        # "30.5" is not below "30.500000" in text order, but the other way round it is.
        return (
            (local.isoformat(" ").rstrip("0") if local.microsecond else local.isoformat(" "))
            if dialect == "sqlite"
            else local
        )
    if dialect == "sqlite":
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return format(value, "f")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return str(value)
    return value
