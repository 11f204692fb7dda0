"""A cache on disk that several processes share; damage and hostile content are misses, never crashes."""

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from utils.cache.cache import CacheStatistics, CacheValueTooLarge, Claim, Entry, Hit, Listener, Purged, check_key
from utils.cache.codec import HEADER_SIZE, Encoded, ValueDamaged, encode, seal, unseal
from utils.cache.computing import FLIGHT_WAIT_S, Computing
from utils.cache.key_locks import KeyLocks
from utils.cache.recovery import flaw, prepare, set_aside, sweep
from utils.clock import SYSTEM_CLOCK, Clock
from utils.file_lock import FileLock
from utils.file_systems import MOUNTS, network_file_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from utils.cache.safe import SafeCache, Sealed

    _Opened = tuple[tuple[int, int], SafeCache]

T = TypeVar("T")

_SMALLEST = 1_000_000  # an empty database takes some 60 KB; below this a limit would mean nothing
_ROOM = 0.9  # evict down to this share of the limit, so that not every set has to evict
_SLACK = 1 / 64  # share of the limit that may be added before the volume is measured again
_ROW_COST = 300  # bytes a row takes besides its value, roughly: header, key, indexes
_LOCK_WAIT_S = 10.0
_REOPEN_AFTER_S = 1.0  # a cache that cannot be opened costs nothing in between


class DiskCache(Computing):
    """`Cache` over diskcache (SQLite and files), for threads and processes alike.

    Nothing is opened, imported or written before the first use, and a lookup in a cache that does not exist stays a
    `stat`. The directory may be deleted at any moment, also in use: what it held is missing, and the next `set` makes
    it anew. A damaged value is deleted, a damaged database renamed to `<name>.corrupt-<time>` beside it (the last two
    are kept), both told to the listener. The directory has mode 0700, its files 0600, and belongs on a local disk.

    Args:
        path: The directory; made when needed.
        size_limit: Bytes on disk. What has expired leaves first, then what was stored longest ago; never the value
            just stored.
        clock: Decides what has expired.
        listener: Told `cache.set_aside` (with `path`, `what`, `reason`, `key` or `moved_to`) and `cache.unavailable`
            (`path`, `reason`: disk full, no permission, locked; once, until it works again); and see `Computing`.
        flight_wait: Seconds to wait at most for a value that another caller computes.
        mounts: The mount table: on a network file system, where SQLite's locks fail, there is no cache to be had.
    """

    def __init__(
        self,
        path: Path,
        *,
        size_limit: int,
        clock: Clock = SYSTEM_CLOCK,
        listener: Listener | None = None,
        flight_wait: float = FLIGHT_WAIT_S,
        mounts: str = MOUNTS,
    ) -> None:
        super().__init__(clock=clock, listener=listener, flight_wait=flight_wait)
        if size_limit < _SMALLEST:
            raise ValueError(f"size_limit must be at least {_SMALLEST:,} bytes, got {size_limit:,}")
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        if os.path.expandvars(self._path) != str(self._path):
            raise ValueError(f"cache directory {self._path}: diskcache would replace the $variable in it; rename it")
        self._database = os.fspath(self._path / "cache.db")
        self._place = {"path": str(self._path)}
        self._size_limit = size_limit
        self._mounts = mounts
        self._claims = KeyLocks(self._path.with_name(f".{self._path.name}.flights.lock"))
        self._lock = threading.RLock()
        self._opened: _Opened | None = None  # the database's identity, and the cache over it
        self._counting = threading.Lock()
        self._unmeasured = size_limit  # nothing is known yet about what is there
        self._trouble = ""  # why it could not be used the last time
        self._closed_until, self._closed_because = float("-inf"), ""
        self._failures: tuple[type[Exception], ...] = ()  # known when diskcache is

    def set_many(self, items: Iterable[Entry]) -> int:
        now = self._clock.time()
        ready = [
            (key, self._sealed(key, encode(check_key(key), value, now=now, ttl=ttl, stale=stale)), tag)
            for key, value, ttl, tag, stale in items
        ]
        if not ready:
            return 0

        def store(cache: "SafeCache") -> int:
            with cache.transact():
                for key, sealed, tag in ready:
                    cache.set(key, sealed, tag=tag)
            self._make_room(cache, ready[-1][0], sum(len(sealed[1]) + _ROW_COST for _, sealed, _ in ready))
            return len(ready)

        stored = self._use(store, 0)
        self._counts.sets(stored)
        return stored

    def delete(self, key: str) -> bool:
        check_key(key)
        return bool(self._use(lambda cache: cache.delete(key), False, create=False))

    def evict(self, tag: str) -> int:
        return int(self._use(lambda cache: cache.evict(tag), 0, create=False))

    def purge(self) -> Purged:
        def clean(cache: "SafeCache") -> Purged:
            cache.check()
            entries, size = cache.drop_expired(self._clock.time())
            return Purged(entries, size + sweep(self._path, cache.files, self._clock.time()))

        return self._use(clean, Purged(0, 0), create=False)

    def clear(self) -> int:
        return int(self._use(lambda cache: cache.clear(), 0, create=False))

    def statistics(self) -> CacheStatistics:
        entries, size = self._use(lambda cache: (len(cache), cache.volume()), (0, 0), create=False)
        return self._counts.statistics(entries, size)

    def trouble(self) -> str:
        return "" if self._use(lambda _: True, False) else self._trouble

    def close(self) -> None:
        """Let go of this thread's connection; the next use opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened[1].close()
                self._opened = None

    def _look(self, key: str, stale: float) -> Hit | None:
        try:
            sealed: Sealed | None = self._use(lambda cache: cache.lookup(key), None, create=False)
            if sealed is None:
                return None
            header, payload = sealed
            return unseal(key, header, payload, self._clock.time(), stale)
        except ValueDamaged as error:
            self._use(lambda cache: cache.delete(key), False, create=False)
            self._tell("cache.set_aside", what="value", key=key, reason=str(error))
            return None

    def _store(self, key: str, encoded: Encoded, tag: str | None, claim: Claim | None = None) -> bool:
        sealed = self._sealed(key, encoded)

        def store(cache: "SafeCache") -> bool:
            cache.set(key, sealed, tag=tag)
            self._make_room(cache, key, len(sealed[1]) + _ROW_COST)
            return True

        return bool(self._use(store, False))

    def _claim(self, key: str) -> Claim | None:
        return self._claims.try_lock(key)

    def _end_thread(self) -> None:
        if (opened := self._opened) is not None:
            opened[1].close()  # of the connections, this thread's own

    def _sealed(self, key: str, encoded: Encoded) -> "Sealed":
        if (size := HEADER_SIZE + len(encoded.payload)) > self._size_limit:
            raise CacheValueTooLarge(key, size, self._size_limit)
        return seal(key, encoded), encoded.payload

    def _make_room(self, cache: "SafeCache", just_stored: str, added: int) -> None:
        """Keep the limit. Measuring costs a third of a set, so it is done once in a while, by bytes added."""
        with self._counting:
            self._unmeasured += added
            if self._unmeasured <= self._size_limit * _SLACK:
                return
            self._unmeasured = 0
        if cache.volume() <= self._size_limit * (1 - _SLACK):
            return
        cache.drop_expired(now := self._clock.time())
        while (excess := cache.volume() - int(self._size_limit * _ROOM)) > 0:
            if not cache.drop_oldest(excess, just_stored, now):
                break

    def _use(self, action: "Callable[[SafeCache], T]", missing: T, *, create: bool = True) -> T:
        """`action` on the open cache, or `missing` when there is none to be had.

        Opens it, opens it anew when somebody deleted it, sets it aside when it is damaged. `ValueDamaged` passes
        through: one value is damaged, not the cache.
        """
        problem = "deleted again and again"
        for _ in range(3):  # as it is; after it was deleted or set aside; after others did so once more
            opened = self._opened
            identity = self._identity()
            if opened is None or opened[0] != identity:
                if identity is None and not create:
                    return missing
                opened, problem = self._open()
                if opened is None:
                    break
            try:
                result = action(opened[1])
            except self._failures as error:
                from utils.cache.safe import reason_of

                problem = str(error) or str(error.__context__)
                opened[1].close()  # with whatever it left half done; the next use of this thread connects anew
                if (reason := reason_of(error, self._database)) is not None:
                    self._set_aside(opened[0], reason)
                elif self._identity() == opened[0]:  # still there, so this is no deletion to recover from
                    break
            else:
                self._trouble = ""
                return result
        first, self._trouble = not self._trouble, problem
        if first:
            self._tell("cache.unavailable", reason=problem)
        return missing

    def _identity(self) -> tuple[int, int] | None:
        try:
            about = os.stat(self._database)
        except OSError:
            return None
        return about.st_dev, about.st_ino

    def _open(self) -> "tuple[_Opened | None, str]":
        """The cache at the path, set aside and rebuilt when it is damaged; or `None` and why not."""
        if self._clock.monotonic() < self._closed_until:
            return None, self._closed_because
        if kind := network_file_system(self._path, self._mounts):
            problem = f"lies on a network file system ({kind}), where SQLite loses data: put it on a local disk"
            self._closed_until, self._closed_because = self._clock.monotonic() + _REOPEN_AFTER_S, problem
            return None, problem
        from utils.cache.safe import FAILURES

        self._failures = FAILURES
        moved: list[tuple[str, Path]] = []
        problem = "damaged or deleted as often as it is rebuilt"
        try:
            with self._locked():
                if self._opened is not None and self._opened[0] == self._identity():
                    return self._opened, ""  # another thread was quicker
                self._opened = None
                for _ in range(3):
                    reason = self._build()
                    if self._opened is not None:
                        return self._opened, ""
                    if reason is not None:
                        moved.append((reason, set_aside(self._path, self._clock.now())))
        except FAILURES as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            for reason, target in moved:
                self._tell_moved(reason, target)
        if self._identity() is not None or not self._path.parent.is_dir():  # not just deleted under our hands
            self._closed_until, self._closed_because = self._clock.monotonic() + _REOPEN_AFTER_S, problem
        return None, problem

    def _build(self) -> str | None:
        """Open what is at the path, or say why it must be set aside. Raises what only time or people can mend."""
        from utils.cache.safe import FAILURES, SafeCache, reason_of

        if (reason := flaw(self._path)) is not None:
            return reason
        prepare(self._path)
        try:
            cache = SafeCache(os.fspath(self._path), timeout=_LOCK_WAIT_S, max_size=self._size_limit)
        except FAILURES as error:
            if (reason := reason_of(error, self._database)) is None:
                raise
            return reason
        identity = self._identity()
        if identity is not None:  # else deleted meanwhile
            self._opened = (identity, cache)
        return None

    def _set_aside(self, identity: tuple[int, int], reason: str) -> None:
        """Move the directory away, unless another process has done so already."""
        target = None
        with self._locked():
            if self._identity() == identity:
                target = set_aside(self._path, self._clock.now())
            self._opened = None
        if target is not None:
            self._tell_moved(reason, target)

    @contextmanager
    def _locked(self) -> "Iterator[None]":
        """Alone among the threads and processes that open, rebuild or move this directory."""
        lock = self._path.with_name(f".{self._path.name}.lock")  # beside it: the directory itself comes and goes
        with self._lock, FileLock(lock):
            yield

    def _tell_moved(self, reason: str, target: Path) -> None:
        self._tell("cache.set_aside", what="cache", reason=reason, moved_to=str(target))
