"""Who is working on what: leases with a heartbeat and a fencing number, shared by all processes of a state directory.

A lease belongs to a process, known by host, boot, pid namespace, pid and start time. A dead owner on the same host is
seen at once; an owner elsewhere is taken for dead after 15 s without a heartbeat. Each grant of a name carries a
larger fencing number than the one before, so that a process that slept through the loss of its lease can be refused.
"""

import logging
import os
import socket
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Database, StateError

HEARTBEAT_EVERY = 5.0
TAKEN_FOR_DEAD_AFTER = 15.0

SCHEMA = """
CREATE TABLE leases (
    name TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT, run TEXT, heartbeat REAL NOT NULL) WITHOUT ROWID
"""

_HELD = "SELECT name, fence, owner, heartbeat FROM leases WHERE name IN (SELECT value FROM json_each(?))"
_FREE = "UPDATE leases SET owner = NULL, run = NULL WHERE name = ? AND fence = ?"


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
        host, boot, namespace, pid, started = text.split("|")
        return cls(host, boot, namespace, int(pid), started)

    def is_dead(self, *, heartbeat: float, now: float) -> bool:
        """Whether this owner is gone: certain on its own host, by silence elsewhere."""
        me = this_process()
        if self.host == me.host and self.boot != me.boot:
            return True
        if (self.host, self.namespace) == (me.host, me.namespace) and self.started:
            return _started(self.pid) != self.started
        return now - heartbeat > TAKEN_FOR_DEAD_AFTER


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted name. `fence` grows with every grant."""

    name: str
    fence: int


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

    def __init__(self, database: Database, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = database
        self._clock = clock
        self._held: dict[str, Lease] = {}
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def acquire(self, names: Iterable[str], *, run: str = "") -> dict[str, Lease]:
        """Take every name that is free (or whose owner is dead); names held by a living owner are left out."""
        me, now, wanted = str(this_process()), self._clock.time(), list(dict.fromkeys(names))
        with self._database.transaction() as connection:
            known = {
                name: (fence, owner, heartbeat)
                for name, fence, owner, heartbeat in connection.execute(_HELD, (orjson.dumps(wanted).decode(),))
            }
            gone = _dead([(owner, heartbeat) for _, owner, heartbeat in known.values()], now=now)
            granted = {}
            for name in wanted:
                fence, owner, heartbeat = known.get(name, (0, None, 0.0))
                if owner is None or (owner, heartbeat) in gone:
                    granted[name] = Lease(name, fence + 1)
            connection.executemany(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
                [(lease.name, lease.fence, me, run, now) for lease in granted.values()],
            )
        if granted:
            with self._guard:
                self._held |= granted
                self._beat()
        return granted

    def release(self, names: Iterable[str]) -> None:
        """Free what this process still holds of `names`; the fencing number stays."""
        with self._guard:
            leases = [lease for name in names if (lease := self._held.pop(name, None))]
        if leases:
            with self._database.transaction() as connection:
                connection.executemany(_FREE, [(lease.name, lease.fence) for lease in leases])

    def heartbeat(self, owner: str) -> float:
        """When an owner was last heard of, in epoch seconds; 0.0 when it holds nothing."""
        ((newest,),) = self._database.query(
            "SELECT coalesce(max(heartbeat), 0.0) FROM leases WHERE owner = ?", (owner,)
        )
        return float(newest)

    def is_dead(self, owner: str | None) -> bool:
        """Whether an owner is gone, by its process and its last heartbeat; nobody at all counts as gone."""
        return not owner or Owner.parse(owner).is_dead(heartbeat=self.heartbeat(owner), now=self._clock.time())

    def free_dead(self) -> list[str]:
        """Free the leases of dead owners; gives their names."""
        now = self._clock.time()
        with self._database.transaction() as connection:
            held = connection.execute(
                "SELECT name, fence, owner, heartbeat FROM leases WHERE owner IS NOT NULL"
            ).fetchall()
            gone = _dead([(owner, heartbeat) for *_, owner, heartbeat in held], now=now)
            dead = [(name, fence) for name, fence, owner, heartbeat in held if (owner, heartbeat) in gone]
            connection.executemany(_FREE, dead)
        return [name for name, _ in dead]

    def renew(self) -> None:
        """One heartbeat for all that is held."""
        me, now = str(this_process()), self._clock.time()
        with self._database.transaction() as connection:
            connection.execute("UPDATE leases SET heartbeat = ? WHERE owner = ?", (now, me))

    def close(self) -> None:
        """Free everything and stop the heartbeat."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
        self.release(list(self._held))

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


def _dead(owners: Iterable[tuple[str | None, float]], *, now: float) -> set[tuple[str | None, float]]:
    """Which of these (owner, last heartbeat) are dead; each is looked at once, however many names it holds."""
    return {
        (owner, heartbeat)
        for owner, heartbeat in set(owners)
        if owner and Owner.parse(owner).is_dead(heartbeat=heartbeat, now=now)
    }
