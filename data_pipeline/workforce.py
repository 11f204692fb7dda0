"""A bounded number of workers that runs share, so that neither a long run nor a slow provider takes them all."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.waiting import Ready, Waiting

if TYPE_CHECKING:
    from data_pipeline.elsewhere import Elsewhere

__all__ = ["Job", "Workforce"]

MOST_ELSEWHERE = 1024
"""Datasets that may be under way elsewhere at once."""

OLDEST_EVERY = 8
"""Of so many datasets that are begun, one is of the run that works the longest, whatever the priorities."""


class Job:
    """What one run has to do.

    Args:
        provider_of: Whom a dataset is asked of.
        work: Takes one dataset the whole way; what it raises ends the job.
        priority: The higher, the sooner, among the runs that share the workers.

    Attributes:
        finished: Set once nothing is left and nobody works on it.
        error: What `work` raised.
    """

    def __init__(
        self,
        datasets: Sequence[DatasetSettings],
        *,
        provider_of: Callable[[DatasetSettings], str],
        work: Callable[[DatasetSettings], None],
        priority: int = 0,
    ) -> None:
        self.datasets = datasets
        self.waiting = Waiting(datasets)
        self.work = work
        self.priority = priority
        self.finished = threading.Event()
        self.error: BaseException | None = None
        self.providers = {dataset.name: provider_of(dataset) for dataset in datasets}
        self.number = 0  # in the order in which runs began
        self.working = 0
        # By provider what may begin, best first; and which provider's first is the best of all. A rank that is not
        # its provider's first any more is passed over. Providers that are full are left out until they are not.
        self._queues: dict[str, list[Ready]] = {}
        self._firsts: list[tuple[int, str]] = []
        self._full: set[str] = set()

    def offer(self) -> None:
        """Take note of what may begin now."""
        for ready in self.waiting.ready():
            provider = self.providers[ready.dataset.name]
            queue = self._queues.setdefault(provider, [])
            heappush(queue, ready)
            if queue[0] is ready and provider not in self._full:
                heappush(self._firsts, (ready.rank, provider))

    def next(self, is_full: Callable[[str], bool]) -> tuple[DatasetSettings, str] | None:
        """The best dataset whose provider has room, and the provider."""
        while self._firsts:
            rank, provider = heappop(self._firsts)
            queue = self._queues.get(provider)
            if not queue or queue[0].rank != rank:
                continue
            if is_full(provider):
                self._full.add(provider)
                continue
            dataset = heappop(queue).dataset
            if queue:
                heappush(self._firsts, (queue[0].rank, provider))
            else:
                del self._queues[provider]
            return dataset, provider
        return None

    def has_room(self, provider: str) -> None:
        """A provider that was full is not any more."""
        if provider in self._full:
            self._full.discard(provider)
            if queue := self._queues.get(provider):
                heappush(self._firsts, (queue[0].rank, provider))

    def stop(self) -> None:
        """Nothing more of it begins."""
        self.waiting.stop()
        self._queues.clear()
        self._firsts.clear()

    @property
    def over(self) -> bool:
        return not (self.working or self._queues or self.waiting.left)


class _Task(NamedTuple):
    job: Job
    dataset: DatasetSettings
    provider: str


class Workforce:
    """Hands out datasets to at most `size` workers at once, over all jobs.

    A provider has at most `limit_of` of them, and never all where others may come: so one that answers slowly keeps
    nobody else waiting. No worker ever waits for a dataset: who finds nothing to do goes, and is called back.

    Args:
        limit_of: How many datasets of a dataset's provider may be under way at once; None: no limit of its own.
        shared: Several jobs will come; else the one that does has the workers for itself.
        elsewhere: Where datasets are run, if not here. Each worker then waits for one of them.
    """

    def __init__(
        self,
        size: int,
        *,
        limit_of: Callable[[DatasetSettings], int | None],
        shared: bool = False,
        elsewhere: "Elsewhere | None" = None,
    ) -> None:
        self.size = size
        self.elsewhere = elsewhere
        self._limit_of = limit_of
        self._shared = shared
        threads = size if elsewhere is None else MOST_ELSEWHERE
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._guard = threading.Lock()
        self._jobs: list[Job] = []
        self._numbers = self._begun = self._busy = 0
        self._in_use: dict[str, int] = {}
        self._limits: dict[str, int] = {}

    def open(self) -> None:
        """Be ready to work. Those elsewhere say how many they are; they may have become more, or fewer.

        Raises:
            ExecutorAway: nobody is there, or nobody who can run ours.
        """
        if self.elsewhere is not None:
            size = min(self.elsewhere.open(), MOST_ELSEWHERE)
            with self._guard:
                self.size = size
                if not self._jobs:
                    self._limits.clear()  # they depend on the size; those of jobs under way stay

    def begin(self, job: Job) -> None:
        """Work on a job; comes back at once."""
        with self._guard:
            several = self._shared or len(set(job.providers.values())) > 1
            for dataset in job.datasets:
                self._limit(dataset, job.providers[dataset.name], shared=several)
            self._numbers += 1
            job.number = self._numbers
            job.offer()
            self._jobs.append(job)
            self._jobs.sort(key=lambda one: (-one.priority, one.number))
            self._end_if_over(job)
            self._call_workers()

    def withdraw(self, job: Job) -> None:
        """Begin no more datasets of a job; `finished` is set once nobody works on any."""
        with self._guard:
            job.stop()
            self._end_if_over(job)

    def free(self) -> int:
        """How many workers have nothing to do."""
        with self._guard:
            return self.size - self._busy

    def room(self, dataset: DatasetSettings, provider: str) -> int:
        """How many more datasets of this one's provider may be under way."""
        with self._guard:
            return self._limit(dataset, provider, shared=self._shared) - self._in_use.get(provider, 0)

    def close(self, *, wait: bool = True) -> None:
        """Call no workers any more; `wait` for those at work."""
        self._threads.shutdown(wait=wait, cancel_futures=True)
        if self.elsewhere is not None:
            self.elsewhere.close()

    def _work(self, task: _Task | None) -> None:
        while task is not None:
            job = task.job
            try:
                job.work(task.dataset)
            except BaseException as error:  # noqa: BLE001 - whoever waits for the job raises it
                job.error = job.error or error
            with self._guard:
                self._done(task)
                task = self._next()
                if task is None:
                    self._busy -= 1
                if self._busy < self.size:
                    self._call_workers()

    def _done(self, task: _Task) -> None:
        job, dataset, provider = task
        job.working -= 1
        if self._is_full(provider):
            for one in self._jobs:
                one.has_room(provider)
        left = self._in_use.pop(provider) - 1
        if left:
            self._in_use[provider] = left
        if job.error is not None:
            job.stop()
        else:
            job.waiting.done(dataset.name)
            job.offer()
        self._end_if_over(job)

    def _next(self) -> _Task | None:
        jobs = self._jobs
        if len(jobs) > 1 and self._begun % OLDEST_EVERY == OLDEST_EVERY - 1:
            jobs = sorted(jobs, key=lambda one: one.number)
        for job in jobs:
            found = job.next(self._is_full)
            if found is not None:
                job.working += 1
                self._begun += 1
                self._in_use[found[1]] = self._in_use.get(found[1], 0) + 1
                return _Task(job, *found)
        return None

    def _call_workers(self) -> None:
        while self._busy < self.size and (task := self._next()) is not None:
            self._busy += 1
            self._threads.submit(self._work, task)

    def _limit(self, dataset: DatasetSettings, provider: str, *, shared: bool) -> int:
        found = self._limits.get(provider)
        if found is None:
            limit = self._limit_of(dataset)
            most = max(1, self.size - 1) if shared else self.size
            found = self._limits[provider] = most if limit is None else min(limit, most)
        return found

    def _is_full(self, provider: str) -> bool:
        return self._in_use.get(provider, 0) >= self._limits.get(provider, self.size)

    def _end_if_over(self, job: Job) -> None:
        if job.over and not job.finished.is_set():
            self._jobs.remove(job)
            job.finished.set()
