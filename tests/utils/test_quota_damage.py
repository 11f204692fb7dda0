"""What is counted around a request when the coordination database is damaged while it is open."""

import os
from pathlib import Path

import pytest

from utils.clock import ManualClock
from utils.quotas import SCHEMA, CountedQuotas
from utils.replaceable import ReplaceableDatabase
from utils.resilience.errors import RateLimitedError
from utils.resilience.quota import Quota

LIMIT = 10


def test_a_process_that_knows_the_count_brings_it_back(tmp_path: Path) -> None:
    """The database is lost after six requests of two processes; both go on from what they know, and add nothing."""
    database = ReplaceableDatabase(tmp_path / "coordination.db", migrations=[SCHEMA], on_set_aside=print)
    clock = ManualClock()
    one, other = (Quota("ecb", limit=LIMIT, shared=CountedQuotas(database), clock=clock) for _ in range(2))
    for _ in range(3):
        one.take()
        other.take()

    for file in tmp_path.glob("coordination.db*"):
        file.unlink()
    granted = 0
    for quota in [other, one] * 4:
        try:
            quota.take()
            granted += 1
        except RateLimitedError:
            continue

    assert granted == LIMIT - 6
    assert database.query("SELECT used FROM quotas") == [(LIMIT,)]
    database.close()


@pytest.mark.parametrize("kept", [0, 100, 4096], ids=["everything", "all but the header", "all but the first page"])
def test_a_quota_counts_on_while_its_database_is_damaged(tmp_path: Path, kept: int) -> None:
    """The file is overwritten in place after four requests: of all twelve that are tried, ten are granted."""
    path = tmp_path / "coordination.db"
    told: list[object] = []
    database = ReplaceableDatabase(path, migrations=[SCHEMA], on_set_aside=told.append)
    quota = Quota("ecb", limit=LIMIT, shared=CountedQuotas(database), clock=ManualClock())
    granted = 0
    for number in range(12):
        if number == 4:
            for file in (path, tmp_path / "coordination.db-wal"):
                with file.open("r+b") as damaged:
                    damaged.seek(kept)
                    damaged.write(os.urandom(max(0, file.stat().st_size - kept)))
        try:
            quota.take()
            granted += 1
        except RateLimitedError:
            pass

    database.close()
    assert granted == LIMIT
