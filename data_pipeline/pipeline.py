"""The line for ONE dataset: collect, parse, validate, score, store. What came of it is an `Outcome`, not yet written.

Deciding is kept apart from recording: the line touches the provider and storage; the events, the metric points and the
cache entries it returns are written by the runner, together, and only then is the dataset called done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.asking import Question, keeps_a_table, question
from data_pipeline.bringing import Answers, Bringer, Brought
from data_pipeline.collect.resilient import ResilientCollector
from data_pipeline.dataset import FileSeen, Provenance
from data_pipeline.delivery import Delivery
from data_pipeline.errors import PipelineError, UnexpectedError
from data_pipeline.fallback import Fallback, Served
from data_pipeline.judging import Judged, Rules, judged
from data_pipeline.outcome import Outcome, skipped
from data_pipeline.promises import Promises
from data_pipeline.replaying import Replaying
from data_pipeline.row_spool import spooling_in
from data_pipeline.store.decisions import Content
from data_pipeline.store.manifest import is_manifest
from data_pipeline.store.results import Results
from data_pipeline.store.surroundings import Around, Neighbours
from data_pipeline.store.upstreams import Needed, Upstream, Upstreams
from data_pipeline.store.views import Current, Version
from data_pipeline.storing import Storing, TableJudge, nothing_new
from data_pipeline.validate.rules import Rule
from utils.cache.cache import Cache
from utils.clock import Clock
from utils.correlation import run_id
from utils.logger import get_logger
from utils.turn import turn

if TYPE_CHECKING:
    from data_pipeline.in_slices import Slice


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all datasets of a run share. `now` is taken once; `current` is where each dataset stood at the start.

    `due`: a schedule asks for it, so our copy within the TTL will not do; `fresh`: that neither, and nobody is asked
    whether anything changed; `full`: everything, whatever the cursor and the ledger say; `from_raw`: the run whose
    raw answers are taken in place of the provider's. `withdrawn`: what was rolled back, and its version. `partitions`:
    keys of the pieces to collect, exactly these; (): what is due. `fallback`: whether a copy may be served. `again`:
    another try may be under way in another process: a mark by which the files of this one are told from its; "": none.
    """

    run_id: str
    now: datetime
    due: bool = False
    fresh: bool = False
    full: bool = False
    from_raw: str = ""
    partitions: tuple[str, ...] = ()
    fallback: bool = True
    again: str = ""
    current: dict[str, Current] = field(default_factory=dict)
    withdrawn: Mapping[Content, str] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    upstreams: dict[str, Upstream] = field(default_factory=dict)

    @property
    def files(self) -> str:
        """What the files of this run are called."""
        return f"{self.run_id}-{self.again}" if self.again else self.run_id


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
        neighbours: Neighbours,
        upstreams: Upstreams,
        replaying: Replaying,
        promises: Promises,
        ledger: Callable[[str], Mapping[str, FileSeen]] = lambda _: {},
    ) -> None:
        self._redacted = redacted
        self._collector = collector
        self._bringer = Bringer(collector, clock=clock, memory_limit=memory_limit)
        self._results = results
        self._neighbours = neighbours
        self._upstreams = upstreams
        self._cache = cache
        self._clock = clock
        self._store = Storing(results, memory_limit=memory_limit)
        self._memory_limit = memory_limit
        self._replaying = replaying
        self._promises = promises
        self._ledger = ledger
        self._fallback = Fallback(neighbours)
        self._rules: dict[str, Rules] = {}

    def run(self, dataset: DatasetSettings, run: RunContext) -> Outcome:
        """Deliver one dataset: from the cache within its TTL, else from the provider, else from what we have."""
        before = run_id.set(run.run_id)
        try:
            with spooling_in(self._collector.folder):
                return self._run(dataset, run)
        finally:
            run_id.reset(before)

    def _run(self, dataset: DatasetSettings, run: RunContext) -> Outcome:
        current = run.current.get(dataset.name)
        provider = self._collector.provider_of(dataset)
        needed = self._upstreams.of(dataset, run.upstreams)
        if needed.blocked is not None:
            fence = run.fences.get(dataset.name, 0) if run.again else 0
            return skipped(dataset.name, provider, run.run_id, str(needed.blocked), needed.blocked, fence=fence)
        delivery = self._delivery(dataset, provider, run)
        if dataset.transform is not None:
            delivery.doubt = needed.doubt
        asks = run.due or run.fresh or run.full or run.from_raw or run.partitions or not run.fallback
        if not asks and (hit := self.cached(dataset, current)) is not None:
            return delivery.from_cache(hit)

        def served() -> Served | None:
            return self._served(dataset, current, run)

        try:
            last_good = self._base(dataset, current, full=run.full)
            if last_good is not None and (same := self._up_to_date(dataset, last_good, needed, run)) is not None:
                return delivery.confirmed(last_good, same)
            asked = question(
                dataset,
                last_good,
                now=run.now,
                fresh=run.fresh,
                full=run.full,
                ledger=lambda: self._ledger(dataset.name),
                partitions=run.partitions,
            )
            if run.from_raw:
                asked, answers = self._replaying.again(dataset, run.from_raw, asked)
            else:
                number = current.runs if current else 0
                answers = self._collect(delivery, asked, provider, run.now, number)
                answers = self._replaying.keep(dataset, run.run_id, asked, answers)
            if last_good is not None and (unmodified := answers.not_modified) is not None:
                return delivery.confirmed(last_good, unmodified.provenance)
            with turn(answers.size):
                brought = self._bringer.parse(dataset, asked, answers)
                if last_good is not None and nothing_new(brought, dataset, asked):
                    return delivery.confirmed(last_good, brought.batch.provenance, rows=0)
                rules = self._all_rules(dataset)
                found = self._judge(brought, dataset, rules.of_batch, asked, last_good, run.now)
                return self._store.store(delivery, found, brought, asked, last_good, rules, run, served)
        except PipelineError as error:
            return delivery.fallen_back(served(), error)
        except Exception as error:  # noqa: BLE001 - told with its type and logged whole; the other datasets go on
            get_logger("pipeline").error("dataset.unexpected", dataset=dataset.name, exc=error)
            told = UnexpectedError(
                f"{dataset.name}: internal error: {type(error).__name__}: {error}",
                hint="logs/pipeline.log has the details; please report them",
            )
            return delivery.fallen_back(served(), told)

    def not_run(self, dataset: DatasetSettings, run: RunContext, error: PipelineError) -> Outcome:
        """What comes of a dataset whose line nobody could go to its end."""
        delivery = self._delivery(dataset, self._collector.provider_of(dataset), run)
        with spooling_in(self._collector.folder):
            return delivery.fallen_back(self._served(dataset, run.current.get(dataset.name), run), error)

    def _delivery(self, dataset: DatasetSettings, provider: str, run: RunContext) -> Delivery:
        fence, promise = run.fences.get(dataset.name, 0), self._promises.of(dataset)
        return Delivery(dataset, provider, run.run_id, fence, self._clock, self._redacted, promise)

    def _served(self, dataset: DatasetSettings, current: Current | None, run: RunContext) -> Served | None:
        """What readers get when nothing comes, if they may."""
        if not run.fallback:
            return None
        return self._fallback.serve(
            dataset, self.rules_of(dataset), self._results.last_good(current), current, now=run.now
        )

    def _collect(self, delivery: Delivery, asked: Question, provider: str, now: datetime, number: int) -> Answers:
        """What comes of a question. A piece of the table that does not come is told by its key."""
        try:
            answers = self._bringer.collect(
                delivery.dataset, asked, provider=provider, now=now, number=number, course=delivery.course
            )
        except PipelineError as error:
            first = asked.asked[0]
            if first is not None and first.partition is not None:
                delivery.piece_missed(first.partition.key, error)
            raise
        if answers.missed is not None:
            delivery.piece_missed(*answers.missed)
        return answers

    def _base(self, dataset: DatasetSettings, current: Current | None, *, full: bool) -> Version | None:
        """The version that what comes is added to, or compared with.

        Raises:
            StoreError: the table is damaged. What comes would be added to it all the same, or to an older one without
                the rows since; `full` keeps of it what is whole.
        """
        last_good = self._results.last_good(current, thorough=False)
        if current is None or (last_good is not None and last_good.version == current.version):
            return last_good
        newest = self._results.newest(current)
        if newest is None or not is_manifest(newest.path) or not keeps_a_table(dataset):
            return last_good
        if not full:
            self._results.check(newest)
        return newest

    def _up_to_date(
        self, dataset: DatasetSettings, last_good: Version, needed: Needed, run: RunContext
    ) -> Provenance | None:
        """Of a derived dataset: what stands for making it, if that would give what is there."""
        if dataset.transform is None or run.fresh or run.full:
            return None
        from data_pipeline.deriving import up_to_date

        return up_to_date(dataset, last_good, needed, lambda: self._upstreams.last_turn(dataset.name), self._clock)

    def judge_tables_with(self, judge: TableJudge) -> None:
        """From now on rules on whole tables are judged elsewhere, as far as that gives a report."""
        self._store.judge_table = judge

    def observe_slice(self, part: "Slice", dataset: DatasetSettings) -> bytes:
        """The states of a dataset's rules on its table, after some rows of it.

        Raises:
            StoreError: a file of the table is missing or damaged.
        """
        from data_pipeline.in_slices import observed

        before = self._neighbours.version(dataset.name, part.work.before)
        around = self._neighbours.of(dataset.name, before, content=part.work.content, pieces=part.work.pieces)
        rules = self._all_rules(dataset).of_table
        return observed(part, self._results, rules, around, memory_limit=self._memory_limit)

    def flush(self) -> None:
        """Bring to the disk what waits of the versions; to be called before the events of an outcome are written."""
        self._results.flush()

    def forget(self) -> None:
        """Give back the memory that is of use within a run only."""
        self._neighbours.forget()

    def rules_of(self, dataset: DatasetSettings) -> Sequence[Rule]:
        """The rules on a batch: the declared ones and those that declared column types imply."""
        return self._all_rules(dataset).of_batch

    def around(self, brought: Brought, dataset: DatasetSettings, last_good: Version | None) -> Around:
        """What the rules on a batch may look at beside it."""
        pieces = [key for key, _ in brought.pieces or ()]
        content = brought.batch.provenance.content_sha256
        return self._neighbours.of(dataset.name, last_good, content=content, pieces=pieces)

    def cached(self, dataset: DatasetSettings, current: Current | None) -> dict[str, Any] | None:
        """What the TTL cache holds of a dataset, if it still stands for the version and the configuration."""
        if dataset.transform is not None:
            return None  # nobody is asked: whether its inputs are news is known at once
        hit = self._cache.get(f"result:{dataset.name}")
        if hit is None or current is None:
            return None
        result: dict[str, Any] = hit.value
        if result["fingerprint"] != dataset.fingerprint or result["version"] != current.version:
            return None
        # A cache may outlive what it stands for: without the version's files there is nothing to show to readers.
        last_good = self._results.last_good(current, thorough=False)
        return result if last_good is not None and last_good.version == current.version else None

    def _judge(
        self,
        brought: Brought,
        dataset: DatasetSettings,
        rules: Sequence[Rule],
        asked: Question,
        last_good: Version | None,
        now: datetime,
    ) -> Judged:
        return judged(
            brought,
            dataset,
            rules,
            asked,
            last_good,
            now=now,
            around=self.around(brought, dataset, last_good),
            columns_of=lambda version: self._results.schema(version.path),
            pieces_of=lambda version: {part.partition for part in self._results.manifest(version).parts},
        )

    def _all_rules(self, dataset: DatasetSettings) -> Rules:
        """The rules of a dataset, sorted out once a configuration."""
        found = self._rules.get(dataset.fingerprint)
        if found is None:
            found = self._rules[dataset.fingerprint] = Rules.of(dataset)
        return found
