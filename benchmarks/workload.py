"""What the benchmarks run: configurations, and a state that has been lived in."""

import json
import random
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, BenchmarkError

NOOP_RULES: list[dict[str, Any]] = [
    {"not_null": ["id"]},
    {"unique": "id"},
    {"range": {"column": "value", "min": -1_000_000, "max": 1_000_000}},
    {"compare": "id >= 1"},
    {"row_count": {"min": 1}},
]
CSV_RULES: list[dict[str, Any]] = [
    {"not_null": ["id"]},
    {"unique": "id"},
    {"range": {"column": "amount", "min": 0, "max": 1000}},
    {"one_of": {"column": "currency", "values": ["EUR", "USD", "TRY"]}},
    {"row_count": {"min": 1}},
]
EVERY_S = 300.0
"""Seconds between two points of the history that is made up."""
NOISE = 0.05
"""How far its values stray: one standard deviation, as a share of what a run really measures."""


def noop_configuration(folder: Path, datasets: int) -> Path:
    """`datasets` simulated datasets of one row and five rules, all of one provider, as JSON (YAML reads slower)."""
    declared = [
        {
            "name": f"noop_{number:05d}",
            "provider": "bench",
            "collect": {"kind": "simulated", "rows": 1},
            "rules": NOOP_RULES,
        }
        for number in range(datasets)
    ]
    return _written(folder / f"noop{datasets}.json", declared)


def csv_configuration(folder: Path, rows: int = 200) -> Path:
    """One CSV dataset with five rules."""
    dice = random.Random(7)
    lines = ["id,amount,currency"]
    lines += [f"{n},{dice.uniform(1, 999):.2f},{dice.choice(['EUR', 'USD', 'TRY'])}" for n in range(1, rows + 1)]
    (folder / "sales.csv").write_text("\n".join(lines) + "\n")
    declared = {"name": "sales", "collect": {"kind": "file", "path": "sales.csv"}, "rules": CSV_RULES}
    return _written(folder / "sales.json", [declared])


def lived_in(configuration: Path, state: Path, *, points: int) -> None:
    """Make a state in which every metric of every dataset has `points` points of history, the newest five minutes old.

    Only the history is there, no accepted version: so the run that is measured accepts and stores every batch, which
    costs more than to find that it is unchanged, and detects over all the history on top.
    """
    sys.path.insert(0, str(ROOT))
    from integrated_system import IntegratedSystem
    from utils.history import CLOSE, point
    from utils.history.points import POINTS_OPEN

    dice = random.Random(7)
    usual = _usual(configuration, state.with_name(f"{state.name}-usual"))
    with IntegratedSystem(configuration, state_dir=state, environ={}) as system:
        now = system.clock.time()
        waiting = []
        for dataset in system.settings.datasets:
            statements = []
            for number in range(points):
                for measured in usual:
                    values = {name: dice.gauss(value, abs(value) * NOISE) for name, value in measured.items()}
                    statements.append(point(dataset.name, now - EVERY_S * (points - number), values))
                if number % POINTS_OPEN == POINTS_OPEN - 1:  # as the runs that made them would have
                    statements += CLOSE
            waiting.append(system.events.submit([], statements=statements))
        for future in waiting:
            future.result()


def _usual(configuration: Path, state: Path) -> list[dict[str, float]]:
    """What a run really measures of a dataset, by what is measured together.

    A history of other values would make every point an anomaly.
    """
    from integrated_system import IntegratedSystem
    from operations.actor import Actor
    from operations.run import run

    with IntegratedSystem(configuration, state_dir=state, environ={}) as system:
        name = system.settings.datasets[0].name
        run(system, Actor("benchmark"), [name], fresh=True)
        blocks = system.history.blocks([name])
    return [dict(zip(block.metrics, map(float, block.values[-1]), strict=True)) for block in blocks]


def all_delivered(datasets: int, output: str) -> None:
    """Refuse a run that was quick because it did something else.

    Raises:
        BenchmarkError: not every dataset was collected from the provider, accepted and judged.
    """
    told = json.loads(output)["datasets"]
    good = [d for d in told if (d["status"], d["origin"], d["quality"]["score"]) == ("succeeded", "provider", 100.0)]
    if len(good) != datasets:
        raise BenchmarkError(f"{len(good)} of {datasets} datasets were delivered by the provider")


def _written(path: Path, datasets: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"datasets": datasets}))
    return path
