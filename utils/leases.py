"""Who is working on what: leases with a heartbeat and a fencing number, shared by all processes of an installation.

A lease belongs to a process, known by host, boot, pid namespace, pid and start time. A dead owner on the same host is
seen at once; an owner elsewhere is taken for dead after 15 s without a heartbeat. These seconds are the kernel's own,
which all its processes share and nobody sets; an owner under another kernel is measured by the clock of the server that
keeps the leases, or by the wall clock when no server does. Each grant of a name carries a larger fencing number than
the one before, so that a process that slept through the loss of its lease can be refused.
"""

import logging
import os
import socket
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, Database, StateError, upsert

HEARTBEAT_EVERY = 5.0
TAKEN_FOR_DEAD_AFTER = 15.0

SCHEMA = """
CREATE TABLE leases (
    name TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT, run TEXT, heartbeat REAL NOT NULL) WITHOUT ROWID
"""

BEAT_SCHEMA = (
    "ALTER TABLE leases ADD COLUMN beat REAL NOT NULL DEFAULT 0.0"  # the heartbeat again, in monotonic seconds
)

_HELD = "SELECT name, fence, owner, heartbeat, beat FROM leases WHERE name IN (SELECT value FROM json_each(?))"
_LAST = "SELECT owner, heartbeat, beat FROM leases WHERE owner = ? ORDER BY heartbeat DESC LIMIT 1"
_COLUMNS = "name, fence, owner, run, heartbeat, beat"
_GRANT = upsert("leases", _COLUMNS, key="name")
_KEEP = f"INSERT INTO leases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"  # noqa: S608 - our own
_FREE = "UPDATE leases SET owner = NULL, run = NULL WHERE name = ? AND fence = ?"


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks: seconds since the epoch, and since the boot (0.0: not known).

    `everywhere`: the first is a server's, and the owners may be on any machine.
    """

    time: float
    monotonic: float
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, so that no other can be mistaken for it: a pid alone is used again, also after a reboot."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    def __str__(self) -> str:
        return "|".join((self.host, self.boot, self.namespace, str(self.pid), self.started))

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """Read what `str` wrote; what is none of it (it was damaged) is an owner of whom only the silence is known."""
        try:
            host, boot, namespace, pid, started = text.split("|")
            return cls(host, boot, namespace, int(pid), started)
        except ValueError:
            return cls("", "", "", 0, "")

    def is_dead(self, last: "Moment", now: "Moment") -> bool:
        """Whether this owner is gone: certain under its own kernel, by silence elsewhere.

        Of a state directory, which lies on one machine, another boot is enough; two machines may have the same name.
        """
        me = this_process()
        if self.host == me.host and self.boot != me.boot and not now.everywhere:
            return True
        if (self.host, self.boot, self.namespace) == (me.host, me.boot, me.namespace) and self.started:
            return _started(self.pid) != self.started
        if self.boot and self.boot == me.boot and last.monotonic:
            return now.monotonic - last.monotonic > TAKEN_FOR_DEAD_AFTER
        # A heartbeat from the future is one from before the clock was set back: nobody waits for that moment.
        return abs(now.time - last.time) > TAKEN_FOR_DEAD_AFTER


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted name. `fence` grows with every grant."""

    name: str
    fence: int
    run: str = field(default="", compare=False)


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; "" when there is none (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {b"Z", b"X"} else fields[19].decode()


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


@lru_cache(maxsize=1)
def _identity(pid: int) -> Owner:
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return Owner(socket.gethostname(), _read("/proc/sys/kernel/random/boot_id"), namespace, pid, _started(pid))


def this_process() -> Owner:
    return _identity(os.getpid())


def moment(database: Database, clock: Clock, connection: Connection | None = None) -> Moment:
    """Now, as those see it who share a database; inside a transaction with its connection."""
    server = database.server_time(connection)
    return Moment(clock.time() if server is None else server, clock.monotonic(), everywhere=server is not None)


class Leases:
    """Grants, renews and frees leases in a database that all processes share which work with the same state.

    In a SQLite those are processes of this machine; in a PostgreSQL they may be anywhere, and silence is measured by
    the server's clock.
    """

    def __init__(self, database: Database, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = database
        self._clock = clock
        self._held: dict[str, Lease] = {}
        self._owed: set[tuple[str, int]] = set()  # to be freed, as soon as the database can be reached
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def acquire(
        self,
        names: Iterable[str],
        *,
        run: str = "",
        above: Mapping[str, int] | None = None,
        from_silent: bool = False,
    ) -> dict[str, Lease]:
        """Take every name that is free (or whose owner is dead); names held by a living owner are left out.

        `above`: numbers by name that were given out before, as far as somebody else remembers; a grant gets a larger
        one, also when this database was lost or deleted.
        `from_silent`: an owner without a heartbeat for 15 s loses them, though its process is there (it was stopped,
        or hangs). Only where the number is looked at again with all that is written.

        Raises:
            StateError: the database cannot be used; what may have been granted is given back once it can.
        """
        me, wanted = str(this_process()), list(dict.fromkeys(names))
        tried: dict[str, Lease] = {}

        def grant(connection: Connection) -> dict[str, Lease]:
            now = moment(self._database, self._clock, connection)
            rows = connection.execute(_HELD, (orjson.dumps(wanted).decode(),)).fetchall()
            seen = [(owner, heartbeat, beat) for *_, owner, heartbeat, beat in rows]
            gone = _dead(seen, now) | (_silent(seen, now) if from_silent else set())
            known = {name: (fence, owner is None or (owner, *seen) in gone) for name, fence, owner, *seen in rows}
            tried.clear()
            for name in wanted:
                fence, free = known.get(name, (0, True))
                if free:
                    tried[name] = Lease(name, max(fence, (above or {}).get(name, 0)) + 1, run)
            if tried:
                connection.executemany(
                    _GRANT, [(lease.name, lease.fence, me, run, now.time, now.monotonic) for lease in tried.values()]
                )
            return tried

        if self._owed:
            self._give_back()
        try:
            granted = self._database.change(grant)
        except StateError:
            # When the answer to the commit was lost, nobody knows whether they are ours.
            with self._guard:
                self._owed |= {(lease.name, lease.fence) for lease in tried.values()}
                self._beat()
            raise
        if granted:
            with self._guard:
                self._held |= granted
                self._owed -= {(lease.name, lease.fence) for lease in granted.values()}
                self._beat()
        return granted

    def is_free(self, name: str, *, from_silent: bool = False) -> bool:
        """Whether `acquire` would get it now; only looks."""
        rows, now = self._look(_HELD, orjson.dumps([name]).decode())
        seen = [(owner, heartbeat, beat) for *_, owner, heartbeat, beat in rows if owner is not None]
        return not seen or bool(_dead(seen, now) | (_silent(seen, now) if from_silent else set()))

    def still_ours(self, lease: Lease) -> bool:
        """Whether nobody has taken a name since it was granted; also when the file that knew was lost."""
        rows = self._database.query(_HELD, (orjson.dumps([lease.name]).decode(),))
        return not rows or (rows[0][1], rows[0][2]) == (lease.fence, str(this_process()))

    def held(self) -> list[str]:
        """The names that anybody holds, or held when it died."""
        return [name for (name,) in self._database.query("SELECT name FROM leases WHERE owner IS NOT NULL ORDER BY 1")]

    def release(self, names: Iterable[str]) -> None:
        """Free what this process still holds of `names`; the fencing number stays.

        A database that cannot be used now is no error: the heart frees them once it can, or they are free when this
        process is gone.
        """
        with self._guard:
            leases = [lease for name in names if (lease := self._held.pop(name, None))]
            self._owed |= {(lease.name, lease.fence) for lease in leases}
        if leases:
            self._try_to_give_back()

    def drop(self, names: Iterable[str]) -> None:
        """Free names that nobody will ask for again: nothing is left of them, their fencing numbers neither."""
        wanted = list(names)
        self.release(wanted)
        self._database.change(
            lambda connection: connection.executemany(
                "DELETE FROM leases WHERE name = ? AND owner IS NULL", [(name,) for name in wanted]
            )
        )

    def is_dead(self, owner: str | None) -> bool:
        """Whether an owner is gone, by its process and its last heartbeat; nobody at all counts as gone."""
        if not owner:
            return True
        rows, now = self._look(_LAST, owner)
        return bool(_dead(rows or [(owner, 0.0, 0.0)], now))

    def free_dead(self) -> list[str]:
        """Free the leases of dead owners; gives their names."""

        def free(connection: Connection) -> list[str]:
            held = connection.execute(
                "SELECT name, fence, owner, heartbeat, beat FROM leases WHERE owner IS NOT NULL"
            ).fetchall()
            now = moment(self._database, self._clock, connection)
            gone = _dead(((owner, heartbeat, beat) for *_, owner, heartbeat, beat in held), now)
            dead = [(name, fence) for name, fence, *seen in held if tuple(seen) in gone]
            if dead:
                connection.executemany(_FREE, dead)
            return [name for name, _ in dead]

        return self._database.change(free)

    def renew(self) -> None:
        """One heartbeat for all that is held; a lease that was lost with a damaged database is written again."""
        me = str(this_process())
        with self._guard:
            held = list(self._held.values())
        self._give_back()
        with self._database.transaction() as connection:
            now = moment(self._database, self._clock, connection)
            beaten = connection.execute(
                "UPDATE leases SET heartbeat = ?, beat = ? WHERE owner = ?", (now.time, now.monotonic, me)
            )
            if beaten.rowcount < len(held):
                connection.executemany(
                    _KEEP, [(lease.name, lease.fence, me, lease.run, now.time, now.monotonic) for lease in held]
                )

    def close(self) -> None:
        """Free everything and stop the heartbeat."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        self.release(list(self._held))
        if self._owed:  # the process may live on for long, and whoever asks next is told that it holds them
            self._try_to_give_back()

    def _look(self, sql: str, parameter: str) -> "tuple[list[tuple[Any, ...]], Moment]":
        rows = self._database.query(sql, (parameter,))
        return rows, moment(self._database, self._clock)

    def _try_to_give_back(self) -> None:
        try:
            self._give_back()
        except StateError as error:
            logging.getLogger(__name__).warning("leases are freed later: %s", error)

    def _give_back(self) -> None:
        """Free what is owed; done again, it changes nothing, for each grant has a number of its own."""
        with self._guard:
            owed, me = set(self._owed), str(this_process())
        if owed:
            rows = [(name, fence, me) for name, fence in owed]
            self._database.change(lambda connection: connection.executemany(f"{_FREE} AND owner = ?", rows))
            with self._guard:
                self._owed -= owed

    def _beat(self) -> None:
        if self._heart is None:
            self._heart = threading.Thread(target=self._beat_for_ever, name="heartbeat", daemon=True)
            self._heart.start()

    def _beat_for_ever(self) -> None:
        while not self._stop.wait(HEARTBEAT_EVERY):
            if self._held or self._owed:
                try:
                    self.renew()
                except (StateError, sqlite3.Error) as error:
                    # The next beat may get through; until 15 s are over nobody takes what is ours.
                    logging.getLogger(__name__).warning("a heartbeat was not written: %s", error)


_Seen = tuple[str | None, float, float]  # an owner, and its last heartbeat on both clocks


def _dead(owners: Iterable[_Seen], now: Moment) -> set[_Seen]:
    """Which of these are dead; each is looked at once, however many names it holds."""
    return {
        (owner, heartbeat, beat)
        for owner, heartbeat, beat in set(owners)
        if owner and Owner.parse(owner).is_dead(Moment(heartbeat, beat), now)
    }


def _silent(owners: Iterable[_Seen], now: Moment) -> set[_Seen]:
    """Which of these were not heard of for 15 s, on whichever clock they share with us."""
    found: set[_Seen] = set()
    for owner, heartbeat, beat in set(owners):
        if owner:
            here = Owner.parse(owner).boot == this_process().boot and beat
            silence = now.monotonic - beat if here else abs(now.time - heartbeat)
            if silence > TAKEN_FOR_DEAD_AFTER:
                found.add((owner, heartbeat, beat))
    return found
