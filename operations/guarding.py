"""The services of a process that stays are watched themselves: one that stands still is told, with all stacks."""

import os
from collections.abc import Sequence

from integrated_system import IntegratedSystem
from monitoring.sd_notify import SystemdNotifier
from monitoring.service_event import ServiceEvent
from monitoring.watchdog import ProcessWatchdog
from operations.serving import STALLED_S, Service, Serving
from utils.logger import get_logger

__all__ = ["Guard", "guarded", "watched_name"]

SOURCE = "watchdog"

BEAT_S = 5.0
"""Seconds between two signs of life to the service manager (less when it wants them oftener), and between two looks."""


def guarded(system: IntegratedSystem, services: Sequence[Service], *, program: str) -> Serving:
    """These services side by side, who says that they are there, and a guard over them. `program`: the command."""
    from operations.presence import Presence

    guard = Guard(system, [service.name for service in services])
    presence = Presence(system, program, services, lambda: serving.work)
    serving = Serving(system.database, [*services, presence, guard], beat=guard.beat)
    return serving


class Guard:
    """A service beside those that it watches; the others give their heartbeats to `watchdog`.

    It tells systemd that we are ready, that we are alive (`WatchdogSec`) as long as nobody stands still, and that we
    stop. What another process of the same kind left in the log as standing still is told to work again: it was started
    anew.
    """

    name = "watchdog"
    hears = False

    def __init__(self, system: IntegratedSystem, names: Sequence[str]) -> None:
        self._system, self._names = system, names
        self._begun = False
        self.watchdog = ProcessWatchdog(
            "serve",
            limit=STALLED_S,
            every=BEAT_S,
            redacted=system.loaded.known.redacted,
            notifier=SystemdNotifier.from_environment(os.environ, clock=system.clock),
            clock=system.clock,
        )
        self.watchdog.on_event(self._write)

    def step(self) -> float:
        """Say that it works; gives the seconds until the next time."""
        self.watchdog.start()
        if not self._begun:
            self._take_up()
            self._begun = True
        self.watchdog.heartbeat(watched_name(self.name), limit=STALLED_S)
        wanted = self.watchdog.sign_every_s
        return BEAT_S if wanted is None else min(BEAT_S, wanted / 4)

    def beat(self, service: str, within: float | None) -> None:
        """A service works, and is called again within so many seconds; None: it has ended. See `Serving`."""
        if service == self.name:
            return
        if within is None:
            self.watchdog.forget(watched_name(service))
        else:
            self.watchdog.heartbeat(watched_name(service), limit=within)

    def close(self) -> None:
        """Watch no more."""
        self.watchdog.stop()

    def _write(self, event: ServiceEvent) -> None:
        """Into the log, without waiting for it: whoever stands still may be the one who holds it."""
        get_logger("watchdog").warning(event.type, service=event.service, reason=event.reason)
        self._system.events.submit([event.to_event(SOURCE)])

    def _take_up(self) -> None:
        for name in map(watched_name, self._names):
            found = self._system.events.read(subject=name, source=SOURCE, newest_first=True, limit=1)
            if found and found[0].type == "service.unavailable":
                now = self._system.clock.now()
                self._write(ServiceEvent("recovered", name, "it was started anew", now))


def watched_name(service: str) -> str:
    """What a service is called where it is watched: no check of a user's can have that name."""
    return f"serve/{service}"
