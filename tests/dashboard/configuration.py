"""A small configuration that shows every state of a dataset, one of them with a name meant to do harm."""

import json
from pathlib import Path
from typing import Any

from operations.actor import Actor

ACTOR = Actor("tester")

HARM = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> **b** $x^2$ [a](b)"


def write_configuration(folder: Path, *, harm: bool = False) -> Path:
    """Three datasets of three providers: one delivers, one is down but has a snapshot, one is down and has nothing."""
    (folder / "snapshot.csv").write_text("id,value\n1,0.5\n2,0.7\n")
    down = {"kind": "simulated", "rows": 5, "script": [{"after": "0s", "do": "down"}]}
    nothing = {"kind": "file", "path": f"{HARM}.csv"} if harm else down
    configuration = {
        "app": {"name": "page"},
        "defaults": {"dataset": {"deadline": "1m", "retry": {"attempts": 2, "initial": "1ms"}}},
        "datasets": [
            {"name": "orders", "collect": {"kind": "simulated", "rows": 50}, "rules": [{"not_null": ["id"]}]},
            {"name": "partner", "collect": down, "snapshot": "snapshot.csv"},
            {"name": "nothing", "collect": nothing},
        ],
    }
    path = folder / "orchestrator.json"
    path.write_text(json.dumps(configuration))
    return path


def configured_with(path: Path, **sections: Any) -> None:
    """Add sections to the configuration that `write_configuration` wrote."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **sections}))
