"""Alerting at work: from the log to incidents, messages and channels; in a process that stays, or once after a run.

Where nothing is wrong and nothing waits this is a few small queries.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrated_system import IntegratedSystem
from monitoring.alerting.quiet import is_quiet
from utils.database import StateError
from utils.logger import get_logger

if TYPE_CHECKING:
    from monitoring.alerting.delivery import Delivery
    from monitoring.alerting.engine import IncidentEngine
    from monitoring.alerting.heartbeat import Heartbeat
    from utils.events.following import Following

__all__ = ["Alerting", "Beating", "Delivered", "after_run", "deliver", "services", "told_without_log"]

DELIVER_S = 10.0
"""How long a command that ends waits for channels; what is left goes with the next one, or with `serve`."""

LOST_AFTER_S = 60.0
"""Seconds without a log after which its absence is told from memory."""

QUIET_S, STANDBY_S = 3600.0, 5.0


class Alerting:
    """Makes incidents of the log and sends what is to be told; for a process that stays.

    Several processes may run it: one of them makes incidents, one writes messages, one sends.
    """

    name = "alerts"
    hears = True

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._engine: IncidentEngine | None = None
        self._following: Following | None = None
        self._delivery: Delivery | None = None
        self._well_at = system.clock.monotonic()
        self._told_lost = False

    def step(self) -> float:
        """Do what is due; gives the seconds until something is."""
        try:
            wait = self._step()
        except StateError as error:
            if not self._told_lost and self._system.clock.monotonic() - self._well_at >= LOST_AFTER_S:
                self._told_lost = True
                _tell_from_memory(self._system, error)
            raise
        self._well_at, self._told_lost = self._system.clock.monotonic(), False
        return wait

    def is_well(self) -> bool:
        """Whether alerts worked within the last minutes."""
        return self._system.clock.monotonic() - self._well_at < 2 * LOST_AFTER_S

    @property
    def delivery(self) -> "Delivery | None":
        """What sends; None: nothing was done yet."""
        return self._delivery

    def close(self) -> None:
        """Let another process do this."""
        for part in (self._following, self._engine, self._delivery):
            if part is not None:
                part.close()

    def _step(self) -> float:
        if self._engine is None:
            from operations.incident_engine import incident_engine

            self._engine = incident_engine(self._system)
            self._following = _following(self._system)
            self._delivery = _delivery(self._system)
        assert self._following is not None
        assert self._delivery is not None
        wait = self._engine.step()
        while (again := self._following.step()) == 0.0:
            pass
        if self._following.deaf:
            wait = min(wait, max(again, STANDBY_S))
        return min(wait, self._delivery.step(), QUIET_S)


class Beating:
    """Tells the outside watcher that alerts work."""

    name = "heartbeat"
    hears = False

    def __init__(self, heartbeat: "Heartbeat") -> None:
        self._heartbeat = heartbeat

    def step(self) -> float:
        """Beat, if it is time."""
        return self._heartbeat.step()

    def close(self) -> None:
        """Nothing is held."""


def services(system: IntegratedSystem) -> list[Alerting | Beating]:
    """What a process that stays runs."""
    alerting = Alerting(system)
    asked = system.settings.alerts.heartbeat
    if not asked.url:
        return [alerting]
    from monitoring.alerting.heartbeat import Heartbeat

    return [alerting, Beating(Heartbeat(asked.url, asked.every, well=alerting.is_well, clock=system.clock))]


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many messages were sent just now, and how many wait."""

    sent: int = 0
    waiting: int = 0


def deliver(system: IntegratedSystem, *, within_s: float = DELIVER_S, thorough: bool = False) -> Delivered:
    """Make incidents of what has happened, and send what is due, within so many seconds.

    Where another process sees to it, it is left to that.

    Args:
        thorough: Also where all is quiet, so that the cursors move on: the log is kept from the slowest one on.

    Raises:
        StateError: the state is in trouble.
    """
    if not thorough and not system.settings.alerts.rules and is_quiet(system.database):
        return Delivered()
    from monitoring.alerting.notices import is_behind
    from operations.incident_engine import incident_engine

    until = system.clock.monotonic() + within_s
    engine = incident_engine(system)
    try:
        engine.step(hurry=True)
    finally:
        engine.close()
    if thorough or is_behind(system.database):
        following = _following(system)
        try:
            while following.step() == 0.0:
                pass
        finally:
            following.close()
    outbox = system.alert_outbox
    if not outbox.anything():
        return Delivered()
    before = system.clock.time()
    outbox.hasten()
    delivery = _delivery(system, gather_s=0.0)
    try:
        delivery.drain(max(0.0, until - system.clock.monotonic()))
    finally:
        delivery.close(within_s=0.5)
    sent = sum(map(len, outbox.told(before).values()))
    return Delivered(sent, len(outbox.undelivered()))


def after_run(system: IntegratedSystem) -> None:
    """What a command that ran datasets does about alerts before it ends; its result stays what it is."""
    url = system.settings.alerts.heartbeat.url
    try:
        delivered = deliver(system)
    except StateError as error:
        get_logger("alerts").warning("alerts.not_delivered", reason=str(error))
        return
    if delivered.waiting:
        get_logger("alerts").warning("alerts.waiting", sent=delivered.sent, waiting=delivered.waiting)
    if url:
        from monitoring.alerting.heartbeat import Heartbeat

        beat = threading.Thread(target=Heartbeat(url, 1.0).beat, name="heartbeat", daemon=True)
        beat.start()
        beat.join(DELIVER_S)


@contextmanager
def told_without_log(system: IntegratedSystem) -> Iterator[None]:
    """What cannot be written into the log cannot be told by it: then people are told from memory."""
    try:
        yield
    except StateError as error:
        _tell_from_memory(system, error)
        raise


def _tell_from_memory(system: IntegratedSystem, error: StateError) -> None:
    """Whatever comes of it, the error stays the one that is told."""
    from operations.last_alert import alert_from_memory

    try:
        alert_from_memory(system, error)
    except Exception as fault:  # noqa: BLE001 - the machine is in a bad way: this was the last that could be tried
        get_logger("alerts").error("alert.not_sent", reason=str(fault), exc=fault)


def _following(system: IntegratedSystem) -> "Following":
    from monitoring.alerting.alert_files import AlertFiles
    from monitoring.alerting.notices import Notices
    from operations.situation import InstallationSituation
    from utils.events.following import Following

    files = AlertFiles(system.alerts_dir)
    notices = Notices(system.alert_outbox, lambda: InstallationSituation(system), files, clock=system.clock)
    redacted = system.loaded.known.redacted
    return Following(notices.consumer(), system.events, system.cursors, clock=system.clock, redacted=redacted)


def _delivery(system: IntegratedSystem, *, gather_s: float | None = None) -> "Delivery":
    from monitoring.alerting.delivery import Delivery
    from monitoring.alerting.throttle import GATHER_S
    from monitoring.alerting.turn import LeaseTurn

    sending = {name: channel.send for name, channel in system.alert_channels.items()}
    gather = GATHER_S if gather_s is None else gather_s
    return Delivery(system.alert_outbox, sending, turn=LeaseTurn(system.leases), clock=system.clock, gather_s=gather)
