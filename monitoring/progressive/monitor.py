"""Watches the host: takes snapshots as often as the level says, decides on the level, tells whoever asked."""

import threading
import time as _time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from monitoring.progressive.callbacks import Callback, Callbacks
from monitoring.progressive.cost import OwnCost
from monitoring.progressive.levels import Level
from monitoring.progressive.notices import LevelChanged, Notice, Overloaded, Throttled
from monitoring.progressive.policy import CALM_S, Decision, asked_for, begin, decide, take_up
from monitoring.progressive.report import Report, report
from monitoring.progressive.snapshot import Sampled, Snapshot, snapshot
from monitoring.progressive.states import DEFAULT_THRESHOLDS, Resource, ResourceState, Thresholds
from utils.clock import SYSTEM_CLOCK, Clock
from utils.logger import get_logger

__all__ = ["SNAPSHOTS", "ProgressiveMonitor"]

SNAPSHOTS = 1000
"""How many are kept."""

LOG_EVERY_S = 60.0
"""A report goes to the log file so often at most, as long as the states are the same: a full disk stays full."""

NAMED = 3
"""Processes that the notice of an overload names."""

_STOP_S = 5.0

Listener = Callable[[Snapshot | Notice | Report], None]


class ProgressiveMonitor:
    """Watches more closely the worse the host stands, and comes back step by step once it is calm.

    Whoever has a loop of their own calls `step`; `start` does it in a thread. Safe for threads. Nothing that a sample
    holds raises; a callback that raises or hangs is told in the log and hinders nobody.

    Args:
        collect: Gives a sample: `MetricsCollector.collect`.
        level: Where it begins, and comes back to.
        calm_s: Seconds without a warning after which it comes down one level.
        history: Snapshots kept.
        cpu_time: Processor seconds of the calling thread.
    """

    def __init__(
        self,
        collect: Callable[[], Sampled],
        *,
        thresholds: Thresholds = DEFAULT_THRESHOLDS,
        level: Level = Level.NORMAL,
        calm_s: float = CALM_S,
        history: int = SNAPSHOTS,
        clock: Clock = SYSTEM_CLOCK,
        cpu_time: Callable[[], float] = _time.thread_time,
    ) -> None:
        self.thresholds = thresholds
        self._collect, self._calm_s = collect, calm_s
        self._listeners: list[Listener] = []
        self._clock, self._cpu_time = clock, cpu_time
        self._log = get_logger("monitor")
        self._stepping = threading.Lock()  # one step at a time; held while the sample is taken
        self._changed = threading.Condition()  # guards what is below, and wakes the thread
        self._condition = begin(level)
        self._snapshots: deque[Snapshot] = deque(maxlen=history)
        self._taken = 0
        self._absurd: Counter[str] = Counter()
        self._cost = OwnCost()
        self._callbacks = Callbacks(clock)
        self._due = self._clock.monotonic()
        self._reported_at = self._due
        self._logged: Mapping[str, ResourceState] = {}
        self._logged_at = self._due
        self._planned_s = level.interval_s
        self._thread: threading.Thread | None = None
        self._stopping = False

    # --- what others ask

    @property
    def level(self) -> Level:
        """At which it watches now."""
        return self._condition.level

    @property
    def states(self) -> dict[str, ResourceState]:
        """`stable`, `warning` or `critical` by resource; one that could not be read has none."""
        return self._condition.states()

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot."""
        with self._changed:
            return self._snapshots[-1] if self._snapshots else None

    def snapshots(self, *, minutes: float | None = None) -> list[Snapshot]:
        """Those that are kept, the oldest first; `minutes`: only of the last ones."""
        with self._changed:
            found = list(self._snapshots)
        if minutes is None:
            return found
        since = self._clock.monotonic() - 60.0 * minutes
        return [one for one in found if one.at >= since]

    def report(self) -> Report:
        """How the host stands now."""
        with self._changed:
            return report(
                self._condition,
                self._snapshots,
                snapshots=self._taken,
                absurd=self._absurd,
                cost_percent=self._cost.percent,
                stretch=self._cost.stretch,
                callbacks_failed=self._callbacks.raised,
                callbacks_hung=self._callbacks.hung,
            )

    @property
    def cpu_s(self) -> float:
        """Processor seconds of all steps so far."""
        return self._cost.total_s

    def set_level(self, level: Level | str, *, reason: str = "", actor: str = "") -> Level:
        """Watch at this level from now on, and come back to it; gives the level that holds now.

        What was read last may ask for a higher one: then that holds until it is calm. Before the first look it is where
        the watch begins, which is no news.

        Raises:
            ValueError: there is no such level.
        """
        try:
            base = Level(str(level).upper())
        except ValueError:
            raise ValueError(f"{level!r} is no level: {', '.join(Level)}") from None
        with self._changed:
            before = self._condition.base
            decision = asked_for(self._condition, base, self._clock.monotonic(), reason=reason, actor=actor)
            self._condition = decision.condition
            if decision.notices or before is not base:
                self._due = min(self._due, self._clock.monotonic() + self._interval())
                self._changed.notify_all()
            news = decision.notices if self._taken else ()
        self._tell(news)
        return decision.condition.level

    def on_snapshot(self, callback: Callback) -> int:
        """Call it with every `Snapshot`, plain or `async def`; gives the id that `unsubscribe` takes."""
        return self._callbacks.add(Snapshot.type, callback)

    def on_level_changed(self, callback: Callback) -> int:
        """Call it with every `LevelChanged`, likewise."""
        return self._callbacks.add(LevelChanged.type, callback)

    def on_report(self, callback: Callback) -> int:
        """Call it with a `Report`, as often as the level says at most, likewise."""
        return self._callbacks.add(Report.type, callback)

    def on_notice(self, callback: Callback) -> int:
        """Call it with all that is told: `LevelChanged`, `Overloaded`, `Relieved`, `Throttled`; likewise."""
        return self._callbacks.add("host.*", callback)

    def listen(self, listener: Listener) -> None:
        """Call it with all that there is, in order, in the thread that steps or sets the level.

        For parts of the program: unlike a callback it is waited for, and what it raises passes through.
        """
        self._listeners.append(listener)

    def tell(self, notice: Notice) -> None:
        """Tell what a part beside it has found, as its own."""
        self._tell([notice])

    def take_up(self, level: Level, overloaded: Collection[Resource], *, throttled: bool = False) -> None:
        """Go on from what was told by a watch that is over: what is otherwise now is told, ends after the calm time."""
        with self._changed:
            decision = take_up(self._condition, level, overloaded, self._clock.monotonic(), self.thresholds)
            self._condition = decision.condition
            notices = [*decision.notices]
            if throttled and self._cost.stretch == 1:
                notices.append(Throttled(self.level, self._cost.percent or 0.0, 1, self._interval()))
        self._tell(notices)

    def unsubscribe(self, callback: int) -> bool:
        """No further call of it begins; False when the id is not known (any more)."""
        return self._callbacks.remove(callback)

    # --- watching

    def step(self) -> float:
        """Take a snapshot, if it is time to; gives the seconds until it is again."""
        with self._stepping:
            begun = self._cpu_time()
            with self._changed:
                wait, planned_s = self._due - self._clock.monotonic(), self._planned_s
            if wait > 0.0:
                return wait
            try:
                sample = self._collect()
                with self._changed:
                    notices = self._note(sample, planned_s)
                    seen = self._snapshots[-1]
                self._publish(seen)
                self._tell(notices)
                self._callbacks.look()
                self._report_if_due()
            finally:
                self._plan(begun)
            return max(0.0, self._due - self._clock.monotonic())

    def start(self) -> None:
        """Watch in a thread, until `stop`; nothing happens when it does so already."""
        with self._changed:
            if self._thread is not None:
                return
            self._stopping = False
            self._thread = threading.Thread(target=self._watch, name="host-monitor", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Watch no more, and let callbacks finish for a moment."""
        with self._changed:
            self._stopping = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOP_S)
        self._callbacks.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _note(self, sample: Sampled, planned_s: float) -> Sequence[Notice]:
        """Keep a snapshot and decide; the lock is held."""
        at = self._clock.monotonic()
        before = self._snapshots[-1] if self._snapshots else None
        seen = snapshot(sample, at=at, level=self._condition.level, interval_s=planned_s, before=before)
        self._snapshots.append(seen)
        self._taken += 1
        self._absurd.update(seen.absurd)
        decision: Decision = decide(self._condition, seen, self.thresholds, calm_s=self._calm_s)
        self._condition = decision.condition
        return [
            replace(one, top=_users(sample, one.resource)) if isinstance(one, Overloaded) else one
            for one in decision.notices
        ]

    def _plan(self, begun: float) -> None:
        """When the next step is due, by the level and by what the steps cost; `begun`: processor seconds before."""
        with self._changed:
            now = self._clock.monotonic()
            cost = self._cost.note(self._cpu_time() - begun, now)
            self._planned_s = self._interval()
            self._due = now + self._planned_s
            told = None if cost is None else Throttled(self.level, cost, self._cost.stretch, self._planned_s)
        if told is not None:
            self._tell([told])

    def _interval(self) -> float:
        return self._condition.level.interval_s * self._cost.stretch

    def _report_if_due(self) -> None:
        now = self._clock.monotonic()
        if 0.0 <= now - self._reported_at < self.level.report_s:
            return
        self._reported_at = now
        found = self.report()
        self._publish(found)
        if found.states != self._logged or not 0.0 <= now - self._logged_at < LOG_EVERY_S:
            self._logged, self._logged_at = found.states, now
            calm = set(found.states.values()) <= {"stable"}
            (self._log.debug if calm else self._log.info)("host.reported", told=found.words())

    def _tell(self, notices: Sequence[Notice]) -> None:
        for one in notices:
            self._log.info(one.type, told=one.words())
            self._publish(one)

    def _publish(self, one: Snapshot | Notice | Report) -> None:
        self._callbacks.publish(one)
        for listener in self._listeners:
            listener(one)

    def _watch(self) -> None:
        while True:
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - whatever it was: told, and the watch goes on
                self._log.error("host.not_watched", error=f"{type(error).__name__}: {error}", exc=error)
            with self._changed:
                if not self._stopping:
                    self._changed.wait(max(0.0, self._due - self._clock.monotonic()))
                if self._stopping:
                    return


def _users(sample: Sampled, resource: Resource) -> tuple[dict[str, Any], ...]:
    """The processes that use the most of a resource, as far as the sample tells."""
    figure = {"cpu": "cpu_percent", "memory": "rss_bytes"}.get(resource)
    if figure is None:
        return ()
    found = getattr(sample, f"top_{resource}", ())
    return tuple({"pid": one.pid, "name": one.name, figure: _rounded(getattr(one, figure))} for one in found[:NAMED])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
