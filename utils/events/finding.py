"""Find events in the table of the log: along the links of a subject, a source or a type, or by a look at every row."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from utils.database import Database
from utils.events.event import Event, events_of, events_of_one
from utils.events.rows import COLUMNS, KINDS, SELECT, in_parts, marks
from utils.events.wanted import Condition, Wanted

__all__ = ["found"]

Row = Sequence[Any]
_position = itemgetter(0)

STEPS = 2_000
"""Links that are followed to the oldest of some events; when there are more, a look at every row is not slower."""
TYPES = 16
"""Types that a pattern may take for each of them to be looked for by itself."""

_TYPES = "SELECT name FROM names WHERE kind = 'type' AND name >= ? AND name < ? AND newest > ?"
_NEWEST = "SELECT newest FROM names WHERE kind = ? AND name = ?"
# No condition on `log` alone: for one SQLite would make a Bloom filter of the whole log.
_STEP = """
    UNION ALL SELECT log.{kind}_before FROM walk JOIN log ON log.seq = walk.seq WHERE walk.seq > ?
"""
# Both databases walk no further than they are asked to, and SQLite does not change the order of what is crossed.
_LAST = f"""
WITH RECURSIVE walk(seq) AS (SELECT newest FROM names WHERE kind = '{{kind}}' AND name = ?{_STEP})
SELECT {{columns}} FROM (SELECT seq FROM walk WHERE seq > ? LIMIT ?) AS places CROSS JOIN log WHERE log.seq = places.seq
"""  # noqa: S608 - our own
# A link leads to the past, also in a log that was damaged: or this would not end.
_PLACES = f"""
WITH RECURSIVE walk(seq) AS (SELECT seq FROM log WHERE seq = ?{_STEP} AND log.{{kind}}_before < walk.seq)
SELECT seq FROM walk WHERE seq > ? LIMIT ?
"""  # noqa: S608 - our own


def _last_of(kind: str) -> str:
    """Without the column that is asked for: to fetch 50 names that are known takes 5 us of 150."""
    columns = ", ".join(f"log.{column}" for column in COLUMNS.split(", ") if column != kind)
    return _LAST.format(kind=kind, columns=columns)


_LAST_OF = {kind: _last_of(kind) for kind in KINDS}
_PLACES_OF = {kind: _PLACES.format(kind=kind) for kind in KINDS}


def found(database: Database, wanted: Wanted, limit: int, *, newest_first: bool = False) -> list[Event]:
    """The wanted events of the table, at most so many, in order."""
    if wanted.type is not None and wanted.type.endswith("*"):
        types = [name for (name,) in database.query(_TYPES, (*wanted.types(), wanted.after))]
        if not types:
            return []
        if len(types) == 1:
            wanted = replace(wanted, type=types[0])
        elif newest_first and len(types) <= TYPES and wanted.link() is None:
            each = (found(database, replace(wanted, type=name), limit, newest_first=True) for name in types)
            return sorted((event for events in each for event in events), key=_position, reverse=True)[:limit]
    link = wanted.link()
    if link is None:
        return events_of(_scanned(database, wanted, limit, newest_first))
    kind, name = link
    if not newest_first:
        return events_of(_oldest(database, wanted, limit, kind, name))
    conditions = wanted.conditions()
    if len(conditions) == 2:  # the position, and what the links lead along
        last: list[Row] = list(database.query(_LAST_OF[kind], (name, wanted.after, wanted.after, limit)))
        last.sort(key=_position, reverse=True)
        return events_of_one(kind, name, last)
    rows: list[Row] = []
    for places in _walked(database, kind, name, wanted.after):
        rows += _at(database, places, conditions, newest_first=True)
        if len(rows) >= limit:
            break
    return events_of(rows[:limit])


def _scanned(database: Database, wanted: Wanted, limit: int, newest_first: bool) -> list[Row]:
    conditions = wanted.conditions()
    order = "DESC" if newest_first else "ASC"
    sql = f"{SELECT} WHERE {_words(conditions)} ORDER BY seq {order} LIMIT ?"
    return list(database.query(sql, (*_values(conditions), limit)))


def _oldest(database: Database, wanted: Wanted, limit: int, kind: str, name: str) -> list[Row]:
    places = next(_walked(database, kind, name, wanted.after), [])
    if len(places) >= STEPS:
        return _scanned(database, wanted, limit, newest_first=False)
    rows: list[Row] = []
    places.reverse()
    for part in range(0, len(places), max(1, limit)):
        rows += _at(database, places[part : part + limit], wanted.conditions(), newest_first=False)
        if len(rows) >= limit:
            break
    return rows[:limit]


def _walked(database: Database, kind: str, name: str, after: int) -> Iterator[list[int]]:
    """The positions of all events of a name after a position, newest first, `STEPS` at a time."""
    newest = database.query(_NEWEST, (kind, name))
    place = newest[0][0] if newest else 0
    while place > after:
        places = [seq for (seq,) in database.query(_PLACES_OF[kind], (place, after, after, STEPS + 1))]
        places.sort(reverse=True)
        yield places[:STEPS]
        place = places[STEPS] if len(places) > STEPS else 0


def _at(database: Database, places: Sequence[int], conditions: Sequence[Condition], *, newest_first: bool) -> list[Row]:
    """The rows at these positions that fulfil the conditions, in order."""
    rows: list[Row] = []
    for part in in_parts(places):
        sql = f"{SELECT} WHERE seq IN ({marks(part)}) AND {_words(conditions)}"
        rows += database.query(sql, (*part, *_values(conditions)))
    rows.sort(key=_position, reverse=newest_first)
    return rows


def _words(conditions: Sequence[Condition]) -> str:
    return " AND ".join(f"{column} {operator} ?" for column, operator, _ in conditions)


def _values(conditions: Sequence[Condition]) -> tuple[Any, ...]:
    return tuple(value for *_, value in conditions)
