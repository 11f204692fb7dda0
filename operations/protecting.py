"""This machine is protected and healed while `serve` runs: the service, and what it may ask of our own work."""

import pwd
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from config.errors import ConfigError, Problem
from config.watching import HEALING_ACTIONS, HealingActionSettings, ScopeSettings
from integrated_system import IntegratedSystem
from monitoring.healing.healer import AutoHealer
from monitoring.healing.treatment import LADDERS as TROUBLES
from monitoring.healing.treatment import Earlier, Policy
from operations.actor import Actor
from operations.asked import Asked
from operations.host import MODE_ASKED
from operations.priority import hold_back, let_go, low_priority
from operations.serving import Service
from utils.database import StateError
from utils.events import NewEvent, rfc3339
from utils.events.lasting import lasts
from utils.file_lock import FileLock
from utils.host import MetricsCollector
from utils.logger import get_logger
from utils.network import reachable

if TYPE_CHECKING:
    from monitoring.protector.immunity import Scope
    from monitoring.protector.ladder import Resource
    from monitoring.protector.protector import ResourceProtector

__all__ = ["OwnWork", "Protecting", "healer_of", "protector_of", "services"]

STANDBY_S = 10.0
"""Seconds until it is looked again whether the process is gone that does this on this state."""

PACE_S = 600.0
"""Seconds over which it is looked at how fast the disk fills."""


class OwnWork:
    """What of our own work gives way: files that can be had again, and runs of low priority."""

    def __init__(self, system: IntegratedSystem, *, below: float) -> None:
        self._system, self._below = system, below
        self.pace: deque[tuple[float, int]] = deque()

    def note(self, at: float, free: int | None) -> None:
        """How much of the disk is free at a moment, monotonic seconds."""
        if free is not None:
            self.pace.append((at, free))
        while self.pace and at - self.pace[0][0] > PACE_S:
            self.pace.popleft()

    def shed(self, *, dry_run: bool) -> bool:
        """Make room on the state's disk; whether there was anything to drop, or somebody is at it."""
        from operations.housekeeping import Busy
        from operations.shedding import shed

        system, actor = self._system, Actor("protector")
        try:
            found = shed(system, actor, below=self._below, dry_run=dry_run, pace=tuple(self.pace))
        except Busy:
            return True
        except (OSError, StateError) as error:
            get_logger("protector").warning("disk.not_shed", reason=str(error))
            return False
        if dry_run and found:
            data = {"actor": actor.name, "removed": [], **found.to_json(), "words": f"dry run: {found.words}"}
            system.events.append([NewEvent("disk.shed", "disk", data, source="protector")])
        return bool(found)

    def pause(self, *, dry_run: bool) -> Sequence[str]:
        """Begin no run of low priority; gives the datasets that have one."""
        names = low_priority(self._system)
        if names and not dry_run:
            try:
                hold_back(self._system)
            except StateError as error:  # of a full disk: there is the next thing to do
                get_logger("protector").warning("protector.cannot_hold_back", reason=str(error))
                return ()
        return names

    def resume(self) -> None:
        """Let them begin."""
        let_go(self._system)


class Protecting:
    """Heals what it can, and protects the host where that was asked for. One process a state does it.

    Args:
        measure: Takes a fresh sample at each call.

    Raises:
        ConfigError: a user of the protector's scope is none here.
    """

    name = "protector"
    hears = False

    def __init__(self, system: IntegratedSystem, *, measure: MetricsCollector | None = None) -> None:
        self._system = system
        self._measure = measure or MetricsCollector(system.clock, ttl=0.0, disk_path=system.state_dir)
        self._scope = _scope(system.settings.protector.scope)  # a user who is none is told at the start
        self._turn: ExitStack | None = None
        self._healer: AutoHealer | None = None
        self._protector: ResourceProtector | None = None
        self._work: OwnWork | None = None
        self._asked = Asked(system, MODE_ASKED)

    def step(self) -> float:
        """Look, and do what is due; gives the seconds until it is again."""
        if not self._is_ours():
            return STANDBY_S
        system, asked = self._system, self._system.settings
        if self._work is None:
            self._work = OwnWork(system, below=asked.monitor.thresholds.disk[0])
            self._healer = healer_of(system, self._measure) if asked.healing.enabled else None
            self._protector = protector_of(system, self._work, self._scope) if asked.protector.enabled else None
        if self._protector is not None and (news := self._asked.news()) is not None:
            self._protector.set_mode(news["mode"])
        sample = self._measure.collect()
        self._work.note(system.clock.monotonic(), sample.disk_free_bytes)
        waits = [part.step(sample) for part in (self._healer, self._protector) if part is not None]
        return min(waits, default=STANDBY_S)

    def close(self) -> None:
        """What was held back goes on; another process may do this."""
        if self._protector is not None:
            self._protector.close()
        if self._turn is not None:
            self._turn.close()
            self._turn = None

    def _is_ours(self) -> bool:
        if self._turn is not None:
            return True
        turn = ExitStack()
        try:
            turn.enter_context(FileLock(self._system.state_dir / "locks" / "protector.lock", within=0))
        except BlockingIOError:
            return False
        except OSError as error:  # no room even for an empty file: then there is work to do, whoever else may do it
            get_logger("protector").warning("protector.no_lock", reason=str(error))
            return True
        self._turn = turn
        return True


def services(system: IntegratedSystem) -> list[Service]:
    """What protects and heals beside other services; nothing when the configuration says so."""
    asked = system.settings
    return [Protecting(system)] if asked.healing.enabled or asked.protector.enabled else []


def healer_of(system: IntegratedSystem, measure: MetricsCollector) -> AutoHealer:
    """The healer of an installation: its own temporary files, those that are configured, its cache."""
    asked = system.settings.healing
    state, network = system.state_dir, system.settings.network
    healer = AutoHealer(
        {name: _policy(asked.action(name)) for name in {*HEALING_ACTIONS, *asked.actions}},
        memory=system.settings.monitor.thresholds.memory,
        disk=system.settings.monitor.thresholds.disk,
        temporary=[state / "tmp", *asked.action("clean_temporary").paths],
        leave=[state],
        network=(lambda: reachable(network.addresses, 1.0)) if network.canaries else None,
        measure=measure.collect,
        record=lambda event: system.events.append([event]),
        earlier=_treatments(system),
        called=[one for one in TROUBLES if lasts(system.events, one, "healing.gave_up", "healing.recovered")],
        clock=system.clock,
    )
    if not system.settings.cache.url:
        healer.register_cache("results", system.cache, holds="disk")
    return healer


def protector_of(system: IntegratedSystem, work: OwnWork, scope: "Scope") -> "ResourceProtector":
    """The protector of an installation; what it has done in the last hour counts, whichever process did it."""
    from monitoring.protector.ladder import MODES
    from monitoring.protector.protector import ResourceProtector

    asked, disk = system.settings.protector, system.settings.monitor.thresholds.disk
    return ResourceProtector(
        asked.mode,
        limits=replace(MODES[asked.mode], disk=disk[0], disk_last=disk[1]),
        dry_run=asked.dry_run,
        scope=scope,
        protected=asked.protected,
        own_work=work,
        record=lambda event: system.events.append([event]),
        redacted=system.loaded.known.redacted,
        earlier=_endings(system),
        unended=_unended(system),
        disk=system.state_dir,
        clock=system.clock,
    )


def _policy(asked: HealingActionSettings) -> Policy:
    return Policy(asked.enabled, asked.dry_run, asked.cooldown, asked.max_per_hour)


def _scope(asked: ScopeSettings) -> "Scope":
    from monitoring.protector.immunity import Scope

    return Scope(frozenset(asked.names), frozenset(_uids(asked.users)), asked.cgroup)


def _uids(users: Iterable[str]) -> Iterable[int]:
    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    for user in users:
        if user not in known and not user.isdigit():
            from difflib import get_close_matches

            near = get_close_matches(user, known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else "Name a user of this host, or its number."
            raise ConfigError([Problem("", None, "protector.scope.users", f"there is no user `{user}` here", hint)])
        yield known[user] if user in known else int(user)


def _treatments(system: IntegratedSystem) -> list[Earlier]:
    """What was treated within the last hour, by whichever process."""
    since = rfc3339(system.clock.now() - timedelta(hours=1))
    return [
        Earlier(one.data["action"], one.data["subject"], datetime.fromisoformat(one.time).timestamp())
        for one in system.events.read(type="healing.started", since=since)
    ]


def _unended(system: IntegratedSystem) -> "dict[Resource, bool]":
    """Resources of which something was told, and not that it is over; whether a person was called."""
    from monitoring.protector.ladder import LADDERS

    gave_up, *told = (
        {name for name in LADDERS if lasts(system.events, name, kind, "protector.relieved")}
        for kind in ("protector.gave_up", "protector.acted", "disk.shed")
    )
    return {name: name in gave_up for name in LADDERS if name in gave_up.union(*told)}


def _endings(system: IntegratedSystem) -> list[float]:
    """Epoch seconds at which processes were told to end within the last hour, by whichever process did it."""
    since = rfc3339(system.clock.now() - timedelta(hours=1))
    acted = system.events.read(type="protector.acted", since=since)
    ended = (one for one in acted if one.data.get("action") == "terminate" and not one.data.get("dry_run"))
    return [datetime.fromisoformat(one.time).timestamp() for one in ended]
