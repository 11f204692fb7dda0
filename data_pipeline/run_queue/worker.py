"""Works off the run queue: takes what waits, as much as the limits allow, and goes on with what was broken off."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.errors import DatasetBusy, ExecutorAway
from data_pipeline.run_queue.at_work import sign_on
from data_pipeline.run_queue.queue import CannotBegin, NothingToCancel, RunQueue
from data_pipeline.runner import STOPPED
from data_pipeline.store.run_views import MOST_CRASHES, Run
from data_pipeline.store.views import Views
from data_pipeline.workforce import Workforce
from utils.clock import Clock
from utils.database import StateError
from utils.leases import Lease, Leases
from utils.logger import get_logger
from utils.resilience.cancellation import CancelToken

__all__ = ["Asked", "QueueWorker", "Taken"]

OLDEST_EVERY = 8
"""Of so many runs that are begun one is the one that waits the longest: no priority keeps another waiting for ever."""

LOOK_EVERY_S = 5.0
"""How often it is looked whether other processes died, and their runs are put back."""

AGAIN_S = 1.0
"""Until a run is tried again whose datasets were being worked on elsewhere, or that could not be begun."""

LOOK_S = 0.2
"""Until it is looked again whether to stop."""

STOP_S = 5.0
"""How long runs may go on that are under way when the worker is stopped; then they are put back."""

PAGE, MOST_LOOKED_AT = 200, 2000
"""Runs that are read at once, and of which one is looked for that may be begun."""

MOST_LEFT_OUT = 50
"""Datasets at work whose runs are not even read: however many of them wait, those of others are found."""

DATASETS_LOOKED_AT = 50
"""Of a run: so many of its datasets tell whether it can be begun."""


class Asked(NamedTuple):
    """A dataset and whom it is asked of."""

    settings: DatasetSettings
    provider: str


@dataclass(slots=True)
class Taken:
    """A run that this process works on. `waits_for`: the providers of which its first dataset has not begun yet."""

    run: Run
    cancel: CancelToken = field(default_factory=CancelToken)
    waits_for: frozenset[str] = frozenset()


class QueueWorker:
    """Takes runs from the queue and has them executed, several at once. Any number of processes may have one.

    Which is next: the highest priority, among equals the one that waits the longest; every eighth is the one that
    waits the longest of all. A run is passed over while none of its datasets can begin: their providers have all that
    they may, or another run works on them. Runs whose process died are put back, three times at most.

    Args:
        execute: Works off a run until it has ended; calls what it is given once the workers know of it. A run that is
            cancelled with the reason `STOPPED` it puts back.
        find: A declared dataset by name; None: there is none.
        recover: Marks the runs of dead processes as crashed.
        waits: Whether something that a run comes after is not over yet.
        stays: Until it is stopped: who puts a run into the queue can count on it.

    Attributes:
        name, hears: As of a service: it is called when there is news.
    """

    name = "queue"
    hears = True

    def __init__(
        self,
        queue: RunQueue,
        *,
        views: Views,
        leases: Leases,
        workforce: Workforce,
        execute: Callable[[Taken, Callable[[], None]], None],
        find: Callable[[str], Asked | None],
        recover: Callable[[], object],
        clock: Clock,
        waits: Callable[[Run], bool] = lambda _: False,
        stays: bool = True,
    ) -> None:
        self._queue = queue
        self._views = views
        self._leases = leases
        self._workforce = workforce
        self._execute = execute
        self._find = find
        self._recover = recover
        self._clock = clock
        self._waits = waits
        self._stays = stays
        self._most = 2 * workforce.size
        self._drivers = ThreadPoolExecutor(self._most, thread_name_prefix="run")
        self._turn = threading.Lock()  # one thread at a time takes runs
        self._guard = threading.Lock()  # of all below
        self._taken: dict[str, Taken] = {}
        self._driving: set[Future[None]] = set()
        self._later: dict[str, float] = {}  # runs, and until when they are passed over
        self._elsewhere: dict[str, float] = {}  # datasets that others work on, and when to look again
        self._tries: Counter[str] = Counter()
        self._begun = 0
        self._lease: Lease | None = None
        self._looked_at: float | None = None
        self._look_again = False
        self._stopping = False

    def step(self) -> float:
        """Begin what can begin; gives the seconds until it should be called again, news or not.

        Raises:
            StateError: the state is in trouble; nothing is lost.
        """
        with self._turn:
            if self._stopping:
                return LOOK_EVERY_S
            self._look_after_others()
            while (run := self._next()) is not None:
                self._begin(run)
            with self._guard:
                return AGAIN_S if self._later or self._elsewhere else LOOK_EVERY_S

    def drain(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Work until nothing is under way and nothing that waits can begin, or until `stopped`."""
        while not stopped():
            self.step()
            with self._guard:
                driving = set(self._driving)
            if not driving:
                return
            wait(driving, timeout=LOOK_S, return_when=FIRST_COMPLETED)

    def close(self, grace: float = STOP_S) -> None:
        """Begin nothing more; give what is under way `grace` seconds to end, and put back what does not."""
        with self._turn:
            self._stopping = True
        with self._guard:
            driving = set(self._driving)
        wait(driving, timeout=grace)
        with self._guard:
            for taken in self._taken.values():
                taken.cancel.cancel(STOPPED)
        wait(driving)
        self._drivers.shutdown()
        self._workforce.close(wait=False)
        if self._lease is not None:
            self._leases.release([self._lease.name])

    # --- which is next ------------------------------------------------------------------------

    def _look_after_others(self) -> None:
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY_S:
            return
        if self._lease is None and self._stays:
            self._lease = sign_on(self._leases)
        self._recover()
        self._queue.revive()
        self._looked_at = now

    def _next(self) -> Run | None:
        with self._guard:
            waiting_for: Counter[str] = Counter()
            for taken in self._taken.values():
                waiting_for.update(taken.waits_for)
            starting = sum(bool(taken.waits_for) for taken in self._taken.values())
            self._look_again = starting > 0  # what is counted here may be counted as begun as well
            at_work = {name for taken in self._taken.values() for name in taken.run.request["datasets"]}
            if len(self._taken) >= self._most or self._workforce.free() <= starting:
                return None
            now = self._clock.monotonic()
            self._later = {run_id: moment for run_id, moment in self._later.items() if moment > now}
            self._elsewhere = {name: moment for name, moment in self._elsewhere.items() if moment > now}
            at_work.update(self._elsewhere)
            passed_over = {*self._taken, *self._later}
            alone = {
                name
                for taken in self._taken.values()
                if len(names := taken.run.request["datasets"]) == 1
                for name in names
            }
            left_out = sorted({*alone, *self._elsewhere})[:MOST_LEFT_OUT]
        oldest = self._begun % OLDEST_EVERY == OLDEST_EVERY - 1
        seen, size = 0, 2 * self._most
        while seen < MOST_LOOKED_AT:
            page = self._views.waiting(limit=size, oldest=oldest, passed=seen, without=left_out)
            for run in page:
                if run.run_id not in passed_over and self._can_begin(run, at_work, waiting_for):
                    return run
            if len(page) < size:
                return None
            seen, size = seen + size, PAGE
        return None

    def _can_begin(self, run: Run, at_work: set[str], waiting_for: Counter[str]) -> bool:
        names = run.request["datasets"]
        if names and at_work.issuperset(names):
            return False
        asked = [self._find(name) for name in names[:DATASETS_LOOKED_AT]]
        room = (one is None or self._workforce.room(*one) > waiting_for[one.provider] for one in asked)
        return (not asked or any(room)) and not self._waits(run)

    # --- a run --------------------------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        asked = [self._find(name) for name in run.request["datasets"][:1]]
        taken = Taken(run, waits_for=frozenset(one.provider for one in asked if one is not None) or frozenset({""}))
        with self._guard:
            self._taken[run.run_id] = taken
            self._begun += 1
            driven = self._drivers.submit(self._drive, taken)
            self._driving.add(driven)
        driven.add_done_callback(self._driven)

    def _driven(self, driven: "Future[None]") -> None:
        with self._guard:
            self._driving.discard(driven)

    def _drive(self, taken: Taken) -> None:
        run_id, log = taken.run.run_id, get_logger("queue")
        try:
            self._executed(taken)
        except DatasetBusy:
            with self._guard:
                again = self._clock.monotonic() + AGAIN_S
                self._elsewhere.update(dict.fromkeys(taken.run.request["datasets"], again))
        except CannotBegin as error:
            self._give_up(run_id, str(error))
        except ExecutorAway as error:
            self._put_back(run_id, str(error))
            self._try_later(run_id)
            log.warning("queue.waits", run_id=run_id, reason=str(error))
        except StateError as error:
            self._try_later(run_id)
            log.warning("queue.waits", run_id=run_id, reason=str(error))
        except Exception as error:  # noqa: BLE001 - told with its traceback; the other runs go on
            log.error("queue.failed", run_id=run_id, reason=str(error), exc=error)
            self._tries[run_id] += 1
            self._try_later(run_id)
            if self._tries[run_id] >= MOST_CRASHES:
                self._give_up(run_id, f"{type(error).__name__}: {error}")
        finally:
            with self._guard:
                del self._taken[run_id]
        self._step_on()

    def _step_on(self) -> None:
        with contextlib.suppress(StateError):  # told by who calls `step` next
            self.step()

    def _executed(self, taken: Taken) -> None:
        def begun() -> None:
            with self._guard:
                taken.waits_for = frozenset()
                again, self._look_again = self._look_again, False
            if again:
                self._step_on()

        self._execute(taken, begun)

    def _try_later(self, run_id: str) -> None:
        with self._guard:
            self._later[run_id] = self._clock.monotonic() + AGAIN_S

    def _put_back(self, run_id: str, reason: str) -> None:
        """A run that was begun and could not go on waits again, with what it has not finished."""
        with contextlib.suppress(StateError):
            stored = self._views.run(run_id)
            if stored is not None and stored.status == "interrupted":
                self._queue.put_back([stored], reason=reason)

    def _give_up(self, run_id: str, reason: str) -> None:
        with contextlib.suppress(NothingToCancel, StateError):
            self._queue.cancel(run_id, self.name, reason=reason)
        get_logger("queue").warning("queue.gave_up", run_id=run_id, reason=reason)
