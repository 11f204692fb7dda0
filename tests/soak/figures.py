"""What is measured of each hour of a day, and what must hold of the last one beside an early one."""

import gc
import sqlite3
import statistics
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.chaos.world.seen import handles

__all__ = ["EARLY", "Hour", "Times", "measured", "table", "wrong"]

EARLY = 3
"""The hour whose answers and pages the last one's are held against: by then everything is loaded.

Sizes are held against those of the middle of the day: until then they grow, as the history is kept for twelve hours.
"""

MEMORY_SHARE, DATABASE_SHARE, TIME_RATIO = 0.05, 0.25, 1.25
THREADS, HANDLES = 2, 8


@dataclass
class Times:
    """Seconds of CPU that things took within an hour: a dataset run, an answer of the API, a page."""

    runs: list[float] = field(default_factory=list)
    questions: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)

    def clear(self) -> None:
        """Another hour begins."""
        for values in (self.runs, self.questions, self.pages):
            values.clear()


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour at its end. Sizes in bytes; times: seconds of CPU, medians; `oldest_s`: age of the oldest event."""

    number: int
    memory: int
    database: int
    events: int
    oldest_s: float
    storage: int
    handles: int
    threads: int
    run_s: float
    question_s: float
    page_s: float


def measured(number: int, times: Times, state: Path, now: float) -> Hour:
    """`now`: seconds since 1970, by the clock of the day."""
    gc.collect()
    path = state / "orchestrator.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        ((events, oldest),) = connection.execute("SELECT count(*), min(julianday(time)) FROM events").fetchall()
        ((pages,),) = connection.execute(
            "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"
        )
        ((size,),) = connection.execute("PRAGMA page_size")
    storage = sum(file.stat().st_size for file in (state / "storage").rglob("*") if file.is_file())
    return Hour(
        number,
        psutil.Process().memory_info().rss,
        pages * size,
        events,
        now - (oldest - 2_440_587.5) * 86_400.0,
        storage,
        handles(),
        threading.active_count(),
        _median(times.runs),
        _median(times.questions),
        _median(times.pages),
    )


def wrong(hours: Sequence[Hour], *, kept_s: float) -> list[str]:
    """What grew, leaked or became slower, in words.

    Args:
        kept_s: Age that the oldest event in the database may have.
    """
    early, last = hours[EARLY - 1], hours[-1]
    half = hours[len(hours) // 2]  # by then what is kept for hours is there
    found = []
    if last.memory > half.memory * (1 + MEMORY_SHARE):
        found.append(f"memory: {half.memory:,} bytes in hour {half.number}, {last.memory:,} in hour {last.number}")
    if last.database > half.database * (1 + DATABASE_SHARE):
        found.append(f"database: {half.database:,} bytes in hour {half.number}, {last.database:,} in the last")
    found += [
        f"hour {one.number}: an event of {one.oldest_s:,.0f} s is in it" for one in hours if one.oldest_s > kept_s
    ]
    if last.handles > half.handles + HANDLES:
        found.append(f"open files: {half.handles}, then {last.handles}")
    if last.threads > half.threads + THREADS:
        found.append(f"threads: {half.threads}, then {last.threads}")
    for what in ("run_s", "question_s", "page_s"):
        before, after = getattr(hours[0] if what == "run_s" else early, what), getattr(last, what)
        if before and after > before * TIME_RATIO:
            found.append(f"{what}: {before * 1000:.2f} ms in the beginning, {after * 1000:.2f} ms in the last hour")
    return found


def table(hours: Sequence[Hour]) -> str:
    """All hours, as Markdown."""
    names = (
        "hour, memory MB, database MB, events in it, oldest h, storage MB, files, threads, run ms, question ms, page ms"
    )
    lines = [f"| {names.replace(', ', ' | ')} |", "|" + " ---: |" * (names.count(",") + 1)]
    for one in hours:
        cells = (
            one.number,
            f"{one.memory / 1e6:.1f}",
            f"{one.database / 1e6:.1f}",
            f"{one.events:,}",
            f"{one.oldest_s / 3600:.1f}",
            f"{one.storage / 1e6:.1f}",
            one.handles,
            one.threads,
            f"{one.run_s * 1000:.2f}",
            f"{one.question_s * 1000:.2f}",
            f"{one.page_s * 1000:.1f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0
