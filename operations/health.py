"""Is the system itself well? Unhealthy is what a person must look at; degraded data is still healthy."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_system import IntegratedSystem
from operations.status import status
from operations.words import listed, size
from utils.network import reachable

LEAST_FREE = 200 * 2**20
"""Bytes that must be free on the state's disk."""

FULL_WITHIN = 86_400.0
"""A disk that is full within so many seconds needs somebody now."""

STUCK_AFTER = 3
"""Failures of one event in a row after which a consumer of the log is stuck, and not just unlucky."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. Truthy when it is well."""

    name: str
    healthy: bool
    detail: str

    def __bool__(self) -> bool:
        return self.healthy

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "healthy": self.healthy, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Health:
    """All checks; `healthy` when every one is."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        return all(self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"healthy": self.healthy, "checks": [check.to_json() for check in self.checks]}


def health(system: IntegratedSystem) -> Health:
    """Look at the log, the disk, the cache, the datasets, the runs, and with canaries at our own network."""
    checks: tuple[Check, ...] = (_log(system), _views(system), _coordination(system), _disk(system), _cache(system))
    checks = (*checks, _storage(system), _datasets(system), _versions(system), _runs(system))
    checks = (*checks, _consumers(system), _transactions(system))
    if system.settings.plugins:
        checks = (*checks, _plugins(system))
    return Health((*checks, _network(system)) if system.settings.network.canaries else checks)


def _log(system: IntegratedSystem) -> Check:
    seq, _ = system.events.head()
    damage = system.database.damage()
    return Check("log", not damage, f"damaged: {damage}" if damage else f"{seq:,} events")


def _views(system: IntegratedSystem) -> Check:
    """One that failed is left behind by the log; each process tries it again, and this one has just done so."""
    behind = system.events.views_behind()
    told = "; ".join(f"{one.name} is left behind at event {one.seq:,} ({one.reason})" for one in behind)
    return Check("views", not behind, f"{told}; `maintain --rebuild` begins it anew" if behind else "up to date")


def _coordination(system: IntegratedSystem) -> Check:
    from utils.damage import set_aside_before

    database = system.coordination
    (damage,) = database.query("PRAGMA quick_check(1)")[0]
    told = _were_set_aside(set_aside_before(database.path))
    return Check("coordination", damage == "ok", ("sound" if damage == "ok" else f"damaged: {damage}") + told)


def _were_set_aside(files: Iterable[Path]) -> str:
    names = [file.name for file in files]
    return f"; a damaged one was set aside: {listed(names)}, delete it once you have looked" if names else ""


def _storage(system: IntegratedSystem) -> Check:
    """The file of small versions is only asked whether it answers: it may be large, and versions have checksums."""
    from utils.storage import StorageError

    try:
        system.storage.exists("any")
    except StorageError as error:
        return Check("storage", False, str(error))
    return Check("storage", True, "usable" + _were_set_aside(system.storage.set_aside()))


def _disk(system: IntegratedSystem) -> Check:
    free = shutil.disk_usage(system.state_dir).free
    told = f"{size(free)} free at {system.state_dir}"
    if full := _full_soon(system):
        return Check("disk", False, f"{told}; {full}")
    return Check("disk", free >= LEAST_FREE, told)


def _full_soon(system: IntegratedSystem) -> str:
    """What a `host` dataset's history says of the next day; "" without one, or when the disk does not fill."""
    hosts = [dataset for dataset in system.settings.datasets if dataset.collect.kind == "host"]
    if not hosts:
        return ""
    from operations.ahead import DISK, troubles

    ahead = [one for one in troubles(system, hosts) if one.metric == DISK and one.in_s <= FULL_WITHIN]
    return f"{ahead[0].dataset}.{DISK} {ahead[0].words}" if ahead else ""


def _cache(system: IntegratedSystem) -> Check:
    """Without it providers are asked more often, and nothing is lost: degraded, not unhealthy."""
    trouble = system.cache.trouble()
    return Check("cache", True, f"degraded: it cannot be used now ({trouble})" if trouble else "usable")


def _datasets(system: IntegratedSystem) -> Check:
    found = status(system)
    failed = [dataset.dataset for dataset in found.datasets if dataset.status == "failed"]
    return Check("datasets", not failed, f"failed: {listed(failed)}" if failed else found.sentence)


def _versions(system: IntegratedSystem) -> Check:
    """What was found damaged of what readers should see. Well again with the next version, or the file put back."""
    found = [f"{version} of {dataset}" for dataset, version in system.views.damaged()]
    return Check("versions", not found, f"damaged: {listed(found)}" if found else "none is known to be damaged")


def _runs(system: IntegratedSystem) -> Check:
    running = system.views.runs(limit=100, status="running")
    stuck = [run.run_id for run in running if system.leases.is_dead(run.owner)]
    return Check("runs", not stuck, f"crashed and not yet marked: {listed(stuck)}" if stuck else "none is stuck")


def _consumers(system: IntegratedSystem) -> Check:
    """Who follows the log. One whose handler failed again and again keeps everything behind it waiting."""
    standing = system.cursors.standing()
    stuck = [one for one in standing if one.attempts >= STUCK_AFTER]
    if stuck:
        words = "; ".join(f"{one.name}: event {one.failed} failed {one.attempts} times: {one.error}" for one in stuck)
        return Check("consumers", False, f"stuck: {words}")
    behind = [f"{one.name} {one.behind:,} events behind" for one in standing if one.behind]
    waiting = [f"{one.name} parked {one.parked:,}" for one in standing if one.parked]
    if not standing:
        return Check("consumers", True, "nobody follows the log")
    return Check("consumers", True, "; ".join((*behind, *waiting)) or f"none of {len(standing)} is behind")


def _transactions(system: IntegratedSystem) -> Check:
    """What is neither done nor taken back. A compensation that fails leaves things half done until it works."""
    waiting = system.transactions.open()
    stuck = [one for one in waiting if one.attempts and (one.state == "undoing" or one.attempts >= STUCK_AFTER)]
    if stuck:
        words = "; ".join(
            f"{one.id}: {'taking back ' * (one.state == 'undoing')}{one.step} failed {one.attempts} times: {one.error}"
            for one in stuck
        )
        return Check("transactions", False, f"stuck: {words}")
    return Check("transactions", True, f"{len(waiting):,} under way" if waiting else "none is under way")


def _plugins(system: IntegratedSystem) -> Check:
    """One that cannot be loaded hears of nothing, and its metrics are not sampled."""
    faults = [f"{fault.plugin}: {fault.error}" for fault in system.plugins.faults]
    return Check("plugins", not faults, "; ".join(faults) or f"{len(system.plugins.loaded)} loaded")


def _network(system: IntegratedSystem) -> Check:
    """Asks the canaries now. Without a network the readers are served from what we have: degraded, not unhealthy."""
    asked = ", ".join(system.settings.network.canaries)
    if reachable(system.settings.network.addresses, 1.0):
        return Check("network", True, f"there, says one of {asked}")
    return Check("network", True, f"degraded: our own network is away, none of {asked} can be reached")
