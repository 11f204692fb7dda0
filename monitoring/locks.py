"""Locks that know who holds them and who waits, so that a deadlock is proven and not guessed."""

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

__all__ = ["LockGraph", "Waiting", "WatchedLock"]


@dataclass(slots=True, eq=False)
class _Wait:
    """One wait of one thread, from its beginning to its end."""

    ident: int
    thread: str
    lock: "WatchedLock"


class Waiting(NamedTuple):
    """One thread of a cycle: it waits for `lock`, which the next one holds."""

    thread: str
    ident: int
    lock: str


class LockGraph:
    """Which thread waits for which lock. All locks that can be in one cycle belong to one graph."""

    def __init__(self) -> None:
        self._waits: dict[int, _Wait] = {}

    def deadlocks(self) -> list[tuple[Waiting, ...]]:
        """Each cycle of threads that wait for one another, for ever.

        Nothing is stopped to look, so a cycle only counts when it is found twice with the same waits and the same
        turns of the locks: a thread that waited all the while could give nothing back, so at the moment between the
        two looks all of it was true at once. Waits with a timeout end by themselves and are in no cycle.
        """
        first = self._cycles()
        if not first:
            return []
        again = {frozenset(cycle) for cycle in self._cycles()}
        return [
            tuple(Waiting(wait.thread, wait.ident, wait.lock.name) for wait, _ in cycle)
            for cycle in first
            if frozenset(cycle) in again
        ]

    def _cycles(self) -> list[list[tuple[_Wait, int]]]:
        """Wait and turn of its lock, along each cycle. A thread waits for one lock, a lock has one holder."""
        waits = dict(self._waits)
        found: list[list[tuple[_Wait, int]]] = []
        done: set[int] = set()
        for start in waits:
            path: dict[int, tuple[_Wait, int]] = {}
            at: int | None = start
            while at is not None and at in waits and at not in path and at not in done:
                wait = waits[at]
                path[at] = (wait, wait.lock.turn)
                at = wait.lock.holder
            if at is not None and at in path:
                idents = list(path)
                found.append([path[ident] for ident in idents[idents.index(at) :]])
            done.update(path)
        return found

    def _begin(self, lock: "WatchedLock") -> None:
        thread = threading.current_thread()
        ident = threading.get_ident()
        self._waits[ident] = _Wait(ident, thread.name, lock)

    def _end(self) -> None:
        del self._waits[threading.get_ident()]


class WatchedLock:
    """Takes the place of `threading.Lock`, or with `reentrant` of `threading.RLock`; also within a `Condition`.

    Made by `watchdog.lock`.

    Attributes:
        holder: The ident of the thread that has it; None: nobody.
        turn: Counts how often it was taken.
    """

    __slots__ = ("_depth", "_graph", "_lock", "_reentrant", "holder", "name", "turn")

    def __init__(self, name: str, graph: LockGraph, *, reentrant: bool = False) -> None:
        self.name = name
        self.holder: int | None = None
        self.turn = 0
        self._depth = 0
        self._graph, self._reentrant = graph, reentrant
        self._lock = threading.RLock() if reentrant else threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.Lock.acquire`."""
        if not self._lock.acquire(False):
            if not blocking:
                return False
            if timeout >= 0:
                if not self._lock.acquire(True, timeout):
                    return False
            else:
                self._graph._begin(self)
                try:
                    self._lock.acquire()
                finally:
                    self._graph._end()
        self._depth += 1
        self.turn += 1
        self.holder = threading.get_ident()
        return True

    def release(self) -> None:
        """As `threading.Lock.release`; raises `RuntimeError` when nobody has it."""
        if self.holder is None or (self._reentrant and self.holder != threading.get_ident()):
            raise RuntimeError(f"lock {self.name} is released by one that does not have it")
        self._depth -= 1
        if not self._depth:
            self.holder = None  # before it is free: the next holder writes its own name
        self._lock.release()

    def locked(self) -> bool:
        return self.holder is not None

    # What `threading.Condition` asks of a lock that may be held several times over.

    def _is_owned(self) -> bool:
        return self.holder == threading.get_ident()

    def _release_save(self) -> int:
        depth = self._depth
        for _ in range(depth):
            self.release()
        return depth

    def _acquire_restore(self, depth: int) -> None:
        for _ in range(depth):
            self.acquire()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
