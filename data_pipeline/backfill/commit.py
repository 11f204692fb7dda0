"""Pieces that came go into the table: many in one version, in one commit with all that is told of them."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from data_pipeline.asking import newest_piece
from data_pipeline.backfill.line import Came, Failed, PieceLine
from data_pipeline.backfill.telling import Telling
from data_pipeline.backfill.together import Whole, whole
from data_pipeline.backfill_views import Backfill, Backfills, refuse_if_done
from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import DatasetBusy, PipelineError, StoreError
from data_pipeline.judging import with_table_rules
from data_pipeline.partitions import reached
from data_pipeline.recorder import refuse_if_lost
from data_pipeline.run_queue.request import Because, RunRequest
from data_pipeline.store.manifest import is_manifest
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version, Views
from data_pipeline.store.written import Written
from utils.clock import Clock
from utils.database import Connection
from utils.events import EventStore, NewEvent, uuid7
from utils.leases import Leases, this_process
from utils.resilience.cancellation import sleep

if TYPE_CHECKING:
    from data_pipeline.store.merge import Change

__all__ = ["Commits", "Done"]

LOOK_AGAIN_S = 0.1
"""Seconds until somebody else's turn at the dataset is looked at again."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a piece, once it is in the log. `state`: collected, held or failed."""

    key: str
    state: str
    rows: int | None = None
    reason: str = ""
    hint: str = ""
    version: str | None = None


class Commits:
    """Writes what pieces of one backfill brought. The dataset is taken for the moment of a commit only.

    Args:
        counted: Tells what the providers' protection counted since it was last asked.
    """

    def __init__(
        self,
        backfill: Backfill,
        line: PieceLine,
        *,
        actor: str,
        results: Results,
        views: Views,
        backfills: Backfills,
        events: EventStore,
        leases: Leases,
        counted: Callable[[], Mapping[str, Mapping[str, float]]],
        clock: Clock,
        memory_limit: int,
        redacted: Callable[[str], str] = str,
    ) -> None:
        self._backfill = backfill
        self._line = line
        self._dataset = line.dataset
        self._actor = actor
        self._results = results
        self._views = views
        self._backfills = backfills
        self._events = events
        self._leases = leases
        self._counted = counted
        self._clock = clock
        self._memory_limit = memory_limit
        self._redacted = redacted

    def commit(self, came: Sequence[Came], failed: Sequence[Failed], *, patience: float = math.inf) -> list[Done]:
        """Store these pieces: those that are accepted in one version, each that is held by itself.

        Args:
            patience: Seconds that another run of the dataset is waited for.

        Raises:
            DatasetBusy: it took longer; nothing was stored.
            StateError: the log cannot be written, the backfill was called off, or another process was quicker.
            StoreError: the table is damaged, or the disk is full; nothing of what is left is told.
        """
        done: list[Done] = []
        alike: dict[frozenset[str], list[Came]] = {}
        for one in came:
            if one.accepted:
                alike.setdefault(one.judged.validation.without, []).append(one)
        with self._alone(patience) as fence:
            for group in alike.values():
                for together in [[one] for one in group] if self._line.alone else [group]:
                    done += self._store(together, fence)
            for one in came:
                if not one.accepted:
                    done += self._set_aside(one, whole([one]), fence)
            if failed:
                done += self._tell_failed(failed, fence)
        return done

    @contextlib.contextmanager
    def _alone(self, patience: float) -> Iterator[int]:
        """The dataset's lease, once whoever has it is done; gives its fencing number."""
        name, began = f"dataset:{self._dataset.name}", self._clock.monotonic()
        while True:
            current = self._views.current_of(self._dataset.name)
            granted = self._leases.acquire([name], above={name: current.fence if current is not None else 0})
            if granted:
                break
            if self._clock.monotonic() - began > patience:
                raise DatasetBusy(f"{self._dataset.name}: it runs just now")
            sleep(LOOK_AGAIN_S, self._clock)
        try:
            yield granted[name].fence
        finally:
            self._leases.release(granted)

    def _store(self, group: Sequence[Came], fence: int) -> list[Done]:
        """Accepted pieces as one version; one by one where that fails, for then one of them is at fault."""
        try:
            return self._enter(group, fence)
        except StoreError:
            raise
        except PipelineError as error:
            if len(group) > 1:
                return [done for one in group for done in self._store([one], fence)]
            return self._tell_failed([Failed(group[0].key, error)], fence)

    def _enter(self, group: Sequence[Came], fence: int) -> list[Done]:
        from data_pipeline.store.merge import Change

        dataset, base = self._dataset, self._base()
        run_id = group[0].version if len(group) == 1 else uuid7(self._clock.time())
        telling = self._telling(run_id, fence)
        found = whole(group)
        by = dataset.partition.by if dataset.partition is not None else ""
        change = Change(pieces=found.pieces, by=by if isinstance(by, str) else "")
        written = self._write(found, run_id, change, base)
        if self._line.rules.of_table:
            found = self._held_against_table(found, written, base)
            if not found.judged.verdict.accepted:
                return self._set_aside(replace(group[0], judged=found.judged), found, fence)
        if written.notes:
            batch = found.judged.batch
            told = replace(batch.provenance, notes=(*batch.provenance.notes, *written.notes))
            judged = replace(found.judged, batch=batch.with_provenance(told))
            found = Whole(judged, found.brought, found.pieces)
        keys = frozenset(key for key, _ in found.pieces)
        result, events = telling.entered(
            found, written, base, backfill=self._backfill.id, partition=self._reached(base, keys)
        )
        closing = partial(telling.closing, result, backfill=self._backfill.id, fence=fence, collected=len(keys))
        self._tell(run_id, [one.key for one in group], events, closing(), result, fence)
        reasons = {one.key: one.judged.verdict.reason for one in group}
        return [Done(key, "collected", rows, reasons[key], version=run_id) for key, rows in found.pieces]

    def _held_against_table(self, found: Whole, written: Written, base: Version | None) -> Whole:
        """The rules on the whole table, with this piece in it."""
        judged, rules = found.judged, self._line.rules.of_table
        table = self._results.batch(written.good.path, judged.batch.provenance, memory_limit=self._memory_limit)
        now = judged.report.now
        told = with_table_rules(judged, table, rules, self._dataset, now=now, has_last_good=base is not None)
        return Whole(told, found.brought, found.pieces)

    def _set_aside(self, came: Came, found: Whole, fence: int) -> list[Done]:
        base = self._base()
        telling = self._telling(came.version, fence)
        written = self._write(found, came.version, None, base)
        partition = newest_piece(self._dataset, base)  # the table ends where it did, also once this one is accepted
        result, events = telling.set_aside(came, found, written, base, backfill=self._backfill.id, partition=partition)
        closing = telling.closing(result, backfill=self._backfill.id, fence=fence, held=1)
        self._tell(came.version, [came.key], events, closing, result, fence)
        hint = f"`accept {self._dataset.name} {came.version}` or `reject {self._dataset.name} {came.version}`"
        reason = came.judged.verdict.reason
        return [Done(came.key, "held", written.rows, reason, hint, version=came.version)]

    def _tell_failed(self, failed: Sequence[Failed], fence: int) -> list[Done]:
        run_id = uuid7(self._clock.time())
        telling = self._telling(run_id, fence)
        result, events = telling.missed(failed, backfill=self._backfill.id)
        closing = telling.closing(result, backfill=self._backfill.id, fence=fence, failed=len(failed))
        self._tell(run_id, [one.key for one in failed], events, closing, result, fence)
        return [Done(one.key, "failed", reason=str(one.error), hint=one.error.hint) for one in failed]

    def _write(self, found: Whole, run_id: str, change: "Change | None", base: Version | None) -> Written:
        batch, validation = found.judged.batch, found.judged.validation
        accepted = change is not None
        return self._results.write(
            batch, validation, dataset=self._dataset.name, run_id=run_id, accepted=accepted, change=change, base=base
        )

    def _base(self) -> Version | None:
        """The table as it stands.

        Raises:
            StoreError: it is damaged: pieces would be added to an older one, without the rows since.
        """
        current = self._views.current_of(self._dataset.name)
        newest = self._results.newest(current)
        if newest is None:
            return None
        whole = self._results.last_good(current, thorough=False)
        if (whole is None or whole.version != newest.version) and is_manifest(newest.path):
            self._results.check(newest)
        return newest

    def _reached(self, base: Version | None, keys: frozenset[str]) -> str | None:
        """Up to where the table is whole: what ordinary runs go on from. Only pieces that follow without a gap move it.

        Of what other backfills brought nothing is known here, so it may come once more with an ordinary run.
        """
        settings = self._dataset.partition
        assert settings is not None
        there = self._backfills.collected_by(self._dataset.name, self._backfill.id)
        return reached(settings, newest_piece(self._dataset, base), keys | there)

    def _telling(self, run_id: str, fence: int) -> Telling:
        return Telling(self._dataset, self._line.provider, run_id, fence, self._clock, self._redacted)

    def _tell(
        self,
        run_id: str,
        keys: Sequence[str],
        events: list[NewEvent],
        closing: NewEvent,
        result: DatasetRun,
        fence: int,
    ) -> None:
        """The whole run in one commit, so that it is there or not: nothing of it is ever found half done."""
        name, status = self._dataset.name, closing.data["status"]
        request = RunRequest(
            (name,),
            actor=self._actor,
            because=Because("backfill", self._backfill.id),
            partitions=tuple(keys),
            fallback=False,
        )
        started = NewEvent("run.started", run_id, {**request.to_json(), "owner": str(this_process())}, source="runner")
        counts = {one: int(one == status) for one in ("skipped", "succeeded", "degraded", "failed")}
        summary: dict[str, Any] = {"status": status, "duration_s": result.duration_s, "counts": counts, "anomalies": {}}
        if providers := self._counted():
            summary["providers"] = providers
        finished = NewEvent("run.finished", run_id, summary, source="runner")

        def guard(connection: Connection) -> None:
            refuse_if_lost(connection, name, fence)
            refuse_if_done(connection, self._backfill.id, keys)
            self._results.flush()

        self._events.append([started, *events, closing, finished], guard=guard)
