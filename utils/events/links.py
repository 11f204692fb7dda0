"""The links along which events are found again: are they what the events say, and mended when they are not.

They are no part of what the chain proves. A wrong one hides events from who asks for those of a name; the events
themselves are whole, and all that is wrong here can be made anew from them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from utils.database import Connection
from utils.events.rows import COLUMNS, KINDS, REPLACE

__all__ = ["LINKED", "Links", "mend", "name_anew"]

LINKED = f"{COLUMNS}, source_before, type_before, subject_before"
"""Columns of table `log`: those of the contract, then the links."""

_NAMED = "SELECT kind, name, newest, version FROM names WHERE newest > 0 ORDER BY kind, name"
_NEWER = "DELETE FROM names WHERE newest > ?"
_ANEW = "INSERT INTO names SELECT '{kind}', {kind}, max(seq), {version} FROM log WHERE true GROUP BY {kind}"
_VERSIONS = {"source": "0", "type": "0", "subject": "max(version)"}
_POSITION = "INSERT INTO names VALUES ('log', '', ?, 0)"
_NARROW = """
SELECT seq, source, type, subject, source_before, type_before, subject_before FROM log WHERE seq > ? ORDER BY seq
LIMIT 1000
"""
_MEND = "UPDATE log SET source_before = ?, type_before = ?, subject_before = ? WHERE seq = ?"


class Links:
    """Follows a log from its first row in the table to its last, and says what the links should have been."""

    def __init__(self) -> None:
        self._newest: tuple[dict[str, int], ...] = ({}, {}, {})
        self._versions: dict[str, int] = {}
        self._first = 0
        self._last = 0

    def fault(self, row: Sequence[Any]) -> str | None:
        """What is wrong with the links of the row that follows, as `LINKED` says; None: nothing. Others have none."""
        if len(row) == len(COLUMNS.split(", ")):
            return None
        seq, version = row[0], row[7]
        wrong = self.follow(seq, (row[3], row[4], row[5]), row[10:])
        self._versions[row[5]] = version
        if wrong is None:
            return None
        return f"event {seq} ({row[4]}, {row[2]}) is not linked to the event before it of its {wrong}"

    def follow(self, seq: int, names: Sequence[str], links: Sequence[int]) -> str | None:
        """Go on to a row; gives the kind of its first link that is wrong."""
        self._first = self._first or seq
        self._last = seq
        wrong = None
        for kind, newest, name, link in zip(KINDS, self._newest, names, links, strict=True):
            before = newest.get(name)
            # What the first of a name in the table follows may have been sealed.
            right = link == before if before is not None else 0 <= link < self._first
            if not right and wrong is None:
                wrong = kind
            newest[name] = seq
        return wrong

    def before(self, names: Sequence[str], links: Sequence[int]) -> tuple[int, ...]:
        """The right links of the row that follows; those into what was sealed stay as they are."""
        known = (newest.get(name) for newest, name in zip(self._newest, names, strict=True))
        return tuple(
            before if before is not None else link if link < self._first else 0
            for before, link in zip(known, links, strict=True)
        )

    def fault_of_names(self, connection: Connection) -> str | None:
        """What is wrong with the table of names; None: it says what the log says."""
        said = {kind: dict[str, tuple[int, int]]() for kind in ("log", *KINDS)}
        for kind, name, newest, version in connection.execute(_NAMED):
            said.get(kind, said["log"])[name] = (newest, version)
        for kind, newest in zip(KINDS, self._newest, strict=True):
            for name, seq in newest.items():
                told, version = said[kind].get(name, (0, 0))
                grown = told > self._last  # it was appended to since we began
                if not grown and (told != seq or (kind == "subject" and version != self._versions.get(name))):
                    return f"table names does not have event {seq} as the newest of {kind} {name}"
        return None


def name_anew(connection: Connection, head: int) -> None:
    """Have the table of names say what the log says. What was sealed of a subject keeps its version."""
    connection.execute(_NEWER, (head,))
    for kind, version in _VERSIONS.items():
        connection.execute(f"{_ANEW.format(kind=kind, version=version)} {REPLACE}")
    connection.execute(f"{_POSITION} {REPLACE}", (head,))


def mend(connection: Connection, head: int) -> int:
    """Make the links and the table of names anew where they are wrong; gives how many events had a wrong one."""
    links, reached, mended = Links(), 0, 0
    while page := connection.execute(_NARROW, (reached,)).fetchall():
        changes = list(_changes(links, page))
        if changes:
            connection.executemany(_MEND, changes)
        reached, mended = page[-1][0], mended + len(changes)
    name_anew(connection, head)
    return mended


def _changes(links: Links, page: Iterable[Sequence[Any]]) -> Iterable[tuple[int, ...]]:
    for seq, *rest in page:
        names, said = rest[:3], rest[3:]
        right = links.before(names, said)
        if tuple(said) != right:
            yield (*right, seq)
        links.follow(seq, names, right)
