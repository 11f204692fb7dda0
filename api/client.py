"""A client for programs in Python: one file, needs `httpx` only, may be copied.

The two interfaces of the system itself, over the network: `queries` look, `operations` change something. Each gives the
JSON that the command of that name prints with `--json`; what goes wrong is an `ApiError` with `message` and `hint`.

    with Client("http://127.0.0.1:8000", token="…") as client:
        run = client.operations.run(["orders"])
        print(client.queries.wait(run["run_id"])["status"])
        frame = client.queries.table("orders").to_pandas()
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ApiError", "Client", "Operations", "Queries"]

Document = dict[str, Any]

OVER = frozenset({"succeeded", "degraded", "failed", "crashed", "cancelled", "interrupted"})
TRIES = 3
LONGEST_PAUSE_S = 10.0
"""Of what the server asks to wait (`Retry-After`); beyond, the error is told at once."""


class ApiError(Exception):
    """The API refused, or could not be reached.

    Attributes:
        message, hint: What was wrong, and what to do.
        status: Of HTTP; 0: nobody answered.
        error: The error's name, as the command line has it, e.g. `ConfigError`.
        transient: Whether another try makes sense; `retry_after`: in so many seconds.
        request_id: Stands in the server's log beside what happened.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        error: str = "",
        transient: bool = False,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message, self.hint, self.status, self.error = message, hint, status, error
        self.transient, self.retry_after, self.request_id = transient, retry_after, request_id


class Client:
    """A connection to one API. Thread-safe; close it, or use it in a `with` block.

    What fails in passing (nobody answers, 429, 503) is tried again, `TRIES` times in all. A POST has an
    `Idempotency-Key`, so that it is done once however often it is sent.

    Args:
        url: Where the API is, e.g. `http://127.0.0.1:8000`.
        token: As `tokens create` printed it; "": none, on the machine of the API.
        timeout: Seconds for an answer.
        transport: Of httpx, for tests and proxies.
        tries: How often what fails in passing is asked for, all in all.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        base = f"{url.rstrip('/')}/api/v1"
        self._http = httpx.Client(base_url=base, headers=headers, timeout=timeout, transport=transport)
        self._sleep = sleep
        self._tries = tries
        self.queries = Queries(self)
        self.operations = Operations(self)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Document:
        """The JSON of a path below `/api/v1`; a parameter that is None is left out."""
        return self._asked("GET", path, params=_given(parameters))

    def each(self, member: str, path: str, **parameters: Any) -> list[Document]:
        """The list that stands in it under a name."""
        return list(self.get(path, **parameters)[member])

    def post(self, path: str, **body: Any) -> Document:
        """Have something done; gives the JSON that tells what."""
        return self._asked("POST", path, json=_given(body), headers={"Idempotency-Key": str(uuid.uuid4())})

    def delete(self, path: str) -> Document:
        return self._asked("DELETE", path)

    def pages(self, path: str, limit: int | None = None, **parameters: Any) -> Iterator[Document]:
        """The items of a long list, page after page as they are asked for; `limit`: so many at most."""
        cursor, left = None, limit
        while left is None or left > 0:
            size = 1000 if left is None else min(left, 1000)
            page = self.get(path, limit=size, cursor=cursor, **parameters)
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            if (cursor := page["next"]) is None:
                return

    @contextmanager
    def streamed(self, path: str, **parameters: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            with self._http.stream("GET", path, params=_given(parameters)) as response:
                if response.is_error:
                    response.read()
                    raise _error_of(response)
                yield response
        except httpx.TransportError as error:
            raise _unreachable(self._http, error) from error

    def _asked(self, method: str, path: str, **request: Any) -> Document:
        for left in reversed(range(self._tries)):
            try:
                response = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                # What was perhaps done must not be done twice: only a key, or a look, is safe.
                if not left or method == "DELETE":
                    raise _unreachable(self._http, error) from error
                self._sleep(0.5)
                continue
            if not response.is_error:
                body: Document = response.json()
                return body
            failed = _error_of(response)
            pause = 1.0 if failed.retry_after is None else failed.retry_after
            if not left or not failed.transient or failed.status == 504 or pause > LONGEST_PAUSE_S:
                raise failed
            self._sleep(pause)
        raise AssertionError("the last try answers or raises")


class Queries:
    """What may be looked at: nothing is changed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def status(self, *, as_of: str | None = None) -> Document:
        return self._client.get("/status", as_of=as_of)

    def whoami(self) -> Document:
        """Who asks (`name`), and what they may do (`role`)."""
        return self._client.get("/whoami")

    def news(self, since: str) -> Document:
        """What happened since a moment (RFC 3339)."""
        return self._client.get("/news", since=since)

    def trends(self, *, points: int = 40, as_of: str | None = None) -> list[Document]:
        """Rows and score of the last runs of every dataset."""
        return self._client.each("trends", "/trends", points=points, as_of=as_of)

    def health(self) -> Document:
        return self._client.get("/health")

    def datasets(self) -> list[Document]:
        return self._client.each("datasets", "/datasets")

    def dataset(self, name: str) -> Document:
        return self._client.get(f"/datasets/{_part(name)}")

    def why(self, name: str) -> Document:
        return self._client.get(f"/datasets/{_part(name)}/why")

    def quality(self, name: str) -> Document:
        return self._client.get(f"/datasets/{_part(name)}/quality")

    def profile(self, name: str, *, batch: bool = False) -> Document:
        return self._client.get(f"/datasets/{_part(name)}/profile", batch=batch)

    def versions(self, name: str, *, as_of: str | None = None) -> Document:
        return self._client.get(f"/datasets/{_part(name)}/versions", as_of=as_of)

    def difference(self, name: str, before: str | None = None, after: str | None = None) -> Document:
        """What differs between two versions: columns, rows, figures, and the same in words."""
        return self._client.get(f"/datasets/{_part(name)}/difference", before=before, after=after)

    def dataset_runs(self, name: str, *, limit: int | None = 20, as_of: str | None = None) -> Iterator[Document]:
        """What came of it in each run, the newest first."""
        return self._client.pages(f"/datasets/{_part(name)}/runs", limit, as_of=as_of)

    def quality_history(
        self, name: str, *, since: str | None = None, as_of: str | None = None, limit: int = 300
    ) -> Document:
        """Its score and the parts of it over time."""
        asked = {"since": since, "as_of": as_of, "limit": limit}
        return self._client.get(f"/datasets/{_part(name)}/quality/history", **asked)

    def raw(self, name: str) -> Document:
        """The runs whose raw answers are kept, for `operations.run(..., from_raw=)`."""
        return self._client.get(f"/datasets/{_part(name)}/raw")

    def partitions(self, name: str, *, only: Sequence[str] = ()) -> Document:
        return self._client.get(f"/datasets/{_part(name)}/partitions", only=list(only) or None)

    def lineage(self, *datasets: str) -> Document:
        """What is made of what: of these datasets, with all above and all below them."""
        return self._client.get("/lineage", dataset=list(datasets) or None)

    def rows(
        self, name: str, *, columns: Sequence[str] = (), limit: int | None = None, batch: bool = False
    ) -> list[Document]:
        """The rows that readers of a dataset get; times and decimals as text. Many rows: `table` or `batches`."""
        asked = {"columns": list(columns) or None, "limit": limit, "batch": batch, "format": "json"}
        found: Any = self._client.get(f"/datasets/{_part(name)}/data", **asked)
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
        path = f"/datasets/{_part(name)}/data"
        with self._client.streamed(path, format=format, version=version) as response:
            yield from response.iter_bytes()

    def metric_names(self) -> list[Document]:
        """Every series that is kept."""
        return self._client.each("metrics", "/metrics/names")

    def history(
        self,
        *metrics: str,
        since: str | None = None,
        until: str | None = None,
        points: int = 300,
    ) -> list[Document]:
        """Figures over time, by name: `orders.rows`, or a number of yours."""
        asked = {"metric": list(metrics), "since": since, "until": until, "points": points}
        return self._client.each("history", "/metrics/history", **asked)

    def metrics(self) -> Document:
        return self._client.get("/metrics")

    def anomalies(self, *metrics: str) -> Document:
        return self._client.get("/anomalies", metric=list(metrics))

    def backtest(self, *metrics: str, rate: float | None = None) -> Document:
        """What would have been told of all that is stored, at this rate or at several."""
        return self._client.get("/anomalies/backtest", metric=list(metrics), rate=rate)

    def expected(self, *metrics: str, since: str | None = None, until: str | None = None) -> list[Document]:
        """Between what figures were expected, for charts."""
        return self._client.each("expected", "/anomalies/expected", metric=list(metrics), since=since, until=until)

    def feedback(self, *metrics: str) -> list[Document]:
        """What people said about anomalies, and counts."""
        return self._client.each("feedback", "/anomalies/feedback", metric=list(metrics))

    def runs(
        self, *, status: str | None = None, limit: int | None = 20, as_of: str | None = None
    ) -> Iterator[Document]:
        """The newest first."""
        return self._client.pages("/runs", limit, status=status, as_of=as_of)

    def runs_page(self, *, cursor: str | None = None, limit: int = 20, **asked: str | None) -> Document:
        """One page of them: `items`, and `next`, the cursor of the page after it."""
        return self._client.get("/runs", cursor=cursor, limit=limit, **asked)

    def run(self, run_id: str, *, as_of: str | None = None) -> Document:
        return self._client.get(f"/runs/{_part(run_id)}", as_of=as_of)

    def logs(self, run_id: str, *, limit: int = 200) -> Document:
        """What was logged for a run."""
        return self._client.get(f"/runs/{_part(run_id)}/logs", limit=limit)

    def wait(self, run_id: str, *, timeout: float | None = None) -> Document:
        """The run once it is over.

        Raises:
            ApiError: it is not over after `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 20.0 if end is None else end - time.monotonic()
            run = self._client.get(f"/runs/{_part(run_id)}", wait=min(20, max(0, round(left))))
            if run["status"] in OVER:
                return run
            if left <= 0:
                raise ApiError(f"run {run_id} is {run['status']} after {timeout:g} s", transient=True)

    def follow(self, run_id: str) -> Iterator[Document]:
        """The run now, at each change, and at its end, which is the last."""
        with self._client.streamed(f"/runs/{_part(run_id)}/follow") as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    run = json.loads(line[6:])
                    yield run
                    if run["status"] in OVER:
                        return
        raise ApiError("the server ended before the run", hint="follow it once more", transient=True)

    def backfills(self, *, dataset: str | None = None, limit: int | None = 20) -> Iterator[Document]:
        return self._client.pages("/backfills", limit, dataset=dataset)

    def backfill(self, backfill: str) -> Document:
        return self._client.get(f"/backfills/{_part(backfill)}")

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
        return self._client.post("/backfills", **body, dry_run=True)

    def quarantine(self, *, dataset: str | None = None) -> list[Document]:
        return self._client.each("quarantine", "/quarantine", dataset=dataset)

    def quarantined(
        self, dataset: str, run: str | None = None, *, after: int | None = None, limit: int | None = None
    ) -> list[Document]:
        """Rows with the rules they broke, of the newest run that has any, or of `run`.

        `after`: so many are passed over, `limit` is the next page; without it, a sample.
        """
        asked = {"run": run, "after": after, "limit": limit, "format": "json"}
        found: Any = self._client.get(f"/quarantine/{_part(dataset)}", **asked)
        return list(found)

    def qualities(self, *, passed: bool = False) -> Document:
        """All datasets and the rules they broke, the worst first; `passed`: also rules that nothing broke."""
        return self._client.get("/quality", passed=passed)

    def quality_days(self, *datasets: str, since: str | None = None, until: str | None = None) -> Document:
        """Scores by day, of these datasets or of all."""
        return self._client.get("/quality/days", dataset=list(datasets) or None, since=since, until=until)

    def providers(self) -> list[Document]:
        return self._client.each("providers", "/providers")

    def events(self, *, limit: int | None = 50, **filters: str) -> Iterator[Document]:
        """The newest first; `type="batch.*"`, `source=`, `subject=`, `since=`, `until=`, `text=`, `run=`."""
        return self._client.pages("/events", limit, **filters)

    def events_page(self, *, cursor: str | None = None, limit: int = 50, **filters: str) -> Document:
        """One page of them: `items`, and `next`, the cursor of the page after it."""
        return self._client.get("/events", cursor=cursor, limit=limit, **filters)

    def event(self, seq: int) -> Document:
        return self._client.get(f"/events/{seq}")

    def proof(self) -> Document:
        """How the last proof of the log stands."""
        return self._client.get("/events/verification")

    def consumers(self) -> Document:
        """Who follows the log, and what they went on without."""
        return self._client.get("/events/consumers")

    def incidents(self, *, over: int = 0, as_of: str | None = None) -> list[Document]:
        return self._client.each("incidents", "/incidents", over=over, as_of=as_of)

    def incident(self, incident: str, *, as_of: str | None = None) -> Document:
        return self._client.get(f"/incidents/{_part(incident)}", as_of=as_of)

    def explain(self, incident: str, *, as_of: str | None = None) -> Document:
        return self._client.get(f"/incidents/{_part(incident)}/explain", as_of=as_of)

    def silences(self, *, ended: bool = False, as_of: str | None = None) -> list[Document]:
        return self._client.each("silences", "/silences", ended=ended, as_of=as_of)

    def channels(self) -> list[Document]:
        return self._client.each("channels", "/channels")

    def letters(self, state: Literal["waiting", "sent", "dead"] = "waiting", *, limit: int = 50) -> list[Document]:
        return self._client.each("letters", "/outbox", state=state, limit=limit)

    def letter(self, key: str) -> Document:
        """A message with its words."""
        return self._client.get(f"/letters/{_part(key)}")

    def breakers(self) -> list[Document]:
        return self._client.each("breakers", "/breakers")

    def cache(self) -> Document:
        return self._client.get("/cache")

    def host(self) -> Document:
        """The machine of the API, now."""
        return self._client.get("/host")

    def schedules(self, *datasets: str) -> Document:
        return self._client.get("/schedules", dataset=list(datasets))

    def configuration(self) -> Document:
        return self._client.get("/configuration")

    @contextmanager
    def _arrow(
        self, name: str, columns: Sequence[str], limit: int | None, batch: bool, **more: int | str | None
    ) -> Iterator[Any]:
        import pyarrow as pa

        asked = {"columns": list(columns) or None, "limit": limit, "batch": batch, "format": "arrow", **more}
        with (
            self._client.streamed(f"/datasets/{_part(name)}/data", **asked) as response,
            pa.ipc.open_stream(BufferedReader(_Incoming(response.iter_bytes()), 1 << 20)) as stream,
        ):
            yield stream


class Operations:
    """What changes something; needs the role of an operator."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(
        self, datasets: Sequence[str] = (), *, fresh: bool = False, from_raw: str = "", priority: int = 0
    ) -> Document:
        """Start a run of these datasets, or of all; `run_id` is for `queries.wait` and `queries.follow`.

        `from_raw`: take what came in this run in place of the providers.
        """
        body = {"datasets": list(datasets), "fresh": fresh, "from_raw": from_raw, "priority": priority}
        return self._client.post("/runs", **body)

    def cancel(self, run_id: str, *, reason: str = "") -> Document:
        return self._client.post(f"/runs/{_part(run_id)}/cancel", reason=reason)

    def resume_run(self, run_id: str) -> Document:
        """Have somebody go on with one that was broken off."""
        return self._client.post(f"/runs/{_part(run_id)}/resume")

    def retry_parked(self, consumer: str, event: int | None = None) -> Document:
        """Have a consumer try what it parked once more, or one event of it."""
        return self._client.post(f"/events/consumers/{_part(consumer)}/retry", event=event)

    def prove(self) -> Document:
        """Begin to prove the log whole; `queries.proof` tells how that stands."""
        return self._client.post("/events/verification")

    def accept(self, name: str, version: str | None = None, *, reason: str = "", force: bool = False) -> Document:
        body = {"version": version, "reason": reason, "force": force}
        return self._client.post(f"/datasets/{_part(name)}/accept", **body)

    def reject(self, name: str, version: str | None = None, *, reason: str = "") -> Document:
        return self._client.post(f"/datasets/{_part(name)}/reject", version=version, reason=reason)

    def rollback(self, name: str, version: str | None = None, *, reason: str = "") -> Document:
        return self._client.post(f"/datasets/{_part(name)}/rollback", version=version, reason=reason)

    def replay(self, dataset: str, run: str | None = None, *, reason: str = "", force: bool = False) -> Document:
        body = {"run": run, "reason": reason, "force": force}
        return self._client.post(f"/quarantine/{_part(dataset)}/replay", **body)

    def drop(self, dataset: str, run: str | None = None, *, rules: Sequence[str] = (), reason: str = "") -> Document:
        body = {"run": run, "rules": list(rules), "reason": reason}
        return self._client.post(f"/quarantine/{_part(dataset)}/drop", **body)

    def backfill(
        self,
        dataset: str,
        begin: str | None = None,
        end: str | None = None,
        *,
        partitions: Sequence[str] = (),
        only: Sequence[Literal["missing", "failed", "held"]] = (),
    ) -> Document:
        """Collect the pieces from `begin` up to `end`, which is not among them."""
        body = {"dataset": dataset, "from": begin, "to": end, "partitions": list(partitions), "only": list(only)}
        return self._client.post("/backfills", **body)

    def cancel_backfill(self, backfill: str, *, reason: str = "") -> Document:
        return self._client.post(f"/backfills/{_part(backfill)}/cancel", reason=reason)

    def resume_backfill(self, backfill: str) -> Document:
        return self._client.post(f"/backfills/{_part(backfill)}/resume")

    def open_breaker(self, provider: str, *, reason: str = "") -> Document:
        return self._client.post(f"/breakers/{_part(provider)}/open", reason=reason)

    def close_breaker(self, provider: str, *, reason: str = "", hold: bool = False) -> Document:
        return self._client.post(f"/breakers/{_part(provider)}/close", reason=reason, hold=hold)

    def reset_breaker(self, provider: str | None = None) -> Document:
        return self._client.post("/breakers/reset" if provider is None else f"/breakers/{_part(provider)}/reset")

    def watch_level(self, level: Literal["IDLE", "NORMAL", "INTENSIVE", "CRITICAL"]) -> Document:
        return self._client.post("/host/level", level=level)

    def protect_mode(self, mode: Literal["dev", "test", "prod"]) -> Document:
        return self._client.post("/host/mode", mode=mode)

    def clear_cache(self, *, reason: str = "") -> Document:
        return self._client.post("/cache/clear", reason=reason)

    def record(self, name: str, value: float, *, unit: str = "", tags: Mapping[str, str] = {}) -> Document:
        return self._client.post("/metrics", name=name, value=value, unit=unit, tags=dict(tags))

    def say(
        self,
        kind: Literal["fine", "fine_since", "normal_since", "excluded"],
        *metrics: str,
        at: str | None = None,
        until: str | None = None,
        reason: str = "",
    ) -> Document:
        """What is to be known about anomalies; see `/docs`."""
        body = {"kind": kind, "metrics": list(metrics), "at": at, "until": until, "reason": reason}
        return self._client.post("/anomalies/feedback", **body)

    def take_back(self, number: int) -> Document:
        return self._client.delete(f"/anomalies/feedback/{number}")

    def acknowledge(self, incident: str, *, until: str | None = None, comment: str = "") -> Document:
        return self._client.post(f"/incidents/{_part(incident)}/acknowledge", until=until, comment=comment)

    def resolve(self, incident: str, *, reason: str = "") -> Document:
        return self._client.post(f"/incidents/{_part(incident)}/resolve", reason=reason)

    def silence(self, *matchers: str, until: str, begin: str | None = None, reason: str = "") -> Document:
        body = {"matchers": list(matchers), "until": until, "from": begin, "reason": reason}
        return self._client.post("/silences", **body)

    def end_silence(self, silence: str) -> Document:
        return self._client.delete(f"/silences/{_part(silence)}")

    def resend(self, *keys: str) -> Document:
        """Try messages again that nobody took; no keys: all of them."""
        return self._client.post("/outbox/resend", keys=list(keys))

    def test_channel(self, channel: str) -> Document:
        return self._client.post(f"/channels/{_part(channel)}/test")

    def pause(self, *datasets: str, reason: str = "") -> Document:
        return self._client.post("/schedules/pause", datasets=list(datasets), reason=reason)

    def resume(self, *datasets: str) -> Document:
        return self._client.post("/schedules/resume", datasets=list(datasets))

    def maintain(self, *, dry_run: bool = False, seconds: float = 20.0) -> Document:
        return self._client.post("/maintenance", dry_run=dry_run, seconds=seconds)


class _Incoming(RawIOBase):
    """What comes, as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _part(text: str) -> str:
    return quote(text, safe="")


def _error_of(response: httpx.Response) -> ApiError:
    """The problem that was told; of what is no API of ours, at least the status."""
    try:
        told = response.json()
        message = str(told["detail"])
    except (ValueError, TypeError, LookupError):
        told, message = {}, f"{response.request.method} {response.request.url.path}: {response.status_code}"
    after = response.headers.get("retry-after", "")
    return ApiError(
        message,
        hint=str(told.get("hint", "")),
        status=response.status_code,
        error=str(told.get("error", "")),
        transient=bool(told.get("transient", response.status_code in {429, 502, 503})),
        retry_after=float(after) if after.isdigit() else None,
        request_id=str(told.get("request_id", "")),
    )


def _unreachable(http: httpx.Client, error: httpx.TransportError) -> ApiError:
    words = f"{http.base_url.copy_with(userinfo=b'')}: {error or type(error).__name__}"
    return ApiError(words, hint="is `api` or `serve` running there?", transient=True)
