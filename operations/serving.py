"""What runs for long: services side by side in one process, each with a thread, until the process is told to stop."""

import os
import threading
from collections.abc import Callable, Sequence
from time import perf_counter, thread_time
from typing import NamedTuple, Protocol

from utils.database import Database, News, StateError
from utils.logger import get_logger

__all__ = ["STALLED_S", "Service", "Serving", "Totals", "Work"]

TROUBLE_S, LONGEST_TROUBLE_S = 1.0, 15.0
"""Seconds until a service is called again that found the state in trouble; each time twice as long."""

FAILED_S = 10.0
"""Seconds until a service is called again that raised what nobody expected."""

LISTEN_S = 60.0
"""How long one wait for news lasts."""

STALLED_S = 600.0
"""A step that takes longer stands still, as far as a watchdog is concerned."""


class Totals(NamedTuple):
    """What was done since the start: how often, how often in vain, and in how many seconds."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0


class Work(NamedTuple):
    """What a service has done since it began. `cpu_s`: of its own thread."""

    totals: Totals = Totals()
    cpu_s: float = 0.0


class Service(Protocol):
    """Something that is done again and again.

    Attributes:
        hears: Called also when anything was committed, by any process; else only when its time has come.
    """

    name: str
    hears: bool

    def step(self) -> float:
        """Do what is due; gives the seconds until something is again, 0.0: at once."""
        ...

    def close(self) -> None:
        """Nothing more is asked of it."""
        ...


class Serving:
    """Runs services until it is stopped. What one of them finds wrong is told in the log file, and all go on.

    No service asks again and again: each waits until its time has come, or until there is news.

    Args:
        beat: Called by each service's thread before and after every step, with its name and the seconds until it is
            called again at the latest; with None when the service has ended.
    """

    def __init__(
        self,
        database: Database,
        services: Sequence[Service],
        *,
        beat: Callable[[str, float | None], None] = lambda *_: None,
    ) -> None:
        self._database = database
        self._services = services
        self._beat = beat
        self.work = {one.name: Work() for one in services}
        """What each has done so far: a step is a request."""
        self._changed = threading.Condition()
        self._news = 0
        self._stopping = False
        self._ear: News | None = None
        self._asked, self._ask = os.pipe()  # a handler of signals may write to it whatever it interrupted

    def run(self) -> None:
        """Comes back once `stop` was called and every service has ended what it was at."""
        threads = [threading.Thread(target=self._work, args=(one,), name=one.name) for one in self._services]
        if any(one.hears for one in self._services):
            self._ear = self._database.news()
            threads.append(threading.Thread(target=self._listen, args=(self._ear,), name="news"))
        for thread in threads:
            thread.start()
        os.read(self._asked, 1)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._ear is not None:
            self._ear.close()
        for thread in threads:
            thread.join()
        os.close(self._asked)
        os.close(self._ask)

    def stop(self) -> None:
        """Have `run` come back; from any thread, and from a handler of signals."""
        os.write(self._ask, b"!")

    def _work(self, service: Service) -> None:
        troubles = 0
        while not self._stopping:
            with self._changed:
                seen = self._news
            self._beat(service.name, STALLED_S)
            wait, well = self._step(service, troubles)
            self._beat(service.name, wait + STALLED_S)
            troubles = 0 if well else troubles + 1
            if wait > 0.0:
                self._wait(wait, seen if well and service.hears else None)
        self._beat(service.name, None)
        try:
            service.close()
        except StateError as error:
            get_logger(service.name).warning("service.not_closed", service=service.name, reason=str(error))

    def _step(self, service: Service, troubles: int) -> tuple[float, bool]:
        """The seconds until the next step, and whether this one went well."""
        log = get_logger(service.name)
        began, cpu, well = perf_counter(), thread_time(), False
        try:
            wait, well = service.step(), True
            return wait, True
        except StateError as error:
            log.warning("service.waits", service=service.name, reason=str(error))
            return min(LONGEST_TROUBLE_S, TROUBLE_S * 2.0 ** min(troubles, 10)), False
        except Exception as error:  # noqa: BLE001 - told with its traceback; the others, and the next step, go on
            log.error("service.failed", service=service.name, reason=str(error), exc=error)
            return FAILED_S, False
        finally:
            done, used = self.work[service.name], thread_time() - cpu
            steps, failed, seconds = done.totals
            totals = Totals(steps + 1, failed + (not well), seconds + perf_counter() - began)
            self.work[service.name] = Work(totals, done.cpu_s + used)

    def _wait(self, seconds: float, seen: int | None) -> None:
        """Until time is up, it is to stop, or there are other news than those `seen`; None: whatever there is."""

        def is_called() -> bool:
            return self._stopping or (seen is not None and self._news != seen)

        with self._changed:
            self._changed.wait_for(is_called, seconds)

    def _listen(self, news: News) -> None:
        while not self._stopping:
            try:
                heard = news.wait(LISTEN_S)
            except StateError as error:
                get_logger("news").warning("service.waits", service="news", reason=str(error))
                heard = True
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, TROUBLE_S)
            if heard:
                with self._changed:
                    self._news += 1
                    self._changed.notify_all()
