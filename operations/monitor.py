"""This machine is watched: the service of `serve`, and what the command `monitor` shows."""

from collections.abc import Callable
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.progressive import Level, Report, Snapshot
from monitoring.progressive.filling import DiskAhead
from monitoring.progressive.keeping import HostKeeper
from monitoring.progressive.notices import Notice
from monitoring.progressive.running_out import RunningOut
from operations.actor import UsageError
from operations.asked import Asked
from operations.host import LEVEL_ASKED
from operations.serving import Service, Serving
from utils.database import StateError
from utils.logger import get_logger

__all__ = ["HostWatch", "Report", "Shown", "Snapshot", "look_once", "services", "shown_json", "watching"]

Shown = Snapshot | Notice | Report
"""What there is to show of the watch, in the order in which it came."""

SETTLES_S = 1.0
"""Seconds from a first sample to the first that counts: rates are differences, and to begin is work by itself."""


class HostWatch:
    """Looks at this machine as often as its level says; keeps what it finds, unless another process here does.

    Args:
        level: Where it begins, and comes back to; None: as configured.
        told: Hears all that there is, in the thread that looks.

    Raises:
        UsageError: there is no such level.
    """

    name = "monitor"
    hears = False

    def __init__(
        self, system: IntegratedSystem, *, level: str | None = None, told: Callable[[Shown], None] | None = None
    ) -> None:
        self._monitor, self._host = system.progressive, system.host
        self._settled = False
        if level is not None:
            self._monitor.set_level(_known(level), reason="asked for at the start")
        self._asked = Asked(system, LEVEL_ASKED)
        self._keeper = HostKeeper(
            lambda: system.events, lock=system.state_dir / "locks" / "monitor.lock", clock=system.clock
        )
        self._disk = DiskAhead(system.state_dir, lambda: system.history, self._monitor.tell)
        self._monitor.listen(self._keeper.take)
        self._monitor.listen(self._disk.take)
        self._ends = RunningOut(self._monitor.tell)
        self._monitor.listen(self._ends.take)
        if told is not None:
            self._monitor.listen(told)

    def step(self) -> float:
        """Look, if it is time to; gives the seconds until it is again."""
        if not self._settled:
            self._settled = True
            self._host.collect()
            return SETTLES_S
        try:
            if (before := self._keeper.begin()) is not None:
                if before.filling:
                    self._disk.take_up()
                self._ends.take_up(before.running_out)
                base = self._monitor.report().base
                self._monitor.take_up(before.level or base, before.overloaded, throttled=before.throttled)
            self._keeper.write()
            if (asked := self._asked.news()) is not None:
                self._monitor.set_level(_known(asked["level"]), reason="asked for", actor=asked["actor"])
        except StateError as error:  # the log is away: the host is watched all the same
            get_logger("monitor").warning("host.not_kept", reason=str(error))
        return self._monitor.step()

    def close(self) -> None:
        """Keep the rest; callbacks may finish for a moment."""
        self._monitor.stop()
        self._keeper.close()


def services(system: IntegratedSystem) -> list[Service]:
    """What watches this machine beside other services; nothing when the configuration says so."""
    return [HostWatch(system)] if system.settings.monitor.enabled else []


def watching(
    system: IntegratedSystem, *, level: str | None = None, told: Callable[[Shown], None] | None = None
) -> Serving:
    """The watch alone, for the command `monitor`. See `HostWatch`."""
    from operations.guarding import guarded

    return guarded(system, [HostWatch(system, level=level, told=told)], program="monitor")


def look_once(system: IntegratedSystem, *, level: str | None = None) -> tuple[Snapshot, Report]:
    """One look, and how the host stands by it; nothing is kept. Takes a second.

    Raises:
        UsageError: there is no such level.
    """
    monitor = system.progressive
    if level is not None:
        monitor.set_level(_known(level))
    system.host.collect()
    system.clock.sleep(SETTLES_S)
    monitor.step()
    seen = monitor.latest
    assert seen is not None, "a first step looks"
    return seen, monitor.report()


def shown_json(one: Shown) -> dict[str, Any]:
    """As one line of the stream: `type`, and what belongs to it; notices as their events have it."""
    if isinstance(one, Snapshot | Report):
        return {"type": one.type, **one.to_json()}
    event = one.to_event()
    return {"type": event.type, "subject": event.subject, **event.data}


def _known(level: str) -> Level:
    try:
        return Level(level.upper())
    except ValueError:
        raise UsageError(f"--level {level}: there is no such level", hint=f"choose one of {', '.join(Level)}") from None
