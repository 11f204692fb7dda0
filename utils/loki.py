"""Log entries to a Grafana Loki: in batches, from a thread of its own, dropped with a count rather than waited for.

The protocol is Loki's HTTP API: `POST /loki/api/v1/push` with streams of labelled lines, answered by 204
(https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs).
"""

import gzip
import http.client
import ssl
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from utils.log_forms import Entry, as_json

__all__ = ["LokiFigures", "LokiSink"]

PATH = "/loki/api/v1/push"
MOST_IN_BATCH = 1_000
MOST_BYTES = 500_000
"""Of the lines of a batch; Loki takes 4 MB by default."""

MOST_WAITING_BYTES = 32 * 2**20
"""Of the lines that wait: a server that is away for long must not cost the memory that the program needs."""

GZIP_FROM = 1_000
TIMEOUT_S = 5.0
LONGEST_RETRY_S = 30.0
TELL_EVERY_S = 60.0

_Line = tuple[str, str, int, bytes]
"""Component, level, nanoseconds since 1970, the line."""


@dataclass(frozen=True, slots=True)
class LokiFigures:
    """What became of lines so far. `waiting`: not sent yet; `reason`: why the last ones were not taken."""

    sent: int
    dropped: int
    waiting: int
    reason: str


class LokiSink:
    """A sink of `utils.logger`. `write` never waits: what there is no room for takes the place of the oldest.

    A server that is away, slow, or answers 429 or 5xx is tried again, each time after twice as long (half a second to
    thirty; `Retry-After` holds); what it refuses otherwise (400, 401 ...) is dropped, for it would refuse it again.
    How many lines were dropped is told by `told`, at most once a minute, and by `figures`.

    Args:
        url: Of the server; the user part is sent as Basic credentials.
        labels: Of every stream; `component` and `level` are added.
        told: Called with (lines dropped since it was told last, lines dropped in all, why).
        most: Lines that wait at most; `most_bytes`: bytes of these, the newest line excepted.
        wait_s: How long a line waits for company.
        retry_s: Seconds before the first try again.
        flush_s: How long `close` waits for what is on its way.
    """

    def __init__(
        self,
        url: str,
        labels: Mapping[str, str],
        *,
        told: Callable[[int, int, str], object] | None = None,
        most: int = 20_000,
        most_bytes: int = MOST_WAITING_BYTES,
        wait_s: float = 1.0,
        retry_s: float = 0.5,
        flush_s: float = 2.0,
    ) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        self._headers = {"Content-Type": "application/json", "User-Agent": "cloud-data-orchestrator"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        self._labels = dict(labels)
        self._told = told
        self._most, self._most_bytes = most, most_bytes
        self._wait_s = wait_s
        self._retry_s = retry_s
        self._flush_s = flush_s
        self._changed = threading.Condition()
        self._waiting: deque[_Line] = deque()
        self._bytes = 0  # of those lines
        self._flying = 0  # lines at the left end that a request carries just now
        self._sent = self._dropped = self._dropped_told = 0
        self._reason = ""
        self._ends: float | None = None  # until when what is left may still go out
        self._thread: threading.Thread | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._tell_at = 0.0

    def write(self, entry: Entry) -> None:
        """Put it into the queue."""
        line = as_json(entry)[:-1]
        with self._changed:
            if self._ends is not None:
                return
            self._bytes += len(line)
            while self._is_full():
                # What a request carries is perhaps taken: the oldest behind it goes.
                self._bytes -= len(self._waiting[self._flying][3])
                del self._waiting[self._flying]
                self._dropped += 1
            self._waiting.append((entry.component, entry.level.lower(), round(entry.created * 1e6) * 1000, line))
            if self._thread is None or not self._thread.is_alive():  # a fork has none
                # A daemon: a server that hangs must not keep the program from ending.
                self._thread = threading.Thread(target=self._work, name="loki", daemon=True)
                self._thread.start()
            elif len(self._waiting) in {1, MOST_IN_BATCH}:
                self._changed.notify_all()

    def _is_full(self) -> bool:
        """Whether one that waits has to go, for the line that comes."""
        too_many = len(self._waiting) >= self._most or self._bytes > self._most_bytes
        return too_many and len(self._waiting) > self._flying

    def figures(self) -> LokiFigures:
        """Counts of this process."""
        with self._changed:
            return LokiFigures(self._sent, self._dropped, len(self._waiting), self._reason)

    def close(self) -> None:
        """Send what waits, for `flush_s` seconds at most; the rest is dropped and told."""
        with self._changed:
            if self._ends is None:
                self._ends = time.monotonic() + self._flush_s
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(self._flush_s)
        with self._changed:
            self._dropped += len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
        self._tell(at_once=True)

    def _work(self) -> None:
        retry_s = self._retry_s
        while (batch := self._next()) is not None:
            reason, again_s = self._send(batch)
            with self._changed:
                self._flying = 0
                if again_s is None:
                    for _ in range(min(len(batch), len(self._waiting))):  # `close` may have cleared them
                        self._bytes -= len(self._waiting.popleft()[3])
                    self._sent += 0 if reason else len(batch)
                    self._dropped += len(batch) if reason else 0
                    retry_s = self._retry_s
                self._reason = reason
            self._tell()
            if again_s is not None:
                self._rest(max(again_s, retry_s))
                retry_s = min(LONGEST_RETRY_S, 2.0 * retry_s)
        if self._connection is not None:
            self._connection.close()

    def _next(self) -> list[_Line] | None:
        """The oldest lines, when there are enough or they have waited; None: it is over."""
        with self._changed:
            while not self._waiting:
                if self._ends is not None:
                    return None
                self._changed.wait()
            if self._ends is None:
                self._changed.wait_for(
                    lambda: self._ends is not None or len(self._waiting) >= MOST_IN_BATCH, self._wait_s
                )
            if self._ends is not None and time.monotonic() >= self._ends:
                return None
            batch: list[_Line] = []
            size = 0
            for line in self._waiting:
                size += len(line[3])
                if batch and (size > MOST_BYTES or len(batch) >= MOST_IN_BATCH):
                    break
                batch.append(line)
            self._flying = len(batch)
            return batch

    def _rest(self, seconds: float) -> None:
        """Before the next try; when it ends meanwhile, not longer than there is time."""
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._ends is not None, seconds)
            if self._ends is not None:
                left = min(until, self._ends) - time.monotonic()
                self._changed.wait_for(lambda: False, max(0.0, left))

    def _send(self, batch: Iterable[_Line]) -> tuple[str, float | None]:
        """Why it was not taken, "" when it was; and after how many seconds to try again, None: never."""
        body = self._body(batch)
        headers = self._headers
        if len(body) >= GZIP_FROM:
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        try:
            connection = self._connected()
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            answer.read(65_536)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            return f"{type(error).__name__}: {error}".removesuffix(": "), 0.0
        if answer.will_close:
            connection.close()
        if 200 <= answer.status < 300:
            return "", None
        if answer.status == 429 or answer.status >= 500:
            return f"status {answer.status}", _seconds(answer.getheader("Retry-After"))
        return f"status {answer.status}", None

    def _body(self, batch: Iterable[_Line]) -> bytes:
        import orjson

        streams: dict[tuple[str, str], list[list[str]]] = {}
        for component, level, nanoseconds, line in batch:
            streams.setdefault((component, level), []).append([str(nanoseconds), line.decode("utf-8", "replace")])
        told: list[dict[str, Any]] = [
            {"stream": {**self._labels, "component": component, "level": level}, "values": values}
            for (component, level), values in streams.items()
        ]
        return orjson.dumps({"streams": told})

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._tls:
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=TIMEOUT_S, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        return self._connection

    def _tell(self, *, at_once: bool = False) -> None:
        with self._changed:
            new, whole, reason = self._dropped - self._dropped_told, self._dropped, self._reason
            if not new or (time.monotonic() < self._tell_at and not at_once):
                return
            self._dropped_told = whole
            self._tell_at = time.monotonic() + TELL_EVERY_S
        if self._told is not None:
            self._told(new, whole, reason or "more lines came than it took")


def _seconds(retry_after: str | None) -> float:
    """`Retry-After`, bounded; 0.0: none."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return min(LONGEST_RETRY_S, float(retry_after))
    from utils.http_date import http_date

    moment = http_date(retry_after)
    return 0.0 if moment is None else min(LONGEST_RETRY_S, max(0.0, moment.timestamp() - time.time()))
