"""One dataset of another process's run: goes the line here, records what came of it, and tells."""

import os
from collections.abc import Callable, Iterable

from config.datasets import DatasetSettings
from data_pipeline.dataset import DatasetRun
from data_pipeline.elsewhere import Counted, Task, Told, Trouble
from data_pipeline.pipeline import Pipeline, RunContext
from data_pipeline.recorder import Recorder, RunLostError, ToldAlready, refuse_if_over, refuse_if_told
from data_pipeline.store.views import Views
from utils.cache.cache import Cache
from utils.database import Database, StateError
from utils.events import EventStore
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable

__all__ = ["OnBehalf"]


class OnBehalf:
    """Works for the runs of other processes. Thread-safe.

    Args:
        find: A declared dataset by name; None: there is none.
        counted: What the protection of these providers, and of others that were asked, counted since it was last asked.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        find: Callable[[str], DatasetSettings | None],
        counted: Callable[[Iterable[str]], Counted],
        views: Views,
        events: EventStore,
        database: Database,
        cache: Cache,
        cache_ttl: float,
    ) -> None:
        self._pipeline = pipeline
        self._find = find
        self._counted = counted
        self._views = views
        self._events = events
        self._database = database
        self._cache = cache
        self._cache_ttl = cache_ttl

    def run(self, task: Task, cancel: CancelToken) -> Told:
        """Run a task, unless it was told already what came of it; gives what is recorded. Raises nothing."""
        try:
            result = self._told(task, cancel)
        except Cancelled:
            return Told()
        except RunLostError:
            return Told(lost=True)
        except StateError as error:
            return Told(trouble=Trouble(str(error), error.hint, error.transient, state=True))
        return Told(result, self._counted(() if result is None else {result.provider}), lost=result is None)

    def _told(self, task: Task, cancel: CancelToken) -> DatasetRun | None:
        cancel.check()
        with self._database.read() as connection:
            try:
                refuse_if_told(connection, task.run_id, task.dataset, task.fence)
            except ToldAlready as told:
                return DatasetRun.from_json(told.body)
            refuse_if_over(connection, task.run_id, task.owner)
        dataset = self._find(task.dataset)
        if dataset is None:
            raise StateError(f"{task.dataset} is not declared here", hint="all processes need the same configuration")
        recorder = Recorder(
            self._events,
            self._cache,
            self._cache_ttl,
            lambda _: None,
            self._pipeline.flush,
            elsewhere=True,
            owner=task.owner,
        )
        with cancellable(cancel):
            recorder.record(self._pipeline.run(dataset, self._context(task)))
        results = recorder.finish()
        return results[0] if results else None

    def _context(self, task: Task) -> RunContext:
        names = [task.dataset]
        return RunContext(
            run_id=task.run_id,
            now=task.now,
            due=task.due,
            fresh=task.fresh,
            full=task.full,
            from_raw=task.from_raw,
            partitions=task.partitions,
            fallback=task.fallback,
            again=os.urandom(4).hex(),
            current=self._views.current(names),
            withdrawn=self._views.decisions.withdrawn(names),
            fences={task.dataset: task.fence},
        )
