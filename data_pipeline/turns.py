"""The turns of a run's datasets: each goes the line, in this process or elsewhere, and what came of it is recorded."""

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from config.datasets import DatasetSettings
from data_pipeline.errors import WorkerKilled
from data_pipeline.outcome import skipped
from data_pipeline.pipeline import Pipeline, RunContext
from data_pipeline.recorder import Recorder
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable

if TYPE_CHECKING:
    from data_pipeline.elsewhere import Elsewhere

__all__ = ["CALLED_OFF", "Turns", "end_of", "why_not"]

CALLED_OFF = "called off"
"""Why a run stops that somebody called off; for any other reason it is interrupted, and can go on later."""


class Turns:
    """Takes each dataset of a run to its record, here or elsewhere. Thread-safe.

    Attributes:
        counted: What the protection of providers counted elsewhere, by provider and counter.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        context: RunContext,
        cancel: CancelToken,
        recorder: Recorder,
        elsewhere: "Elsewhere | None",
    ) -> None:
        self._pipeline = pipeline
        self._context = context
        self._cancel = cancel
        self._recorder = recorder
        self._elsewhere = elsewhere
        self._guard = threading.Lock()
        self.counted: defaultdict[tuple[str, str], float] = defaultdict(float)

    def run(self, dataset: DatasetSettings, provider: str) -> None:
        """See to it that what comes of a dataset is recorded."""
        if self._cancel.cancelled:
            self.skip(dataset, provider)
        elif dataset.name not in self._context.fences:
            self.skip(dataset, provider, "already running in another run")
        else:
            try:
                if self._elsewhere is None:
                    with cancellable(self._cancel):
                        outcome = self._pipeline.run(dataset, self._context)
                    self._recorder.record(outcome)
                else:
                    self._run_elsewhere(dataset, self._elsewhere)
            except Cancelled:
                self.skip(dataset, provider)

    def skip(self, dataset: DatasetSettings, provider: str, reason: str = "") -> None:
        """Record that its turn did not come. Default: because the run is to stop."""
        name, run_id = dataset.name, self._context.run_id
        fence = self._context.fences.get(name, 0) if self._elsewhere is not None else 0
        self._recorder.record(skipped(name, provider, run_id, reason or why_not(self._cancel), fence=fence))

    def _run_elsewhere(self, dataset: DatasetSettings, elsewhere: "Elsewhere") -> None:
        from data_pipeline.elsewhere import Task

        try:
            told = elsewhere.run(Task.of(dataset.name, self._context), self._cancel)
        except WorkerKilled as error:
            self._recorder.record(self._pipeline.not_run(dataset, self._context, error))
            return
        with self._guard:
            for provider, grown in (told.counted or {}).items():
                for counter, value in grown.items():
                    self.counted[provider, counter] += value
        if told.result is not None:
            self._recorder.told(told.result)


def end_of(cancel: CancelToken) -> str:
    """How a run ended that was told to stop; "": it was not."""
    if not cancel.cancelled:
        return ""
    return "cancelled" if cancel.reason == CALLED_OFF else "interrupted"


def why_not(cancel: CancelToken) -> str:
    """Why a dataset's turn does not come."""
    return end_of(cancel) or "interrupted"
