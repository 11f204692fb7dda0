"""When a disk is full: told while it fills steadily, not while it breathes, and for nothing while it rests."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.utils.history.tables import open_at
from tests.utils.host.samples import sampled
from utils.history import History
from utils.host.filling import DiskForecast, filling
from utils.host.history import HostPoints
from utils.host.recent import Recent

GB = 1e9
HOUR = 3600.0
NOON = 1_700_049_600.0


def test_a_steady_fill_is_told_with_the_hours_that_are_left() -> None:
    """30 GB left, 20 GB a hour: an hour and a half, and the interval is around them."""
    noise = random.Random(4)
    points = [(at, 50 * GB - 20 * GB * at / HOUR + noise.gauss(0, 0.05 * GB)) for at in range(0, 3601, 10)]

    found = filling(points)

    assert found is not None
    assert found.hours_left == pytest.approx(1.5, rel=0.05)
    assert found.earliest_hours <= found.hours_left <= found.latest_hours
    assert found.bytes_per_hour == pytest.approx(20 * GB, rel=0.05)
    assert found.free_bytes == pytest.approx(30 * GB, rel=0.02)


@pytest.mark.parametrize("hours", [0.1, 0.5, 1.0, 2.0, 2.9])
def test_what_is_full_soon_is_told_however_soon(hours: float) -> None:
    """The cheap look lets through all that the trend of an hour reaches."""
    noise = random.Random(8)
    free = [50 * GB * (1 + hours - at / HOUR) / (1 + hours) + noise.gauss(0, 0.01 * GB) for at in range(0, 3600, 30)]

    found = filling([(30.0 * place, value) for place, value in enumerate(free)])

    assert found is not None
    assert found.hours_left == pytest.approx(hours, rel=0.1)


def flat() -> list[float]:
    return [50 * GB] * 120


def step() -> list[float]:
    return [50 * GB] * 60 + [20 * GB] * 60


def breathing() -> list[float]:
    """A temporary file grows and goes, again and again."""
    return [50 * GB - (place % 20) * GB for place in range(120)]


def freed() -> list[float]:
    return [10 * GB + place * GB / 10 for place in range(120)]


@pytest.mark.parametrize(
    "free",
    [flat(), step(), breathing(), freed(), flat()[:19], []],
    ids=["rests", "one large file", "files come and go", "is freed", "too few points", "none"],
)
def test_what_does_not_sink_steadily_is_not_told(free: Sequence[float]) -> None:
    """One large file, files that come and go, a disk that is freed, too few points."""
    assert filling([(60.0 * place, value) for place, value in enumerate(free)]) is None


def test_a_disk_that_fills_within_minutes_is_told_within_minutes() -> None:
    """By the last two of them, though the hour before was restful; and no more once it stopped."""
    recent = Recent()
    forecast = DiskForecast(recent)
    free, told = 60 * GB, []
    for second in range(0, 3600 + 420 + 3600, 5):
        if 3600 <= second < 3600 + 420:
            free -= 0.5 * GB
        recent.note(sampled(disk_free_bytes=free), float(second))
        found = forecast.look(float(second), NOON + second)
        told.append((second, found))

    early = [second for second, found in told if found is not None and second < 4020]
    assert early
    assert early[0] <= 3600 + 300
    assert told[-1][1] is None


def test_a_slow_fill_is_told_from_the_history(tmp_path: Path) -> None:
    """A restarted watch knows one hour, which reaches three ahead; the history's day tells of twenty."""
    database = open_at(str(tmp_path / "history.db"))

    def free(second: int) -> float:
        return 32 * GB - GB * second / HOUR

    points, recent = HostPoints("web-1"), Recent()
    with database.transaction() as connection:
        for second in range(0, int(12 * HOUR), 60):
            for sql, parameters in points.note(sampled(NOON + second, disk_free_bytes=free(second)), float(second)):
                connection.execute(sql, parameters)
    for second in range(int(11 * HOUR), int(12 * HOUR), 30):
        recent.note(sampled(disk_free_bytes=free(second)), float(second))

    alone = DiskForecast(recent).look(12 * HOUR, NOON + 12 * HOUR)
    found = DiskForecast(recent, lambda: History(database), "web-1").look(12 * HOUR, NOON + 12 * HOUR)
    database.close()

    assert alone is None
    assert found is not None
    assert found.hours_left == pytest.approx(20.0, rel=0.05)
    assert found.over_hours == pytest.approx(12.0, rel=0.05)


def test_a_disk_that_is_far_from_full_costs_no_numpy_and_no_history() -> None:
    """A gigabyte a hour of fifty is two days: it is asked all the time, in a process that shall be small."""
    program = """
import sys
from utils.host.filling import DiskForecast
from utils.host.recent import Recent
from tests.utils.host.samples import sampled
recent = Recent()
forecast = DiskForecast(recent, lambda: sys.exit("asked"))
for minute in range(60):
    recent.note(sampled(disk_free_bytes=5e10 - 1e9 * minute / 60), 60.0 * minute)
    assert forecast.look(60.0 * minute, 0.0) is None
recent = Recent()
forecast = DiskForecast(recent, lambda: sys.exit("asked"))
for second in range(0, 1800, 60):
    recent.note(sampled(disk_free_bytes=5e10 - 1e10 * second / 3600), float(second))
    assert forecast.look(float(second), 0.0) is None
print("numpy" in sys.modules)
"""
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, timeout=120, check=False
    )

    assert (ran.stdout, ran.stderr) == ("False\n", "")
