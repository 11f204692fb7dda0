"""A database of a release that knew no levels: its points stay, and everything new works on them."""

import math
import struct
from pathlib import Path

from tests.utils.history.tables import add
from tests.utils.history.test_rollups import roll_up
from utils.history import LEVELS_SCHEMA, SCHEMA, History
from utils.history.rollups import Kept
from utils.sqlite import SqliteDatabase

# What that release said to append a point; its trigger closed the open rows.
_APPENDED = """
INSERT INTO history_open VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT (subject, metrics) DO UPDATE SET
    finish = max(finish, excluded.finish), points = points + 1, data = CAST(data || excluded.data AS BLOB)
"""


def released(path: Path, sizes: dict[str, int]) -> None:
    """As it left them: one point a minute, `sizes` of them by subject."""
    database = SqliteDatabase(path, migrations=[SCHEMA])
    with database.transaction() as connection:
        for subject, points in sizes.items():
            for n in range(points):
                row = struct.pack("<3d", 60.0 * n, float(n), math.nan)
                connection.execute(_APPENDED, (subject, "rows,nulls", 60.0 * n, row))
    database.close()


def test_every_point_of_a_released_database_is_kept(tmp_path: Path) -> None:
    """With any number of points in the last chunk and beside it; what comes later follows behind."""
    sizes = {f"s{n}": n for n in (1, 7, 8, 9, 63, 64, 65, 72, 128, 136, 300)}
    released(tmp_path / "history.db", sizes)

    database = SqliteDatabase(tmp_path / "history.db", migrations=[SCHEMA, LEVELS_SCHEMA])
    history = History(database)
    for subject, size in sizes.items():
        add(database, subject, [(60.0 * n, {"rows": float(n), "nulls": None}) for n in range(size, size + 70)])

    for block in history.blocks(sizes, last=1000):
        assert block.values[:, 0].tolist() == list(range(sizes[block.subject] + 70)), block.subject
        assert block.metrics == ("rows", "nulls")
    assert [len(block.times) for block in history.blocks(["s300"], last=256)] == [256]
    database.close()


def test_released_points_are_rolled_up_read_and_dropped(tmp_path: Path) -> None:
    """Like those that come now."""
    released(tmp_path / "history.db", {"s": 600})
    database = SqliteDatabase(tmp_path / "history.db", migrations=[SCHEMA, LEVELS_SCHEMA])
    history = History(database)
    labels = {"dataset": "s"}

    before = history.range("rows", labels, since=0, until=36_000, points=10)
    assert roll_up(history) == 600
    dropped = history.retain(36_000.0, Kept(raw=3600.0, minute=86_400.0, hour=86_400.0))
    after = history.range("rows", labels, since=0, until=36_000, points=10)

    assert before.count.tolist() == after.count.tolist() == [60] * 10
    assert before.last.tolist() == after.last.tolist() == [60.0 * n + 59 for n in range(10)]
    assert dropped == 320
    assert history.range("rows", labels, since=3000, until=3600, points=600).count.tolist() == [1] * 10
    database.close()
