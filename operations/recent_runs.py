"""How the newest dataset runs ended, of all datasets: read once, then followed in the log.

Who scrapes asks for them every few seconds, and to read the last twenty of each dataset anew cost more than all other
figures together. So they are kept in memory, and what was committed since is added.
"""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data_pipeline.store.projection import OUTCOMES
from integrated_system import IntegratedSystem
from utils.metrics import Metrics

__all__ = ["RecentRuns"]

EACH = 20
"""So many runs of a dataset are recent."""

_MOST_NEW = 20_000
"""So many events are read to catch up; behind more of them it is cheaper to read the runs anew."""

_FORGETS = "maintenance.finished"
_AT_ONCE = 1000


class _Outcome(NamedTuple):
    time: str
    run_id: str
    status: str
    origin: str
    seconds: float


class RecentRuns:
    """Of the declared datasets; runs of backfills left out. Safe for threads."""

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._lock = threading.Lock()
        self._seen = -1
        self._of: dict[str, deque[_Outcome]] = {}
        self._metrics = Metrics()

    def metrics(self) -> Metrics:
        """As of now; the same object while nothing ended."""
        with self._lock:
            head = self._system.events.head()[0]
            if head != self._seen:
                news = self._begin() if self._must_begin(head) else self._catch_up()
                self._seen = head
                if news:
                    self._metrics = _as_metrics([one for outcomes in self._of.values() for one in outcomes])
            return self._metrics

    def _must_begin(self, head: int) -> bool:
        if self._seen < 0 or not 0 < head - self._seen < _MOST_NEW:
            return True
        return bool(self._system.events.read(after=self._seen, type=_FORGETS, limit=1))

    def _begin(self) -> bool:
        self._of = {
            dataset.name: deque(
                sorted(_outcome(body["time"], body) for body in self._system.views.recent(dataset.name, limit=EACH)),
                maxlen=EACH,
            )
            for dataset in self._system.settings.datasets
        }
        return True

    def _catch_up(self) -> bool:
        """Add what was committed since; whether there was anything that the views had not told already."""
        after, news = self._seen, False
        while True:
            events = self._system.events.read(after=after, type="dataset.*", limit=_AT_ONCE)
            for event in events:
                outcomes = self._of.get(event.subject)
                if event.type not in OUTCOMES or outcomes is None or "backfill" in event.data:
                    continue
                told = _outcome(event.time, event.data)
                before = next((outcome for outcome in outcomes if outcome.run_id == told.run_id), None)
                if before == told:
                    continue
                if before is not None:
                    outcomes.remove(before)
                outcomes.append(told)
                news = True
            if len(events) < _AT_ONCE:
                return news
            after = events[-1].seq


def _as_metrics(outcomes: Sequence[_Outcome]) -> Metrics:
    metrics = Metrics()
    seconds = metrics.histogram("orchestrator_dataset_run_seconds", "Duration of recent dataset runs")
    ended = metrics.gauge(
        "orchestrator_recent_dataset_runs", "How recent dataset runs ended", labels=("status", "origin")
    )
    one = seconds.labels()
    for outcome in outcomes:
        one.observe(outcome.seconds)
    for (status, origin), count in Counter((outcome.status, outcome.origin) for outcome in outcomes).items():
        ended.set(count, status=status, origin=origin)
    return metrics


def _outcome(time: str, body: Mapping[str, Any]) -> _Outcome:
    return _Outcome(time, body["run_id"], body["status"], body["origin"], body["duration_s"])
