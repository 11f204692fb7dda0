"""What an installation keeps: databases, log, history, storage and cache, each opened when it is first asked for."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from utils.clock import Clock
from utils.coordinating import Coordinating

if TYPE_CHECKING:
    from utils.bus import Bus
    from utils.cache.cache import Cache
    from utils.damage import SetAside
    from utils.database import Database, Durability
    from utils.events import EventStore, Projection
    from utils.events.as_of import PastStates
    from utils.events.cursors import Cursors
    from utils.events.follow import Follower
    from utils.events.snapshots import Snapshots
    from utils.history import History
    from utils.storage import Storage
    from utils.storage.object_storage import ObjectStore
    from utils.transactions import Transactions

PACK_BELOW = 16_384
"""Bytes below which a blob is a row in one file instead of a file of its own."""


_LOST = {
    "tokens": "access and refresh tokens, so a login may have to be renewed",
    "quotas": "requests counted of quotas: a provider may be asked more often than its quota says until it starts anew",
    "verdicts": "how the circuits stood: those of the providers that are missing start closed",
    "rates": "how far each rate was used: for a moment a provider may be asked faster than it allows",
    "leases": "who works on what: a dataset may be run twice at once; the log takes one of the two",
    "blobs": "small versions, held batches, raw answers: a version that is gone is told as damaged when looked at",
}
"""What it means when rows of a table are lost."""


_CLOSED_IN_ORDER = (
    *("leases", "past", "events", "bus", "cache", "redis_line", "storage", "database", "shared"),
    "coordination",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the state lies, and what is kept in it.

    Attributes:
        directory: Exists, and is ours alone.
        migrations: Scripts of the main database; one that was released is never changed: what is new is one more.
        database_url: Of the PostgreSQL that keeps the main database; "": SQLite, in the directory.
        storage: The folder of blobs; of their copies, with an object store.
        object_store: Opens the one that keeps the blobs, with the installation's secret; None: the folder does.
        projections: Views that the log keeps up to date.
        chain_secrets: Sign the log, the newest first.
        cache_size: Bytes.
        cache_url: Of the Redis that keeps the cache; "": on disk, in the directory.
        redacted: Gives a text without the secrets that are known.
        granted: Told of each token that is fetched or found: its name, and the texts that must not be repeated.
    """

    directory: Path
    migrations: "Sequence[str]"
    projections: "Sequence[Projection]"
    durability: "Durability"
    storage: Path
    cache_size: int
    # Not to be shown: they may hold passwords.
    cache_url: str = field(default="", repr=False)
    database_url: str = field(default="", repr=False)
    chain_secrets: "Sequence[str]" = field(default=(), repr=False)
    redacted: Callable[[str], str] = str
    granted: Callable[..., None] = lambda *_: None
    object_store: "Callable[[Clock, Callable[[], str]], ObjectStore] | None" = field(default=None, repr=False)


class State(Coordinating):
    """The parts that keep something, for one state directory. Several processes may each have one.

    Args:
        kept: Asked when the first part is opened, so that a faulty configuration is told then, and not before.
        clock: Where the time comes from.
    """

    def __init__(self, kept: Callable[[], Kept], clock: Clock) -> None:
        self._asked = kept
        self.clock = clock

    @cached_property
    def _kept(self) -> Kept:
        return self._asked()

    @cached_property
    def database(self) -> "Database":
        kept = self._kept
        if kept.database_url:
            from utils.postgres import PostgresDatabase
            from utils.postgres_sql import in_postgres

            scripts = [in_postgres(script) for script in kept.migrations]
            return PostgresDatabase(kept.database_url, migrations=scripts, durability=kept.durability)
        from utils.sqlite import SqliteDatabase

        path = kept.directory / "orchestrator.db"
        return SqliteDatabase(path, migrations=kept.migrations, durability=kept.durability)

    @cached_property
    def bus(self) -> "Bus":
        from utils.bus import Bus

        # The writer's thread announces: it must never wait for a handler, who may be waiting for a commit.
        return Bus(policy="drop_oldest")

    @cached_property
    def events(self) -> "EventStore":
        from utils.events import EventStore
        from utils.events.archive import Archive
        from utils.events.segments import SegmentFiles
        from utils.events.signing import Secrets

        return EventStore(
            self.database,
            projections=self._kept.projections,
            archive=Archive(self.database, SegmentFiles(self.storage)),
            secrets=Secrets(self._kept.chain_secrets),
            announce=self._announce,
            clock=self.clock,
        )

    @cached_property
    def past(self) -> "PastStates":
        from utils.events.as_of import PastStates

        kept = self._kept
        return PastStates(
            self.events,
            migrations=kept.migrations,
            projections=kept.projections,
            snapshots=self.snapshots,
            clock=self.clock,
        )

    @cached_property
    def snapshots(self) -> "Snapshots":
        from utils.events.snapshots import Snapshots

        kept = self._kept
        return Snapshots(
            kept.directory / "snapshots", self.events, migrations=kept.migrations, projections=kept.projections
        )

    @cached_property
    def cursors(self) -> "Cursors":
        from utils.events.cursors import Cursors

        return Cursors(self.events, clock=self.clock)

    @cached_property
    def history(self) -> "History":
        from utils.history import History

        return History(self.database)

    @cached_property
    def follower(self) -> "Follower":
        from utils.events.follow import Follower

        return Follower(self.events, bus=self.bus, clock=self.clock, redacted=self._kept.redacted)

    @cached_property
    def transactions(self) -> "Transactions":
        from utils.transactions import Transactions

        return Transactions(self.events, self.leases, clock=self.clock, redacted=self._kept.redacted)

    @cached_property
    def storage(self) -> "Storage":
        kept = self._kept
        if kept.object_store is not None:
            from utils.storage.object_storage import ObjectStorage

            return ObjectStorage(
                kept.storage,
                kept.object_store(self.clock, lambda: self.secret),
                clock=self.clock,
                pack_below=PACK_BELOW,
                on_set_aside=self._set_aside,
            )
        from utils.storage import Storage

        return Storage(kept.storage, clock=self.clock, pack_below=PACK_BELOW, on_set_aside=self._set_aside)

    @cached_property
    def cache(self) -> "Cache":
        if self._kept.cache_url:
            from utils.cache.redis import RedisCache

            return RedisCache(
                self._kept.cache_url,
                secret=self.secret,
                size_limit=self._kept.cache_size,
                clock=self.clock,
                listener=self._cache_event,
            )
        from utils.cache.disk import DiskCache

        return DiskCache(
            self._kept.directory / "cache",
            size_limit=self._kept.cache_size,
            clock=self.clock,
            listener=self._cache_event,
        )

    def close(self) -> None:
        """Commit what waits, free what is held. Parts that were never opened stay unopened."""
        opened = self.__dict__
        if (follower := opened.pop("follower", None)) is not None:
            follower.stop()
        for name in _CLOSED_IN_ORDER:
            if name in opened:
                opened.pop(name).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cache_event(self, kind: str, data: dict[str, Any]) -> None:
        from utils.events import NewEvent

        self.events.submit([NewEvent(kind, "cache", data, source="cache")])

    def _set_aside(self, news: "SetAside") -> None:
        """A damaged database was replaced: one line, one event, with what may be lost."""
        from utils.database import StateError
        from utils.events import NewEvent
        from utils.logger import get_logger

        data: dict[str, Any] = {
            "path": str(news.path),
            "moved_to": str(news.moved_to),
            "reason": news.reason,
            "saved": news.saved,
            "incomplete": list(news.incomplete),
            "lost": [words for table, words in _LOST.items() if table in news.incomplete],
        }
        get_logger("state").warning("state.set_aside", **data)
        with contextlib.suppress(StateError):  # a log that cannot be opened is told by whoever needs it
            self.events.submit([NewEvent("state.set_aside", news.path.name, data, source="state")])

    def _announce(self, events: Sequence[Any]) -> None:
        bus = self.__dict__.get("bus")  # nobody can have subscribed to a bus that was never asked for
        if bus is not None:
            for event in events:
                bus.publish(event)
