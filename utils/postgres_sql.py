"""Our statements, which are SQLite's, as PostgreSQL takes them."""

import functools
import re

__all__ = ["in_postgres", "numbered"]

_PARAMETER = re.compile(r"json_each\(\?\)|'[^']*'|\?(\d*)| INDEXED BY \w+| AS BLOB\b")


@functools.cache
def numbered(sql: str) -> str:
    """A statement of ours as PostgreSQL takes it: `$1`, `$2`, …, bytes by its own name, no hints which index to use.

    >>> numbered("SELECT '?' FROM t INDEXED BY i WHERE a = ? AND b = ?")
    "SELECT '?' FROM t WHERE a = $1 AND b = $2"
    >>> numbered("SELECT ?2, ?1, ?2")
    'SELECT $2, $1, $2'
    >>> numbered("SELECT CAST('' AS BLOB)")
    "SELECT CAST('' AS bytea)"
    >>> numbered("SELECT a FROM t WHERE a IN (SELECT value FROM json_each(?))")
    'SELECT a FROM t WHERE a IN (SELECT value FROM json_array_elements_text(CAST($1 AS json)))'
    """
    count = 0

    def one(found: re.Match[str]) -> str:
        nonlocal count
        if found[0].startswith(" INDEXED"):
            return ""
        if found[0] == " AS BLOB":
            return " AS bytea"
        if found[0].startswith("json_each"):
            count += 1
            return f"json_array_elements_text(CAST(${count} AS json))"
        if found[0] != "?":
            return f"${found[1]}" if found[1] else found[0]
        count += 1
        return f"${count}"

    return _PARAMETER.sub(one, sql)


_TRIGGER = re.compile(r"CREATE TRIGGER .*?\bEND\b|DROP TRIGGER \w+", re.DOTALL)
_TYPES = {
    "WITHOUT ROWID": "",
    "INTEGER": "bigint",
    "REAL": "double precision",
    "BLOB": "bytea",
    # Compared byte by byte, as in SQLite: keys and times are ordered as text.
    "TEXT": 'text COLLATE "C"',
}


def in_postgres(script: str) -> str:
    """Our own table definitions, written for SQLite, with PostgreSQL's types.

    Without triggers: those that SQLite once had were gone again before there was a PostgreSQL.

    >>> in_postgres("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) WITHOUT ROWID")
    'CREATE TABLE t (a bigint PRIMARY KEY, b bytea) '
    """
    return re.sub("|".join(_TYPES), lambda found: _TYPES[found[0]], _TRIGGER.sub("", script))
