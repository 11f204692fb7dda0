"""PostgreSQL's failures in words a person can act on."""

from typing import TYPE_CHECKING

from utils.database import StateError, StatementRefused

if TYPE_CHECKING:
    import psycopg

__all__ = ["LOCK_TIMEOUT_S", "explain", "first_line", "lost"]

LOCK_TIMEOUT_S = 30


def explain(error: "psycopg.Error", name: str) -> StateError:
    """The same failure in words a person can act on."""
    state, told = error.sqlstate or "", first_line(error)
    if state.startswith("53"):
        hint = "free space there, then run again" if state == "53100" else "wait, or raise the server's limits"
        return StateError(f"{name}: the server has no room ({told})", hint=hint, transient=True)
    if state == "55P03":
        return StateError(
            f"{name}: another process kept it locked for {LOCK_TIMEOUT_S} s", hint="try again", transient=True
        )
    if state.startswith("40"):
        return StateError(f"{name}: {told}", hint="try again", transient=True)
    # What refuses a connection has no code, only words.
    if state.startswith("28") or any(words in told for words in ("password", "pg_hba.conf", "FATAL:  role ")):
        return StateError(
            f"{name}: the server does not let us in ({told})", hint="look at user and password in database.url"
        )
    if state == "3D000" or ("FATAL:  database " in told and "does not exist" in told):
        return StateError(f"{name}: there is no such database ({told})", hint="create it, or correct database.url")
    if state == "57014":
        return StateError(f"{name}: {told}", hint="raise `statement_timeout` for this user", transient=True)
    if state in {"42501", "25006"}:
        return StateError(
            f"{name}: cannot be written ({told})", hint="grant this user the right to create and write tables"
        )
    if state.startswith(("XX", "58", "F0")):
        return StateError(
            f"{name}: the server cannot read what it stored ({told})",
            hint="see its log and its disk; restore the database from a backup",
        )
    if state.startswith(("57P", "08")) or not state:
        if _is_data_error(error):
            return StatementRefused(f"{name}: {told}")
        return _Lost(
            f"{name}: the server cannot be reached ({told})", hint="see that it runs; try again", transient=True
        )
    return StatementRefused(f"{name}: {told}")


class _Lost(StateError):
    """The connection is gone."""


def lost(error: StateError) -> bool:
    return isinstance(error, _Lost)


def first_line(error: "psycopg.Error") -> str:
    return str(error).strip().partition("\n")[0]


def _is_data_error(error: "psycopg.Error") -> bool:
    import psycopg

    return isinstance(error, psycopg.DataError | psycopg.ProgrammingError)
