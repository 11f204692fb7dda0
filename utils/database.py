"""The database of an installation, whichever it is: what its users may ask of it, and its failures in words.

`utils/sqlite.py` and `utils/postgres.py` fulfil it. Statements are written once, in the SQL that both understand:
`?` (or `?1`, `?2`, … when one is used twice) for a parameter, `ON CONFLICT` instead of `OR REPLACE`, no scalar `max`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeVar

__all__ = [
    "Connection",
    "Database",
    "Durability",
    "News",
    "Rows",
    "StateError",
    "Statement",
    "StatementRefused",
    "upsert",
]

T = TypeVar("T")

Durability = Literal["process", "power"]
Statement = tuple[str, tuple[Any, ...]]


class StateError(Exception):
    """The state cannot be used as it is. `hint` says what to do; `transient`: worth another try."""

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.transient = transient


class StatementRefused(StateError):
    """The database is well; this statement it does not take (a broken constraint, a wrong type, an unknown table)."""


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """Takes statements, one after the other."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object: ...


class News(Protocol):
    """Notices that somebody, in any process, may have committed something."""

    def wait(self, seconds: float) -> bool:
        """Return as soon as there may be news, at the latest after `seconds`; whether there may be."""
        ...

    def close(self) -> None:
        """Another thread's wait ends at once."""
        ...


class Database(Protocol):
    """Transactions of several threads and processes; one writes at a time, nobody waits to read.

    All methods raise `StateError`: `StatementRefused` when only the statement is at fault.
    """

    name: str
    """For messages: a path, or an address without its password."""

    batches: bool
    """Whether statements that are sent together save waiting."""

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a reading statement."""
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """Borrow a connection: rows can be fetched one after the other, as they are wanted."""
        ...

    def transaction(self, *, durability: Durability | None = None) -> AbstractContextManager[Connection]:
        """Be the only one who writes, until the block ends; rolled back when it raises.

        `durability` is that of this one transaction, when it is not the database's own.
        """
        ...

    def change(self, step: Callable[[Any], T]) -> T:
        """What `step` gives, in a transaction whose connection it gets; it may be called again if that was in vain."""
        ...

    def transaction_reading(
        self, reads: Sequence[Statement], *, together: bool = False
    ) -> AbstractContextManager[tuple[Connection, list[list[Any]]]]:
        """A transaction that begins with `reads`: gives the connection, and the rows of each of them.

        `together`: later statements may be sent with the commit. What one of them gave is there once rows of a later
        one are; and which of them was refused is not told.
        """
        ...

    def explain(self, error: Exception) -> StateError | None:
        """What a failure inside a transaction means; None when it did not come from the database."""
        ...

    def news(self) -> News: ...

    def announce(self, connection: Connection) -> None:
        """In a transaction: wake who waits for news once it is committed."""
        ...

    def tidy(self) -> int:
        """Give back the room that is no longer needed; how many bytes that were."""
        ...

    def damage(self) -> str:
        """What is broken in the files, as far as the database can tell; "" when nothing is."""
        ...

    def server_time(self, connection: Connection | None = None) -> float | None:
        """Seconds since the epoch by the one clock of all machines that use this; None: this machine is the only one.

        Inside a transaction with its `connection`: the moment when the server gets to it.
        """
        ...

    def identity(self) -> tuple[object, ...]:
        """Differs once the database was replaced by another of the same name. Asked often, so it must be cheap."""
        ...

    def close(self) -> None: ...


def upsert(table: str, columns: str, *, key: str) -> str:
    """The statement that puts a row in the place of the one with the same key. Names are separated by `, `.

    >>> upsert("t", "a, b", key="a")
    'INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = excluded.b'
    """
    names = columns.split(", ")
    others = [name for name in names if name not in key.split(", ")]
    change = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO {change}"  # noqa: S608 - our names
