"""What may be asked of the API."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from .arrow import arrow
from .errors import ApiError
from .transport import Document, Transport, part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Queries"]

OVER = frozenset({"succeeded", "degraded", "failed", "crashed", "cancelled", "interrupted"})


class Queries:
    """What may be looked at: nothing is changed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def status(self, *, as_of: str | None = None) -> Document:
        return self._transport.get("/status", as_of=as_of)

    def whoami(self) -> Document:
        """Who asks (`name`), and what they may do (`role`)."""
        return self._transport.get("/whoami")

    def news(self, since: str) -> Document:
        """What happened since a moment (RFC 3339)."""
        return self._transport.get("/news", since=since)

    def trends(self, *, points: int = 40, as_of: str | None = None) -> list[Document]:
        """Rows and score of the last runs of every dataset."""
        return self._transport.each("trends", "/trends", points=points, as_of=as_of)

    def health(self) -> Document:
        return self._transport.get("/health")

    def datasets(self) -> list[Document]:
        return self._transport.each("datasets", "/datasets")

    def dataset(self, name: str) -> Document:
        return self._transport.get(f"/datasets/{part(name)}")

    def why(self, name: str) -> Document:
        return self._transport.get(f"/datasets/{part(name)}/why")

    def quality(self, name: str) -> Document:
        return self._transport.get(f"/datasets/{part(name)}/quality")

    def profile(self, name: str, *, batch: bool = False) -> Document:
        return self._transport.get(f"/datasets/{part(name)}/profile", batch=batch)

    def versions(self, name: str, *, as_of: str | None = None) -> Document:
        return self._transport.get(f"/datasets/{part(name)}/versions", as_of=as_of)

    def difference(self, name: str, before: str | None = None, after: str | None = None) -> Document:
        """What differs between two versions: columns, rows, figures, and the same in words."""
        return self._transport.get(f"/datasets/{part(name)}/difference", before=before, after=after)

    def dataset_runs(self, name: str, *, limit: int | None = 20, as_of: str | None = None) -> Iterator[Document]:
        """What came of it in each run, the newest first."""
        return self._transport.pages(f"/datasets/{part(name)}/runs", limit, as_of=as_of)

    def quality_history(
        self, name: str, *, since: str | None = None, as_of: str | None = None, limit: int = 300
    ) -> Document:
        """Its score and the parts of it over time."""
        asked = {"since": since, "as_of": as_of, "limit": limit}
        return self._transport.get(f"/datasets/{part(name)}/quality/history", **asked)

    def raw(self, name: str) -> Document:
        """The runs whose raw answers are kept, for `operations.run(..., from_raw=)`."""
        return self._transport.get(f"/datasets/{part(name)}/raw")

    def partitions(self, name: str, *, only: Sequence[str] = ()) -> Document:
        return self._transport.get(f"/datasets/{part(name)}/partitions", only=list(only) or None)

    def lineage(self, *datasets: str) -> Document:
        """What is made of what: of these datasets, with all above and all below them."""
        return self._transport.get("/lineage", dataset=list(datasets) or None)

    def rows(
        self, name: str, *, columns: Sequence[str] = (), limit: int | None = None, batch: bool = False
    ) -> list[Document]:
        """The rows that readers of a dataset get; times and decimals as text. Many rows: `table` or `batches`."""
        asked = {"columns": list(columns) or None, "limit": limit, "batch": batch, "format": "json"}
        found: Any = self._transport.get(f"/datasets/{part(name)}/data", **asked)
        return list(found)

    def table(
        self,
        name: str,
        *,
        columns: Sequence[str] = (),
        after: int = 0,
        limit: int | None = None,
        batch: bool = False,
        version: str | None = None,
    ) -> "pa.Table":
        """The same as an Arrow table, each value of its own type. Needs `pyarrow`.

        `after`: so many rows are passed over; `version`: in their place those of a version.
        """
        import pyarrow as pa

        with self._arrow(name, columns, limit, batch, after=after, version=version) as stream:
            return pa.Table.from_batches(stream, schema=stream.schema)

    def batches(
        self, name: str, *, columns: Sequence[str] = (), limit: int | None = None, batch: bool = False
    ) -> "Iterator[pa.RecordBatch]":
        """The same batch by batch as they come: the table need not fit in memory."""
        with self._arrow(name, columns, limit, batch) as stream:
            yield from stream

    def download(self, name: str, *, format: str = "csv", version: str | None = None) -> Iterator[bytes]:
        """The rows as a file (`csv`, `parquet`, `jsonl`, `json`, `arrow`), part by part as they come."""
        path = f"/datasets/{part(name)}/data"
        with self._transport.streamed(path, format=format, version=version) as response:
            yield from response.iter_bytes()

    def metric_names(self) -> list[Document]:
        """Every series that is kept."""
        return self._transport.each("metrics", "/metrics/names")

    def history(
        self,
        *metrics: str,
        since: str | None = None,
        until: str | None = None,
        points: int = 300,
    ) -> list[Document]:
        """Figures over time, by name: `orders.rows`, or a number of yours."""
        asked = {"metric": list(metrics), "since": since, "until": until, "points": points}
        return self._transport.each("history", "/metrics/history", **asked)

    def metrics(self) -> Document:
        return self._transport.get("/metrics")

    def anomalies(self, *metrics: str) -> Document:
        return self._transport.get("/anomalies", metric=list(metrics))

    def backtest(self, *metrics: str, rate: float | None = None) -> Document:
        """What would have been told of all that is stored, at this rate or at several."""
        return self._transport.get("/anomalies/backtest", metric=list(metrics), rate=rate)

    def expected(self, *metrics: str, since: str | None = None, until: str | None = None) -> list[Document]:
        """Between what figures were expected, for charts."""
        return self._transport.each("expected", "/anomalies/expected", metric=list(metrics), since=since, until=until)

    def feedback(self, *metrics: str) -> list[Document]:
        """What people said about anomalies, and counts."""
        return self._transport.each("feedback", "/anomalies/feedback", metric=list(metrics))

    def runs(
        self, *, status: str | None = None, limit: int | None = 20, as_of: str | None = None
    ) -> Iterator[Document]:
        """The newest first."""
        return self._transport.pages("/runs", limit, status=status, as_of=as_of)

    def runs_page(self, *, cursor: str | None = None, limit: int = 20, **asked: str | None) -> Document:
        """One page of them: `items`, and `next`, the cursor of the page after it."""
        return self._transport.get("/runs", cursor=cursor, limit=limit, **asked)

    def run(self, run_id: str, *, as_of: str | None = None) -> Document:
        return self._transport.get(f"/runs/{part(run_id)}", as_of=as_of)

    def logs(self, run_id: str, *, limit: int = 200) -> Document:
        """What was logged for a run."""
        return self._transport.get(f"/runs/{part(run_id)}/logs", limit=limit)

    def wait(self, run_id: str, *, timeout: float | None = None) -> Document:
        """The run once it is over.

        Raises:
            ApiError: it is not over after `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 20.0 if end is None else end - time.monotonic()
            run = self._transport.get(f"/runs/{part(run_id)}", wait=min(20, max(0, round(left))))
            if run["status"] in OVER:
                return run
            if left <= 0:
                raise ApiError(f"run {run_id} is {run['status']} after {timeout:g} s", transient=True)

    def follow(self, run_id: str) -> Iterator[Document]:
        """The run now, at each change, and at its end, which is the last."""
        with self._transport.streamed(f"/runs/{part(run_id)}/follow") as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    run = json.loads(line[6:])
                    yield run
                    if run["status"] in OVER:
                        return
        raise ApiError("the server ended before the run", hint="follow it once more", transient=True)

    def backfills(self, *, dataset: str | None = None, limit: int | None = 20) -> Iterator[Document]:
        return self._transport.pages("/backfills", limit, dataset=dataset)

    def backfill(self, backfill: str) -> Document:
        return self._transport.get(f"/backfills/{part(backfill)}")

    def backfill_plan(
        self,
        dataset: str,
        begin: str | None = None,
        end: str | None = None,
        *,
        partitions: Sequence[str] = (),
        only: Sequence[str] = (),
    ) -> Document:
        """What `operations.backfill` would collect, and about how long it would take; nothing is done."""
        body = {"dataset": dataset, "from": begin, "to": end, "partitions": list(partitions), "only": list(only)}
        return self._transport.post("/backfills", **body, dry_run=True)

    def quarantine(self, *, dataset: str | None = None) -> list[Document]:
        return self._transport.each("quarantine", "/quarantine", dataset=dataset)

    def quarantined(
        self, dataset: str, run: str | None = None, *, after: int | None = None, limit: int | None = None
    ) -> list[Document]:
        """Rows with the rules they broke, of the newest run that has any, or of `run`.

        `after`: so many are passed over, `limit` is the next page; without it, a sample.
        """
        asked = {"run": run, "after": after, "limit": limit, "format": "json"}
        found: Any = self._transport.get(f"/quarantine/{part(dataset)}", **asked)
        return list(found)

    def qualities(self, *, passed: bool = False) -> Document:
        """All datasets and the rules they broke, the worst first; `passed`: also rules that nothing broke."""
        return self._transport.get("/quality", passed=passed)

    def quality_days(self, *datasets: str, since: str | None = None, until: str | None = None) -> Document:
        """Scores by day, of these datasets or of all."""
        return self._transport.get("/quality/days", dataset=list(datasets) or None, since=since, until=until)

    def providers(self) -> list[Document]:
        return self._transport.each("providers", "/providers")

    def events(self, *, limit: int | None = 50, **filters: str) -> Iterator[Document]:
        """The newest first; `type="batch.*"`, `source=`, `subject=`, `since=`, `until=`, `text=`, `run=`."""
        return self._transport.pages("/events", limit, **filters)

    def events_page(self, *, cursor: str | None = None, limit: int = 50, **filters: str) -> Document:
        """One page of them: `items`, and `next`, the cursor of the page after it."""
        return self._transport.get("/events", cursor=cursor, limit=limit, **filters)

    def event(self, seq: int) -> Document:
        return self._transport.get(f"/events/{seq}")

    def proof(self) -> Document:
        """How the last proof of the log stands."""
        return self._transport.get("/events/verification")

    def consumers(self) -> Document:
        """Who follows the log, and what they went on without."""
        return self._transport.get("/events/consumers")

    def incidents(self, *, over: int = 0, as_of: str | None = None) -> list[Document]:
        return self._transport.each("incidents", "/incidents", over=over, as_of=as_of)

    def incident(self, incident: str, *, as_of: str | None = None) -> Document:
        return self._transport.get(f"/incidents/{part(incident)}", as_of=as_of)

    def explain(self, incident: str, *, as_of: str | None = None) -> Document:
        return self._transport.get(f"/incidents/{part(incident)}/explain", as_of=as_of)

    def silences(self, *, ended: bool = False, as_of: str | None = None) -> list[Document]:
        return self._transport.each("silences", "/silences", ended=ended, as_of=as_of)

    def channels(self) -> list[Document]:
        return self._transport.each("channels", "/channels")

    def letters(self, state: Literal["waiting", "sent", "dead"] = "waiting", *, limit: int = 50) -> list[Document]:
        return self._transport.each("letters", "/outbox", state=state, limit=limit)

    def letter(self, key: str) -> Document:
        """A message with its words."""
        return self._transport.get(f"/letters/{part(key)}")

    def breakers(self) -> list[Document]:
        return self._transport.each("breakers", "/breakers")

    def cache(self) -> Document:
        return self._transport.get("/cache")

    def host(self) -> Document:
        """The machine of the API, now."""
        return self._transport.get("/host")

    def services(self) -> list[Document]:
        """Every service: programs, their parts, checks, providers; how each stands, and its figures."""
        return self._transport.each("services", "/services")

    def schedules(self, *datasets: str) -> Document:
        return self._transport.get("/schedules", dataset=list(datasets))

    def configuration(self) -> Document:
        return self._transport.get("/configuration")

    def _arrow(
        self, name: str, columns: Sequence[str], limit: int | None, batch: bool, **more: int | str | None
    ) -> AbstractContextManager[Any]:
        asked = {"columns": list(columns) or None, "limit": limit, "batch": batch, **more}
        return arrow(self._transport, f"/datasets/{part(name)}/data", **asked)
