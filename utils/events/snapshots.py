"""What the views were at a position of the log, each in a file: whoever replays begins there, not at the first event.

A snapshot is made by replaying the log, from the snapshot before it; never of the views in use, so that a view that was
damaged does not spoil it. It counts for the log it was made of only (the hash of its last event says which that was),
and for the views as they are written now. It may be deleted at any moment: it costs time, nothing else.
"""

import gzip
import hashlib
import os
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.database import Database, StateError
from utils.events.projections import Beginning, Projection, ProjectionFailed, Projections
from utils.logger import get_logger
from utils.sqlite import SqliteDatabase, explain, prepare_directory

if TYPE_CHECKING:
    from utils.events.store import EventStore

__all__ = ["AT_ONCE", "EVERY", "MOST", "Snapshot", "Snapshots", "replayed"]

EVERY = 50_000
"""Half a second of replaying."""

AT_ONCE = 200_000
"""Two seconds: who has only some seconds for it comes further each time."""

MOST = 20
"""Snapshots that are kept: the newest, and others spread over the log."""

_NAME = re.compile(r"views-(\d+)-([0-9a-f]{64})-([0-9a-f]{16})\.gz")
_LEVEL = 1  # the file system is as slow as that


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The views as event `seq` left them; `hash` is that event's. `bytes`: of the file."""

    seq: int
    hash: str
    path: Path
    bytes: int


class Snapshots:
    """Those in one folder, of one log.

    Args:
        folder: For nothing else; made when the first one is.
        migrations: Scripts that make the tables of the views.
        projections: The views.
        every: Events after which there is a new one.
        at_once: Events that are replayed for one at most; behind more of them there are several.
    """

    def __init__(
        self,
        folder: Path,
        store: "EventStore",
        *,
        migrations: Sequence[str],
        projections: Sequence[Projection],
        every: int = EVERY,
        at_once: int = AT_ONCE,
    ) -> None:
        self._folder = folder
        self._every, self._at_once = every, at_once
        self._store = store
        self._migrations = migrations
        self._projections = projections
        self._written_as = ""

    def kept(self) -> list[Snapshot]:
        """Those of the views as they are written now, the oldest first."""
        return [one for one, written_as in self._files() if written_as == self._fingerprint()]

    def due(self) -> bool:
        """Whether the log has grown enough for another one."""
        newest = self.kept()[-1:]
        return self._store.head()[0] - (newest[0].seq if newest else 0) >= self._every

    def make(self, *, go_on: Callable[[], bool] = lambda: True) -> int:
        """Make what is due, as long as `go_on` says; gives how many were made. Those that serve nobody are deleted.

        Raises:
            StateError: the log cannot be read, a view cannot take an event, or there is no room.
        """
        made = 0
        self._drop(one for one, written_as in self._files() if written_as != self._fingerprint())
        while self.due() and go_on():
            self._make_one()
            made += 1
        self._drop(_too_many(self.kept()))
        return made

    def begin(self, path: Path, position: int) -> int:
        """Put the newest one that is not after `position` there, as a database; gives its position, 0: there is none.

        One that is damaged, or was made of another log, is deleted.
        """
        for one in reversed(self.kept()):
            if one.seq > position:
                continue
            found = self._store.read(after=one.seq - 1, limit=1)
            if not found or (found[0].seq, found[0].hash) != (one.seq, one.hash):
                self._drop([one], reason="it was made of another log")
                continue
            try:
                with gzip.open(one.path) as packed, open(path, "wb", opener=_ours) as plain:
                    shutil.copyfileobj(packed, plain)
                    if not plain.tell():
                        raise EOFError("it is empty")
            except (OSError, EOFError, zlib.error) as error:
                path.unlink(missing_ok=True)
                self._drop([one], reason=str(error))
                continue
            return one.seq
        return 0

    def rebuild(self) -> int:
        """Replay the log into the views in use, from the newest snapshot on; gives the number of events replayed.

        Without a snapshot, from the first event on. See `EventStore.rebuild`.
        """
        with tempfile.TemporaryDirectory(prefix="rebuild-") as scratch:
            path = Path(scratch, "views.db")
            seq = self.begin(path, self._store.head()[0])
            if not seq:
                return self._store.rebuild()
            database = SqliteDatabase(path, migrations=self._migrations)
            try:
                with database.read() as views:
                    return self._store.rebuild(Beginning(seq, views))
            finally:
                database.close()

    def clear(self) -> int:
        """Delete all; gives the bytes that were freed."""
        every = [one for one, _ in self._files()]
        self._drop(every)
        return sum(one.bytes for one in every)

    def size(self) -> int:
        """Bytes of all."""
        return sum(one.bytes for one, _ in self._files())

    # --- details ------------------------------------------------------------------------------

    def _make_one(self) -> None:
        prepare_directory(self._folder)
        kept = self.kept()
        head, hash_ = self._store.head()
        position = min(head, (kept[-1].seq if kept else 0) + self._at_once)
        if position != head:
            hash_ = self._store.read(after=position - 1, limit=1)[0].hash
        try:
            with tempfile.TemporaryDirectory(prefix="making-", dir=self._folder) as scratch:
                views = replayed(
                    self._store,
                    Path(scratch, "views.db"),
                    position,
                    snapshots=self,
                    migrations=self._migrations,
                    projections=self._projections,
                )
                try:
                    plain = Path(scratch, "whole.db")
                    views.query("VACUUM INTO ?", (str(plain),))
                finally:
                    views.close()
                packed = Path(scratch, "packed")
                with (
                    open(plain, "rb") as source,
                    open(packed, "wb", opener=_ours) as raw,
                    gzip.GzipFile("", "wb", _LEVEL, raw, 0) as target,
                ):
                    shutil.copyfileobj(source, target)
                packed.replace(self._folder / f"views-{position}-{hash_}-{self._fingerprint()}.gz")
        except OSError as error:
            raise explain(error, self._folder) from error

    def _files(self) -> list[tuple[Snapshot, str]]:
        """Every one, the oldest first, with what its views were written as."""
        found = []
        for entry in self._folder.iterdir() if self._folder.is_dir() else ():
            if named := _NAME.fullmatch(entry.name):
                with suppress(FileNotFoundError):  # another process deleted it
                    size = entry.stat().st_size
                    found.append((Snapshot(int(named[1]), named[2], entry, size), named[3]))
        return sorted(found, key=lambda one: one[0].seq)

    def _drop(self, snapshots: Iterable[Snapshot], *, reason: str = "") -> None:
        for one in snapshots:
            if reason:
                get_logger("events").warning("snapshot.dropped", path=str(one.path), reason=reason)
            one.path.unlink(missing_ok=True)

    def _fingerprint(self) -> str:
        """What differs when the tables or the code of a view do: of that code, all that lies in its folder."""
        if not self._written_as:
            hashed = hashlib.sha256("\0".join((*self._migrations, *(one.name for one in self._projections))).encode())
            for file in sorted({file for one in self._projections for file in _beside(one)}):
                hashed.update(file.name.encode() + file.read_bytes())
            self._written_as = hashed.hexdigest()[:16]
        return self._written_as


def replayed(
    store: "EventStore",
    path: Path,
    position: int,
    *,
    snapshots: Snapshots | None,
    migrations: Sequence[str],
    projections: Sequence[Projection],
) -> SqliteDatabase:
    """The views as event `position` left them, in a new database; the caller closes it.

    Raises:
        StateError: the log cannot be read, a segment of it is missing or damaged, or a view cannot take an event.
    """
    after = snapshots.begin(path, position) if snapshots is not None else 0
    database = SqliteDatabase(path, migrations=migrations)
    try:
        _go_on(store, database, after, position, projections)
    except BaseException:
        database.close()
        raise
    return database


def _go_on(
    store: "EventStore", scratch: Database, after: int, position: int, projections: Sequence[Projection]
) -> None:
    views = Projections(projections, explain=scratch.explain)
    with scratch.transaction() as target:
        for page in store.replay(after=after):
            events = [event for event in page if event.seq <= position]
            try:
                views.apply(target, events)
            except ProjectionFailed as failure:
                raise StateError(
                    f"the state of that moment cannot be told: {failure}",
                    hint="`maintain --rebuild` tells whether the view can be built at all",
                ) from failure
            if len(events) < len(page) or not events:
                return


def _too_many(kept: Sequence[Snapshot]) -> list[Snapshot]:
    """Those without which the others are spread most evenly; never the newest."""
    left, gone = [0, *(one.seq for one in kept)], []
    while len(left) - 1 > MOST:
        place = min(range(1, len(left) - 1), key=lambda at: left[at + 1] - left[at - 1])
        gone.append(left.pop(place))
    return [one for one in kept if one.seq in gone]


def _beside(projection: Projection) -> list[Path]:
    """The code in the folder of a view."""
    file = sys.modules[type(projection).__module__].__file__
    return [] if file is None else list(Path(file).parent.glob("*.py"))


def _ours(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
