"""The one process among all that sees to what is due: a lease, and its number in every transaction."""

from collections.abc import Callable

from data_pipeline.scheduling.views import LEADER
from utils.clock import Clock
from utils.database import Connection, StateError
from utils.events import EventStore, NewEvent
from utils.leases import Lease, Leases, this_process

__all__ = ["LEASE", "Deposed", "Leader"]

LEASE = "scheduler"
LOOK_EVERY_S = 5.0
"""How often a leader looks whether its lease is still its own; what it writes is refused at once if it is not."""


class Deposed(StateError):
    """Another process leads by now; nothing of this was written."""


class Leader:
    """Becomes and stays the leader, as long as nobody else has to.

    A process whose host says that it is gone is followed at once, one that was not heard of for 15 seconds as well,
    be it stopped or far away. The log knows the number of the newest leader, so that one that slept through its end
    cannot write as one.
    """

    def __init__(self, leases: Leases, events: EventStore, *, clock: Clock) -> None:
        self._leases = leases
        self._events = events
        self._clock = clock
        self._lease: Lease | None = None
        self._looked = 0.0

    @property
    def leads(self) -> bool:
        """Whether this process is the leader, as far as it knows."""
        return self._lease is not None

    @property
    def fence(self) -> int:
        """The number of our leadership; 0 when there is none."""
        return 0 if self._lease is None else self._lease.fence

    def lead(self) -> bool:
        """Become the leader, or stay it; False when another process is."""
        if self._lease is not None:
            now = self._clock.monotonic()
            if now - self._looked < LOOK_EVERY_S:
                return True
            self._looked = now
            if self._leases.still_ours(self._lease):
                return True
            self.resign()
        return self._take()

    def guard(self, connection: Connection) -> None:
        """In the transaction of whatever a leader writes.

        Raises:
            Deposed: it is not the leader any more.
        """
        row = connection.execute(LEADER, ()).fetchone()
        if row is None or row[0] != self.fence:
            raise Deposed("another process sees to the schedules by now", transient=True)

    def resign(self) -> None:
        """Let another process lead."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._leases.release([lease.name])

    def _take(self) -> bool:
        if not self._leases.is_free(LEASE, from_silent=True):
            return False  # seen without a transaction: who only waits disturbs nobody
        known = self._events.database.query(LEADER)
        before = int(known[0][0]) if known else 0
        lease = self._leases.acquire([LEASE], above={LEASE: before}, from_silent=True).get(LEASE)
        if lease is None:
            return False
        data = {"fence": lease.fence, "owner": str(this_process())}
        try:
            self._events.append([NewEvent("leader.elected", LEASE, data, source="scheduler")], guard=_above(lease))
        except Deposed:
            self._leases.release([LEASE])
            return False
        except BaseException:
            self._leases.release([LEASE])
            raise
        self._lease, self._looked = lease, self._clock.monotonic()
        return True


def _above(lease: Lease) -> Callable[[Connection], None]:
    def check(connection: Connection) -> None:
        row = connection.execute(LEADER, ()).fetchone()
        if row is not None and row[0] >= lease.fence:
            raise Deposed("a later leader is known", transient=True)

    return check
