"""A program that stays says in the log that it is there and that it ended; and keeps its figures, and its parts'."""

from collections.abc import Callable, Mapping, Sequence
from time import process_time

from integrated_system import IntegratedSystem
from monitoring.service_views import Services
from operations.guarding import watched_name
from operations.serving import Service, Work
from utils.clock import Clock
from utils.database import Statement
from utils.events import NewEvent
from utils.history.points import CLOSE, point
from utils.history.series import subject_of
from utils.leases import Moment, Owner, this_process

__all__ = ["EVERY_S", "LABEL", "Presence", "is_gone", "program_name"]

LABEL = "service"
EVERY_S = 60.0
"""Seconds between two points of the figures."""

SOURCE = "presence"


class Presence:
    """A service beside those of a program.

    Args:
        program: The command: `serve`, `schedule`, `monitor`, `api`.
        services: The parts. One that has a method `totals` knows better than its steps what it did.
        work: What each has done so far, by name.
    """

    name = "presence"
    hears = False

    def __init__(
        self,
        system: IntegratedSystem,
        program: str,
        services: Sequence[Service],
        work: Callable[[], Mapping[str, Work]],
    ) -> None:
        self._system, self._services, self._work = system, services, work
        self._subject = program_name(program)
        self._owner = str(this_process())
        self._at: float | None = None
        self._cpu_s = 0.0
        self._before: dict[str, Work] = {}

    def step(self) -> float:
        """Say that it is there, then keep the figures of each minute; gives the seconds until the next."""
        now = self._system.clock.monotonic()
        if self._at is None:
            self._say_that_it_is_there()
        elif now > self._at:
            self._keep(now - self._at)
        self._at, self._cpu_s, self._before = now, process_time(), self._done()
        return EVERY_S

    def close(self) -> None:
        """Say that it ended."""
        if self._at is not None:
            data = {"reason": "it was told to end", "owner": self._owner}
            self._system.events.append([NewEvent("service.stopped", self._subject, data, source=SOURCE)])

    def _say_that_it_is_there(self) -> None:
        instances = Services(self._system.database).instances()
        others = [one.owner for one in instances if one.service == self._subject]
        gone = [owner for owner in others if is_gone(owner, self._system.clock)]
        data = {"reason": "it was started", "owner": self._owner, "parts": [one.name for one in self._services]}
        told = {**data, "gone": gone} if gone else data
        self._system.events.append([NewEvent("service.started", self._subject, told, source=SOURCE)])

    def _keep(self, seconds: float) -> None:
        time, memory = self._system.clock.time(), self._system.host.collect().own_rss_bytes
        used = {
            "service_cpu_percent": 100.0 * (process_time() - self._cpu_s) / seconds,
            "service_memory_bytes": None if memory is None else float(memory),
        }
        statements = [point(subject_of({LABEL: self._subject}), time, used)]
        for name, now in self._done().items():
            before = self._before.get(name)
            if before is not None and now.totals.requests > before.totals.requests:
                statements.append(_point(watched_name(name), time, seconds, before, now))
        self._system.events.append([], statements=[*statements, *CLOSE])

    def _done(self) -> dict[str, Work]:
        done = dict(self._work())
        for one in self._services:
            totals = getattr(one, "totals", None)
            if totals is not None and one.name in done:
                done[one.name] = Work(totals(), done[one.name].cpu_s)
        return done


def program_name(program: str) -> str:
    """What a program is called among the services: no check of a user's can have that name."""
    return f"program/{program}"


def is_gone(owner: str, clock: Clock) -> bool:
    """Whether a process of this host is certainly not there any more; of another host nobody knows."""
    found, me = Owner.parse(owner), this_process()
    if found.host != me.host:
        return False
    now = Moment(clock.time(), clock.monotonic())
    return found.is_dead(now, now)


def _point(service: str, time: float, seconds: float, before: Work, now: Work) -> Statement:
    requests = now.totals.requests - before.totals.requests
    figures = {
        "service_cpu_percent": 100.0 * max(0.0, now.cpu_s - before.cpu_s) / seconds,
        "service_response_s": (now.totals.seconds - before.totals.seconds) / requests,
        "service_requests_per_s": requests / seconds,
        "service_error_rate": (now.totals.errors - before.totals.errors) / requests,
    }
    return point(subject_of({LABEL: service}), time, figures)
