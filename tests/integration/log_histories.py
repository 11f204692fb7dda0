"""Random histories of a whole installation: whatever happened, every view is what the log makes of it.

Each seed draws some dozens of moments of six datasets: providers that fail, come back, lie or stand still; a file
whose rows are good and bad; a sink that is away; circuits moved and batches decided about by hand; own metrics;
maintenance that seals events and forgets runs; days that pass, restarts, another configuration. Now and then the views
are replayed.
"""

import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from config.errors import ConfigError
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations import breakers, gate
from operations.actor import Actor
from operations.maintain import maintain
from operations.quarantine import drop
from operations.replay import replay
from operations.run import queue, resume, run
from tests.integration.installation import Installation
from utils.clock import ManualClock

ACTOR = Actor("test")
TROUBLES = ("down", "garbage", "same", "up")
PROVIDERS = ("flaky", "scripted", "steady")


class LogHistory:
    """One seed: its configuration, and what is done. `database`: where the log lies, "" for SQLite."""

    def __init__(self, seed: int, installation: Installation, database: str = "") -> None:
        self.dice = random.Random(seed)
        self.installation = installation
        self.database = database
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.sink = installation.folder / "sink"
        self.counts: Counter[str] = Counter()
        self.configure()

    def configure(self) -> None:
        dice = self.dice
        script = [{"after": f"{step * 40}m", "do": dice.choice(TROUBLES)} for step in range(1, 6)]
        breaker = {"failure_threshold": 2, "open_for": "10m", "max_open_for": "1h"}
        wanted = [
            {"not_null": ["id"]},
            {"range": {"column": "value", "min": dice.choice([0, -1]), "severity": dice.choice(["error", "critical"])}},
        ]
        out = {"kind": "file", "path": f"{self.sink}/{{dataset}}.jsonl"}
        simulated: dict[str, dict[str, Any]] = {
            "steady": {"rows": 3},
            "changing": {"rows": 3, "seed": dice.randrange(1000)},
            "flaky": {"rows": 2, "failure_rate": 0.5, "seed": dice.randrange(1000)},
            "scripted": {"rows": 2, "script": script},
            "empty": {"rows": 0},
        }
        asked = {"fresh": 0.9, "quality": 0.5, "over": "1d"}
        aimed: dict[str, Any] = {"promise": {"max_age": "2h"}, "objective": asked}
        blocks: list[dict[str, Any]] = [
            {
                "name": name,
                "collect": {"kind": "simulated", **how},
                "publish": [out] if name != "empty" else [],
                **(aimed if name in {"steady", "scripted"} else {}),
            }
            for name, how in simulated.items()
        ]
        blocks.append(
            {
                "name": "rows",
                "collect": {"kind": "file", "path": "rows.csv"},
                "rules": wanted,
                "publish": [out],
                "objective": {"quality": 0.5, "over": "1d"},
            }
        )
        kept = dice.sample(blocks, dice.randint(4, len(blocks)))
        sections: dict[str, Any] = {"database": {"url": self.database}} if self.database else {}
        self.installation.configure(
            *kept,
            defaults={"dataset": {"retry": {"attempts": 2, "initial": "1s", "max": "2s"}}},
            providers={name: {"resilience": {"breaker": breaker}} for name in PROVIDERS},
            retention={
                "versions": {"count": dice.choice([1, 3])},
                "runs": dice.choice(["1d", "90d"]),
                "events": {"age": dice.choice(["1d", "90d"])},
                "quarantine": {"age": "1d"},
            },
            **sections,
        )

    def play(self, moments: int) -> "Counter[str]":
        """Everything that happens; how often what happened."""
        left = moments
        while left > 0:
            self.write_rows()
            with self.installation.system(self.clock) as system:
                for _ in range(min(left, self.dice.randint(2, 8))):
                    self.clock.advance(self.dice.choice([1.0, 600.0, 3600.0, 90_000.0]))
                    self.moment(system)
                    left -= 1
                self.replayed(system)
            if self.dice.random() < 0.5:
                self.configure()
        with self.installation.system(self.clock) as system:
            maintain(system, ACTOR, rebuild=True)
            self.replayed(system)
            assert system.events.verify().fault is None
            self.counts += Counter(event.type for event in system.events.read(limit=100_000))
        return self.counts

    def moment(self, system: IntegratedSystem) -> None:
        dice = self.dice
        names = [dataset.name for dataset in system.settings.datasets]
        some = dice.sample(names, dice.randint(1, len(names)))
        what = ["run", "resume", "breaker", "metric", "maintain", "rows", "sink", "mend", "gate"]
        match dice.choices(what, [8, 1, 2, 1, 2, 2, 2, 2, 3])[0]:
            case "run":
                run(system, ACTOR, some, fresh=dice.random() < 0.8, full=dice.random() < 0.1)
            case "resume":
                resume(system, ACTOR, queue(system, ACTOR, some).run_id)
            case "breaker":
                self.decide(system, dice.choice(some))
            case "metric":
                system.record("orders_open", dice.gauss(100.0, 10.0), tags={"shop": dice.choice(["berlin", "rome"])})
            case "maintain":
                maintain(system, ACTOR, dry_run=dice.random() < 0.2)
            case "rows":
                self.write_rows()
            case "mend":
                self.mend(system)
            case "gate":
                self.judge(system, some)
            case _:
                self.turn_sink()

    def decide(self, system: IntegratedSystem, dataset: str) -> None:
        provider = system.collector.provider_of(system.settings.dataset(dataset))
        match self.dice.randrange(3):
            case 0:
                breakers.force_open(system, ACTOR, provider)
            case 1:
                breakers.close(system, ACTOR, provider)
            case _:
                breakers.reset(system, ACTOR)

    def judge(self, system: IntegratedSystem, names: list[str]) -> None:
        """Somebody decides about what is held, or goes back; where there is nothing to decide, nothing happens."""
        for name in names:
            decide = self.dice.choice([gate.accept, gate.accept, gate.reject, gate.rollback])
            with suppress(PipelineError):
                decide(system, ACTOR, name, reason=self.dice.choice(["", "I looked at it"]))

    def mend(self, system: IntegratedSystem) -> None:
        """Rows that were set aside are put back or given up, where there are any and they are not refused."""
        with suppress(PipelineError, ConfigError):
            if self.dice.random() < 0.7:
                replay(system, ACTOR, "rows", force=self.dice.random() < 0.5)
            else:
                drop(system, ACTOR, "rows", rules=["range(value)"] if self.dice.random() < 0.5 else ())

    def write_rows(self) -> None:
        """Some good, some bad, or none of it readable."""
        rows = [f"{n},{self.dice.choice([n, n, n, -1])}" for n in range(self.dice.randrange(6))]
        text = "\n".join(["id,value", *rows, ""])
        path = self.installation.folder / "rows.csv"
        path.write_text(text if self.dice.random() < 0.9 else "<html>no rows here</html>")

    def turn_sink(self) -> None:
        """The folder of the sink goes, and a file stands in its place; or it comes back."""
        if self.sink.is_file():
            self.sink.unlink()
        elif not self.sink.exists():
            self.sink.write_text("in the way")
        else:
            for path in self.sink.iterdir():
                path.unlink()
            self.sink.rmdir()
            self.sink.write_text("in the way")

    def replayed(self, system: IntegratedSystem) -> None:
        """The log makes of itself what the views are."""
        live = views(system)
        assert system.events.rebuild() == system.events.head()[0]
        again = views(system)
        for table, rows in live.items():
            assert again[table] == rows, f"{table}: live and rebuilt differ"
        assert not [one.failed for one in system.events.projections() if one.failed]
        self.counts["replayed"] += 1


def views(system: IntegratedSystem) -> dict[str, list[Any]]:
    """All that is projected from the log, row by row."""
    projections = system._what_is_kept().projections
    kept_up = {name for (name,) in system.database.query("SELECT name FROM checkpoints")}
    assert kept_up == ({one.name for one in projections} if system.events.head()[0] else set())
    tables = [table for one in projections for table in one.tables]
    return {table: sorted(system.database.query(f"SELECT * FROM {table}"), key=repr) for table in tables}
