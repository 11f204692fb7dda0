"""The rows: what readers of a dataset get, or the batch that came last."""

from dataclasses import replace
from typing import Any

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.errors import PipelineError
from data_pipeline.fallback import snapshot_batch
from data_pipeline.store.views import Current, Version
from integrated_system import IntegratedSystem


def delivered(system: IntegratedSystem, name: str, *, last_batch: bool = False) -> Batch:
    """The table that readers see now; with `last_batch` the batch collected last, held or accepted.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing was ever delivered.
        StoreError: no version is whole.
    """
    dataset = system.settings.dataset(name)
    limit = system.settings.app.memory_limit
    if last_batch:
        last = next((one for one in system.views.versions(name) if "restores" not in one.body), None)
        if last is None:
            raise PipelineError(f"{name}: no batch was ever collected", hint=f"run it: `run {name}`")
        system.results.check(last)
        return system.results.batch(last.body.get("batch") or last.path, _provenance(last), memory_limit=limit)
    current = system.views.current_of(name)
    version = system.results.last_good(current)
    if version is not None:
        provenance = _provenance(version)
        if words := _stands_in(version, current):
            provenance = replace(provenance, notes=(words, *provenance.notes))
        hit = system.cache.get(f"table:{name}:{version.version}")
        if hit is not None:
            return Batch.from_table(hit.value, provenance=provenance, memory_limit=limit)
        return system.results.batch(version.path, provenance, memory_limit=limit)
    body = system.views.latest().get(name)
    if body is not None and body["origin"] == "snapshot":
        rules = system.pipeline.rules_of(dataset)
        batch, validation = snapshot_batch(dataset, rules, now=system.clock.now())
        good = [part for part, _ in validation.split(batch)]
        schema = good[0].schema if good else batch.schema
        return Batch.from_batches(good, schema=schema, provenance=batch.provenance, memory_limit=limit)
    if (newest := system.results.newest(current)) is not None:
        system.results.check(newest)
    if any(held.state == "held" for held in system.views.versions(name)):
        hint = f"a batch is held: look at it with `show {name} --batch`, then `accept {name}` or `reject {name}`"
        raise PipelineError(f"{name}: nothing was delivered yet", hint=hint)
    raise PipelineError(f"{name}: nothing was delivered yet", hint=f"run it: `run {name}`")


def of_version(system: IntegratedSystem, name: str, version: str) -> Batch:
    """The rows of a version, whatever its state.

    Raises:
        ConfigError: no such dataset.
        PipelineError: there is no such version.
        StoreError: it is damaged.
    """
    system.settings.dataset(name)
    found = system.views.version(name, version)
    if found is None:
        raise PipelineError(f"{name}: there is no version {version}", hint=f"see `versions {name}`", missing=True)
    system.results.check(found)
    return system.results.batch(found.path, _provenance(found), memory_limit=system.settings.app.memory_limit)


def instead(system: IntegratedSystem, name: str) -> str:
    """Why readers get an older version than the one accepted last; empty: they get the last."""
    current = system.views.current_of(name)
    version = system.results.last_good(current)
    return "" if version is None else _stands_in(version, current)


def _stands_in(version: Version, current: Current | None) -> str:
    if current is None or current.version == version.version:
        return ""
    collected_at = version.body["collected_at"][:16].replace("T", " ")
    return f"version {current.version} is damaged; this is the last good copy, collected {collected_at} UTC"


def _provenance(version: Version) -> Provenance:
    from datetime import datetime

    body: dict[str, Any] = version.body
    return Provenance(
        provider=body["provider"],
        collected_at=datetime.fromisoformat(body["collected_at"]),
        content_sha256=body["content_sha256"],
        data_time=datetime.fromisoformat(body["data_time"]) if body["data_time"] else None,
        source=body["source"],
        notes=tuple(body["notes"]),
    )
