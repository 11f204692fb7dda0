"""What came of pieces, in the words and events of the log: each way it can end."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from data_pipeline.backfill.line import Came, Failed
from data_pipeline.backfill.together import Whole
from data_pipeline.dataset import DatasetRun, Status
from data_pipeline.delivery import Delivery
from data_pipeline.entering import Entering
from data_pipeline.profile.figures import figures
from data_pipeline.store.views import Version
from data_pipeline.store.written import Written
from utils.ages import ages
from utils.events import NewEvent

__all__ = ["Telling"]


class Telling(Delivery):
    """Writes down what a run of a backfill brought.

    It says nothing of how the dataset fares: its promise, its objective and its history are those of what is due, and
    a thousand old days that come in one night are no news of today.
    """

    def entered(
        self, found: Whole, written: Written, base: Version | None, *, backfill: str, partition: str | None
    ) -> tuple[DatasetRun, list[NewEvent]]:
        """Pieces that became part of the table.

        Args:
            base: The version before.
            partition: Up to where the table is whole without a gap.
        """
        of = replace(found.judged, standing=replace(found.judged.standing, partition=partition))
        result = self._from_provider(of, version=self._run_id, rows=written.rows, unchanged=False)
        events = self._batch_events("batch.accepted", of, self._measured(of), self._columns(of), written)
        newest = max(filter(None, (result.data_time, base and base.body["data_time"])), default=None)
        told = {"backfill": backfill, "data_time": newest}
        return self._finished(replace(result, data_time=newest)), self._with(events, told)

    def set_aside(
        self, came: Came, found: Whole, written: Written, base: Version | None, *, backfill: str, partition: str | None
    ) -> tuple[DatasetRun, list[NewEvent]]:
        """A piece that waits for a decision, alone: the others do not wait for it."""
        verdict = came.judged.verdict
        of = replace(found.judged, verdict=verdict, standing=replace(found.judged.standing, partition=partition))
        entering = Entering(pieces=found.pieces)
        events = self._batch_events("batch.held", of, self._measured(of), self._columns(of), written, entering)
        result = replace(
            self._from_provider(of, version=self._run_id, rows=0, unchanged=False),
            status="failed",
            origin="none",
            accepted=False,
            version=base.version if base is not None else None,
            reason=f"{came.key} is held: {self._redacted(verdict.reason)}",
        )
        return self._finished(result), self._with(events, {"backfill": backfill})

    def missed(self, failures: Sequence[Failed], *, backfill: str) -> tuple[DatasetRun, list[NewEvent]]:
        """Pieces that did not come; nothing is served in their place."""
        first = self._from_copy(None, failures[0].error, attempts=getattr(failures[0].error, "attempts", 0))
        return self._finished(first), [self._piece_failed(one.key, one.error, backfill=backfill) for one in failures]

    def closing(
        self, result: DatasetRun, *, backfill: str, fence: int, collected: int = 0, held: int = 0, failed: int = 0
    ) -> NewEvent:
        """The end of the run's work on the dataset."""
        status: Status = "degraded" if failed and result.status == "succeeded" else result.status
        counts = {"collected": collected, "held": held, "failed": failed}
        data = {**replace(result, status=status).to_json(), "fence": fence, "backfill": backfill, "partitions": counts}
        return self._event("dataset.backfilled", data)

    def _columns(self, found: Any) -> Any:
        return figures(found.profile, self._clock.now())

    def _finished(self, result: DatasetRun) -> DatasetRun:
        copy_age, data_age = ages(result.collected_at, result.data_time, self._clock.now())
        seconds = round(self._clock.monotonic() - self._started, 6)
        return replace(result, age_s=copy_age, data_age_s=data_age, duration_s=seconds)

    @staticmethod
    def _with(events: list[NewEvent], told: dict[str, Any]) -> list[NewEvent]:
        """More is said of the version, the last of the events."""
        *others, version = events
        return [*others, replace(version, data={**version.data, **told})]
