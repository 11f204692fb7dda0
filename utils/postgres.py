"""PostgreSQL as the installation's database: what `utils/database.py` promises, over psycopg.

Our statements are written with `?`; PostgreSQL wants `$1`. One advisory lock makes a transaction the only one that
writes: so the order of what is committed is the order in which it was written, which sequences do not give.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from utils.database import Connection, Durability, StateError, Statement, StatementRefused
from utils.postgres_errors import LOCK_TIMEOUT_S, explain, first_line, lost
from utils.postgres_news import PostgresNews
from utils.postgres_sql import numbered
from utils.release import release
from utils.schema_version import newer

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresDatabase"]

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5
_SETTINGS = {
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    # A process that is frozen in the middle of a transaction must not stop all others for ever.
    "idle_in_transaction_session_timeout": "60s",
    "client_min_messages": "warning",
    "timezone": "UTC",
}
_SYNCHRONOUS: dict[Durability, str] = {"process": "off", "power": "on"}
# Read committed, whatever the server's default: the head of the log is read after the lock was given, and must be that
# of this moment, not of the moment when the waiting began.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.%s'))"
_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"

# What it logs about a pipeline whose connection broke is the error that we raise, once more.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class _Connection:
    """A connection that takes our statements."""

    def __init__(self, raw: "psycopg.Connection[Any]") -> None:
        self.raw = raw

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> "psycopg.Cursor[Any]":
        # Binary: as text, bytes come twice as long and a million points in twice the time.
        return self.raw.execute(numbered(sql), parameters or None, prepare=True, binary=True)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(numbered(sql), rows)


class PostgresDatabase:
    """One schema of one server: the first on the connection's search path.

    A connection that broke (the server was stopped) is thrown away, and the next call makes a new one: who calls
    hears of it once, as a `StateError` that is worth another try.

    Args:
        url: `postgresql://…` (or `postgresql+psycopg://…`), with libpq's parameters.
        migrations: The script of each schema version in order; a newer schema is refused with the version it has.
        durability: `process` does not wait for the server's disk (synchronous_commit off), `power` does.
        part: Of the schema's tables, those that have versions and a writers' lock of their own: who writes one part
            does not wait for who writes another. "": the main one.

    Raises:
        StateError: the server cannot be reached or used, or the schema was written by a newer version.
    """

    batches = True
    OLDEST = 140000
    """The oldest server's version that is taken; 18 is the one we test with."""

    def __init__(
        self, url: str, *, migrations: Sequence[str], durability: Durability = "process", part: str = ""
    ) -> None:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._lock = _LOCK % (part or "writer")
        self._versions = f"{part or 'schema'}_version"
        try:
            parts = conninfo_to_dict(self._url)
        except psycopg.Error as error:
            raise StateError(
                "database.url: cannot be read as the address of a PostgreSQL database",
                hint="write postgresql+psycopg://user:password@host:5432/database",
            ) from error
        where = str(parts.get("host") or "localhost")
        where = "" if where.startswith("/") else where  # the folder of a socket
        self.name = f"postgresql://{where}/{parts.get('dbname') or ''}"
        defaults: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "orchestrator"}
        self._defaults = {name: value for name, value in defaults.items() if name not in parts}
        self._settings = {**_SETTINGS, "synchronous_commit": _SYNCHRONOUS[durability]}
        self._open: set[psycopg.Connection[Any]] = set()
        self._idle: list[_Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        try:
            with self.transaction() as connection:
                self._schema = self._usable_schema(connection)
                self._migrate(connection, migrations)
        except BaseException:
            self.close()
            raise

    # --- what `Database` promises -------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        for attempt in (1, 2):
            try:
                with self.read() as connection:
                    return connection.execute(sql, parameters).fetchall()
            except StateError as error:
                # An idle connection may have outlived its server; a fresh one tells whether that is there again.
                if attempt == 2 or not lost(error):
                    raise
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def read(self) -> Iterator[_Connection]:
        with self.translated():
            connection = self._borrow()
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextlib.contextmanager
    def transaction(self, *, durability: Durability | None = None) -> Iterator[_Connection]:
        with self.transaction_reading(()) as (connection, _):
            if durability is not None:
                connection.raw.execute(f"SET LOCAL synchronous_commit = {_SYNCHRONOUS[durability]}")
            yield connection

    def change(self, step: Callable[[_Connection], T]) -> T:
        with self.transaction() as connection:
            return step(connection)

    @contextlib.contextmanager
    def transaction_reading(
        self, reads: Sequence[Statement], *, together: bool = False
    ) -> Iterator[tuple[_Connection, list[list[Any]]]]:
        with self.translated():
            connection, rows = self._begun(reads)
            try:
                with connection.raw.pipeline() if together else contextlib.nullcontext():
                    yield connection, rows
                    ended = connection.raw.execute("COMMIT")
                # A transaction in which a statement failed can be "committed" too: the server then rolls it back.
                if ended.statusmessage != "COMMIT":
                    raise StatementRefused(f"{self.name}: a statement failed, so nothing was committed")
            except BaseException:
                _roll_back(connection.raw)
                raise
            finally:
                self._give_back(connection)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[_Connection]:
        """Read as of one moment, beside which others write on."""
        with self.read() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield connection
            finally:
                _roll_back(connection.raw)

    def explain(self, error: Exception) -> StateError | None:
        import psycopg

        return explain(error, self.name) if isinstance(error, psycopg.Error) else None

    def news(self) -> PostgresNews:
        return PostgresNews(self)

    def announce(self, connection: Connection) -> None:
        connection.execute(f'NOTIFY "{self.channel}"')

    def tidy(self) -> int:
        return 0  # the server does it by itself (autovacuum)

    def damage(self) -> str:
        self.query("SELECT 1")
        return ""  # the server checks its own pages

    def server_time(self, connection: Connection | None = None) -> float:
        rows = self.query(_TIME) if connection is None else connection.execute(_TIME).fetchall()
        return float(rows[0][0])

    def identity(self) -> tuple[object, ...]:
        return (self.name, self._schema)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            opened, self._open = self._open, set()
            self._idle.clear()
        for raw in opened:
            raw.close()

    # --- details ------------------------------------------------------------------------------

    @property
    def channel(self) -> str:
        """Where commits are announced: several installations may share a database, each in a schema of its own."""
        return f"orchestrator_{self._schema}"

    def connect(self) -> "psycopg.Connection[Any]":
        """A new connection in autocommit mode; closed with the database. Raises psycopg's own errors."""
        import psycopg

        with self._guard:
            if self._closed:
                raise StateError(f"{self.name}: was closed")
        raw: psycopg.Connection[Any] = psycopg.connect(
            self._url, autocommit=True, cursor_factory=psycopg.RawCursor, **self._defaults
        )
        try:
            for name, value in self._settings.items():
                raw.execute("SELECT set_config($1, $2, false)", (name, value))
        except BaseException:
            raw.close()
            raise
        with self._guard:
            self._open.add(raw)
        return raw

    def let_go(self, raw: "psycopg.Connection[Any]") -> None:
        """Close a connection that `connect` made."""
        with self._guard:
            self._open.discard(raw)
        raw.close()

    def _borrow(self) -> _Connection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return _Connection(self.connect())

    def _give_back(self, connection: _Connection) -> None:
        if not connection.raw.closed:
            self._idle.append(connection)
            return
        self.let_go(connection.raw)
        while self._idle:  # what broke one (the server was stopped) broke those that wait as well
            with contextlib.suppress(IndexError):
                self.let_go(self._idle.pop().raw)

    def _begun(self, reads: Sequence[Statement]) -> tuple[_Connection, list[list[Any]]]:
        """A connection that holds the writers' lock, and what it read then: one round trip."""
        import psycopg

        while True:
            fresh = not self._idle
            connection = self._borrow()
            try:
                with connection.raw.pipeline():
                    connection.raw.execute(_BEGIN)
                    connection.execute(self._lock)
                    found = [connection.execute(sql, parameters) for sql, parameters in reads]
                return connection, [rows.fetchall() for rows in found]
            except BaseException as error:
                _roll_back(connection.raw)
                lost = isinstance(error, psycopg.OperationalError) and connection.raw.closed
                self._give_back(connection)
                if fresh or not lost:  # one that lay idle may have outlived its server
                    raise

    def _usable_schema(self, connection: _Connection) -> str:
        version = connection.raw.info.server_version
        if version < self.OLDEST:
            raise StateError(
                f"{self.name}: is PostgreSQL {version // 10000}, which is too old",
                hint=f"use PostgreSQL {self.OLDEST // 10000} or later",
            )
        ((schema,),) = connection.execute("SELECT current_schema()").fetchall()
        if schema is None:
            raise StateError(
                f"{self.name}: there is no such schema as its search_path names",
                hint="create it (CREATE SCHEMA), or correct `options` in database.url",
            )
        return str(schema)

    def _migrate(self, connection: _Connection, migrations: Sequence[str]) -> None:
        import psycopg

        # Not "IF NOT EXISTS": that asks for the right to create tables, which a user needs for the first time only.
        versions = self._versions
        ((there,),) = connection.execute("SELECT to_regclass(?) IS NOT NULL", (versions,)).fetchall()
        if not there:
            connection.raw.execute(f"CREATE TABLE {versions} (version bigint NOT NULL, release text)")
        ((version,),) = connection.execute(f"SELECT coalesce(max(version), 0) FROM {versions}").fetchall()  # noqa: S608 - our own
        if version > len(migrations):
            # As JSON: a table of before the release was written down has no such column.
            sql = f"SELECT to_jsonb(of) ->> 'release' FROM {versions} AS of WHERE version = ?"  # noqa: S608 - our own
            ((by,),) = connection.execute(sql, (version,)).fetchall()
            raise newer(self.name, version, len(migrations), by)
        if version < len(migrations):
            connection.raw.execute(f"ALTER TABLE {versions} ADD COLUMN IF NOT EXISTS release text")
        try:
            for number, script in enumerate(migrations[version:], start=version + 1):
                connection.raw.execute(script)
                connection.execute(f"INSERT INTO {versions} VALUES (?, ?)", (number, release()))  # noqa: S608 - our own
        except psycopg.errors.DuplicateTable as error:
            raise StateError(
                f"{self.name}: has tables of another program ({first_line(error)})",
                hint="give the installation a schema of its own: CREATE SCHEMA orchestrator, and "
                "`?options=-csearch_path%3Dorchestrator` in database.url",
            ) from error

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise explain(error, self.name) from error


def _roll_back(raw: "psycopg.Connection[Any]") -> None:
    if not raw.closed:
        with contextlib.suppress(Exception):  # a connection that broke has rolled back; the first error is the news
            raw.execute("ROLLBACK")
