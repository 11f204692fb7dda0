"""Works a backfill off: pieces at the same time, what came is stored every few seconds, the provider is left in peace.

Nothing is kept in memory that must not be lost: which pieces are done stands in the log, and whoever goes on with a
backfill begins with those that are not.
"""

import math
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from data_pipeline.backfill.commit import Commits, Done
from data_pipeline.backfill.line import Came, Failed, PieceLine
from data_pipeline.backfill.policy import Later, wait_for
from data_pipeline.backfill_views import Backfill, Backfills
from data_pipeline.collect.placeholders import Partition
from data_pipeline.errors import DatasetBusy, PipelineError
from data_pipeline.partitions import asked_for
from data_pipeline.store.results import Results
from data_pipeline.store.views import Current, Version, Views
from utils.clock import Clock
from utils.events import uuid7
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable

__all__ = ["Ended", "Limits", "Work"]

LOOK_EVERY_S = 0.2
"""Seconds until it is noticed that somebody called the backfill off."""


STOPPING_S = 3.0
"""Seconds that whoever is told to stop waits for another run of the dataset, to store what came."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When what came is stored: as soon as one of these is reached.

    Attributes:
        pieces: How many are there. Each commit writes the list of all files of the table, so one for each of a
            thousand pieces would write half a million lines.
        nbytes: How much memory they take.
        seconds: How long the first of them waits; a kill costs no more than that.
    """

    pieces: int = 100
    nbytes: int = 64 * 2**20
    seconds: float = 10.0

    @classmethod
    def of(cls, total: int) -> "Limits":
        """Those of a backfill of so many pieces: the lists of twenty commits together grow as the table does.

        >>> Limits.of(1000).pieces, Limits.of(20_000).pieces
        (100, 1000)
        """
        return cls(pieces=max(cls().pieces, total // 20))


@dataclass(frozen=True, slots=True)
class Ended:
    """Why the work ended: all is `done`; it was `called_off`; `interrupted` here; or it has to wait (`later`).

    `tried`: the pieces, a key for each time, with which the provider failed meanwhile.
    """

    why: Literal["done", "called_off", "interrupted", "later"]
    later: Later | None = None
    tried: tuple[str, ...] = ()


@dataclass(slots=True)
class _Hand:
    """What came and is not stored yet."""

    came: list[Came] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    since: float = 0.0

    def reaches(self, limits: Limits, now: float) -> bool:
        count = len(self.came) + len(self.failed)
        if not count:
            return False
        nbytes = sum(one.judged.batch.nbytes for one in self.came)
        return count >= limits.pieces or nbytes >= limits.nbytes or now - self.since >= limits.seconds


class Work:
    """One go at a backfill, by one process at a time.

    Args:
        open_for: Seconds until the provider's circuit lets a try through; None: it is closed.
        told: Called with each piece once it is in the log.
    """

    def __init__(
        self,
        backfill: Backfill,
        line: PieceLine,
        commits: Commits,
        *,
        backfills: Backfills,
        results: Results,
        views: Views,
        open_for: Callable[[], float | None],
        clock: Clock,
        cancel: CancelToken,
        told: Callable[[Done], None] = lambda _: None,
        limits: Limits | None = None,
    ) -> None:
        self._backfill = backfill
        self._line = line
        self._commits = commits
        self._backfills = backfills
        self._results = results
        self._views = views
        self._open_for = open_for
        self._clock = clock
        self._cancel = cancel
        self._told = told
        self._limits = limits or Limits.of(backfill.total)
        self._tries: Counter[str] = Counter()
        self._waiting: deque[Partition] = deque()
        self._hand = _Hand()
        self._failures: list[str] = []
        self._asked = 0
        self._looking = threading.Lock()
        self._seen: tuple[str, Version | None] | None = None

    def go_on(self) -> Ended:
        """Collect the pieces that are not done, until all are, or it must end or wait.

        Raises:
            StateError, StoreError: the log or the table cannot be written; the pieces in hand come again.
        """
        self._failures.clear()
        self._waiting = deque(self._left(self._clock.now()))
        workers = int(self._backfill.body["concurrency"])
        flying: dict[Future[Came], Partition] = {}
        pool = ThreadPoolExecutor(workers, thread_name_prefix="piece")
        try:
            later = self._collect(pool, flying, workers)
        finally:
            pool.shutdown(wait=not self._cancel.cancelled, cancel_futures=True)
        if self._called_off():
            return Ended("called_off")
        self._store()
        if later is not None:
            return Ended("later", later, tuple(self._failures))
        return Ended("interrupted" if self._cancel.cancelled else "done")

    def _left(self, now: datetime) -> list[Partition]:
        """The pieces that nothing came of yet; those that the configuration has no more have failed."""
        settings = self._line.dataset.partition
        assert settings is not None
        parts = self._backfills.of(self._backfill.id, "waiting")
        for part in parts:
            self._tries[part.key] = max(self._tries[part.key], part.tries)
        pieces: list[Partition] = []
        # Behind the others: in a long outage each try costs another piece.
        for key in sorted((part.key for part in parts), key=self._tries.__getitem__):
            try:
                found = asked_for(settings, (key,), now=now).pieces
            except ValueError:
                found = ()
            if found:
                pieces += found
            else:
                self._fail(key, PipelineError(f"{self._line.dataset.name}: {key} is no piece of the table any more"))
        return pieces

    def _collect(self, pool: ThreadPoolExecutor, flying: "dict[Future[Came], Partition]", workers: int) -> Later | None:
        later: Later | None = None
        while True:
            stop = self._cancel.cancelled or self._called_off()
            while not stop and later is None and self._waiting and len(flying) < workers:
                piece = self._waiting.popleft()
                flying[pool.submit(self._bring, piece)] = piece
            if not flying or stop:
                return later
            done, _ = wait(flying, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED)
            for future in done:
                later = self._took(future, flying.pop(future)) or later
            if self._hand.reaches(self._limits, self._clock.monotonic()):
                self._store()

    def _bring(self, piece: Partition) -> Came:
        with cancellable(self._cancel):
            current = self._views.current_of(self._line.dataset.name)
            self._asked += 1
            number = (current.runs if current is not None else 0) + self._asked
            return self._line.bring(piece, self._last_good(current), version=uuid7(self._clock.time()), number=number)

    def _last_good(self, current: Current | None) -> Version | None:
        """What readers see; whether it is whole is looked at once a version, for a table has many files."""
        if current is None or current.version is None:
            return None
        with self._looking:
            if self._seen is None or self._seen[0] != current.version:
                self._seen = current.version, self._results.last_good(current, thorough=False)
            return self._seen[1]

    def _took(self, future: "Future[Came]", piece: Partition) -> Later | None:
        """What came of a piece; gives why nothing more is asked for now."""
        try:
            came = future.result()
        except Cancelled:
            return None
        except PipelineError as error:
            later = wait_for(error, open_for=self._open_for(), tries=self._tries[piece.key])
            if later is None:
                self._fail(piece.key, error)
                return None
            if later.tried:
                self._tries[piece.key] += 1
                self._failures.append(piece.key)
            self._waiting.append(piece)
            return later if later.seconds else None
        self._begin()
        self._hand.came.append(came)
        return None

    def _fail(self, key: str, error: PipelineError) -> None:
        self._begin()
        self._hand.failed.append(Failed(key, error))

    def _begin(self) -> None:
        if not (self._hand.came or self._hand.failed):
            self._hand.since = self._clock.monotonic()

    def _store(self) -> None:
        hand, self._hand = self._hand, _Hand()
        if not (hand.came or hand.failed):
            return
        hand.came.sort(key=lambda one: one.key)
        with cancellable(CancelToken()):  # what came is stored also when no more is to come
            try:
                done = self._commits.commit(
                    hand.came, hand.failed, patience=STOPPING_S if self._cancel.cancelled else math.inf
                )
            except DatasetBusy:
                return  # it comes again when somebody goes on
        for one in done:
            self._told(one)

    def _called_off(self) -> bool:
        return self._backfills.state(self._backfill.id) != "running"
