"""An installation with a past: versions, one of them held; a table in pieces; made once, and copied for each test."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_system import IntegratedSystem
from operations.run import run
from tests.dashboard.configuration import ACTOR, HARM

CONTENTS = [
    "id,name,amount\n1,a,1.5\n2,b,2.5\n3,c,3.5\n",
    "id,name,amount\n1,a,1.5\n2,B,2.5\n4,d,4.5\n",
    "id,name,amount\n1,a,1.5\n2,B,2.5\n4,d,4.5\n5,e,99.0\n6,f,6.5\n7,g,7.5\n8,h,8.5\n9,i,9.5\n",
    "id,name,amount\n-1,a,1.5\n2,B,2.5\n",
]
"""What came: three batches that were accepted, the last with a row in quarantine; and one that is held."""


@dataclass(frozen=True)
class Past:
    """Where it lies."""

    config: Path
    state: Path

    def copied(self, config: Path, state_dir: Path) -> None:
        """Put a copy where a test has its own."""
        for file in self.config.parent.glob("*.*"):
            shutil.copy(file, config.parent)
        shutil.copytree(self.state, state_dir)


def made(folder: Path) -> Past:
    """`orders` with a past, `made` of it, `pieces`, `texts` of names and cells that mean harm, `never` ran."""
    rules: list[dict[str, Any]] = [
        {"not_null": ["id"]},
        {"range": {"column": "amount", "max": 50}},
        {"range": {"column": "id", "min": 0, "severity": "critical"}},
    ]
    pieces = {"by": ["2026-11-01", "2026-11-02", "2026-11-03"]}
    configuration = {
        "app": {"name": "page"},
        "defaults": {"dataset": {"deadline": "1m", "retry": {"attempts": 1}}},
        "datasets": [
            {
                "name": "orders",
                "provider": "partner",
                "collect": {"kind": "file", "path": "orders.csv"},
                "key": ["id"],
                "keep_raw": "7d",
                "rules": rules,
            },
            {"name": "later", "collect": {"kind": "simulated", "rows": 3}, "depends_on": ["orders"]},
            {"name": "pieces", "collect": {"kind": "simulated", "rows": 3}, "write": "append", "partition": pieces},
            {"name": "texts", "collect": {"kind": "file", "path": "texts.csv"}, "rules": [{"not_null": ["id"]}]},
            {"name": "never", "collect": {"kind": "simulated"}},
        ],
    }
    config, state = folder / "orchestrator.json", folder / "state"
    config.write_text(json.dumps(configuration))
    quoted = HARM.replace('"', '""')
    (folder / "texts.csv").write_text(f'id,"{quoted}",b\n1,a,b\n2,"{quoted}",=1+1\n,{"x" * 5000},"\u202egnp"\n')
    with IntegratedSystem(config, state_dir=state, environ={}) as system:
        for content in CONTENTS:
            (folder / "orders.csv").write_text(content)
            run(system, ACTOR, ["orders"], fresh=True)
        run(system, ACTOR, ["later", "texts"])
    return Past(config, state)
