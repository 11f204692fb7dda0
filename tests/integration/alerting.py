"""An installation whose providers fail, and what it tells: on a clock of the test's, in this process or a child.

As a program (`python -m tests.integration.alerting FOLDER START SECONDS`) it lets so many seconds pass, during which a
provider a minute goes down, and prints each minute; nothing ends it but a kill or the last second. With a folder alone
it takes the turn to send, and sends nothing.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.alerting.delivery import Delivery
from monitoring.alerting.turn import LEASE
from operations.alerting import Alerting
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.events import NewEvent

START = datetime.fromisoformat("2026-11-20T02:00:00+00:00")


def configure(installation: Installation, channels: Mapping[str, str], *, providers: int = 4, **alerts: Any) -> None:
    """So many datasets of as many providers on loopback, which nobody asks."""
    datasets = [
        {"name": name_of(number), "collect": {"kind": "http", "url": f"http://127.0.0.{number + 1}:9/x.csv"}}
        for number in range(providers)
    ]
    installation.configure(*datasets, alerts={"channels": dict(channels), **alerts})


def name_of(number: int) -> str:
    return f"d{number:02}"


def failed(number: int) -> NewEvent:
    """As a run says it of a dataset."""
    error = {"type": "ProviderUnavailable", "message": "503", "hint": "", "transient": True}
    more = {"status": "failed", "origin": "none", "accepted": False, "error": error, "attempts": 3, "rows": 0}
    return _told("dataset.failed", number, more)


def collected(number: int) -> NewEvent:
    more = {"status": "succeeded", "origin": "provider", "accepted": True, "error": None, "attempts": 1, "rows": 10}
    return _told("dataset.collected", number, more)


_RUN = {
    **dict.fromkeys(("collected_at", "age_s", "data_time", "data_age_s", "content_sha256", "quality", "reason")),
    "run_id": "r1",
    "partial": False,
    "unchanged": False,
    "quarantined": 0,
    "duration_s": 0.1,
    "anomalies": 0,
    "failed_rules": [],
}


def _told(kind: str, number: int, data: Mapping[str, Any]) -> NewEvent:
    about = {"dataset": name_of(number), "provider": f"127.0.0.{number + 1}:9"}
    return NewEvent(kind, name_of(number), {**_RUN, **about, **data}, source="pipeline")


class Watch:
    """`serve`, as far as it tells people, on a manual clock."""

    def __init__(self, system: IntegratedSystem, clock: ManualClock) -> None:
        self.system = system
        self.clock = clock
        self._alerting = Alerting(system)

    def work(self) -> float:
        """Everything that is due now; gives the seconds until something is."""
        while True:
            seen = self._delivery.ended if self._delivery is not None else 0
            wait = self._alerting.step()
            delivery = self._delivery
            assert delivery is not None
            if any(one.state == "sending" for one in self.system.alert_outbox.undelivered()):
                delivery.wait(5.0, seen)
            elif wait > 0.0 and delivery.ended == seen:
                return wait

    def pass_to(self, moment: datetime) -> None:
        """Let time pass, stopping whenever something is due."""
        while True:
            wait = self.work()
            left = (moment - self.clock.now()).total_seconds()
            if left <= 0.0:
                return
            self.clock.advance(max(0.1, min(wait, left)))

    def close(self) -> None:
        self._alerting.close()

    @property
    def _delivery(self) -> Delivery | None:
        return self._alerting.delivery


@contextmanager
def watching(installation: Installation, clock: ManualClock) -> Iterator[Watch]:
    with installation.system(clock) as system:
        watch = Watch(system, clock)
        try:
            yield watch
        finally:
            watch.close()


def clock_at(text: str | datetime) -> ManualClock:
    return ManualClock(datetime.fromisoformat(text) if isinstance(text, str) else text)


def _child(folder: str, start: str, seconds: str) -> None:
    clock = clock_at(start)
    with watching(Installation(Path(folder)), clock) as watch:
        for minute in range(int(seconds) // 60):
            if minute % 2 == 0:
                watch.system.events.append([failed(minute // 2)])
            elif minute > 2:
                watch.system.events.append([collected(minute // 2 - 1)])
            watch.pass_to(datetime.fromtimestamp(clock.time() + 60.0, tz=clock.now().tzinfo))
            os.write(1, f"{minute + 1}\n".encode())


def _hold(folder: str) -> None:
    """Be the one who sends, and send nothing."""
    with Installation(Path(folder)).system() as system:
        system.leases.acquire([LEASE])
        os.write(1, b"held\n")
        sys.stdin.readline()


if __name__ == "__main__":
    _child(*sys.argv[1:]) if len(sys.argv) > 2 else _hold(sys.argv[1])
