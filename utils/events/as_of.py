"""The state as it was: the log up to a moment, replayed into a database that is thrown away."""

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Database
from utils.events.event import rfc3339
from utils.events.projections import Projection
from utils.events.snapshots import Snapshots, replayed
from utils.events.store import EventStore

__all__ = ["PastStates"]

KEPT_FOR_S = 60.0
"""Seconds for which a state that nobody asked for again is kept."""


@dataclass(slots=True)
class _State:
    database: Database
    folder: "tempfile.TemporaryDirectory[str]"
    used: float

    def close(self) -> None:
        self.database.close()
        self.folder.cleanup()


class PastStates:
    """Replays the log into scratch databases, and keeps what was asked for lately.

    A view in it is the one that was there: the same projections, given the same events. About 100,000 events take a
    second. Nothing of the log or of the views of today is changed, or waits.

    Args:
        migrations: Scripts that make the tables of the views.
        projections: The views.
        snapshots: Where the replay begins, so that it is as quick in a long log as in a short one.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        migrations: Sequence[str],
        projections: Sequence[Projection],
        snapshots: Snapshots | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._migrations = migrations
        self._projections = projections
        self._snapshots = snapshots
        self._clock = clock
        self._kept: dict[int, _State] = {}
        self._guard = threading.Lock()

    def at(self, moment: datetime) -> Database:
        """The views as the last event up to `moment` left them; not to be written, nor closed.

        It stays usable for a minute after it was asked for last.

        Raises:
            StateError: the log cannot be read, a segment of it is missing or damaged, or a view cannot take an event.
        """
        until = rfc3339(moment + timedelta(microseconds=1))
        last = self._store.read(until=until, newest_first=True, limit=1)
        position = last[0].seq if last else 0
        with self._guard:
            now = self._clock.monotonic()
            for seq in [seq for seq, state in self._kept.items() if now - state.used > KEPT_FOR_S]:
                self._kept.pop(seq).close()
            state = self._kept.get(position)
            if state is None:
                state = self._kept[position] = self._replayed(position)
            state.used = now
            return state.database

    def close(self) -> None:
        """Throw everything away."""
        with self._guard:
            while self._kept:
                self._kept.popitem()[1].close()

    def _replayed(self, position: int) -> _State:
        folder = tempfile.TemporaryDirectory(prefix="as-of-")
        try:
            database = replayed(
                self._store,
                Path(folder.name, "views.db"),
                position,
                snapshots=self._snapshots,
                migrations=self._migrations,
                projections=self._projections,
            )
        except BaseException:
            folder.cleanup()
            raise
        return _State(database, folder, 0.0)
