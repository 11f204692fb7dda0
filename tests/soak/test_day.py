"""Some hours of an installation on a fast clock: nothing grows, nothing leaks; and what would, is noticed."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.soak.day import CRUMB_S, EVENTS_S, MAINTAINED_S, Day
from tests.soak.figures import Hour, table, wrong

KEPT_S = EVENTS_S + MAINTAINED_S + CRUMB_S
MB = 1_000_000
EVEN = Hour(1, 200 * MB, 20 * MB, 9_000, 3600.0, 5 * MB, 60, 20, 0.002, 0.003, 0.05)


def test_an_hour_leaves_neither_files_nor_threads(tmp_path: Path) -> None:
    """Schedules, runs, promises, maintenance, alerts and the API; the pages are in the whole day."""
    day = Day(tmp_path, datasets=2, pages=False, questions=1)

    first, last = day.hours(2, minutes=30)

    assert day.runs >= 60
    assert last.handles <= first.handles + 8
    assert last.threads <= first.threads + 2
    assert last.oldest_s <= KEPT_S
    assert last.events > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"memory": 211 * MB}, "memory: "),
        ({"database": 26 * MB}, "database: "),
        ({"oldest_s": KEPT_S + 1}, "an event of "),
        ({"handles": 70}, "open files: "),
        ({"threads": 23}, "threads: "),
        ({"run_s": 0.0026}, "run_s: "),
        ({"question_s": 0.004}, "question_s: "),
        ({"page_s": 0.07}, "page_s: "),
    ],
    ids=["memory", "database", "old events", "files", "threads", "slower runs", "slower answers", "slower pages"],
)
def test_what_grows_is_noticed(change: dict[str, float], words: str) -> None:
    """In the last of eight hours."""
    hours = [replace(EVEN, number=number) for number in range(1, 9)]
    assert wrong(hours, kept_s=KEPT_S) == []

    (found,) = wrong([*hours[:-1], replace(hours[-1], **change)], kept_s=KEPT_S)

    assert found.startswith(words) or words in found


def test_the_figures_are_a_table() -> None:
    """A line an hour."""
    assert table([EVEN, EVEN]).count("\n") == 3


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_a_day_of_fifty_datasets(tmp_path: Path) -> None:
    """With the dashboard drawn and the API asked each minute."""
    hours = list(Day(tmp_path).hours(24))

    print(f"\n{table(hours)}")
    assert wrong(hours, kept_s=KEPT_S) == []
