"""A log whose past can be sealed, as the tests of segments want it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.utils.events.counts import Counts, open_at
from utils.clock import Clock, ManualClock
from utils.database import Database
from utils.events import Event, EventStore, NewEvent
from utils.events.archive import Archive
from utils.events.sealing import Due, Sealing
from utils.events.segments import Segment, SegmentFiles
from utils.events.signing import Secrets
from utils.storage import Storage


class Log:
    """A log with one small view. `told`: every event that this process committed, in order.

    Args:
        where: The address of a database, or one that is open.
    """

    def __init__(
        self, where: str | Database, folder: Path, *, clock: Clock | None = None, secrets: Sequence[str] = ()
    ) -> None:
        self.database = open_at(where) if isinstance(where, str) else where
        self.clock = clock or ManualClock()
        self.storage = Storage(folder)
        self.archive = Archive(self.database, SegmentFiles(self.storage))
        self.told: list[Event] = []
        self.secrets = Secrets(secrets)
        self.store = self.opened()
        self.sealing = Sealing(self.store, clock=self.clock)

    def opened(self) -> EventStore:
        """The log as another process would open it."""
        return EventStore(
            self.database,
            projections=[Counts()],
            archive=self.archive,
            secrets=self.secrets,
            announce=self.told.extend,
            clock=self.clock,
        )

    def append(self, count: int) -> list[Event]:
        """Some events of three subjects, all in one commit."""
        return self.store.append([NewEvent("thing.happened", f"s{n % 3}", {"n": n}) for n in range(count)])

    def seal(self, *, keep: int = 1, clear: bool = True) -> Segment | None:
        """Seal all but the newest events; `clear`: and delete them from the table."""
        segments = self.archive.segments()
        last = segments[-1].last if segments else 0
        segment = self.sealing.seal(Due(last + 1, self.store.head()[0] - keep))
        if clear:
            self.sealing.clear()
        return segment

    def in_table(self) -> list[int]:
        """The positions that the table still holds."""
        return [seq for (seq,) in self.database.query("SELECT seq FROM events ORDER BY seq")]

    def counts(self) -> list[tuple[Any, ...]]:
        """The rows of the view."""
        return self.database.query("SELECT * FROM counts ORDER BY type")
