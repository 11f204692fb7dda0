"""What is removed of the state, and what never is: temporary files, results in the cache, old versions, old answers.

Maintenance removes what is past its retention; when the disk fills, the same is done with a shorter one.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from config.sections import VersionRetention
from data_pipeline.errors import StoreError
from data_pipeline.store.raw import Capture
from data_pipeline.store.views import Current, Version
from integrated_system import IntegratedSystem
from operations.retention import RETENTION
from operations.step import Step
from utils.events import rfc3339

__all__ = ["TEMPORARY_AGE", "cache", "raw", "temporary", "versions"]

TEMPORARY_AGE = 24 * 3600.0
"""Seconds after which a temporary file belongs to nobody who is still writing it."""


def temporary(system: IntegratedSystem, *, dry_run: bool, age: float = TEMPORARY_AGE) -> Step:
    """Remove temporary files that nobody has touched for `age` seconds, and that nobody has open."""
    from monitoring.healing.temporary import clean_temporary

    state = system.state_dir
    done = clean_temporary(
        [state / "tmp"],
        now=system.clock.time(),
        older_than=age,
        dry_run=dry_run,
        leave=[state],
        anybodys=True,
    )
    swept = 0 if dry_run else system.storage.sweep(TEMPORARY_AGE)
    return Step("temporary", done.files + swept, done.bytes, "temporary files removed")


def cache(system: IntegratedSystem, *, dry_run: bool) -> Step:
    """Purge results past their TTL."""
    if dry_run:
        return Step("cache", detail="expired results would be purged")
    purged = system.cache.purge()
    return Step("cache", purged.entries, purged.bytes, "expired results purged")


def versions(
    system: IntegratedSystem,
    gone: list[str],
    *,
    dry_run: bool,
    keep: VersionRetention | None = None,
    held: bool = True,
    before: Callable[[Step], None] = lambda _: None,
) -> Step:
    """Drop accepted and held versions beyond the retention, and files of tables that no kept version needs.

    Never the version that readers see (of a dataset that is configured, or was within `retention.last_good`), nor one
    that waits for a sink, nor a file that it or another kept version names.
    Meanwhile nobody rolls back to a version that goes.

    Args:
        gone: Gets the paths of the versions that go.
        keep: In the place of the configured retention.
        held: Held ones go by it, too.
        before: Called with what will be done, when all is known that goes and nothing has gone.
    """
    if not (lease := system.leases.acquire([RETENTION])):
        return Step("versions", detail="somebody else is at them")
    try:
        return _old_versions(system, gone, dry_run, keep or system.settings.retention.versions, held, before)
    finally:
        system.leases.release(lease)


def _old_versions(
    system: IntegratedSystem,
    gone: list[str],
    dry_run: bool,
    keep: VersionRetention,
    held: bool,
    before: Callable[[Step], None],
) -> Step:
    oldest = rfc3339(system.clock.now() - timedelta(seconds=keep.age))
    current = system.views.current()
    left = _left_behind(system, current)
    seen = {name: {entry.version} | _whole(system, entry) for name, entry in current.items() if name not in left}
    needed: set[str] = set()
    unsure: set[str] = set()
    paths: set[str] = set()
    dropped: list[Version] = []
    rank: dict[tuple[str, str], int] = {}
    waiting = {dataset.name: system.outbox.waiting(dataset) for dataset in system.settings.datasets if dataset.publish}
    for version in system.views.versions():  # newest first within a dataset
        key = (version.dataset, version.state)
        rank[key] = rank.get(key, 0) + 1
        kept = version.version in seen.get(version.dataset, ()) or version.version in waiting.get(version.dataset, ())
        kept = kept or (version.state == "held" and not held)
        past = rank[key] > keep.count or version.time < oldest or version.dataset in left
        if not kept and past:
            dropped.append(version)
            continue
        paths.add(version.path)
        if (files := _files(system, version)) is not None:
            needed |= files
        else:
            unsure.add(f"tables/{version.dataset}/")  # nobody knows now which files it needs: all stay
    # The log names what was removed by its path: a version goes with the last one that has its rows (`rollback`).
    needed |= set().union(*(_files(system, version) or () for version in dropped if version.path in paths))
    dropped = [version for version in dropped if version.path not in paths]
    gone += [version.path for version in dropped]
    loose = set().union(*(_files(system, version) or {version.path} for version in dropped)) - needed
    # A run that is going on writes parts before its event names them; one that was killed never names them. Nor does
    # anybody name the file of a candidate that was accepted by a process that was killed then.
    then = system.clock.now() - timedelta(seconds=TEMPORARY_AGE)
    for folder in ("datasets/", "tables/", "held/"):
        loose |= {b.path for b in system.storage.list(folder) if b.path not in needed and b.modified < then}
    loose = {path for path in loose if not path.startswith(tuple(unsure))}
    freed = sum(system.storage.size(path) for path in loose if system.storage.exists(path))
    step = Step("versions", len(dropped), freed, "old versions removed")
    if not dry_run:
        before(step)
        for path in loose:
            system.storage.delete(path)
    return step


def _left_behind(system: IntegratedSystem, current: Mapping[str, Current]) -> set[str]:
    """Datasets that the configuration does not name any more, and that ran last longer ago than `last_good`."""
    before = rfc3339(system.clock.now() - timedelta(seconds=system.settings.retention.last_good))
    named = {dataset.name for dataset in system.settings.datasets}
    return {name for name, entry in current.items() if name not in named and entry.time < before}


def _whole(system: IntegratedSystem, current: Current) -> set[str]:
    """What readers get in the place of a damaged version."""
    found = system.results.last_good(current, thorough=False)
    return set() if found is None else {found.version}


def _files(system: IntegratedSystem, version: Version) -> set[str] | None:
    """What a version needs; None when the list of its files cannot be read."""
    try:
        return system.results.files(version)
    except StoreError:
        return None


def raw(system: IntegratedSystem, *, dry_run: bool, needed: int | None = None) -> Step:
    """Drop raw answers past the age their dataset says, then the oldest beyond the size.

    Args:
        needed: Bytes that are needed: in the place of all that, the oldest go until so much is free, never the newest
            of a dataset.
    """
    captures = system.raw.captures()
    going = _past_retention(system, captures) if needed is None else _oldest(captures, needed)
    # A run that is going on writes its index last.
    going += system.raw.leftovers(system.clock.now() - timedelta(seconds=TEMPORARY_AGE))
    if not dry_run:
        for capture in going:
            system.raw.drop(capture)
    freed = sum(capture.size for capture in going)
    detail = "raw answers past their retention removed" if needed is None else "raw answers removed, the oldest first"
    return Step("raw", len(going), freed, detail)


def _past_retention(system: IntegratedSystem, captures: list[Capture]) -> list[Capture]:
    keep = system.settings.retention.raw
    ages = {dataset.name: dataset.keep_raw for dataset in system.settings.datasets}
    now, kept = system.clock.now(), 0
    going = []
    for capture in reversed(captures):  # newest first
        age = (now - capture.collected_at).total_seconds()
        if age <= ages.get(capture.dataset, keep.age) and kept + capture.size <= keep.size:
            kept += capture.size
        else:
            going.append(capture)
    return going


def _oldest(captures: list[Capture], needed: int) -> list[Capture]:
    newest = {capture.dataset: capture for capture in captures}  # oldest first: the last one stays
    going: list[Capture] = []
    for capture in captures:
        if needed <= 0:
            break
        if newest[capture.dataset] is not capture:
            going.append(capture)
            needed -= capture.size
    return going
