"""Whatever happens to an installation, its views are what a replay of its log makes of them: on both databases."""

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.installation import Installation
from tests.integration.log_histories import LogHistory

HAPPENED = ("run.finished", "dataset.collected", "dataset.failed", "breaker.opened", "maintenance.finished")
DECIDED = ("batch.rejected", "version.rolled_back")


def play(seed: int, folder: Path, database: str = "", *, moments: int = 30) -> "Counter[str]":
    folder.mkdir()
    return LogHistory(seed, Installation(folder), database).play(moments)


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_views_are_what_the_log_says(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Failures, recoveries, publishing, quarantine, circuits, decisions by hand, sealing, restarts."""
    seen: Counter[str] = Counter()
    database = "" if kind == "SQLite" else str(request.getfixturevalue("postgres"))
    seen += play(3, tmp_path / "history", database, moments=40 if kind == "SQLite" else 25)
    assert min(seen[what] for what in (*HAPPENED, *DECIDED)) > 0, seen


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_views_are_what_the_log_says_over_a_hundred_histories(tmp_path: Path) -> None:
    """The full count, with its figures."""
    began, seen = time.perf_counter(), Counter[str]()
    for seed in range(100, 200):
        seen += play(seed, tmp_path / str(seed), moments=60)
    print(f"\n100 histories in {time.perf_counter() - began:.0f} s: {dict(seen)}")
    assert min(seen[what] for what in HAPPENED) > 100
