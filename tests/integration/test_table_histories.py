"""Random histories of tables: whatever the provider and the user do, the table is what an oracle of dicts says."""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faulty_server import FaultyServer
from tests.integration.histories import History
from tests.integration.installation import Installation


def play(seed: int, folder: Path, server: FaultyServer, *, moments: int = 40) -> "Counter[str]":
    folder.mkdir()
    return History(seed, Installation(folder), server).play(moments)


def test_a_table_is_what_its_history_makes_it(tmp_path: Path) -> None:
    """Inserts, changes, deletions, late and bad rows, broken pages, errors, restarts, replays, decisions, `--full`."""
    seen: Counter[str] = Counter()
    with FaultyServer() as server:
        for seed in range(20, 26):
            seen += play(seed, tmp_path / str(seed), server, moments=14)
    assert min(seen[what] for what in ("whole", "partial", "not accepted", "full", "rolled back")) > 0, seen


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_two_hundred_histories(tmp_path: Path) -> None:
    """The full count, with its figures."""
    began, seen = time.perf_counter(), Counter[str]()
    with FaultyServer() as server:
        for seed in range(1000, 1200):
            seen += play(seed, tmp_path / str(seed), server)
    print(f"\n200 histories in {time.perf_counter() - began:.0f} s: {dict(seen)}")
    assert seen["whole"] > 1000
