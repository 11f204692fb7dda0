"""What came of one dataset's turn, in the words and events of the contract: one method for each way it can end."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.collect.course import Course
from data_pipeline.dataset import DatasetRun, FailedRule, Provenance, Quality, Status
from data_pipeline.errors import BatchNotDelivered, PipelineError
from data_pipeline.fallback import Served, quality_from
from data_pipeline.judging import Judged
from data_pipeline.objective import noted
from data_pipeline.outcome import CacheEntry, Otherwise, Outcome
from data_pipeline.profile.figures import Figures, figures, for_event, points
from data_pipeline.promise import Promise
from data_pipeline.score import score
from data_pipeline.store.gate import decided, judge
from data_pipeline.store.views import Version
from data_pipeline.store.written import Written
from data_pipeline.validate.report import Report
from utils.ages import ages
from utils.clock import Clock
from utils.database import Statement
from utils.events import NewEvent, rfc3339
from utils.history import point

if TYPE_CHECKING:
    from data_pipeline.entering import Entering

METRICS = (
    "rows",
    "nulls",
    "quarantined",
    "quality",
    "quality_uncapped",
    "data_age_s",
    "latency_s",
    "bytes",
    "attempts",
)
"""What is kept of every turn that asked the provider, in this order; a value that was not measured is NaN there."""

EVENT_OF: Mapping[Status, str] = {
    "succeeded": "dataset.collected",
    "degraded": "dataset.degraded",
    "failed": "dataset.failed",
    "skipped": "dataset.skipped",
}


class Delivery:
    """Writes down one dataset's turn. Ages are judged, and the promise of the dataset, at the moment of the call.

    Attributes:
        course: Takes note of how the collection goes.
        doubt: Why what is made of other datasets is degraded at best; "": they are as they should be.
    """

    def __init__(
        self,
        dataset: DatasetSettings,
        provider: str,
        run_id: str,
        fence: int,
        clock: Clock,
        redacted: Callable[[str], str] = str,
        promise: Promise | None = None,
    ) -> None:
        self.dataset = dataset
        self._promise = promise
        self._redacted = redacted
        self._provider = provider
        self._run_id = run_id
        self._fence = fence
        self._clock = clock
        self._started = clock.monotonic()
        self.course = Course(clock.monotonic, self._started)
        self._missed: list[NewEvent] = []
        self.doubt = ""

    def accepted(self, found: Judged, written: Written, *, unchanged: bool, otherwise: Otherwise) -> Outcome:
        """The batch became what readers see, or a part of it."""
        result = self._from_provider(found, version=self._run_id, rows=written.rows, unchanged=unchanged)
        full, of_columns = self._measured(found), figures(found.profile, self._clock.now())
        events = self._batch_events("batch.accepted", found, full, of_columns, written)
        return self._outcome(
            result,
            events,
            full,
            of_columns=of_columns,
            cacheable=True,
            table=written.table,
            table_rows=written.table_rows,
            otherwise=otherwise,
        )

    def unchanged(self, last_good: Version, found: Judged) -> Outcome:
        """The provider sent the bytes we have: confirmed, but no news and no new version."""
        result = self._from_provider(found, version=last_good.version, rows=last_good.rows, unchanged=True)
        return self._outcome(result, [], self._measured(found), cacheable=True)

    def confirmed(self, last_good: Version, provenance: Provenance, *, rows: int | None = None) -> Outcome:
        """The provider has nothing new: the stored report is judged again, for time has passed.

        Args:
            rows: How many rows came; None: it answered "not modified", and those of the last batch stand.
        """
        body = last_good.body
        report = Report.from_json(body["report"]).rejudged(self._clock.now())
        quality = score(report, Quality.from_json(body["quality"]).coverage)
        # Of what is made of others the inputs say how old it is, unless its own rows do.
        by_inputs = provenance.made_from is not None and self.dataset.data_time is None
        # A copy that was good yesterday may be too old today: it is served, but not as if all were well.
        verdict = decided(judge(report, quality, provenance, self.dataset, has_last_good=True), report, body)
        doubted: Status = "failed" if verdict.critical else "degraded"
        result = DatasetRun(
            dataset=self.dataset.name,
            provider=self._provider,
            status="succeeded" if verdict.accepted and not verdict.degraded else doubted,
            origin="provider" if verdict.accepted else "last_good",
            accepted=verdict.accepted,
            unchanged=True,
            reason=f"{self.dataset.name}: {verdict.reason}" if verdict.reason else None,
            rows=last_good.rows,
            quarantined=report.quarantined,
            collected_at=rfc3339(provenance.collected_at),
            data_time=_text(provenance.data_time) if by_inputs else body["data_time"],
            content_sha256=body["content_sha256"],
            version=last_good.version,
            attempts=provenance.attempts,
            quality=quality,
            failed_rules=report.failed_rules(),
            made_from=provenance.made_from,
        )
        took = provenance.latency_s if provenance.made_from is None else None  # it was not made, so it took no time
        measured = {**body["measured"], "latency_s": took, "attempts": float(provenance.attempts)}
        if rows is not None:
            measured["rows"] = float(rows)
        return self._outcome(result, [], {**measured, "quality": quality.score}, cacheable=True)

    def held(
        self,
        found: Judged,
        written: Written,
        served: Served | None,
        *,
        entering: "Entering | None",
        otherwise: Otherwise,
    ) -> Outcome:
        """The batch waits as a candidate; readers keep what they had, if there was anything.

        Args:
            entering: How it would become part of the dataset's table, if somebody accepts it; None: it keeps none.
        """
        full, verdict, provenance = self._measured(found), found.verdict, found.batch.provenance
        of_columns = figures(found.profile, self._clock.now())
        events = self._batch_events("batch.held", found, full, of_columns, written, entering)
        name = self.dataset.name
        hint = (
            f"look at it with `show {name} --batch`, then `accept {name}` or `reject {name}`; "
            "or mend the source or the rule and run again"
        )
        if found.report.rows == found.report.quarantined and not self.dataset.allow_empty:
            hint = (
                f"no row of it is good: look at them with `quarantine show {name}`, then `reject {name}`; "
                "or mend the source or the rule and run again"
            )
        if not found.report.rows:
            hint = "check that `parse.records` or `sheet` names the place of the rows; if none is normal: `allow_empty`"
        error = BatchNotDelivered(f"{self.dataset.name}: the new batch is held: {verdict.reason}", hint=hint)
        result = self._from_copy(served, error, attempts=provenance.attempts)
        if verdict.critical:
            result = replace(result, status="failed")
        result = replace(
            result,
            failed_rules=found.report.failed_rules(),
            quarantined=written.quarantined,
            partial=provenance.partial,
        )
        return self._outcome(result, events, full, of_columns=of_columns, otherwise=otherwise)

    def fallen_back(self, served: Served | None, error: PipelineError) -> Outcome:
        """The provider did not deliver."""
        attempts = getattr(error, "attempts", 0)
        result = self._from_copy(served, error, attempts=attempts)
        return self._outcome(result, [], {"attempts": float(attempts)})

    def piece_missed(self, key: str, error: PipelineError) -> None:
        """A piece of the table did not come; it is told with what becomes of the others."""
        self._missed.append(self._piece_failed(key, error))

    def from_cache(self, hit: Mapping[str, Any]) -> Outcome:
        """A copy within its TTL: nobody was asked."""
        result = DatasetRun(
            dataset=self.dataset.name,
            provider=self._provider,
            status="succeeded",
            origin="cache",
            accepted=True,
            rows=hit["rows"],
            quarantined=hit["quarantined"],
            collected_at=hit["collected_at"],
            data_time=hit["data_time"],
            content_sha256=hit["content_sha256"],
            version=hit["version"],
            quality=quality_from(hit["quality"]),
            failed_rules=tuple(FailedRule(**rule) for rule in hit["failed_rules"]),
        )
        return self._outcome(result, [], None)

    def _from_provider(self, found: Judged, *, version: str, rows: int, unchanged: bool) -> DatasetRun:
        provenance, verdict, report = found.batch.provenance, found.verdict, found.report
        return DatasetRun(
            dataset=self.dataset.name,
            provider=self._provider,
            status="degraded" if verdict.degraded else "succeeded",
            origin="provider",
            accepted=True,
            partial=provenance.partial,
            unchanged=unchanged,
            rows=rows,
            reason=self._redacted(verdict.reason) or None,
            quarantined=report.quarantined,
            collected_at=rfc3339(provenance.collected_at),
            data_time=_text(provenance.data_time),
            content_sha256=provenance.content_sha256,
            version=version,
            attempts=provenance.attempts,
            quality=found.quality,
            failed_rules=report.failed_rules(),
            made_from=provenance.made_from,
        )

    def _piece_failed(self, key: str, error: PipelineError, **more: Any) -> NewEvent:
        told = self._from_copy(None, error, attempts=getattr(error, "attempts", 0)).error
        return self._event("partition.failed", {"partition": key, **more, "error": told})

    def _from_copy(self, served: Served | None, error: PipelineError, *, attempts: int) -> DatasetRun:
        message, hint = self._redacted(str(error)), self._redacted(error.hint)
        told: dict[str, Any] = {"type": type(error).__name__, "message": message, "hint": hint}
        told["transient"] = error.transient
        for name in ("refused_by", "retry_after"):
            if (value := getattr(error, name, None)) is not None:
                told[name] = value
        common: dict[str, Any] = {
            "dataset": self.dataset.name,
            "provider": self._provider,
            "attempts": attempts,
            "error": told,
        }
        if served is None:
            return DatasetRun(status="failed", origin="none", reason=message, **common)
        return DatasetRun(
            status="degraded",
            origin=served.origin,
            rows=served.rows,
            version=served.version,
            collected_at=served.collected_at,
            data_time=served.data_time,
            content_sha256=served.content_sha256,
            quality=served.quality,
            reason=f"{message.rstrip('.')}; serving {served.words}",
            **common,
        )

    def _outcome(
        self,
        result: DatasetRun,
        events: list[NewEvent],
        measured: Mapping[str, float | None] | None,
        *,
        of_columns: Figures | None = None,
        cacheable: bool = False,
        table: Any = None,
        table_rows: int | None = None,
        otherwise: Otherwise | None = None,
    ) -> Outcome:
        """Ages, promise, the closing event, the metric point, the cache entry."""
        now = self._clock.now()
        if self.doubt and result.accepted:
            words = f"made of what is not as it should be: {self.doubt}"
            status: Status = "degraded" if result.status == "succeeded" else result.status
            result = replace(result, status=status, reason=f"{result.reason}; {words}" if result.reason else words)
        copy_age, data_age = ages(result.collected_at, result.data_time, now)
        result = replace(
            result, age_s=copy_age, data_age_s=data_age, duration_s=round(self._clock.monotonic() - self._started, 6)
        )
        judged = None
        if self._promise is not None and result.origin != "none":
            judged = self._promise.judge(result.collected_at, result.data_time, now)
        objective = noted(self.dataset, result, None if judged is None else judged.until)
        if judged is not None and judged.state == "broken":
            words = f"{result.reason}; {judged.words}" if result.reason else judged.words
            result = replace(result, status="failed", reason=words)
        body = result.to_json()
        kind = "dataset.served" if (result.status, result.origin) == ("succeeded", "cache") else EVENT_OF[result.status]
        course = self.course.to_json(self._redacted)
        events += [*self._missed, self._event(kind, {**body, "fence": self._fence, **objective, **course})]
        statements: tuple[Statement, ...] = ()
        if measured is not None:
            full = {**measured, "data_age_s": data_age}
            time = now.timestamp()
            statements = (
                point(result.dataset, time, {name: full.get(name) for name in METRICS}),
                *points(result.dataset, time, of_columns or {}),
            )
        entries: tuple[CacheEntry, ...] = ()
        if cacheable and result.status == "succeeded":
            # A copy is the whole table, however few rows came last.
            served = {**body, "rows": body["rows"] if table_rows is None else table_rows}
            entries = ((f"result:{result.dataset}", {**served, "fingerprint": self.dataset.fingerprint}),)
            if table is not None:
                entries += ((f"table:{result.dataset}:{result.version}", table),)
        return Outcome(result, tuple(events), statements, entries, otherwise)

    def _batch_events(
        self,
        kind: str,
        found: Judged,
        measured: Mapping[str, float | None],
        of_columns: Figures,
        written: Written,
        entering: "Entering | None" = None,
    ) -> list[NewEvent]:
        provenance, report = found.batch.provenance, found.report
        scored = found.quality.to_json()
        events = [self._event("schema.drifted", drift.to_json()) for drift in found.drifts]
        events.append(self._event("quality.scored", {**scored, "rows": report.rows, "quarantined": report.quarantined}))
        if written.bad is not None:
            reasons = {rule.rule: rule.failed for rule in report.failed_rules() if rule.severity != "warning"}
            share = round(written.quarantined / report.rows, 6) if report.rows else None
            quarantined = {"rows": written.quarantined, "of": report.rows, "share": share, "reasons": reasons}
            events.append(self._event("rows.quarantined", {**quarantined, "path": written.bad.path}))
        version = {
            "version": self._run_id,
            **written.to_json(),
            "reason": self._redacted(found.verdict.reason),
            "provider": self._provider,
            "source": self._redacted(provenance.source),
            "fingerprint": self.dataset.fingerprint,
            "content_sha256": provenance.content_sha256,
            "collected_at": rfc3339(provenance.collected_at),
            "data_time": _text(provenance.data_time),
            "validators": dict(provenance.validators),
            "notes": [self._redacted(note) for note in provenance.notes],
            "quality": scored,
            "report": report.to_json(),
            "measured": dict(measured),
            "profile": for_event(of_columns),
            **found.standing.to_json(),
        }
        if entering is not None:
            version["entering"] = entering.to_json()
        if provenance.partial:
            version["partial"] = True
        if provenance.made_from is not None:
            version |= provenance.made_from.to_json()
        if provenance.files:
            version["files"] = [[file.path, file.size, file.modified, file.sha256] for file in provenance.files]
        events.append(self._event(kind, version))
        return events

    def _measured(self, found: Judged) -> dict[str, float | None]:
        provenance = found.batch.provenance
        return {
            **found.profile.metrics(),
            "quarantined": float(found.report.quarantined),
            "quality": found.quality.score,
            "quality_uncapped": found.quality.uncapped,
            "latency_s": provenance.latency_s,
            "bytes": float(provenance.size),
            "attempts": float(provenance.attempts),
        }

    def _event(self, kind: str, data: dict[str, Any]) -> NewEvent:
        return NewEvent(kind, self.dataset.name, {"run_id": self._run_id, **data}, source="pipeline")


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
