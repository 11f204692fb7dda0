"""`kill -9` in the middle of `quarantine replay`: every row joins once, whenever it was, or waits still."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from operations.actor import Actor
from operations.quarantine import listed
from operations.replay import replay
from operations.run import run
from operations.show import delivered
from tests.chaos.state import Battered

DRIVER = Path(__file__).with_name("replay_driver.py")
COMMITTED = {"after-log", "before-forget", "after-forget"}
"""Moments at which the log has it already."""


def block(write: str, least: int) -> dict[str, Any]:
    rule = {"range": {"column": "price", "min": least}}
    return {"name": "stock", "collect": {"kind": "file", "path": "stock.csv"}, "write": write, "rules": [rule]}


@pytest.mark.parametrize("write", ["replace", "append"])
@pytest.mark.parametrize("moment", ["before-log", "after-log"])
def test_a_replay_that_is_killed_neither_loses_nor_doubles_a_row(battered: Battered, write: str, moment: str) -> None:
    """The next replay goes on where the log stands; what was written and not told is nobody's."""
    _kill(battered, write, moment)


@pytest.mark.prove
@pytest.mark.parametrize("write", ["replace", "append"])
def test_a_replay_may_be_killed_at_every_step(battered: Battered, write: str) -> None:
    """The full count: before and after each thing that is written."""
    for step in ("version", "rest", "kept", "flush", "log", "forget"):
        for when in ("before", "after"):
            folder = battered.folder / f"{when}-{step}"
            folder.mkdir()
            _kill(Battered(folder, folder / "state"), write, f"{when}-{step}")


def _kill(battered: Battered, write: str, moment: str) -> None:
    prices = [-1, *range(1, 21), -2, -200]
    (battered.folder / "stock.csv").write_text("id,price\n" + "".join(f"{n},{p}\n" for n, p in enumerate(prices)))
    actor = Actor("test")
    battered.configure([block(write, 0)], defaults={"dataset": {}})
    with battered.system() as system:
        run(system, actor)
    battered.configure([block(write, -100)])

    command = [sys.executable, str(DRIVER), str(battered.config), str(battered.state), "stock", moment]
    died = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert died.returncode == -signal.SIGKILL, died.stderr
    battered.verified()
    with battered.system() as system:
        (entry,) = listed(system)
        rows = delivered(system, "stock").table.column("price").to_pylist()
        assert (entry.rows, len(rows)) == ((1, 22) if moment in COMMITTED else (3, 20))
        replay(system, actor, "stock")
        (entry,) = listed(system)
        again = delivered(system, "stock").table.column("price").to_pylist()
    assert (entry.state, entry.rows, entry.replayed) == ("waiting", 1, 2)
    assert again == (prices[:-1] if write == "replace" else [*prices[1:-2], -1, -2])
    battered.verified()
