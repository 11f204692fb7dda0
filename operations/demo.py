"""Stories told with simulated providers, in a state of their own that goes away afterwards: nothing real is touched."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import orjson

from data_pipeline.dataset import DatasetRun
from integrated_system import IntegratedSystem
from operations.actor import local_user
from operations.breakers import listed
from operations.events import recent, verify
from operations.run import run
from operations.status import status

DEAD = [{"after": "0s", "do": "down"}]
CONFIGURATION: dict[str, Any] = {
    "app": {"name": "demo"},
    "defaults": {
        "resilience": {"breaker": {"minimum_calls": 3}},
        "dataset": {"deadline": "5s", "retry": {"attempts": 3, "initial": "10ms"}},
    },
    "datasets": [
        {
            "name": "orders",
            "collect": {"kind": "simulated", "rows": 500},
            "rules": [{"not_null": ["id", "value"]}, {"unique": "id"}],
        },
        {"name": "prices", "collect": {"kind": "simulated", "rows": 50, "seed": 2}, "rules": [{"not_null": ["id"]}]},
        {"name": "stock", "provider": "partner", "collect": {"kind": "simulated", "rows": 20, "seed": 3}},
        {"name": "returns", "provider": "partner", "collect": {"kind": "simulated", "rows": 10, "seed": 4}},
    ],
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """One story: what was done and what came of it."""

    title: str
    lines: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"title": self.title, "lines": list(self.lines)}


def tell() -> Iterator[Chapter]:
    """Start, metrics, resilience, isolation, events: each as it really happens."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        with _system(Path(folder), CONFIGURATION) as system:
            yield _start(system)
            yield _metrics(system)
        broken = _with_partner_down(CONFIGURATION)
        with _system(Path(folder), broken) as system:
            yield _resilience(system)
            yield _isolation(system)
            yield _events(system)


def _system(folder: Path, configuration: dict[str, Any]) -> IntegratedSystem:
    path = folder / "demo.json"
    path.write_bytes(orjson.dumps(configuration))
    return IntegratedSystem(path, state_dir=folder / "state", environ={})


def _with_partner_down(configuration: dict[str, Any]) -> dict[str, Any]:
    datasets = [
        {**dataset, "collect": {**dataset["collect"], "script": DEAD}} if dataset.get("provider") else dataset
        for dataset in configuration["datasets"]
    ]
    return {**configuration, "datasets": datasets}


def _start(system: IntegratedSystem) -> Chapter:
    result = run(system, local_user())
    lines = [f"{d.dataset}: {d.rows} rows from {d.provider}, score {_score(d)}" for d in result.datasets]
    return Chapter("1. Start: four datasets of three providers", (*lines, status(system).sentence))


def _metrics(system: IntegratedSystem) -> Chapter:
    lines = []
    for block in reversed(system.history.blocks(["orders"])):  # those of its columns last
        newest = dict(zip(block.metrics, block.values[-1].tolist(), strict=True))
        lines += [f"orders.{name} = {value:g}" for name, value in newest.items() if not isnan(value)]
    return Chapter("2. Metrics: every delivery leaves figures, and detectors watch them", tuple(lines))


def _resilience(system: IntegratedSystem) -> Chapter:
    result = run(system, local_user(), fresh=True)
    lines = [f"{d.dataset}: {d.status}, {d.origin}: {d.reason}" for d in result.datasets if d.status != "succeeded"]
    return Chapter("3. Resilience: the partner is down, its datasets arrive from their last good copies", tuple(lines))


def _isolation(system: IntegratedSystem) -> Chapter:
    result = run(system, local_user(), fresh=True)
    circuits = [f"circuit of {b.provider}: {b.state} {b.reason}".rstrip() for b in listed(system)]
    fine = [d.dataset for d in result.datasets if d.status == "succeeded"]
    return Chapter(
        "4. Isolation: one dead provider costs nothing but its own datasets",
        (*circuits, f"not affected: {', '.join(fine)}"),
    )


def _events(system: IntegratedSystem) -> Chapter:
    lines = [f"{e.seq:>4} {e.type:<20} {e.subject}" for e in recent(system, limit=8)]
    found = verify(system)
    proof = found.fault or f"{found.events} events, the chain is whole"
    return Chapter("5. Events: everything that happened stands in one log", (*lines, proof))


def _score(delivered: DatasetRun) -> str:
    quality = delivered.quality
    return "not measured" if quality is None or quality.score is None else f"{quality.score:g}"
