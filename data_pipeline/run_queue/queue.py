"""The queue of runs: put there once, called off, put back. Who works it off is `worker.py`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.store.run_views import MOST_CRASHES, Run
from data_pipeline.store.views import Views
from utils.clock import Clock
from utils.database import Connection, StateError
from utils.events import EventStore, NewEvent
from utils.events.event import uuid7s
from utils.events.store import Guard

__all__ = ["CannotBegin", "NothingToCancel", "RunQueue"]

_AT_ONCE = 500
"""Ids in one statement."""


class NothingToCancel(PipelineError):
    """There is no such run, or it is over."""


class CannotBegin(PipelineError):
    """Nothing can come of a run, however often it is tried."""


class _There(StateError):
    """Some of these runs are known already."""

    def __init__(self, known: set[str]) -> None:
        super().__init__("known already")
        self.known = known


class RunQueue:
    """Runs that wait, as the log has them. Has no state of its own: make one wherever one is needed."""

    def __init__(self, events: EventStore, views: Views, *, clock: Clock) -> None:
        self._events = events
        self._views = views
        self._clock = clock

    def put(
        self, requests: Iterable[RunRequest], *, beside: Sequence[NewEvent] = (), guard: Guard | None = None
    ) -> list[str]:
        """Queue these runs, all in one commit; gives the ids of those that are new.

        A run that is known already, whatever became of it, is passed over; so of several processes that put the same
        run one does.

        Args:
            beside: Events that are written with them, also when every run is known.
            guard: As of `EventStore.append`.

        Raises:
            StateError: the log cannot be written, or the guard refused; none is queued.
        """
        asked = list(requests)
        ids = iter(uuid7s(sum(not one.run_id for one in asked), self._clock.time()))
        left = {one.run_id or next(ids): one for one in asked}
        while left or beside:
            events = [NewEvent("run.queued", run_id, one.to_json(), source="queue") for run_id, one in left.items()]
            unknown = _unknown(list(left))
            try:
                self._events.append([*events, *beside], guard=unknown if guard is None else _both(guard, unknown))
            except _There as there:
                left = {run_id: one for run_id, one in left.items() if run_id not in there.known}
            else:
                break
        return list(left)

    def cancel(self, run_id: str, actor: str, *, reason: str = "") -> str:
        """Call a run off; gives the status that it had. One that waits never begins.

        One that is running is stopped by its own process, within two seconds or so: what was finished is kept.

        Raises:
            NothingToCancel: there is no such run, or it is over.
            StateError: the log cannot be written.
        """
        while True:
            run = self._views.run(run_id)
            if run is None:
                raise NothingToCancel(f"there is no run {run_id}", hint="see the run ids in `runs list`", missing=True)
            if not run.may_go_on:
                raise NothingToCancel(f"run {run_id} is {run.status}", hint="only what is not over can be cancelled")
            data = {"actor": actor, "was": run.status, "reason": reason or None}
            try:
                self._events.append(
                    [NewEvent("run.cancelled", run_id, data, source="queue")], guard=_still(run_id, run.status)
                )
            except _Moved:
                continue
            return run.status

    def put_back(self, runs: Sequence[Run], *, reason: str) -> list[str]:
        """Queue runs again that were broken off, to go on where they stopped; gives the ids of those that wait now.

        Of several processes that do it at once one does.
        """
        done = []
        for run in runs:
            request = RunRequest.from_json(run.run_id, run.request)
            data = {**replace(request, actor=run.actor).to_json(), "reason": reason}
            try:
                self._events.append(
                    [NewEvent("run.queued", run.run_id, data, source="queue")], guard=_still(run.run_id, run.status)
                )
            except _Moved:
                continue
            done.append(run.run_id)
        return done

    def revive(self) -> list[str]:
        """Put back the queued runs whose process died, unless that happened `MOST_CRASHES` times; gives their ids."""
        crashed = self._views.runs(limit=1000, status="crashed")
        broken_off = [run for run in crashed if run.queued_at is not None and run.crashes < MOST_CRASHES]
        return self.put_back(broken_off, reason="its process died")


def _both(first: Guard, then: Guard) -> Guard:
    def check(connection: Connection) -> None:
        first(connection)
        then(connection)

    return check


class _Moved(StateError):
    """The run is not any more what it was when it was looked at."""


def _still(run_id: str, status: str) -> Callable[[Connection], None]:
    def check(connection: Connection) -> None:
        row = connection.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None or row[0] != status:
            raise _Moved(f"run {run_id} is not {status} any more")

    return check


def _unknown(run_ids: Sequence[str]) -> Callable[[Connection], None]:
    def check(connection: Connection) -> None:
        known: set[str] = set()
        for start in range(0, len(run_ids), _AT_ONCE):
            some = run_ids[start : start + _AT_ONCE]
            sql = f"SELECT run_id FROM runs WHERE run_id IN ({', '.join('?' * len(some))})"  # noqa: S608 - marks only
            known.update(row[0] for row in connection.execute(sql, some))
        if known:
            raise _There(known)

    return check
