"""The line for ONE dataset: collect, parse, validate, score, store. What came of it is an `Outcome`, not yet written.

Deciding is kept apart from recording: the line touches the provider and storage; the events, the metric points and the
cache entries it returns are written by the runner, together, and only then is the dataset called done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.batch import Batch
from data_pipeline.collect.resilient import ResilientCollector
from data_pipeline.dataset import Collected, Quality
from data_pipeline.delivery import Delivery, Outcome
from data_pipeline.errors import PipelineError, UnexpectedError
from data_pipeline.fallback import Fallback, Served, dated
from data_pipeline.parse.parse import parse
from data_pipeline.profile import profile
from data_pipeline.score import score
from data_pipeline.store import gate
from data_pipeline.store.results import Results
from data_pipeline.store.views import Current, Version
from data_pipeline.validate.engine import Validation, validate
from data_pipeline.validate.rules import Rule, implied_type_rules
from utils.cache.cache import Cache
from utils.clock import Clock
from utils.logger import get_logger
from utils.resilience.deadline import deadline
from utils.turn import turn


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all datasets of a run share. `now` is taken once; `current` is where each dataset stood at the start."""

    run_id: str
    now: datetime
    fresh: bool = False
    current: dict[str, Current] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)


class Pipeline:
    """Takes one dataset the whole way. Thread-safe: one instance serves all workers of a process."""

    def __init__(
        self,
        *,
        collector: ResilientCollector,
        results: Results,
        cache: Cache,
        clock: Clock,
        memory_limit: int,
        redacted: Callable[[str], str] = str,
    ) -> None:
        self._redacted = redacted
        self._collector = collector
        self._results = results
        self._cache = cache
        self._clock = clock
        self._memory_limit = memory_limit
        self._fallback = Fallback()
        self._rules: dict[str, Sequence[Rule]] = {}

    def run(self, dataset: DatasetSettings, run: RunContext) -> Outcome:
        """Deliver one dataset: from the cache within its TTL, else from the provider, else from what we have."""
        current = run.current.get(dataset.name)
        provider = self._collector.provider_of(dataset)
        delivery = Delivery(dataset, provider, run.run_id, run.fences.get(dataset.name, 0), self._clock, self._redacted)
        if not run.fresh and (hit := self.cached(dataset, current)) is not None:
            return delivery.from_cache(hit)
        last_good = self._results.last_good(current)
        try:
            with deadline(dataset.resilience.deadline, self._clock):
                collected = self._collect(dataset, provider, run, current, last_good)
            if collected.not_modified and last_good is not None:
                return delivery.confirmed(last_good, collected)
            with turn(collected.provenance.size):
                batch = self._parse(dataset, collected)
                validation = validate(batch, self.rules_of(dataset), now=run.now)
                batch = dated(dataset, batch, validation)
                return self._store(delivery, batch, validation, score(validation.report), last_good, current, run)
        except PipelineError as error:
            return delivery.fallen_back(self._serve(dataset, last_good, current, run), error)
        except Exception as error:  # noqa: BLE001 - told with its type and logged whole; the other datasets go on
            get_logger("pipeline").error("dataset.unexpected", dataset=dataset.name, exc=error)
            told = UnexpectedError(
                f"{dataset.name}: internal error: {type(error).__name__}: {error}",
                hint="logs/pipeline.log has the details; please report them",
            )
            return delivery.fallen_back(self._serve(dataset, last_good, current, run), told)

    def flush(self) -> None:
        """Bring to the disk what waits of the versions; to be called before the events of an outcome are written."""
        self._results.flush()

    def _serve(
        self, dataset: DatasetSettings, last_good: Version | None, current: Current | None, run: RunContext
    ) -> Served | None:
        confirmed_at = current.collected_at if current else None
        return self._fallback.serve(dataset, self.rules_of(dataset), last_good, confirmed_at=confirmed_at, now=run.now)

    def rules_of(self, dataset: DatasetSettings) -> Sequence[Rule]:
        """The declared rules and those that declared column types imply, compiled once a configuration."""
        found = self._rules.get(dataset.fingerprint)
        if found is None:
            found = (*implied_type_rules(dataset.columns), *dataset.rules)
            self._rules[dataset.fingerprint] = found
        return found

    def cached(self, dataset: DatasetSettings, current: Current | None) -> dict[str, Any] | None:
        """What the TTL cache holds of a dataset, if it still stands for the version and the configuration."""
        hit = self._cache.get(f"result:{dataset.name}")
        if hit is None or current is None:
            return None
        result: dict[str, Any] = hit.value
        same = result["fingerprint"] == dataset.fingerprint and result["version"] == current.version
        # A cache may outlive what it stands for: without the version's file there is nothing to show to readers.
        return result if same and self._results.last_good(current) is not None else None

    def _collect(
        self,
        dataset: DatasetSettings,
        provider: str,
        run: RunContext,
        current: Current | None,
        last_good: Version | None,
    ) -> Collected:
        # Asking "has it changed?" makes sense only if the copy we have was read as we would read it today.
        usable = last_good is not None and last_good.body["fingerprint"] == dataset.fingerprint and not run.fresh
        return self._collector.collect(
            dataset,
            provider=provider,
            now=run.now,
            number=current.runs if current else 0,
            validators=last_good.body["validators"] if usable and last_good else {},
        )

    def _parse(self, dataset: DatasetSettings, collected: Collected) -> Batch:
        try:
            return parse(
                collected,
                dataset=dataset.name,
                options=dataset.parse,
                columns=dataset.columns,
                zone=dataset.zone or "UTC",
                ambiguous=dataset.ambiguous,
                nonexistent=dataset.nonexistent,
                data_time=dataset.data_time,
                memory_limit=self._memory_limit,
            )
        finally:
            collected.close()

    def _store(
        self,
        delivery: Delivery,
        batch: Batch,
        validation: Validation,
        quality: Quality,
        last_good: Version | None,
        current: Current | None,
        run: RunContext,
    ) -> Outcome:
        dataset, report = delivery.dataset, validation.report
        verdict = gate.judge(report, quality, batch.provenance, dataset, has_last_good=last_good is not None)
        measured = profile(batch).metrics()
        unchanged = last_good is not None and last_good.body["content_sha256"] == batch.provenance.content_sha256
        if verdict.accepted and unchanged and last_good and last_good.body["fingerprint"] == dataset.fingerprint:
            return delivery.unchanged(last_good, batch, report, quality, measured, verdict)
        written = self._results.write(
            batch, validation, dataset=dataset.name, run_id=run.run_id, accepted=verdict.accepted
        )

        def unwritten(error: PipelineError) -> Outcome:
            return delivery.fallen_back(self._serve(dataset, last_good, current, run), error)

        if verdict.accepted:
            return delivery.accepted(
                batch, report, quality, measured, verdict, written, unchanged=unchanged, otherwise=unwritten
            )
        served = self._serve(dataset, last_good, current, run)
        return delivery.held(batch, report, quality, measured, verdict, written, served, otherwise=unwritten)
