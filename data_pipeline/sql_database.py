"""Databases by their address: a name without secrets, an engine for each, and their failures in words."""

import math
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from config.errors import Fault

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = [
    "Failure", "as_literal", "checked_url", "explain", "host_of", "is_sqlite", "name_of", "open_engine", "sqlite_path",
]  # fmt: skip

_URL = re.compile(r"(?P<dialect>[a-z][a-z0-9_]*)(?:\+(?P<driver>[a-z0-9_]+))?://", re.IGNORECASE)
_LOOKS_BOUND = re.compile(r"(?<![:\w\$\\]):([\w\$]+)(?![:\w\$])")
"""What `text()` would take for a parameter."""
_PSYCOPG = "postgresql+psycopg"
_INSTALL: Mapping[str, str] = {
    "mysql": "pymysql",
    "mariadb": "mariadb",
    "mssql": "pyodbc",
    "oracle": "oracledb",
    "duckdb": "duckdb-engine",
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
    "redshift": "sqlalchemy-redshift",
    "trino": "trino[sqlalchemy]",
    "clickhouse": "clickhouse-sqlalchemy",
    "databricks": "databricks-sqlalchemy",
}
"""The package that brings a dialect, or its usual driver."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, rollback, resources, operator, system.
_MAY_PASS = ("08", "40", "53", "57", "58", "55P03", "55006")
_REFUSED_AT_THE_DOOR = (
    "authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
    "not permitted",
)
_SQLITE_MAY_PASS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@dataclass(frozen=True, slots=True)
class Failure:
    """What a database said, in one line.

    `transient`: it may pass by itself; `timed_out`: its own limit was over; `away`: there is no connection.
    """

    words: str
    hint: str = ""
    transient: bool = False
    timed_out: bool = False
    away: bool = False


def checked_url(value: str) -> str:
    """The address itself, so that it serves as a validator.

    Raises:
        ValueError: it names no dialect, or no database; its text never holds the address, which may hold a password.
    """
    found = _URL.match(value)
    if found is None:
        raise Fault(
            "is no address of a database",
            hint="Write `sqlite:///shop.db` or `postgresql://user:${PASSWORD}@host/database`.",
        )
    if is_sqlite(value) and not _sqlite_file(value):
        raise Fault("names no file", hint="A database in memory is empty each time; write `sqlite:///shop.db`.")
    return value


def as_literal(text: str) -> str:
    """Text that SQLAlchemy's `text()` leaves as it is, whatever colons it holds."""
    return _LOOKS_BOUND.sub(r"\\\g<0>", text)


def is_sqlite(url: str) -> bool:
    return url.lower().startswith(("sqlite:", "sqlite+"))


def name_of(url: str) -> str:
    """Host, port and database of an address, or the file's name; never who asks.

    >>> name_of("postgresql://bob:secret@DB.example.org:5433/shop?sslmode=require")
    'db.example.org:5433/shop'
    >>> name_of("sqlite:///data/shop.db")
    'shop.db'
    """
    if is_sqlite(url):
        return Path(_sqlite_file(url)).name
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower() or "localhost"
    return f"{host}/{parts.path.strip('/')}".rstrip("/")


def host_of(url: str) -> str:
    """The server's name; "" when none, or more than one, is named.

    >>> host_of("postgresql://bob:secret@DB.example.org:5433/shop"), host_of("sqlite:///shop.db")
    ('db.example.org', '')
    """
    parts = urlsplit(url)
    return "" if "," in parts.netloc else parts.hostname or ""


def sqlite_path(url: str, base: Path) -> Path:
    """The file of a SQLite address; a relative one starts at `base`."""
    return base.absolute() / Path(_sqlite_file(url)).expanduser()


def open_engine(url: str, *, base: Path, connect_timeout: float, read_only: bool) -> "Engine":
    """An engine that opens a connection for each use and keeps none.

    SQLite begins its transactions itself (`BEGIN IMMEDIATE` when it may write), so that tables are made in them too.

    Raises:
        Exception: the driver is missing or the address cannot be read; `explain` puts it in words.
    """
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    if is_sqlite(url):
        path = sqlite_path(url, base)

        def connect() -> sqlite3.Connection:
            mode = "ro" if read_only else "rwc"
            found = sqlite3.connect(
                f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=connect_timeout, isolation_level=None
            )
            found.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
            return found

        engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)

        @sa.event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine
    address = sa.make_url(url)
    if address.drivername in {"postgres", "postgresql"}:
        address = address.set(drivername=_PSYCOPG)
    return sa.create_engine(address, poolclass=NullPool, connect_args=_connect_args(address, connect_timeout))


def explain(error: BaseException, url: str) -> Failure:
    """What went wrong, from the database's own words; nothing of the address but what the database repeats."""
    import sqlalchemy.exc as sa

    if isinstance(error, sa.NoSuchModuleError | ModuleNotFoundError):
        return _driver_missing(error, url)
    if isinstance(error, sa.ArgumentError):
        return Failure("the address cannot be read", "write it like postgresql://user:password@host:5432/database")
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _sqlite(cause)
    if hasattr(cause, "sqlstate"):
        return _postgresql(cause)
    lost = bool(getattr(error, "connection_invalidated", False)) or isinstance(
        error, sa.OperationalError | sa.InterfaceError | OSError
    )
    return Failure(_first_line(str(cause)), transient=lost)


def _sqlite_file(url: str) -> str:
    rest = url.partition("://")[2].partition("?")[0].removeprefix("/")
    return "" if rest == ":memory:" else rest


def _connect_args(address: Any, seconds: float) -> dict[str, Any]:
    """libpq and the MySQL drivers take whole seconds, and libpq none below 2."""
    if "connect_timeout" in address.query:
        return {}
    dialect, _, driver = address.drivername.partition("+")
    if driver.startswith("psycopg"):
        return {"connect_timeout": max(2, math.ceil(seconds)), "application_name": "cloud-data-orchestrator"}
    if dialect in {"mysql", "mariadb"}:
        return {"connect_timeout": max(1, math.ceil(seconds))}
    return {}


def _driver_missing(error: BaseException, url: str) -> Failure:
    dialect = url.partition(":")[0]
    name, _, driver = dialect.partition("+")
    missing = getattr(error, "name", None)
    package = driver if driver and name in {"mysql", "mariadb", "mssql", "oracle"} else _INSTALL.get(name, "")
    what = f"the driver of `{dialect}://` is not installed" + (f" ({missing})" if missing else "")
    hint = f"install it: pip install {package}" if package else "install the SQLAlchemy dialect of this database"
    if name == "mysql" and not driver:
        hint += ", and write the address mysql+pymysql://…"
    return Failure(what, hint)


def _sqlite(error: sqlite3.Error) -> Failure:
    code = int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    words = str(error)
    if code == sqlite3.SQLITE_INTERRUPT:
        return Failure("the query was interrupted", transient=True, timed_out=True)
    if code == sqlite3.SQLITE_READONLY:
        return Failure(words, "a collection only reads: let the query be a SELECT")
    if code == sqlite3.SQLITE_CANTOPEN:
        return Failure(words, "check the path in `url`; a relative one starts at the configuration file that names it")
    if code == sqlite3.SQLITE_NOTADB:
        return Failure(words, "check the path in `url`: another file is there")
    if code == sqlite3.SQLITE_TOOBIG:
        return Failure(f"a value is larger than `app.memory_limit` allows ({words})", "cut it in the query: substr(…)")
    if "decode to UTF-8" in words:
        return Failure(f"text that is not UTF-8: {words}", "take it as bytes: CAST(… AS BLOB) in the query")
    return Failure(words, transient=code in _SQLITE_MAY_PASS)


def _postgresql(error: Any) -> Failure:
    state = error.sqlstate or ""
    text = str(error)
    if not state:  # it failed before it was connected, or the connection went away
        reason = _first_line(text.rpartition("FATAL:")[2] or text).removeprefix("connection failed: ")
        refused = any(words in text for words in _REFUSED_AT_THE_DOOR)
        hint = "check user, password and database in `url`" if refused else "is the database up, and may we reach it?"
        return Failure(reason.strip(), hint, transient=not refused, away=True)
    words = (error.diag.message_primary or _first_line(text)) + _place(text)
    if state == "57014":
        return Failure(words, transient=True, timed_out=True)
    if state == "25006":
        return Failure(words, "a collection only reads: let the query be a SELECT")
    usual = "let `query` be one SELECT" if state == "42601" else ""
    return Failure(words, error.diag.message_hint or usual, transient=state.startswith(_MAY_PASS))


def _place(text: str) -> str:
    """Where in the statement: the line that PostgreSQL shows, from its caret on."""
    lines = text.splitlines()
    for line, caret in pairwise(lines):
        found = re.match(r"LINE (\d+): ", line)
        if found and caret.strip() == "^":
            return f" (line {found[1]}, at `{line[caret.index('^') :].strip()[:40]}`)"
    return ""


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
