"""A run asks the ensemble: one process after the other, through the program as it is built."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson

from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.history import CLOSE, point

NOON = 1_794_830_400.0  # 2026-11-16T12:00:00Z
HOUR = 3600.0


def test_a_vanished_season_of_the_rows_is_an_event_of_a_run(tmp_path: Path) -> None:
    """Ten hours, each a run of a new process; told once; where the watch stands is in the same database."""
    hours = np.arange(360)
    rows = 1000.0 + 100.0 * np.sin(2 * np.pi * hours / 17) + 5.0 * np.random.default_rng(1).normal(size=360)
    clock, made = ManualClock(datetime.fromtimestamp(NOON, UTC)), Installation(tmp_path)
    made.configure({"name": "fx", "provider": "p", "collect": {"kind": "simulated"}})
    with made.system(clock) as system, system.database.transaction() as connection:
        for hour in hours.tolist():
            for sql, parameters in (point("fx", NOON - HOUR * (360 - hour), {"rows": rows[hour]}), *CLOSE):
                connection.execute(sql, parameters)
    found = 0
    for number in range(10):
        made.configure(
            {"name": "fx", "provider": "p", "collect": {"kind": "simulated", "rows": 1000 + number % 3, "seed": number}}
        )
        found += made.run_one(fresh=True, clock=clock).anomalies
        clock.advance(HOUR)

    with made.system(clock) as system:
        told = [one for one in system.views.anomalies(dataset="fx") if one["metric"] == "rows"]
        ((body,),) = system.database.query("SELECT body FROM looks WHERE subject = 'fx'")
    assert len(told) == 1
    assert "alone nothing strange" in told[0]["reason"]
    assert orjson.loads(body)["rows"][0] == told[0]["time"] + HOUR * (9 - round((told[0]["time"] - NOON) / HOUR))
    assert found >= 1
