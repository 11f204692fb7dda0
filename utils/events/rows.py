"""The tables of the log, the view that is a contract with whoever reads them, and the statements over both.

An event's row names the event before it of the same source, of the same type and of the same subject (0: there is
none), and table `names` has the newest of each. So the last events of a source are found by walking back, however long
the log is, and an append touches two pages. Four indexes, which it had before, took three times as long to write.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

from utils.database import Connection, Statement
from utils.events.event import Fact, position_in

T = TypeVar("T")

__all__ = [
    "COLUMNS",
    "FACTS",
    "FIRST_SCHEMA",
    "HEAD",
    "INSERT",
    "INSERT_NEXT",
    "INSERT_TOGETHER",
    "KINDS",
    "LINKED_SCHEMA",
    "LOG",
    "NAMES",
    "NEWEST",
    "PUT_NAME",
    "PUT_NAMES_OF_ONE",
    "REPLACE",
    "SCHEMA",
    "SELECT",
    "every",
    "in_parts",
    "marks",
    "names",
    "pages",
    "records",
    "stored",
]


FIRST_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL,
    subject TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE UNIQUE INDEX events_by_subject ON events (subject, version);
CREATE INDEX events_by_source ON events (source, seq);
CREATE INDEX events_by_type ON events (type, seq);
CREATE TABLE checkpoints (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID
"""
# The links stand before the data: a row that is longer than a page is read up to the column that is asked for.
# `named`: the id came from the caller. Ours tell their position, and need no index.
LINKED_SCHEMA = """
CREATE TABLE log (
    seq INTEGER PRIMARY KEY, source_before INTEGER NOT NULL, type_before INTEGER NOT NULL,
    subject_before INTEGER NOT NULL, version INTEGER NOT NULL, named INTEGER NOT NULL, id TEXT NOT NULL,
    time TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
    prev_hash TEXT NOT NULL, hash TEXT NOT NULL, data TEXT NOT NULL);
INSERT INTO log SELECT seq,
    coalesce((SELECT p.seq FROM events AS p WHERE p.source = e.source AND p.seq < e.seq
        ORDER BY p.seq DESC LIMIT 1), 0),
    coalesce((SELECT p.seq FROM events AS p WHERE p.type = e.type AND p.seq < e.seq
        ORDER BY p.seq DESC LIMIT 1), 0),
    coalesce((SELECT p.seq FROM events AS p WHERE p.subject = e.subject AND p.version < e.version
        ORDER BY p.version DESC LIMIT 1), 0),
    version, 1, id, time, source, type, subject, prev_hash, hash, data FROM events AS e ORDER BY seq;
CREATE UNIQUE INDEX log_by_name ON log (id) WHERE named = 1;
CREATE TABLE names (
    kind TEXT NOT NULL, name TEXT NOT NULL, newest INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (kind, name)) WITHOUT ROWID;
INSERT INTO names SELECT 'source', source, max(seq), 0 FROM events GROUP BY source;
INSERT INTO names SELECT 'type', type, max(seq), 0 FROM events GROUP BY type;
INSERT INTO names SELECT 'subject', subject, max(seq), max(version) FROM events GROUP BY subject;
INSERT INTO names SELECT 'log', '', coalesce(max(seq), 0), 0 FROM events;
DROP TABLE events;
CREATE VIEW events AS SELECT seq, id, time, source, type, subject, data, version, prev_hash, hash FROM log
"""
SCHEMA = f"{FIRST_SCHEMA};{LINKED_SCHEMA}"

KINDS = ("source", "type", "subject")
COLUMNS = "seq, id, time, source, type, subject, data, version, prev_hash, hash"
FACTS = ", ".join(Fact._fields)
SELECT = f"SELECT {COLUMNS} FROM events"  # noqa: S608 - our own
INSERT = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Refused, for want of an id, when the event before it is not there or has another hash.
INSERT_NEXT = (
    "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN (SELECT hash FROM log WHERE seq = ?1 - 1) = ?12"
    " THEN ?7 END, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
)
REPLACE = "ON CONFLICT (kind, name) DO UPDATE SET newest = excluded.newest, version = excluded.version"
PUT_NAME = f"INSERT INTO names VALUES (?, ?, ?, ?) {REPLACE}"  # noqa: S608 - our own
PUT_NAMES_OF_ONE = f"""
INSERT INTO names VALUES ('log', '', ?1, 0), ('source', ?2, ?1, 0), ('type', ?3, ?1, 0), ('subject', ?4, ?1, ?5)
{REPLACE}
"""  # noqa: S608 - our own
LOG = (
    *("seq", "source_before", "type_before", "subject_before", "version", "named"),
    *("id", "time", "source", "type", "subject", "prev_hash", "hash", "data"),
)
NAMES = ("kind", "name", "newest", "version")
_NUMBERS = {"seq", "source_before", "type_before", "subject_before", "version", "named", "newest"}


def _records(columns: Sequence[str]) -> str:
    """Rows that come as one parameter, as `records` writes them."""
    typed = (f"{name} {'bigint' if name in _NUMBERS else 'text'}" for name in columns)
    return f"json_to_recordset(?::json) AS r({', '.join(typed)})"


# All rows as one parameter: in PostgreSQL each further execution costs as much as the insert itself. As records, not
# arrays: of an array each field is looked for from its beginning.
INSERT_TOGETHER = f"""
WITH named AS (INSERT INTO names SELECT * FROM {_records(NAMES)} WHERE true {REPLACE})
INSERT INTO log SELECT * FROM {_records(LOG)}
"""  # noqa: S608 - our own
HEAD = "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1"
# With the position that `names` are up to date with.
NEWEST = f"""
SELECT {COLUMNS}, (SELECT newest FROM names WHERE kind = 'log') FROM events ORDER BY seq DESC LIMIT 1
"""  # noqa: S608 - our own
_PAGE = "SELECT {} FROM log WHERE seq > ? ORDER BY seq LIMIT 1000"
_AT_ONCE = 64


def pages(connection: Connection, after: int, *, columns: str = COLUMNS) -> Iterator[list[Sequence[Any]]]:
    """The rows of the table after a position, in order, at most a thousand at a time."""
    sql = _PAGE.format(columns)
    while True:
        page: list[Sequence[Any]] = []
        try:
            page.extend(connection.execute(sql, (after,)))
        except Exception:
            if page:
                yield page  # up to a row that cannot be read, so that it is known which one that is
            raise
        if not page:
            return
        yield page
        after = page[-1][0]


def records(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of these columns as one parameter."""
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode()


def stored(ids: Sequence[str]) -> list[Statement]:
    """What gives the rows of the events with these ids, as far as there are any."""
    found: list[Statement] = [
        (f"{SELECT} WHERE seq IN (SELECT seq FROM log WHERE named = 1 AND id IN ({marks(some)}))", some)  # noqa: S608 - marks only
        for some in in_parts(ids)
    ]
    ours = [(seq, identity) for identity in ids if (seq := position_in(identity))]
    for some in in_parts(ours):
        wanted = " OR ".join(["seq = ? AND id = ?"] * len(some))
        found.append((f"{SELECT} WHERE {wanted}", tuple(part for one in some for part in one)))
    return found


def names(sources: Sequence[str], types: Sequence[str], subjects: Sequence[str]) -> list[Statement]:
    """What gives kind, name, position of the newest event and version, of those of these names that the log has."""
    parts = [list(in_parts(of_kind)) for of_kind in (sources, types, subjects)]
    told: list[Statement] = []
    for number in range(max(map(len, parts))):
        some = [(kind, part[number]) for kind, part in zip(KINDS, parts, strict=True) if number < len(part)]
        asked = (
            f"SELECT kind, name, newest, version FROM names WHERE kind = '{kind}' AND name IN ({marks(part)})"  # noqa: S608 - our own
            for kind, part in some
        )
        told.append((" UNION ALL ".join(asked), tuple(name for _, part in some for name in part)))
    return told


def marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def in_parts(values: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Parts of 1, 4, 16 or 64 values, the last repeated: few statements, each prepared once."""
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        size = next(size for size in (1, 4, 16, _AT_ONCE) if size >= len(some))
        yield (*some, *[some[-1]] * (size - len(some)))


def every(values: Iterable[str]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(values))
