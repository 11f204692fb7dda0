"""The outbox: accepted versions that have not gone out yet go out, each once, in order; what cannot, waits.

Nothing is queued. What is pending follows from the log: the versions accepted since a sink was declared, minus those
that went out. So nothing is forgotten when the program is killed, and nothing is sent twice.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from config import kinds
from config.datasets import DatasetSettings
from config.variables import without_user_part
from data_pipeline.errors import PipelineError, PublishError, UnexpectedError
from data_pipeline.publish.attempt import Attempt, Pending
from data_pipeline.publish.sink import PublishRequest, Sink
from data_pipeline.publish.together import Target, Together, patience
from data_pipeline.publish.version_rows import VersionRows
from data_pipeline.publish.views import Publications, SinkState
from data_pipeline.store.views import Version, Views
from utils.clock import Clock
from utils.events import EventStore, NewEvent
from utils.leases import Leases
from utils.logger import get_logger
from utils.transactions import Transaction, Transactions

__all__ = ["Outbox"]


class Outbox:
    """Publishes what is pending. Thread-safe over processes: a dataset is published by one of them at a time.

    Args:
        rows: Gives the rows of a version.
        redacted: Masks known secrets in what a sink says.
    """

    def __init__(
        self,
        *,
        rows: VersionRows,
        views: Views,
        publications: Publications,
        events: EventStore,
        leases: Leases,
        transactions: Transactions,
        clock: Clock,
        redacted: Callable[[str], str] = str,
    ) -> None:
        self._rows = rows
        self._views = views
        self._publications = publications
        self._events = events
        self._leases = leases
        self._clock = clock
        self._redacted = redacted
        self._sinks: dict[str, Sink] = {}
        self._working = threading.Lock()
        self._wanted: dict[str, DatasetSettings] = {}
        self._away: dict[str, PublishError] = {}
        self._together = Together(transactions, self._targets_of, self._guarded, self._words, self._after)

    def declare(self, datasets: Sequence[DatasetSettings]) -> None:
        """Remember sinks that are new, and the version that readers see now: from that one on versions go out.

        Called before datasets run, so that no version accepted since is missed.
        """
        events = []
        for dataset in datasets:
            if not dataset.publish:
                continue
            known = self._publications.sinks(dataset.name)
            current = self._views.current_of(dataset.name)
            for name, options in self._named(dataset):
                if name not in known:
                    data = {"sink": name, "kind": options.kind, "since": current.version if current else None}
                    events.append(NewEvent("sink.declared", dataset.name, data, source="publish"))
        if events:
            self._events.append(events)

    def pending(self, dataset: DatasetSettings) -> list[Pending]:
        """What has to go out, in order, sink by sink."""
        accepted = [version for version in self._views.versions(dataset.name) if version.state == "accepted"]
        accepted.sort(key=lambda version: version.age)
        known = self._publications.sinks(dataset.name)
        found: list[Pending] = []
        for name, options in self._named(dataset):
            state = known.get(name)
            if state is None:
                continue
            told = {publication.version: publication for publication in self._publications.of(dataset.name, name)}
            due = [
                version
                for version in _from(accepted, state)
                if version.version not in told or told[version.version].state == "waiting"
            ]
            first = not any(publication.state == "published" for publication in told.values())
            chosen = due if self._sink(options.kind).wants_every(options) else due[-1:]
            superseded = tuple(version.version for version in due if version not in chosen)
            for position, version in enumerate(chosen):
                before = told.get(version.version)
                attempts, wait = (before.attempts, before.not_before) if before else (0, None)
                found.append(Pending(name, options, version, superseded, first and not position, attempts, wait))
        return found

    def waiting(self, dataset: DatasetSettings) -> set[str]:
        """The versions that must not be removed yet: they still have to go out."""
        return {pending.version.version for pending in self.pending(dataset)} if dataset.publish else set()

    def publish(
        self, datasets: Sequence[DatasetSettings], *, cancelled: Callable[[], bool] = lambda: False
    ) -> list[Attempt]:
        """Try once everything that is pending. A sink that fails keeps its later versions waiting; others go on."""
        wanted = [dataset for dataset in datasets if dataset.publish]
        if not wanted:
            return []
        self.declare(wanted)
        told: list[Attempt] = []
        with self._working, self._connected():
            self._away = {}
            self._wanted = {dataset.name: dataset for dataset in wanted}
            for dataset in wanted:
                name = f"publish:{dataset.name}"
                if not self._leases.acquire([name]):
                    continue  # another process is at it
                try:
                    told += self._publish(dataset, cancelled)
                finally:
                    self._leases.release([name])
        return told

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Sinks keep their connections for the block."""
        try:
            yield
        finally:
            for sink in self._sinks.values():
                if (close := getattr(sink, "close", None)) is not None:  # plug-ins need none
                    close()

    def _publish(self, dataset: DatasetSettings, cancelled: Callable[[], bool]) -> list[Attempt]:
        unfinished = self._together.unfinished(dataset.name)
        if unfinished is not None:
            return self._attempts(unfinished)
        if dataset.publish_together:
            return self._publish_together(dataset, cancelled)
        told: list[Attempt] = []
        stuck: set[str] = set()
        for pending in self.pending(dataset):
            if pending.sink in stuck or cancelled():
                continue
            if not self._may_go(pending):
                stuck.add(pending.sink)
                continue
            attempt = self._attempt(dataset, pending)
            if attempt.state == "waiting":
                stuck.add(pending.sink)
            self._record(attempt, pending)
            told.append(attempt)
        return told

    def _publish_together(self, dataset: DatasetSettings, cancelled: Callable[[], bool]) -> list[Attempt]:
        """Each version to all of its sinks or to none; after one that could not go, later ones wait for their turn."""
        told: list[Attempt] = []
        pending = self.pending(dataset)
        versions = {one.version.version: one.version for one in pending}
        for version in sorted(versions.values(), key=lambda one: one.age):
            if cancelled():
                break
            going = [one for one in pending if one.version.version == version.version]
            if not all(self._may_go(one) for one in going):
                break
            targets = [self._target(dataset, one) for one in going]
            done = self._together.publish(dataset.name, version.version, targets)
            attempts = self._attempts(done)
            told += attempts
            if any(one.state == "waiting" for one in attempts):
                break
        return told

    def _may_go(self, pending: Pending) -> bool:
        return pending.not_before is None or pending.not_before <= self._clock.now()

    def _target(self, dataset: DatasetSettings, pending: Pending) -> Target:
        return Target(
            name=pending.sink,
            kind=pending.options.kind,
            sink=self._sink(pending.options.kind),
            version=pending.version.version,
            server=self._sink(pending.options.kind).server_of(pending.options),
            request=lambda: self._request(dataset, pending),
            attempts=pending.attempts + 1,
            superseded=pending.superseded,
        )

    def _targets_of(self, data: Mapping[str, Any]) -> list[Target]:
        """The sinks of a transaction, as far as dataset, version and sink are still there."""
        dataset = self._wanted.get(data["dataset"])
        versions = [one for one in self._views.versions(data["dataset"]) if one.version == data["version"]]
        if dataset is None or not versions:
            return []
        found = []
        for name, options in self._named(dataset):
            for one in data["sinks"]:
                if one["sink"] == name:
                    told = self._publications.of(dataset.name, name)
                    first = not any(publication.state == "published" for publication in told)
                    superseded = tuple(one["superseded"])
                    pending = Pending(name, options, versions[0], superseded, first, one["attempts"] - 1)
                    found.append(self._target(dataset, pending))
        return found

    def _attempts(self, transaction: Transaction) -> list[Attempt]:
        dataset, version = transaction.data["dataset"], transaction.data["version"]
        return [
            Attempt(
                dataset,
                one.target.name,
                one.target.kind,
                version,
                one.target.attempts,
                rows=one.rows,
                error=one.error,
                hint=one.hint,
                transient=one.transient,
                final=one.final,
                not_before=one.not_before,
            )
            for one in self._together.outcomes(transaction)
        ]

    def _guarded(self, target: Target, call: Callable[[PublishRequest], Any]) -> Any:
        """Call a sink, unless its server was found to be away just now."""
        if target.server in self._away:
            raise self._away[target.server]
        try:
            return call(target.request())
        except PublishError as error:
            if target.server and error.away:
                self._away[target.server] = error
            raise
        except PipelineError:
            raise
        except Exception as error:
            get_logger("publish").error("publish.unexpected", version=target.version, sink=target.name, exc=error)
            told = f"internal error: {type(error).__name__}: {error}"
            hint = "logs/publish.log has the details; please report them"
            raise UnexpectedError(told, hint=hint) from error

    def _attempt(self, dataset: DatasetSettings, pending: Pending) -> Attempt:
        target = self._target(dataset, pending)
        done = Attempt(dataset.name, pending.sink, pending.options.kind, pending.version.version, pending.attempts + 1)
        try:
            published = self._guarded(target, target.sink.publish)
        except PipelineError as error:
            return self._failed(done, error)
        return replace(done, rows=published.rows)

    def _request(self, dataset: DatasetSettings, pending: Pending) -> PublishRequest:
        table = self._rows.rows_of(pending.version)
        return PublishRequest(
            dataset=dataset.name,
            version=pending.version.version,
            moment=datetime.fromisoformat(pending.version.time),
            now=self._clock.now(),
            options=pending.options,
            table=table,
            # The first that goes out brings what was there before it, too.
            added=table if pending.first else self._rows.added_by(pending.version),
            key=dataset.key,
            base=dataset.base,
            connect_timeout=dataset.resilience.timeout.connect,
            about=pending.version,
            attempt=pending.attempts + 1,
        )

    def _failed(self, attempt: Attempt, error: PipelineError) -> Attempt:
        hint = self._redacted(without_user_part(error.hint))
        failed = replace(attempt, error=self._words(error), hint=hint, transient=error.transient)
        if not isinstance(error, PublishError):
            return failed
        return replace(failed, final=error.final, not_before=self._after(error))

    def _after(self, error: PublishError) -> datetime | None:
        return self._clock.now() + timedelta(seconds=error.retry_after) if error.retry_after else None

    def _words(self, error: Exception) -> str:
        return self._redacted(without_user_part(str(error)))

    def _record(self, attempt: Attempt, pending: Pending) -> None:
        data: dict[str, Any] = {
            "sink": attempt.sink,
            "kind": attempt.kind,
            "version": attempt.version,
            "attempts": attempt.attempts,
        }
        if attempt.error is None:
            kind = "version.published"
            data |= {"rows": attempt.rows, "superseded": list(pending.superseded)}
        else:
            kind = "publish.failed"
            data |= {"error": attempt.error, "hint": attempt.hint, "transient": attempt.transient}
            data |= patience(attempt.final, attempt.not_before)
        self._events.append([NewEvent(kind, attempt.dataset, data, source="publish")])

    def _named(self, dataset: DatasetSettings) -> list[tuple[str, Any]]:
        return [(self._sink(options.kind).name_of(options), options) for options in dataset.publish]

    def _sink(self, kind: str) -> Sink:
        found = self._sinks.get(kind)
        if found is None:
            found = self._sinks[kind] = kinds.sink(kind)()
        return found


def _from(accepted: list[Version], sink: SinkState) -> list[Version]:
    """The versions from that on which readers saw when the sink was declared; when it is gone, those accepted since."""
    if sink.since is None:
        return accepted
    names = [version.version for version in accepted]
    if sink.since in names:
        return accepted[names.index(sink.since) :]
    return [version for version in accepted if version.time > sink.time]
