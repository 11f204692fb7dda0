"""The table of the log, which is a contract with whoever reads it, and the statements over it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from utils.database import Connection, Statement

__all__ = [
    "HEAD",
    "INSERT",
    "INSERT_NEXT",
    "INSERT_TOGETHER",
    "NEWEST",
    "SCHEMA",
    "SELECT",
    "pages",
    "stored",
    "versions",
]

SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL,
    subject TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE UNIQUE INDEX events_by_subject ON events (subject, version);
CREATE INDEX events_by_source ON events (source, seq);
CREATE INDEX events_by_type ON events (type, seq);
CREATE TABLE checkpoints (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID
"""

INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Refused, for want of an id, when the event before it is not there or has another hash.
INSERT_NEXT = (
    "INSERT INTO events VALUES (?1, CASE WHEN (SELECT hash FROM events WHERE seq = ?1 - 1) = ?9 THEN ?2 END,"
    " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
)
# All rows as one parameter: in PostgreSQL each further execution costs as much as the insert itself.
INSERT_TOGETHER = """
INSERT INTO events SELECT (r->>0)::bigint, r->>1, r->>2, r->>3, r->>4, r->>5, r->>6, (r->>7)::bigint, r->>8, r->>9
FROM json_array_elements(?::json) AS r
"""
SELECT = "SELECT seq, id, time, source, type, subject, data, version, prev_hash, hash FROM events"
HEAD = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
NEWEST = f"{SELECT} ORDER BY seq DESC LIMIT 1"
_NEWEST = "(SELECT max(version) FROM events WHERE subject = {0})"
# All events of a subject may have been sealed. The second part is looked at only when the first gives nothing.
_NEWEST_OF_ALL = f"coalesce({_NEWEST}, (SELECT version FROM sealed_subjects WHERE subject = {{0}}))"  # noqa: S608
_VERSIONS = "SELECT s, {} FROM (SELECT ? AS s{}) AS w"
_PAGE = f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT 1000"
_AT_ONCE = 64


def pages(connection: Connection, after: int) -> Iterator[list[Sequence[Any]]]:
    """The rows of the table after a position, in order, at most a thousand at a time."""
    while True:
        page: list[Sequence[Any]] = []
        try:
            page.extend(connection.execute(_PAGE, (after,)))
        except Exception:
            if page:
                yield page  # up to a row that cannot be read, so that it is known which one that is
            raise
        if not page:
            return
        yield page
        after = page[-1][0]


def stored(ids: Sequence[str]) -> list[Statement]:
    """What gives the rows of the events with these ids, as far as there are any."""
    return [(f"{SELECT} WHERE id IN ({', '.join('?' * len(some))})", some) for some in _in_parts(ids)]


def versions(subjects: Sequence[str], *, sealed: bool = False) -> list[Statement]:
    """What gives each subject and how many events it has, `sealed` ones included; None: it has none."""
    newest = _NEWEST_OF_ALL if sealed else _NEWEST
    if len(subjects) == 1:
        return [(f"SELECT CAST(?1 AS TEXT), {newest.format('?1')}", (subjects[0],))]
    return [
        (_VERSIONS.format(newest.format("w.s"), " UNION ALL SELECT ?" * (len(some) - 1)), some)
        for some in _in_parts(subjects)
    ]


def _in_parts(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Parts of 1, 4, 16 or 64 values, the last repeated: few statements, each prepared once."""
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        size = next(size for size in (1, 4, 16, _AT_ONCE) if size >= len(some))
        yield (*some, *[some[-1]] * (size - len(some)))


def every(values: Iterable[str]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(values))
