"""Four processes write to one log, on either database, and any of them is killed at any moment."""

import random
import time
from pathlib import Path

import pytest

from tests.chaos.writers import writers


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path of a file, or the address of an empty database."""
    return str(tmp_path / "log.db") if request.param == "SQLite" else str(request.getfixturevalue("postgres"))


def survive(address: str, folder: Path, *, kills: int, seed: int) -> str:
    """So many kills, each after some events of the one that is killed; the figures of it."""
    dice, began, length = random.Random(seed), time.perf_counter(), 0
    with writers(address, folder) as some:
        while some.kills < kills:
            name = dice.choice(list(some.pids))
            some.wrote(name, dice.randrange(20))
            some.kill(name)
            some.start()
            if some.kills % 50 == 0:
                length = some.check()  # also while the others write
        for name in list(some.pids):
            some.wrote(name, 1)  # nothing that the dead held stops the living
    length = some.check()
    acknowledged = len(some.acknowledged.read_text().splitlines())
    return (
        f"{some.kills} kills, events: {length:,}, acknowledged: {acknowledged:,}, {time.perf_counter() - began:.0f} s"
    )


def test_no_acknowledged_event_is_lost_when_writers_are_killed(address: str, tmp_path: Path) -> None:
    """Five kills: gapless, the chain valid, views as a replay makes them, and nobody sees a locked database."""
    survive(address, tmp_path, kills=5, seed=5)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_no_acknowledged_event_is_lost_over_two_hundred_kills(address: str, tmp_path: Path) -> None:
    """The full count, with its figures."""
    print(f"\n{survive(address, tmp_path, kills=200, seed=50)}")
