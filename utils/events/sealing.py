"""Move the old part of the log into segments: write, read back, tell the log, and only then delete from the table.

From the commit of `log.sealed` on, the segment counts and what the table still holds of it is a copy. So a kill leaves
a file that nobody names, or a copy that the next sealing deletes; never a gap, never an event twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, StateError
from utils.events import chain, rows
from utils.events.archive import Archive
from utils.events.chain import GENESIS
from utils.events.event import NewEvent, rfc3339
from utils.events.segments import FOLDER, Segment, SegmentFault
from utils.events.signing import CHANGED, SOURCE, Secrets
from utils.events.store import EventStore
from utils.events.wanted import Wanted

__all__ = ["Due", "Sealing"]

EVENTS_AT_MOST = 50_000
BYTES_AT_MOST = 64_000_000
"""What a segment holds at most; bytes of the events' data, before they are compressed."""

FEW = 10_000
"""Fewer events than these are sealed once a day at most, so that a quiet log is not cut into crumbs."""

DAY = 86_400.0
AT_ONCE = 4_000
"""Events deleted in one transaction: whoever wants to write waits for it, some 30 ms."""

_OVERHEAD = 300  # bytes of an event besides its data: 270, and its id once more in an index when it was named
_SAMPLES = 8
_LENGTH = "SELECT avg(length(data)) FROM (SELECT data FROM log WHERE seq > ? ORDER BY seq LIMIT 100) AS part"
_YOUNG = "SELECT seq FROM log WHERE time >= ? ORDER BY seq LIMIT 1"
_SIZES = """
SELECT max(seq), sum(length(data)) FROM
    (SELECT seq, data FROM log WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 1000) AS part
"""
_PAGE = f"{rows.SELECT} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 1000"
# Each by itself: SQLite would read the whole table to find both at once.
_ENDS = "SELECT (SELECT min(seq) FROM log), (SELECT max(seq) FROM log)"


@dataclass(frozen=True, slots=True)
class Due:
    """Events `first` to `last` may be sealed (none when `last` is before `first`).

    `held_back`: who still needs events that are old enough, and from where on; "" when nobody does.
    """

    first: int
    last: int
    held_back: str = ""

    @property
    def events(self) -> int:
        return max(0, self.last - self.first + 1)


class Sealing:
    """Seals what is old, or beyond the size that the table may have.

    Args:
        store: The log; it has an archive.
        needed: No consumer needs the events up to this one any more; None: there are no consumers.

    Raises (all methods):
        StateError: the log cannot be read or written.
    """

    def __init__(
        self, store: EventStore, *, needed: Callable[[], int | None] = lambda: None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        if store.archive is None:
            raise ValueError("a log without an archive cannot be sealed")
        self._store = store
        self._archive: Archive = store.archive
        self._files = store.archive.files
        self._database = store.database
        self._needed = needed
        self._clock = clock

    def due(self, *, age: float, size: int) -> Due:
        """What may be sealed: events older than `age` seconds, and the oldest beyond `size` bytes of the table.

        Never one of the last day by its size, never the newest, and none that a view or a consumer has not seen.
        """
        segments = self._archive.segments()
        sealed = segments[-1].last if segments else 0
        ((oldest, head),) = self._database.query(_ENDS)
        if head is None or head <= sealed:
            return Due(sealed + 1, sealed)
        first = max(sealed + 1, oldest)
        last = self._before(age, head)
        if (beyond := self._beyond(size, first, head)) > 0:
            last = max(last, min(first + beyond - 1, self._before(DAY, head)))
        last, held_back = self._seen(min(last, head - 1))
        few = last - first + 1 < FEW
        if few and segments and segments[-1].sealed_at > self._moment(DAY):
            last = first - 1
        return Due(first, max(first - 1, last), held_back)

    def seal(self, due: Due) -> Segment | None:
        """Seal the oldest of what is due, as much as one segment may hold; None when nothing is.

        The events stand in the segment then, and still in the table: `clear` deletes them there.

        Raises:
            StorageError: the segment cannot be written; nothing was changed.
            SegmentFault: it cannot be read back as it was written; nothing was changed.
            StateError: the log is not whole: it has to be looked at first.
        """
        if not due.events:
            return None
        segment = self._written(due.first, self._cut(due))
        self._read_back(segment)

        def unchanged(connection: Connection) -> None:
            ((last,),) = connection.execute("SELECT max(last) FROM segments").fetchall()
            if (last or 0) != segment.first - 1:
                raise StateError("another process has just sealed this part of the log", transient=True)

        told = NewEvent("log.sealed", "log", segment.told(), source="events")
        self._store.append([told], statements=[segment.inserted()], guard=unchanged)
        return segment

    def clear(self, *, go_on: Callable[[], bool] = lambda: True) -> int:
        """Delete from the table what stands in a segment, some thousand in a transaction, as long as `go_on` says."""
        count = 0
        while deleted := self._clear_some():
            count += deleted
            if not go_on():
                break
        return count

    def leftovers(self, older_than: float) -> list[str]:
        """Files of segments that the log never came to name, and whose events all stand in it.

        A file of another log (its database was lost, say) is none: it may be all that is left of it.
        """
        known = {segment.path for segment in self._archive.segments()}
        before = self._clock.now() - timedelta(seconds=older_than)
        found = []
        for blob in self._files.storage.list(FOLDER):
            about = self._files.about(blob.path) if blob.path not in known and blob.modified < before else {}
            if about.get("last", "").isdecimal():
                events = self._store.read(after=int(about["last"]) - 1, limit=1)
                if events and (str(events[0].seq), events[0].hash) == (about["last"], about.get("hash")):
                    found.append(blob.path)
        return found

    # --- what is due --------------------------------------------------------------------------

    def _before(self, age: float, head: int) -> int:
        """The last event before the first one that is not older than this."""
        young = self._database.query(_YOUNG, (self._moment(age),))
        return int(young[0][0]) - 1 if young else head

    def _beyond(self, size: int, first: int, head: int) -> int:
        """How many events are too many for this size, estimated from a sample."""
        count = head - first + 1
        starts = [first - 1 + count * number // _SAMPLES for number in range(_SAMPLES)]
        lengths = [float(self._database.query(_LENGTH, (start,))[0][0] or 0) for start in starts]
        mean = sum(lengths) / _SAMPLES + _OVERHEAD
        return int((count * mean - size) / mean)

    def _seen(self, last: int) -> tuple[int, str]:
        """How far every view and every consumer has come, and who is behind."""
        reached = dict(self._database.query("SELECT name, seq FROM checkpoints"))
        seen = {f"view {figures.name}": reached.get(figures.name, 0) for figures in self._store.projections()}
        if (needed := self._needed()) is not None:
            seen["a consumer"] = needed
        behind = {name: seq for name, seq in seen.items() if seq < last}
        if not behind:
            return last, ""
        name = min(behind, key=lambda name: behind[name])
        return behind[name], f"{name} has seen the log up to event {behind[name]} only"

    def _cut(self, due: Due) -> int:
        """The last event of a segment that begins with the first one due."""
        last = min(due.last, due.first + EVENTS_AT_MOST - 1)
        reached, size = due.first - 1, 0
        while reached < last:
            ((reached, more),) = self._database.query(_SIZES, (reached, last))
            if reached is None:
                raise StateError(f"the log ends before event {last}", hint="see what `events verify` says")
            size += int(more)
            if size >= BYTES_AT_MOST:
                break
        return int(reached)

    def _moment(self, ago: float) -> str:
        return rfc3339(self._clock.now() - timedelta(seconds=ago))

    # --- a segment ----------------------------------------------------------------------------

    def _written(self, first: int, last: int) -> Segment:
        path = f"{FOLDER}segment-{first}-{last}.parquet"
        segments = self._archive.segments()
        part = _Part(self._database.query, first, last, self._proof(first, segments[-1].hash if segments else GENESIS))
        stored = self._files.write(path, part.pages(), part.about)
        return Segment(
            first=first,
            last=last,
            prev_hash=part.about["prev_hash"],
            hash=part.about["hash"],
            path=path,
            sha256=stored.sha256,
            size=stored.size,
            earliest=part.earliest,
            latest=part.latest,
            types=orjson.dumps(sorted(part.types)).decode(),
            sources=orjson.dumps(sorted(part.sources)).decode(),
            sealed_at=rfc3339(self._clock.now()),
        )

    def _read_back(self, segment: Segment) -> None:
        if fault := self._files.is_as_sealed(segment):
            raise SegmentFault(fault, hint="check the disk's health; nothing was deleted from the log")
        proof = self._proof(segment.first, segment.prev_hash)
        for page in self._files.rows(segment):
            proof.take(page)
        if proof.reached != (segment.last, segment.hash):
            fault = f"{segment.path}: ends with {proof.reached}"
            raise SegmentFault(fault, hint="nothing was deleted from the log")

    def _proof(self, first: int, prev_hash: str) -> "_Proof":
        changed = Wanted(before=first, type=CHANGED, source=SOURCE)
        told = self._archive.read(changed, 1, newest_first=True)
        secrets = self._store.secrets
        return _Proof(secrets, (first - 1, prev_hash), secrets.from_event(told[0]) if told else b"")

    def _clear_some(self) -> int:
        deleted = 0

        def step(connection: Connection) -> None:
            nonlocal deleted
            ((last,),) = connection.execute("SELECT max(last) FROM segments").fetchall()
            ((first,),) = connection.execute("SELECT min(seq) FROM log").fetchall()
            if last is None or first is None or first > last:
                deleted = 0
                return
            end = min(last, first + AT_ONCE - 1)
            connection.execute("DELETE FROM log WHERE seq <= ?", (end,))
            deleted = end - first + 1

        self._store.append([], guard=step)
        return deleted


class _Proof:
    """Proves a part of the chain, page by page. `reached`: position and hash of the last event that was proven."""

    def __init__(self, secrets: Secrets, start: tuple[int, str], secret: bytes) -> None:
        self._secrets = secrets
        self._secret = secret
        self.reached = start

    def take(self, page: Sequence[Sequence[Any]]) -> None:
        """Go on with the rows that follow. Raises `StateError` when one does not fit."""
        found = chain.verify(page, start=self.reached, secret=self._secret, secret_of=self._secret_of)
        if found.fault:
            raise StateError(
                f"the log is not whole, so nothing is sealed: {found.fault}", hint="see what `events verify` says"
            )
        self.reached = (found.events, page[-1][9])

    def _secret_of(self, row: Sequence[Any]) -> bytes | None:
        other = self._secrets.from_row(row)
        self._secret = self._secret if other is None else other
        return other


class _Part:
    """A part of the table on its way into a file: its chain is proven while it passes.

    Attributes:
        about: What stands in the file besides the rows; complete before the first of them.
        earliest, latest, types, sources: Of the events that have passed.
    """

    def __init__(self, query: Callable[..., list[tuple[Any, ...]]], first: int, last: int, proof: _Proof) -> None:
        self._query = query
        self._last = last
        self._proof = proof
        ((hash_,),) = query("SELECT hash FROM log WHERE seq = ?", (last,)) or [("",)]
        self.about = {"first": str(first), "last": str(last), "prev_hash": proof.reached[1], "hash": hash_}
        self.earliest = self.latest = ""
        self.types: set[str] = set()
        self.sources: set[str] = set()

    def pages(self) -> Iterator[Sequence[Sequence[Any]]]:
        while (reached := self._proof.reached[0]) < self._last:
            page = self._query(_PAGE, (reached, self._last))
            if not page:
                raise StateError(f"the log ends at event {reached}", hint="see what `events verify` says")
            self._proof.take(page)
            times = [row[2] for row in page]
            self.earliest = min(filter(None, (self.earliest, *times)))
            self.latest = max(self.latest, *times)
            self.types.update(row[4] for row in page)
            self.sources.update(row[3] for row in page)
            yield page
