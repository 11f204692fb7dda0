"""Where each consumer of the log stands, whose it is now, and what it could not take: kept beside the log."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, StateError, upsert
from utils.event_patterns import matches
from utils.events.event import Event, rfc3339
from utils.events.rows import HEAD
from utils.events.store import EventStore
from utils.leases import TAKEN_FOR_DEAD_AFTER, Moment, Owner, moment, this_process

__all__ = ["SCHEMA", "Cursor", "CursorLost", "Cursors", "Parked", "Standing", "Start"]

Start = Literal["head", "beginning"]
T = TypeVar("T")

FORGOTTEN_AFTER_S = 30 * 86_400.0
"""Seconds after which a consumer that nobody runs any more does not keep events in the log."""

SCHEMA = """
CREATE TABLE cursors (
    name TEXT PRIMARY KEY, pattern TEXT NOT NULL, seq INTEGER NOT NULL, fence INTEGER NOT NULL, owner TEXT,
    heartbeat REAL NOT NULL, beat REAL NOT NULL, failed INTEGER NOT NULL, attempts INTEGER NOT NULL,
    error TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE parked (
    consumer TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, time TEXT NOT NULL, attempts INTEGER NOT NULL,
    error TEXT NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (consumer, seq)) WITHOUT ROWID
"""

_COLUMNS = "name, pattern, seq, fence, owner, heartbeat, beat, failed, attempts, error"
_ALL = f"SELECT {_COLUMNS} FROM cursors ORDER BY name"  # noqa: S608 - our own
_PUT = upsert("cursors", _COLUMNS, key="name")
_MOVE = "UPDATE cursors SET seq = ?, failed = ?, attempts = ?, error = ?, heartbeat = ?, beat = ? WHERE name = ?"
_PARK = upsert("parked", "consumer, seq, id, time, attempts, error, due", key="consumer, seq")
_PARKED = "SELECT consumer, seq, id, time, attempts, error FROM parked"
_BEHIND = "SELECT type, count(*), min(seq) FROM log WHERE seq > ? GROUP BY type"


class CursorLost(StateError):
    """The consumer belongs to somebody else by now: what was handled since is handled again there."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A consumer that belongs to us. `seq`: everything up to it is handled; `fence` grows with every grant.

    `attempts`: how often the event `failed` was tried before; 0 when nothing fails.
    """

    name: str
    fence: int
    seq: int
    failed: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that a consumer could not take, and went on without. `time`: when that was, RFC 3339."""

    consumer: str
    seq: int
    id: str
    time: str
    attempts: int
    error: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a consumer stands.

    Attributes:
        seq: Everything up to this event is handled.
        behind: Events it wants that are not handled yet; parked ones are not among them.
        behind_s: Seconds since the oldest of those was committed.
        running: Some living process works on it.
        failed, attempts, error: The event that its handler cannot take now, how often it was tried, and why; 0 and ""
            when all is well.
        parked: Events it went on without.
    """

    name: str
    pattern: str
    seq: int
    behind: int
    behind_s: float
    running: bool
    failed: int
    attempts: int
    error: str
    parked: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Cursors:
    """Grants, moves and frees cursors. Every change goes through the writer of the log, and shares its commits."""

    def __init__(self, store: EventStore, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._database = store.database
        self._clock = clock

    def take(self, name: str, pattern: str, *, start: Start) -> Cursor | None:
        """Become the one who works on a consumer; None while another living owner does.

        A consumer that is not known yet begins at the `head` of the log, or at its `beginning`.
        """
        look = "SELECT seq, fence, owner, heartbeat, beat, failed, attempts, error FROM cursors WHERE name = ?"
        for _, _, owner, heartbeat, beat, *_ in self._database.query(look, (name,)):
            if self._is_held(owner, heartbeat, beat):
                return None  # seen without a transaction: who only waits disturbs nobody

        def step(connection: Connection) -> Cursor | None:
            row = connection.execute(look, (name,)).fetchone()
            if row is None:
                head = connection.execute(HEAD).fetchone() if start == "head" else None
                row = (head[0] if head else 0, 0, None, 0.0, 0.0, 0, 0, "")
            seq, fence, owner, heartbeat, beat, failed, attempts, error = row
            if self._is_held(owner, heartbeat, beat, connection):
                return None
            now, me = moment(self._database, self._clock, connection), str(this_process())
            values = (name, pattern, seq, fence + 1, me, now.time, now.monotonic, failed, attempts, error)
            connection.execute(_PUT, values)
            return Cursor(name, fence + 1, seq, failed, attempts)

        return self._change(step)

    def check(self, cursor: Cursor) -> None:
        """Raises `CursorLost` when the consumer is not ours any more: we slept for so long that it was taken over."""
        with self._database.read() as connection:
            self._check(connection, cursor)

    def move(self, cursor: Cursor, seq: int, *, failed: int = 0, attempts: int = 0, error: str = "") -> None:
        """Everything up to `seq` is handled; the event `failed` after it could not be.

        Raises:
            CursorLost: the consumer is not ours any more; nothing was moved.
        """
        self._change(lambda connection: self._move(connection, cursor, seq, failed, attempts, error))

    def park(self, cursor: Cursor, event: Event, *, attempts: int, error: str) -> None:
        """Go on without an event: it can be listed and retried. Raises as `move`."""

        def step(connection: Connection) -> None:
            self._move(connection, cursor, event.seq, 0, 0, "")
            time = rfc3339(self._clock.now())
            connection.execute(_PARK, (cursor.name, event.seq, event.id, time, attempts, error, 0))

        self._change(step)

    def due(self, name: str) -> list[Parked]:
        """The parked events that somebody wants to be tried once more, oldest first."""
        rows = self._database.query(f"{_PARKED} WHERE consumer = ? AND due = 1 ORDER BY seq", (name,))
        return [Parked(*row) for row in rows]

    def settle(self, cursor: Cursor, parked: Parked, *, error: str = "") -> None:
        """A parked event was tried once more: with an error it stays parked. Raises as `move`."""

        def step(connection: Connection) -> None:
            self._check(connection, cursor)
            where = "WHERE consumer = ? AND seq = ?"
            if error:
                change = f"UPDATE parked SET due = 0, attempts = attempts + 1, error = ? {where}"  # noqa: S608 - our own
                connection.execute(change, (error, parked.consumer, parked.seq))
            else:
                connection.execute(f"DELETE FROM parked {where}", (parked.consumer, parked.seq))  # noqa: S608 - our own

        self._change(step)

    def renew(self, cursors: Sequence[Cursor]) -> None:
        """One heartbeat for all of these; those that were lost are left out."""

        def step(connection: Connection) -> None:
            now = moment(self._database, self._clock, connection)
            connection.executemany(
                "UPDATE cursors SET heartbeat = ?, beat = ? WHERE name = ? AND fence = ?",
                [(now.time, now.monotonic, cursor.name, cursor.fence) for cursor in cursors],
            )

        self._change(step)

    def release(self, cursor: Cursor, seq: int) -> None:
        """Let another process have the consumer. Everything up to `seq` is handled."""
        self._change(
            lambda connection: connection.execute(
                "UPDATE cursors SET owner = NULL, seq = ? WHERE name = ? AND fence = ?",
                (seq, cursor.name, cursor.fence),
            )
        )

    def forget(self, name: str) -> bool:
        """Remove a consumer that will not come back, with what it parked; False when there is none of that name.

        Raises:
            StateError: a living process works on it.
        """

        def step(connection: Connection) -> bool:
            row = connection.execute("SELECT owner, heartbeat, beat FROM cursors WHERE name = ?", (name,)).fetchone()
            if row is not None and self._is_held(row[0], row[1], row[2], connection):
                raise StateError(f"consumer {name}: is at work", hint="stop the process that runs it first")
            connection.execute("DELETE FROM parked WHERE consumer = ?", (name,))
            connection.execute("DELETE FROM cursors WHERE name = ?", (name,))
            return row is not None

        return self._change(step)

    def parked(self, name: str | None = None) -> list[Parked]:
        """The parked events of one consumer, or of all."""
        where, values = ("", ()) if name is None else (" WHERE consumer = ?", (name,))
        return [Parked(*row) for row in self._database.query(f"{_PARKED}{where} ORDER BY consumer, seq", values)]

    def retry(self, name: str, seq: int | None = None) -> int:
        """Have a consumer try its parked events once more (or only event `seq`); gives how many there are."""

        def step(connection: Connection) -> int:
            where = "WHERE consumer = ? AND (seq = ? OR ? = 0)"
            values = (name, seq or 0, seq or 0)
            connection.execute(f"UPDATE parked SET due = 1 {where}", values)  # noqa: S608 - our own
            self._database.announce(connection)
            row = connection.execute(f"SELECT count(*) FROM parked {where}", values).fetchone()  # noqa: S608 - our own
            return int(row[0])

        return self._change(step)

    def standing(self) -> list[Standing]:
        """How every consumer stands, by name."""
        parked = dict(self._database.query("SELECT consumer, count(*) FROM parked GROUP BY consumer"))
        found = []
        for row in self._database.query(_ALL):
            name, pattern, seq, _, owner, heartbeat, beat, failed, attempts, error = row
            behind, behind_s = self._behind(pattern, seq)
            running = self._is_held(owner, heartbeat, beat)
            found.append(
                Standing(
                    name, pattern, seq, behind, behind_s, running, failed, attempts, error, int(parked.get(name, 0))
                )
            )
        return found

    def lowest(self) -> int | None:
        """No living consumer needs the events up to this one any more; None: nobody follows, none is needed.

        An event that is parked is still needed. A consumer that nobody ran for 30 days keeps nothing back.
        """
        since = moment(self._database, self._clock).time - FORGOTTEN_AFTER_S
        ((cursor,),) = self._database.query("SELECT min(seq) FROM cursors WHERE heartbeat >= ?", (since,))
        ((parked,),) = self._database.query(
            "SELECT min(parked.seq) FROM parked JOIN cursors ON name = consumer WHERE heartbeat >= ?", (since,)
        )
        needed = [cursor] if cursor is not None else []
        return min([*needed, parked - 1] if parked is not None else needed, default=None)

    # --- details ------------------------------------------------------------------------------

    def _change(self, step: Callable[[Connection], T]) -> T:
        """What `step` gives, in a commit of the log's writer."""
        given: list[T] = []

        def guard(connection: Connection) -> None:
            given[:] = [step(connection)]

        self._store.append([], guard=guard)
        return given[0]

    def _move(self, connection: Connection, cursor: Cursor, seq: int, failed: int, attempts: int, error: str) -> None:
        self._check(connection, cursor)
        now = moment(self._database, self._clock, connection)
        connection.execute(_MOVE, (seq, failed, attempts, error, now.time, now.monotonic, cursor.name))

    def _check(self, connection: Connection, cursor: Cursor) -> None:
        row = connection.execute("SELECT fence FROM cursors WHERE name = ?", (cursor.name,)).fetchone()
        if row is None or row[0] != cursor.fence:
            raise CursorLost(f"consumer {cursor.name}: belongs to another process by now", transient=True)

    def _is_held(self, owner: str | None, heartbeat: float, beat: float, connection: Connection | None = None) -> bool:
        if not owner:
            return False
        now, last = moment(self._database, self._clock, connection), Moment(heartbeat, beat)
        if owner == str(this_process()):
            # Another follower of this very process: it beats as long as it lives.
            return now.monotonic - last.monotonic <= TAKEN_FOR_DEAD_AFTER
        return not Owner.parse(owner).is_dead(last, now)

    def _behind(self, pattern: str, seq: int) -> tuple[int, float]:
        """How many events of a pattern come after a position, and how many seconds ago the first of them did."""
        groups = [row for row in self._database.query(_BEHIND, (seq,)) if matches(pattern, row[0])]
        if not groups:
            return 0, 0.0
        first = min(row[2] for row in groups)
        rows = self._database.query("SELECT time FROM log WHERE seq = ?", (first,))
        age = self._clock.time() - datetime.fromisoformat(rows[0][0]).timestamp() if rows else 0.0
        return sum(row[1] for row in groups), max(0.0, age)
