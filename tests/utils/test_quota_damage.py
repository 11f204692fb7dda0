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
