"""An installation that is treated badly, and what must hold of its state whatever was done to it."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_system import IntegratedSystem
from tests import warm

ROOT = Path(__file__).resolve().parents[2]
RULES = [{"not_null": ["id"]}, {"unique": "id"}, {"row_count": {"min": 1}}]


def simulated(names: Iterable[str], **collect: Any) -> list[dict[str, Any]]:
    """Simulated datasets of one provider; `latency` in the notation of the configuration."""
    return [
        {
            "name": name,
            "provider": "simulated",
            "collect": {"kind": "simulated", "rows": 3, **collect},
            "rules": RULES,
        }
        for name in names
    ]


@dataclass(frozen=True)
class Battered:
    """A configuration and a state directory below one folder, used by processes that may die."""

    folder: Path
    state: Path

    @property
    def config(self) -> Path:
        return self.folder / "orchestrator.json"

    def configure(self, datasets: Sequence[dict[str, Any]], **sections: Any) -> None:
        self.config.write_text(json.dumps({**sections, "datasets": datasets}))

    def driver(self, *arguments: str) -> list[str]:
        """The command of a process that acknowledges datasets."""
        return [
            sys.executable,
            str(Path(__file__).with_name("driver.py")),
            str(self.config),
            str(self.state),
            *arguments,
        ]

    def command(self, *arguments: str) -> list[str]:
        """The command line as a user types it."""
        program = [sys.executable, str(ROOT / "integrated_system.py"), *arguments]
        return [*program, "--config", str(self.config), "--state-dir", str(self.state)]

    def cli(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; `options` of `subprocess.run` are those of a process that is started anew."""
        if not options:
            return warm.execute(self.command(*arguments)[2:], cwd=Path.cwd(), env=os.environ, timeout=120)
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=120, check=False, **options
        )

    @contextmanager
    def system(self) -> Iterator[IntegratedSystem]:
        with IntegratedSystem(self.config, state_dir=self.state, environ={}) as system:
            yield system

    def runs(self) -> dict[str, str]:
        """Every run's status by its id, oldest first."""
        with self.system() as system:
            return {run.run_id: run.status for run in reversed(system.views.runs(limit=1000))}

    def verified(self) -> int:
        """The number of events; the chain is whole."""
        with self.system() as system:
            found = system.events.verify()
        assert found.fault is None, found.fault
        return found.events

    def delivered(self, run_id: str) -> "Counter[str]":
        """How often the log says of each dataset that this run delivered it."""
        sql = "SELECT subject FROM events WHERE type = 'dataset.collected' AND data ->> 'run_id' = ?"
        with self.system() as system:
            return Counter(name for (name,) in system.database.query(sql, (run_id,)))

    def keeps(self, run_id: str, acknowledged: Iterable[str]) -> None:
        """Assert that what was acknowledged is in the log, in the views, and in storage."""
        with self.system() as system:
            stored = {body["dataset"]: body for body in system.views.dataset_runs(run_id)}
            current = system.views.current()
            logged = self.delivered(run_id)
            for name in acknowledged:
                assert logged[name] == 1
                assert stored[name]["status"] == "succeeded"
                version = system.views.version(name, stored[name]["version"])
                assert version is not None
                assert current[name].version == version.version
                assert system.results.table(version.path).num_rows == 3
