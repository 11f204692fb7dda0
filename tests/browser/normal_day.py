"""An installation on a normal day: eight datasets, a run each hour since yesterday, and one provider that is down."""

import json
import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import deliver
from operations.run import run
from tests.browser.installation import Installation
from tests.faulty_server import FaultyServer, ok, status
from utils.clock import ManualClock

HOURS, DOWN = 24, 3
"""Runs in all, and those at the end in which the central bank does not answer."""

PROVIDERS = {
    "orders": "shop",
    "customers": "shop",
    "stock": "warehouse",
    "shipments": "warehouse",
    "fx_daily": "ECB",
    "weather": "meteo",
    "earthquakes": "USGS",
    "web_visits": "analytics",
}


def normal_day(folder: Path, bank: FaultyServer) -> Installation:
    """Write it, and let the day go by up to now.

    Args:
        bank: Serves `fx_daily`, until it does not.
    """
    config, state = folder / "orchestrator.json", folder / "state"
    config.write_text(json.dumps(_configuration(folder, bank)))
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=HOURS - 1, minutes=4))
    chance = random.Random(7)
    with IntegratedSystem(config, state_dir=state, environ={}, clock=clock) as system:
        for hour in range(HOURS):
            for n, name in enumerate(PROVIDERS):
                rows = round(120 + 50 * math.sin((hour + 3 * n) * math.tau / HOURS))
                content = _content(clock.now(), chance, rows, bad=name == "stock" and hour == HOURS // 3)
                if name == "fx_daily":
                    bank.answer = ok(content.encode(), "text/csv") if hour < HOURS - DOWN else status(503)
                else:
                    (folder / f"{name}.csv").write_text(content)
            run(system, Actor("schedule"), fresh=True)
            deliver(system, within_s=0.1)
            if hour < HOURS - 1:
                clock.advance(3600.0)
    return Installation(config, state)


def _content(now: datetime, chance: random.Random, rows: int, *, bad: bool) -> str:
    lines = ["id,amount,time"]
    for number in range(rows + chance.randrange(6)):
        amount = -1.0 if bad and number % 20 == 0 else round(chance.lognormvariate(3.0, 0.4), 2)
        moment = now - timedelta(minutes=chance.randrange(3, 50))
        lines.append(f"{number},{amount},{moment:%Y-%m-%dT%H:%M:%SZ}")
    return "\n".join(lines) + "\n"


def _configuration(folder: Path, bank: FaultyServer) -> dict[str, Any]:
    def dataset(name: str, provider: str) -> dict[str, Any]:
        over_http = {"kind": "http", "url": urljoin(bank.url, "/eurofxref.csv")}
        return {
            "name": name,
            "provider": provider,
            "collect": over_http if name == "fx_daily" else {"kind": "file", "path": f"{name}.csv"},
            "key": ["id"],
            "data_time": "time",
            "rules": [{"not_null": ["id"]}, {"range": {"column": "amount", "min": 0}}],
            "promise": {"max_age": "8h"},
            **({"objective": {"over": "30d"}} if name in {"orders", "stock", "fx_daily"} else {}),
        }

    return {
        "app": {"name": "Acme data"},
        "defaults": {
            "resilience": {"breaker": {"failure_threshold": 2}},
            "dataset": {"deadline": "1m", "retry": {"attempts": 2, "initial": "1ms"}},
        },
        "datasets": [dataset(name, provider) for name, provider in PROVIDERS.items()],
    }
