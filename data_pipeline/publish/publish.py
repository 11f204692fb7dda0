"""The outbox: accepted versions that have not gone out yet go out, each once, in order; what cannot, waits.

Nothing is queued. What is pending follows from the log: the versions accepted since a sink was declared, minus those
that went out. So nothing is forgotten when the program is killed, and nothing is sent twice.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from config import kinds
from config.datasets import DatasetSettings
from config.variables import without_user_part
from data_pipeline.errors import PipelineError, PublishError, UnexpectedError
from data_pipeline.publish.sink import PublishRequest, Rows, Sink
from data_pipeline.publish.views import Publications
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version, Views
from utils.clock import Clock
from utils.events import EventStore, NewEvent
from utils.leases import Leases
from utils.logger import get_logger

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Attempt", "Outbox", "Pending", "VersionRows"]


@dataclass(frozen=True, slots=True)
class Pending:
    """One version that has to go to one sink. `superseded`: older ones that need not go any more."""

    sink: str
    options: Any
    version: Version
    superseded: tuple[str, ...] = ()
    first: bool = False
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of handing a version to a sink. `error` is None: it is there."""

    dataset: str
    sink: str
    kind: str
    version: str
    attempts: int
    rows: int | None = None
    error: str | None = None
    hint: str = ""
    transient: bool = False

    @property
    def words(self) -> str:
        """One sentence for people."""
        target = f"{self.kind} sink {self.sink}"
        if self.error is None:
            return f"{self.dataset}: {self.rows or 0:,} rows went to {target}"
        return f"{self.dataset}: version waits for {target}: {self.error}; tried again at the next run"

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "sink": self.sink,
            "kind": self.kind,
            "version": self.version,
            "state": "published" if self.error is None else "waiting",
            "rows": self.rows,
            "attempts": self.attempts,
            "error": None
            if self.error is None
            else {"message": self.error, "hint": self.hint, "transient": self.transient},
        }


class VersionRows:
    """The rows of a version, as sinks want them."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def rows_of(self, version: Version) -> Rows:
        """All rows that readers see with this version.

        Raises:
            StoreError: the version's file is gone or damaged.
        """
        return Rows(self._results.schema(version.path), lambda: self._checked(version))

    def added_by(self, version: Version) -> Rows:
        """The rows that this version added to those before: its batch, without those that were there already."""
        batch, added = version.body.get("batch") or version.path, version.body.get("added")
        if added == "":
            return Rows(self._results.schema(batch), lambda: iter(()))
        if (path := added or batch) == version.path:
            return self.rows_of(version)
        return Rows(self._results.schema(path), lambda: self._results.batches(path))

    def _checked(self, version: Version) -> "Iterator[pa.RecordBatch]":
        self._results.check(version)
        yield from self._results.batches(version.path)


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
        accepted.sort(key=lambda version: (version.time, version.version))
        known = self._publications.sinks(dataset.name)
        found: list[Pending] = []
        for name, options in self._named(dataset):
            state = known.get(name)
            if state is None:
                continue
            told = {publication.version: publication for publication in self._publications.of(dataset.name, name)}
            due = [
                version
                for version in _from(accepted, state.since)
                if version.version not in told or told[version.version].state == "waiting"
            ]
            first = not any(publication.state == "published" for publication in told.values())
            chosen = due if self._sink(options.kind).wants_every(options) else due[-1:]
            superseded = tuple(version.version for version in due if version not in chosen)
            for position, version in enumerate(chosen):
                before = told.get(version.version)
                attempts = before.attempts if before else 0
                found.append(Pending(name, options, version, superseded, first and not position, attempts))
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
        away: dict[str, PublishError] = {}
        with self._working:
            for dataset in wanted:
                name = f"publish:{dataset.name}"
                if not self._leases.acquire([name]):
                    continue  # another process is at it
                try:
                    told += self._publish(dataset, away, cancelled)
                finally:
                    self._leases.release([name])
        return told

    def _publish(
        self, dataset: DatasetSettings, away: dict[str, PublishError], cancelled: Callable[[], bool]
    ) -> list[Attempt]:
        told: list[Attempt] = []
        stuck: set[str] = set()
        for pending in self.pending(dataset):
            if pending.sink in stuck or cancelled():
                continue
            attempt = self._attempt(dataset, pending, away)
            if attempt.error is not None:
                stuck.add(pending.sink)
            self._record(attempt, pending)
            told.append(attempt)
        return told

    def _attempt(self, dataset: DatasetSettings, pending: Pending, away: dict[str, PublishError]) -> Attempt:
        sink = self._sink(pending.options.kind)
        server = sink.server_of(pending.options)
        done = Attempt(dataset.name, pending.sink, pending.options.kind, pending.version.version, pending.attempts + 1)
        try:
            if server in away:
                raise away[server]
            published = sink.publish(self._request(dataset, pending))
        except PublishError as error:
            if server and error.away:
                away[server] = error
            return self._failed(done, error)
        except PipelineError as error:
            return self._failed(done, error)
        except Exception as error:  # noqa: BLE001 - told with its type and logged whole; the other sinks go on
            get_logger("publish").error("publish.unexpected", dataset=dataset.name, sink=pending.sink, exc=error)
            told = f"internal error: {type(error).__name__}: {error}"
            return self._failed(
                done, UnexpectedError(told, hint="logs/publish.log has the details; please report them")
            )
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
        )

    def _failed(self, attempt: Attempt, error: PipelineError) -> Attempt:
        message, hint = (self._redacted(without_user_part(text)) for text in (str(error), error.hint))
        return replace(attempt, error=message, hint=hint, transient=error.transient)

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
        self._events.append([NewEvent(kind, attempt.dataset, data, source="publish")])

    def _named(self, dataset: DatasetSettings) -> list[tuple[str, Any]]:
        return [(self._sink(options.kind).name_of(options), options) for options in dataset.publish]

    def _sink(self, kind: str) -> Sink:
        found = self._sinks.get(kind)
        if found is None:
            found = self._sinks[kind] = kinds.sink(kind)()
        return found


def _from(accepted: list[Version], since: str | None) -> list[Version]:
    """The versions from `since` on; when it was removed meanwhile, those accepted after it."""
    if since is None:
        return accepted
    names = [version.version for version in accepted]
    return accepted[names.index(since) :] if since in names else [v for v in accepted if v.version > since]
