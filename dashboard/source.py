"""Where the page's facts come from: one system a process, read by one thread, shared by all sessions."""

import gc
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from dashboard.view_model import Reading
from integrated_system import IntegratedSystem
from operations.activity import Activity, activity
from operations.actor import local_user
from operations.configuration import shown
from operations.trouble import Trouble, told

T = TypeVar("T")

COLLECT_EVERY = 60.0
"""Seconds between two garbage collections."""


class Source:
    """Reads the state for everybody who looks, and follows it when it is replaced.

    Streamlit draws each session, and often each refresh, in a new thread, and a thread has a database connection of
    its own; so all reading happens in one thread here, at most once every `share_for` seconds. When the database file
    or a configuration file becomes another one, the system is built anew; when that fails, the last good reading
    stays, with what is wrong now.

    Args:
        build: Makes the system; called again after a change.
        share_for: Seconds for which one reading serves every session.
        patience: Seconds to wait for a reading before the last one is shown as stale.
    """

    def __init__(self, build: Callable[[], IntegratedSystem], *, share_for: float = 0.5, patience: float = 5.0) -> None:
        self.build = build
        self._share_for = share_for
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dashboard-reader")
        self._system = build()
        self._identity: tuple[object, ...] | None = None
        self._configuration: tuple[tuple[str, str, str], ...] = ()
        self._actor = local_user().name
        self._reading = Reading(None, None)
        self._collected_at = self.monotonic()
        self._read_at = float("-inf")
        self._going_on: Future[Reading] | None = None
        self._guard = threading.Lock()

    def now(self) -> datetime:
        """The moment, by the system's clock."""
        return self._system.clock.now()

    def monotonic(self) -> float:
        """Seconds, for measuring how long something takes."""
        return self._system.clock.monotonic()

    def reading(self) -> Reading:
        """The state as it stands, or what is wrong; never raises for what a user or a disk can do."""
        with self._guard:
            if self._going_on is None or self._going_on.done():
                self._going_on = self._thread.submit(self._read)
            going_on = self._going_on
        try:
            return going_on.result(self._patience)
        except Late:
            return Reading(self._reading.activity, Trouble(f"no answer from the state for {self._patience:g} s"))

    def call(self, do: Callable[[IntegratedSystem], T]) -> T:
        """Do something short with the system, in its thread; raises what it raises. The next reading is a new one."""

        def work() -> T:
            self._open()
            self._read_at = float("-inf")
            return do(self._system)

        return self._thread.submit(work).result()

    def close(self) -> None:
        """Stop reading and close the system."""
        self._thread.submit(self._system.close).result()
        self._thread.shutdown()

    def _read(self) -> Reading:
        if self.monotonic() - self._read_at < self._share_for:
            return self._reading
        seen: Activity | None = self._reading.activity
        trouble = None
        try:
            fresh = self._open()
            seen = activity(self._system, None if fresh else seen)
        except Exception as error:  # noqa: BLE001 - told on the page, and logged when it is not one of ours
            trouble = told(error)
        self._reading = Reading(seen, trouble, self._configuration, self._actor)
        self._read_at = self.monotonic()
        self._collect_garbage()
        return self._reading

    def _open(self) -> bool:
        """Make sure the system is the one on disk; whether it had to be built anew."""
        if self._identity is not None and self._identity == self._found():
            return False
        self._system.close()
        self._system, self._identity = self.build(), None
        system = self._system
        for part in (system.database, system.events, system.views, system.history, system.leases, system.verdicts):
            assert part is not None  # each is built when it is first asked for: here, in the thread that uses it
        rows = shown(system)["values"]
        self._configuration = tuple((row["key"], row["value"], row["origin"]) for row in rows)
        self._identity = self._found()
        return True

    def _found(self) -> tuple[object, ...]:
        return (self._system.database.identity(), *(_file(Path(file)) for file in self._system.loaded.files))

    def _collect_garbage(self) -> None:
        """In place of Streamlit's own full collection after every refresh, which cost four times all the rest."""
        if self._read_at - self._collected_at > COLLECT_EVERY:
            self._collected_at = self._read_at
            gc.collect()


def _file(path: Path) -> tuple[int, ...]:
    """What tells a file from another of the same name: its inode, size and time of change."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
