"""`kill -9` of a backfill: whoever goes on with it collects what is left, and each piece is there once."""

import os
import random
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_pipeline.backfill_views import Backfills
from operations.show import delivered
from tests.chaos.backfill_driver import piece
from tests.chaos.state import Battered

FIRST = date(2024, 1, 1)


def days(count: int) -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(count)]


def work(battered: Battered, count: int, *, kill_after: int | None, dice: random.Random) -> list[str]:
    """Work the backfill off in a process that dies once it said so many pieces; gives what it had said."""
    command = [sys.executable, str(Path(__file__).with_name("backfill_driver.py"))]
    until = (FIRST + timedelta(days=count)).isoformat()
    with subprocess.Popen(
        [*command, str(battered.config), str(battered.state)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "UNTIL": until},
    ) as process:
        assert process.stdout is not None
        said = [] if kill_after is None else [process.stdout.readline() for _ in range(kill_after)]
        if kill_after is not None:
            try:
                process.wait(dice.uniform(0.0, 0.01))
            except subprocess.TimeoutExpired:
                process.kill()
        said += process.stdout
        process.wait(100)
    return [line.split()[1] for line in said if line.endswith("\n")]


def survive(battered: Battered, count: int, kills: int, seed: int) -> None:
    """Kill a backfill of so many pieces several times, then let it end; and assert all that must hold."""
    dice = random.Random(seed)
    collect = {"kind": "python", "function": "tests.chaos.backfill_driver:piece"}
    partition = {"by": "day", "start": FIRST.isoformat()}
    battered.configure([{"name": "sales", "collect": collect, "partition": partition}])
    said: list[str] = []
    for _ in range(kills):
        said += work(battered, count, kill_after=dice.randint(1, count // (kills + 1) - 4), dice=dice)
        battered.verified()
        with battered.system() as system:
            (backfill,) = Backfills(system.database).running()
            assert 0 < backfill.waiting < count
            assert set(said) <= {part.key for part in Backfills(system.database).of(backfill.id, "collected")}
    work(battered, count, kill_after=None, dice=dice)

    battered.verified()
    keys = [day.isoformat() for day in days(count)]
    with battered.system() as system:
        (backfill,) = Backfills(system.database).all()
        assert (backfill.state, backfill.collected, backfill.waiting) == ("finished", count, 0)
        accepted = Counter(
            key for event in system.events.read(type="batch.accepted", limit=100_000) for key in event.data["pieces"]
        )
        assert accepted == Counter(keys), "each piece was stored once"
        assert {run.status for run in system.views.runs(limit=100_000)} == {"succeeded"}
        rows = delivered(system, "sales").table.to_pylist()
    wanted = [row for day in days(count) for row in piece(SimpleNamespace(key=day.isoformat(), start=day))]
    assert rows == wanted


def test_a_backfill_that_is_killed_goes_on_where_it_stopped(battered: Battered) -> None:
    """Forty pieces, killed twice."""
    survive(battered, count=40, kills=2, seed=5)


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_a_thousand_pieces_are_there_once_whenever_their_backfill_is_killed(battered: Battered) -> None:
    """The full count."""
    survive(battered, count=1000, kills=3, seed=11)
