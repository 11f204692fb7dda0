"""Who is working on what: leases with a heartbeat and a fencing number, shared by all processes of a state directory.

A lease belongs to a process, known by host, boot, pid namespace, pid and start time. A dead owner on the same host is
seen at once; an owner elsewhere is taken for dead after 15 s without a heartbeat. These seconds are the kernel's own,
which all its processes share and nobody sets; only an owner under another kernel is measured by the wall clock. Each
grant of a name carries a larger fencing number than the one before, so that a process that slept through the loss of
its lease can be refused.
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

import orjson

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.sqlite import SqliteDatabase

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
_GRANT = "INSERT OR REPLACE INTO leases (name, fence, owner, run, heartbeat, beat) VALUES (?, ?, ?, ?, ?, ?)"
_KEEP = "INSERT OR IGNORE INTO leases (name, fence, owner, run, heartbeat, beat) VALUES (?, ?, ?, ?, ?, ?)"
_FREE = "UPDATE leases SET owner = NULL, run = NULL WHERE name = ? AND fence = ?"


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks: seconds since the epoch, and since the boot (0.0: not known)."""

    time: float
    monotonic: float


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
        """Whether this owner is gone: certain on its own host, by silence elsewhere."""
        me = this_process()
        if self.host == me.host and self.boot != me.boot:
            return True
        if (self.host, self.namespace) == (me.host, me.namespace) and self.started:
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


class Leases:
    """Grants, renews and frees leases in the coordination database."""

    def __init__(self, database: SqliteDatabase, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = database
        self._clock = clock
        self._held: dict[str, Lease] = {}
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
        """
        me, now, wanted = str(this_process()), self._now(), list(dict.fromkeys(names))

        def grant(connection: sqlite3.Connection) -> dict[str, Lease]:
            rows = connection.execute(_HELD, (orjson.dumps(wanted).decode(),)).fetchall()
            seen = [(owner, heartbeat, beat) for *_, owner, heartbeat, beat in rows]
            gone = _dead(seen, now) | (_silent(seen, now) if from_silent else set())
            known = {name: (fence, owner is None or (owner, *seen) in gone) for name, fence, owner, *seen in rows}
            granted = {}
            for name in wanted:
                fence, free = known.get(name, (0, True))
                if free:
                    granted[name] = Lease(name, max(fence, (above or {}).get(name, 0)) + 1, run)
            connection.executemany(
                _GRANT, [(lease.name, lease.fence, me, run, now.time, now.monotonic) for lease in granted.values()]
            )
            return granted

        granted = self._database.change(grant)
        if granted:
            with self._guard:
                self._held |= granted
                self._beat()
        return granted

    def is_free(self, name: str, *, from_silent: bool = False) -> bool:
        """Whether `acquire` would get it now; only looks."""
        now = self._now()
        rows = self._database.query(_HELD, (orjson.dumps([name]).decode(),))
        seen = [(owner, heartbeat, beat) for *_, owner, heartbeat, beat in rows if owner is not None]
        return not seen or bool(_dead(seen, now) | (_silent(seen, now) if from_silent else set()))

    def still_ours(self, lease: Lease) -> bool:
        """Whether nobody has taken a name since it was granted; also when the file that knew was lost."""
        rows = self._database.query(_HELD, (orjson.dumps([lease.name]).decode(),))
        return not rows or (rows[0][1], rows[0][2]) == (lease.fence, str(this_process()))

    def release(self, names: Iterable[str]) -> None:
        """Free what this process still holds of `names`; the fencing number stays."""
        with self._guard:
            leases = [lease for name in names if (lease := self._held.pop(name, None))]
        if leases:
            numbers = [(lease.name, lease.fence) for lease in leases]
            self._database.change(lambda connection: connection.executemany(_FREE, numbers))

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
        rows = self._database.query(_LAST, (owner,)) or [(owner, 0.0, 0.0)]
        return bool(_dead(rows, self._now()))

    def free_dead(self) -> list[str]:
        """Free the leases of dead owners; gives their names."""

        def free(connection: sqlite3.Connection) -> list[str]:
            held = connection.execute(
                "SELECT name, fence, owner, heartbeat, beat FROM leases WHERE owner IS NOT NULL"
            ).fetchall()
            gone = _dead(((owner, heartbeat, beat) for *_, owner, heartbeat, beat in held), self._now())
            dead = [(name, fence) for name, fence, *seen in held if tuple(seen) in gone]
            connection.executemany(_FREE, dead)
            return [name for name, _ in dead]

        return self._database.change(free)

    def renew(self) -> None:
        """One heartbeat for all that is held; a lease that was lost with a damaged database is written again."""
        me, now = str(this_process()), self._now()
        with self._guard:
            held = list(self._held.values())
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE leases SET heartbeat = ?, beat = ? WHERE owner = ?", (now.time, now.monotonic, me)
            )
            connection.executemany(
                _KEEP, [(lease.name, lease.fence, me, lease.run, now.time, now.monotonic) for lease in held]
            )

    def close(self) -> None:
        """Free everything and stop the heartbeat."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        self.release(list(self._held))

    def _now(self) -> Moment:
        return Moment(self._clock.time(), self._clock.monotonic())

    def _beat(self) -> None:
        if self._heart is None:
            self._heart = threading.Thread(target=self._beat_for_ever, name="heartbeat", daemon=True)
            self._heart.start()

    def _beat_for_ever(self) -> None:
        while not self._stop.wait(HEARTBEAT_EVERY):
            if self._held:
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
