"""`kill -9` at random moments of runs that append, merge and publish: no row is lost or doubled anywhere."""

import os
import random
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from operations.actor import Actor
from operations.maintain import maintain
from operations.run import run
from operations.show import delivered
from tests.chaos.state import Battered


def datasets() -> list[dict[str, Any]]:
    """A table that is appended to and one that is merged, from one database, into sinks of every mode."""
    collect = {
        "kind": "sql",
        "url": "sqlite:///source.db",
        "query": "SELECT id, at, n FROM orders WHERE at >= :since",
        "params": {"since": "{cursor}"},
    }
    common = {"collect": collect, "key": ["id"], "incremental": {"cursor": "at", "initial": 0}}

    def sink(table: str, mode: str) -> dict[str, Any]:
        return {"kind": "sql", "url": "sqlite:///sink.db", "table": table, "mode": mode}

    return [
        {"name": "appended", **common, "write": "append", "publish": [sink("appended", "append")]},
        {
            "name": "merged",
            **common,
            "publish": [sink("merged", "merge"), sink("replaced", "replace"), {"kind": "file", "path": "merged.csv"}],
        },
    ]


class Orders:
    """The database that is collected from."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.path = path
        self.dice = dice
        self.step = 0
        self.rows: dict[int, tuple[int, int]] = {}
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, at INTEGER, n INTEGER)")

    def change(self) -> None:
        """New rows, and some that change; a change has a new `at`."""
        with closing(sqlite3.connect(self.path)) as database, database:
            for _ in range(self.dice.randint(1, 30)):
                self.step += 1
                number = self.dice.randint(1, 300)
                self.rows[number] = (self.step, self.step * 7)
                row = (number, self.step, self.step * 7)
                database.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", row)


def attack(battered: Battered, dice: random.Random, *, longest: float, beside: bool = False) -> bool:
    """Start a run (or two) and kill it some moment after it got ready; whether it was killed."""
    with_go = {**os.environ, "GO": "1"}
    count = 2 if beside else 1
    processes = [
        subprocess.Popen(
            battered.driver("run"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=with_go
        )
        for _ in range(count)
    ]
    killed = False
    for process in processes:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        try:
            process.wait(dice.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.kill()
            killed = True
        process.communicate()
    return killed


def survive(battered: Battered, rounds: int, seed: int, *, beside: bool = False) -> int:
    """Rounds of changes and kills, each followed now and then by a run that is let alone; how many were killed."""
    dice = random.Random(seed)
    orders = Orders(battered.folder / "source.db", dice)
    battered.configure(datasets())
    killed = 0
    # A table that is appended to has every state of a row that a run saw: the runs that are let alone say which.
    for number in range(rounds):
        orders.change()
        killed += attack(battered, dice, longest=0.35, beside=beside)
        if dice.random() < 0.4 or number == rounds - 1:
            with battered.system() as system:
                result = run(system, Actor("test"), fresh=True)
                assert result.status == "succeeded", result.to_json()
                if dice.random() < 0.5:
                    maintain(system, Actor("test"))
            check(battered, orders)
    return killed


def check(battered: Battered, orders: Orders) -> None:
    battered.verified()
    newest = sorted((number, *rest) for number, rest in orders.rows.items())
    with battered.system() as system:
        assert not system.outbox.pending(system.settings.dataset("appended"))
        tables = {
            name: sorted((row["id"], row["at"], row["n"]) for row in delivered(system, name).table.to_pylist())
            for name in ("appended", "merged")
        }
    assert tables["merged"] == newest
    assert len(set(tables["appended"])) == len(tables["appended"]), "a row stands there twice"
    assert set(newest) <= set(tables["appended"])
    with closing(sqlite3.connect(battered.folder / "sink.db")) as database:
        for table, wanted in (("appended", tables["appended"]), ("merged", newest), ("replaced", newest)):
            assert sorted(database.execute(f"SELECT id, at, n FROM {table}")) == wanted, table
    lines = (battered.folder / "merged.csv").read_text().splitlines()[1:]
    assert sorted(tuple(int(cell) for cell in line.split(",")) for line in lines) == newest


@pytest.mark.parametrize("beside", [False, True], ids=["one process", "two at the same moment"])
def test_tables_and_sinks_are_whole_whenever_a_run_is_killed(battered: Battered, *, beside: bool) -> None:
    """Every row is there once, every version went out once, and the chain of events is whole."""
    assert survive(battered, rounds=3, seed=7, beside=beside) > 0


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("beside", [False, True], ids=["one process", "two at the same moment"])
def test_tables_and_sinks_are_whole_over_a_hundred_kills(battered: Battered, *, beside: bool) -> None:
    """The full count."""
    killed = survive(battered, rounds=130, seed=3, beside=beside)
    print(f"\nkilled: {killed}")
    assert killed > 60
