"""An installation with real trouble, and with text that means harm wherever a user or a provider may put some.

Down and broken off, held and in quarantine, unlikely, silenced, half filled in: so that every page has everything to
show, and every button something to do.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.request import RunRequest
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alert_acts import matcher_of, silence
from operations.alerting import deliver
from operations.backfill import call_off, listed, start
from operations.backfill_plan import plan
from operations.breakers import force_open
from operations.feedback import normal_since
from operations.run import run, run_queue
from tests.dashboard.configuration import HARM
from tests.dashboard.past import CONTENTS
from tests.faulty_server import FaultyServer, status
from utils.events import NewEvent
from utils.events.following import Consumer, Following

ACTOR = Actor("tester")
NASTY = f"{HARM} \u202egnp\u202c :red[x] :material/home: javascript:alert(1) https://example.org/x"
LONG = "x" * 1_000_000

T = TypeVar("T")


@dataclass(frozen=True)
class Installation:
    """Where it lies."""

    config: Path
    state: Path

    def look(self, ask: Callable[[IntegratedSystem], T]) -> T:
        """Ask the state itself, past the page."""
        with IntegratedSystem(self.config, state_dir=self.state, environ={}) as system:
            return ask(system)


def made(folder: Path, server: FaultyServer, *, tame: bool = False) -> Installation:
    """Write it, and let what happens happen.

    Args:
        server: The mail room: it refuses every message for good, so there are dead letters.
        tame: Without what means harm, for pictures.
    """
    server.answer = lambda _: status(404)
    config, state = folder / "orchestrator.json", folder / "state"
    config.write_text(json.dumps(_configuration(server.url, tame=tame)))
    _files(folder, tame=tame)
    with IntegratedSystem(config, state_dir=state, environ={}) as system:
        for content in CONTENTS[:3]:
            (folder / "orders.csv").write_text(content)
            run(system, ACTOR, ["orders"], fresh=True)
        _measured(system, "Berlin" if tame else HARM)
        (folder / "orders.csv").write_text(CONTENTS[3])
        run(system, ACTOR, fresh=True)
        deliver(system, within_s=0.5)
        force_open(system, ACTOR, "partner", reason="moving house" if tame else NASTY)
        until = system.clock.now().replace(year=2100)
        quiet = matcher_of(system, ["dataset=later"])
        silence(system, ACTOR, quiet, until=until, reason="holidays" if tame else NASTY)
        start(system, ACTOR, plan(system, "pieces", keys=("2026-11-01", "2026-11-02")))
        crashed(system)
        if not tame:
            system.events.append(
                [
                    NewEvent(NASTY[:200].replace(" ", "_"), NASTY[:300], {"said": NASTY, "long": LONG[:100_000]}),
                    NewEvent("plant.read", "sensor", {NASTY: [NASTY, None], "nan": "NaN"}, source="plant"),
                ]
            )
        _parked(system)
    return Installation(config, state)


def _configuration(mail: str, *, tame: bool) -> dict[str, Any]:
    down = {"kind": "simulated", "rows": 5, "script": [{"after": "0s", "do": "down"}]}
    rules: list[dict[str, Any]] = [
        {"not_null": ["id"]},
        {"range": {"column": "amount", "max": 50}},
        {"range": {"column": "id", "min": 0, "severity": "critical"}},
    ]
    odd = "Somebody" if tame else NASTY
    return {
        "app": {"name": "page"},
        "defaults": {"dataset": {"deadline": "1m", "retry": {"attempts": 2, "initial": "1ms"}}},
        "datasets": [
            {
                "name": "orders",
                "provider": "shop",
                "collect": {"kind": "file", "path": "orders.csv"},
                "key": ["id"],
                "keep_raw": "7d",
                "rules": rules,
                "schedule": {"every": "1h"},
            },
            {"name": "later", "collect": {"kind": "simulated", "rows": 300}, "depends_on": ["orders"]},
            {
                "name": "fx_daily",
                "provider": "partner",
                "collect": down,
                "snapshot": "snapshot.csv",
                "promise": {"max_age": "1h"},
                "owner": odd,
                "runbook": "https://wiki.example.org/partner" + ("" if tame else f"/{HARM}"),
            },
            {
                "name": "gone",
                "collect": {"kind": "file", "path": "gone.csv" if tame else f"{HARM}.csv"},
                "schedule": {"every": "1h"},
            },
            {
                "name": "texts",
                "collect": {"kind": "file", "path": "texts.csv"},
                "rules": [{"not_null": ["id"]}, {"unique": ["id"]}],
            },
            {"name": "empty", "collect": {"kind": "file", "path": "empty.csv"}},
            {
                "name": "pieces",
                "collect": {"kind": "simulated", "rows": 30},
                "write": "append",
                "partition": {"by": ["2026-11-01", "2026-11-02", "2026-11-03"]},
            },
        ],
        "protector": {"enabled": True, "dry_run": True},
        "alerts": {"channels": {"chat": f"{mail.replace('http', 'json', 1)}chat"}},
    }


def _files(folder: Path, *, tame: bool) -> None:
    (folder / "snapshot.csv").write_text("id,value\n1,0.5\n2,0.7\n")
    (folder / "empty.csv").write_text("id,value\n")
    if tame:
        (folder / "texts.csv").write_text("id,name,share\n1,Ana,0.5\n2,Bob,0.25\n,Cleo,0.125\n")
        return
    quoted = NASTY.replace('"', '""')
    lines = (
        f'id,"{quoted}",b,share',
        "1,a,b,NaN",
        f'2,"{quoted}",=1+1,inf',
        f',{LONG},"\u202egnp",-inf',
        f',"{quoted}",$x^2$,0.5',
    )
    (folder / "texts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _measured(system: IntegratedSystem, place: str) -> None:
    """A series with a spike that sticks out now, another that does not; what somebody said about one."""
    random = np.random.default_rng(1)
    times = time.time() - np.arange(300)[::-1] * 120.0 - 1
    for name in ("load", "sales"):
        values = random.normal(100.0, 3.0, 300)
        values[200] = 180.0
        system.history.append(name, times.tolist(), values.tolist(), {"place": place})
    unlikely(system, place)
    normal_since(system, ACTOR, ["sales"], system.clock.now().isoformat(), reason=place)


def crashed(system: IntegratedSystem) -> str:
    """A run that broke off with its process; its number."""
    (run_id,) = run_queue(system).put([RunRequest(("later",), "schedule")])
    data = {**RunRequest(("later",), "schedule", run_id=run_id).to_json(), "owner": "elsewhere|x|y|1|1"}
    system.events.append([NewEvent("run.started", run_id, data, source="runner")])
    system.events.append([NewEvent("run.crashed", run_id, {"owner": data["owner"]}, source="runner")])
    return run_id


def waiting(system: IntegratedSystem) -> str:
    """A run that waits for its turn, and nobody is there to begin it; its number."""
    (run_id,) = run_queue(system).put([RunRequest(("later",), "schedule")])
    return run_id


def unlikely(system: IntegratedSystem, place: str = HARM) -> str:
    """The newest value of a series is far from what it always was."""
    system.record("load", 20.0, tags={"place": place})
    return ""


def set_aside(system: IntegratedSystem) -> str:
    """The run that brought what readers of `orders` get, and rows that wait in quarantine."""
    current = system.views.current_of("orders")
    assert current is not None
    return current.version


def watched(system: IntegratedSystem) -> str:
    """Somebody watches this machine."""
    system.history.append("host_cpu_percent", [time.time()], [40.0], {"host": "here"})
    return ""


def no_backfill(system: IntegratedSystem) -> str:
    """Whatever is not over is called off, so that its pieces may be asked for again."""
    for one in listed(system):
        with suppress(PipelineError):  # it may end meanwhile
            call_off(system, ACTOR, one.id)
    return ""


def broken_off(system: IntegratedSystem) -> str:
    """One backfill that nobody works on, and no other; its id."""
    no_backfill(system)
    return start(system, ACTOR, plan(system, "pieces", keys=("2026-11-01", "2026-11-02")))


def _parked(system: IntegratedSystem) -> None:
    """A consumer goes on without an event, and says why."""

    def refuse(_: object) -> None:
        raise ValueError(NASTY)

    consumer = Consumer(name="pager", handler=refuse, pattern="run.started", start="beginning", park_after=1)
    following = Following(consumer, system.events, system.cursors, clock=system.clock)
    following.step()
    following.close()
