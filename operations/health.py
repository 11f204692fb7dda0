"""Is the system itself well? Unhealthy is what a person must look at; degraded data is still healthy."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_system import IntegratedSystem
from monitoring.health import HealthResult, HealthResults
from operations.status import status
from operations.words import listed, size
from utils.network import reachable

LEAST_FREE = 200 * 2**20
"""Bytes that must be free on the state's disk."""

FULL_WITHIN = 86_400.0
"""A disk that is full within so many seconds needs somebody now."""

FAILING_S = 60.0
"""Seconds for which a channel of alerts may take nothing."""

STUCK_AFTER = 3
"""Failures of one event in a row after which a consumer of the log is stuck, and not just unlucky."""


@dataclass(frozen=True, slots=True)
class Health:
    """All checks; `healthy` when every one is.

    Attributes:
        own: The program's own checks.
        services: Those of the configuration, by name.
    """

    own: tuple[HealthResult, ...]
    services: HealthResults

    @property
    def checks(self) -> tuple[HealthResult, ...]:
        return (*self.own, *self.services.values())

    @property
    def failed(self) -> list[HealthResult]:
        """What is not well by itself: what a failed parent explains is left out."""
        return [check for check in self.checks if not check and check.explained_by is None]

    @property
    def healthy(self) -> bool:
        return all(self.checks)

    def to_json(self) -> dict[str, Any]:
        return {"healthy": self.healthy, "checks": [check.to_json() for check in self.checks]}


def health(system: IntegratedSystem) -> Health:
    """Look at the log, the disk, the cache, the datasets, the runs, our network; ask what `monitor.health` names."""
    own = [_log(system), _views(system), _coordination(system), _disk(system), _cache(system)]
    own += [_storage(system), _datasets(system), _versions(system), _runs(system)]
    own += [_consumers(system), _transactions(system)]
    if system.settings.plugins:
        own.append(_plugins(system))
    if system.settings.alerts.channels:
        own.append(_channels(system))
    if system.settings.network.canaries:
        own.append(_network(system))
    return Health(tuple(own), _services(system) if system.settings.monitor.health else HealthResults())


def _services(system: IntegratedSystem) -> HealthResults:
    from operations.service_checks import service_checks

    return service_checks(system).run()


def _log(system: IntegratedSystem) -> HealthResult:
    seq, _ = system.events.head()
    damage = system.database.damage()
    return HealthResult("log", not damage, f"damaged: {damage}" if damage else f"{seq:,} events")


def _views(system: IntegratedSystem) -> HealthResult:
    """One that failed is left behind by the log; each process tries it again, and this one has just done so."""
    behind = system.events.views_behind()
    told = "; ".join(f"{one.name} is left behind at event {one.seq:,} ({one.reason})" for one in behind)
    return HealthResult("views", not behind, f"{told}; `maintain --rebuild` begins it anew" if behind else "up to date")


def _coordination(system: IntegratedSystem) -> HealthResult:
    from utils.damage import set_aside_before

    database = system.coordination
    (damage,) = database.query("PRAGMA quick_check(1)")[0]
    told = _were_set_aside(set_aside_before(database.path))
    return HealthResult("coordination", damage == "ok", ("sound" if damage == "ok" else f"damaged: {damage}") + told)


def _were_set_aside(files: Iterable[Path]) -> str:
    names = [file.name for file in files]
    return f"; a damaged one was set aside: {listed(names)}, delete it once you have looked" if names else ""


def _storage(system: IntegratedSystem) -> HealthResult:
    """The file of small versions is only asked whether it answers: it may be large, and versions have checksums."""
    from utils.storage import StorageError

    try:
        system.storage.reachable()
    except StorageError as error:
        return HealthResult("storage", False, str(error))
    return HealthResult("storage", True, "usable" + _were_set_aside(system.storage.set_aside()))


def _disk(system: IntegratedSystem) -> HealthResult:
    free = shutil.disk_usage(system.state_dir).free
    told = f"{size(free)} free at {system.state_dir}"
    if full := _full_soon(system):
        return HealthResult("disk", False, f"{told}; {full}")
    return HealthResult("disk", free >= LEAST_FREE, told)


def _full_soon(system: IntegratedSystem) -> str:
    """What a `host` dataset's history says of the next day; "" without one, or when the disk does not fill."""
    hosts = [dataset for dataset in system.settings.datasets if dataset.collect.kind == "host"]
    if not hosts:
        return ""
    from operations.ahead import DISK, troubles

    ahead = [one for one in troubles(system, hosts) if one.metric == DISK and one.in_s <= FULL_WITHIN]
    return f"{ahead[0].dataset}.{DISK} {ahead[0].words}" if ahead else ""


def _cache(system: IntegratedSystem) -> HealthResult:
    """Without it providers are asked more often, and nothing is lost: degraded, not unhealthy."""
    trouble = system.cache.trouble()
    return HealthResult("cache", True, f"degraded: it cannot be used now ({trouble})" if trouble else "usable")


def _datasets(system: IntegratedSystem) -> HealthResult:
    found = status(system)
    failed = [dataset.dataset for dataset in found.datasets if dataset.status == "failed"]
    return HealthResult("datasets", not failed, f"failed: {listed(failed)}" if failed else found.sentence)


def _versions(system: IntegratedSystem) -> HealthResult:
    """What was found damaged of what readers should see. Well again with the next version, or the file put back."""
    found = [f"{version} of {dataset}" for dataset, version in system.views.damaged()]
    return HealthResult("versions", not found, f"damaged: {listed(found)}" if found else "none is known to be damaged")


def _runs(system: IntegratedSystem) -> HealthResult:
    running = system.views.runs(limit=100, status="running")
    stuck = [run.run_id for run in running if system.leases.is_dead(run.owner)]
    return HealthResult("runs", not stuck, f"crashed and not yet marked: {listed(stuck)}" if stuck else "none is stuck")


def _consumers(system: IntegratedSystem) -> HealthResult:
    """Who follows the log. One whose handler failed again and again keeps everything behind it waiting."""
    standing = system.cursors.standing()
    stuck = [one for one in standing if one.attempts >= STUCK_AFTER]
    if stuck:
        words = "; ".join(f"{one.name}: event {one.failed} failed {one.attempts} times: {one.error}" for one in stuck)
        return HealthResult("consumers", False, f"stuck: {words}")
    behind = [f"{one.name} {one.behind:,} events behind" for one in standing if one.behind]
    waiting = [f"{one.name} parked {one.parked:,}" for one in standing if one.parked]
    if not standing:
        return HealthResult("consumers", True, "nobody follows the log")
    return HealthResult("consumers", True, "; ".join((*behind, *waiting)) or f"none of {len(standing)} is behind")


def _transactions(system: IntegratedSystem) -> HealthResult:
    """What is neither done nor taken back. A compensation that fails leaves things half done until it works."""
    waiting = system.transactions.open()
    stuck = [one for one in waiting if one.attempts and (one.state == "undoing" or one.attempts >= STUCK_AFTER)]
    if stuck:
        words = "; ".join(
            f"{one.id}: {'taking back ' * (one.state == 'undoing')}{one.step} failed {one.attempts} times: {one.error}"
            for one in stuck
        )
        return HealthResult("transactions", False, f"stuck: {words}")
    return HealthResult("transactions", True, f"{len(waiting):,} under way" if waiting else "none is under way")


def _plugins(system: IntegratedSystem) -> HealthResult:
    """One that cannot be loaded hears of nothing, and its metrics are not sampled."""
    faults = [f"{fault.plugin}: {fault.error}" for fault in system.plugins.faults]
    return HealthResult("plugins", not faults, "; ".join(faults) or f"{len(system.plugins.loaded)} loaded")


def _channels(system: IntegratedSystem) -> HealthResult:
    """Whether people can be told. One that is tried for less than a minute may just be slow."""
    now = system.clock.time()
    bad = []
    waiting = 0
    for one in system.alert_outbox.standing():
        waiting += one.waiting
        if one.dead:
            bad.append(f"{one.channel}: dead letters: {one.dead} ({one.error}); `alerts dead` shows them")
        elif one.failing_since is not None and now - one.failing_since >= FAILING_S:
            bad.append(f"{one.channel}: messages that wait: {one.waiting} ({one.error})")
    if bad:
        return HealthResult("alerts", False, "; ".join(bad))
    return HealthResult("alerts", True, f"messages that wait: {waiting}" if waiting else "every message was sent")


def _network(system: IntegratedSystem) -> HealthResult:
    """Asks the canaries now. Without a network the readers are served from what we have: degraded, not unhealthy."""
    asked = ", ".join(system.settings.network.canaries)
    if reachable(system.settings.network.addresses, 1.0):
        return HealthResult("network", True, f"there, says one of {asked}")
    return HealthResult("network", True, f"degraded: our own network is away, none of {asked} can be reached")
