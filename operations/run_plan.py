"""Which datasets a run is of, and what it would do with each; nothing is asked of a provider."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.errors import PipelineError
from data_pipeline.graph import select
from data_pipeline.store.views import Current
from integrated_system import IntegratedSystem
from operations.words import listed

__all__ = ["Planned", "asked", "at_most", "chosen", "plan"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run would do with a dataset: serve the copy within its TTL, ask the provider, make it of others."""

    dataset: str
    provider: str
    action: str

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "provider": self.provider, "action": self.action}


def chosen(system: IntegratedSystem, names: Sequence[str]) -> list[DatasetSettings]:
    """The datasets that are named, each once; none named: all. A name may be a selection: `+orders`, `tag:finance`.

    Raises:
        ConfigError: a name or tag that is not declared, with the nearest that is.
    """
    return select(system.settings, names)


def at_most(system: IntegratedSystem, datasets: list[DatasetSettings], limit: int | None) -> list[DatasetSettings]:
    """So many of these, in their order: those of the highest priority, of them those that ran the longest ago."""
    if limit is None or limit >= len(datasets):
        return datasets
    current = system.views.current([dataset.name for dataset in datasets])
    last = {name: stand.time for name, stand in current.items()}
    first = sorted(datasets, key=lambda dataset: (-dataset.priority, last.get(dataset.name, "")))[:limit]
    names = {dataset.name for dataset in first}
    return [dataset for dataset in datasets if dataset.name in names]


def _captured(system: IntegratedSystem, run_id: str) -> list[str]:
    """The declared datasets of which a run's raw answers are kept."""
    captures = system.raw.captures()
    declared = {dataset.name for dataset in system.settings.datasets}
    found = [capture.dataset for capture in captures if capture.run_id == run_id and capture.dataset in declared]
    if not found:
        kept = ", ".join(sorted({capture.run_id for capture in captures})[-5:])
        hint = (
            f"kept are the runs {kept}"
            if kept
            else "set `keep_raw` at a dataset, and its answers are kept from then on"
        )
        raise PipelineError(f"no raw answers of run {run_id} are kept", hint=hint)
    return found


def asked(system: IntegratedSystem, names: Sequence[str], from_raw: str) -> list[DatasetSettings]:
    """The datasets of a run; of one from raw answers only those that have any.

    A name without any is the mistake of whoever asks: no reason to call the dataset failed.
    """
    named = chosen(system, names)
    if not from_raw:
        return named
    captured = _captured(system, from_raw)
    if not names:
        return chosen(system, captured)
    if lacking := [dataset.name for dataset in named if dataset.name not in captured]:
        hint = f"it has those of {', '.join(captured)}; `keep_raw` of a dataset keeps them from then on"
        raise PipelineError(f"no raw answer of {', '.join(lacking)} is kept of run {from_raw}", hint=hint)
    return named


def plan(
    system: IntegratedSystem,
    names: Sequence[str] = (),
    *,
    fresh: bool = False,
    from_raw: str = "",
    limit: int | None = None,
) -> list[Planned]:
    """What `run` would do, without doing it."""
    datasets = at_most(system, asked(system, names, from_raw), limit)
    also = {dataset.name for dataset in datasets}
    current = system.views.current([dataset.name for dataset in datasets])
    planned = []
    for dataset in datasets:
        if from_raw:
            provider = system.collector.provider_of(dataset)
            planned.append(Planned(dataset.name, provider, f"take what came in run {from_raw}"))
            continue
        action = _of_upstreams(system, dataset, current.get(dataset.name), fresh, also) if dataset.depends_on else ""
        if not action:
            hit = None if fresh else system.pipeline.cached(dataset, current.get(dataset.name))
            action = f"serve the copy of {hit['collected_at']}, within its TTL" if hit else "ask the provider"
        planned.append(Planned(dataset.name, system.collector.provider_of(dataset), action))
    return planned


def _of_upstreams(
    system: IntegratedSystem, dataset: DatasetSettings, current: Current | None, fresh: bool, also: Set[str]
) -> str:
    """What would be done because of what a dataset depends on, as that stands now; "": what it would do without.

    Args:
        also: The datasets of the run: what comes of them, nobody knows yet.
    """
    made = f"make it of {listed(list(dataset.depends_on))}" if dataset.transform is not None else ""
    if not also.isdisjoint(dataset.depends_on):
        return made if fresh or not made else f"{made}, unless nothing of it is news"
    needed = system.upstreams.of(dataset)
    if needed.blocked is not None:
        return str(needed.blocked)
    last_good = system.results.last_good(current, thorough=False)
    if fresh or not made or last_good is None:
        return made
    from data_pipeline.deriving import up_to_date

    same = up_to_date(dataset, last_good, needed, lambda: system.upstreams.last_turn(dataset.name), system.clock)
    return made if same is None else "nothing: it was made of the same"
