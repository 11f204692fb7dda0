"""Which column says how old the rows are, and how often new ones come."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from data_pipeline.python_values import values_of

if TYPE_CHECKING:
    from utils.arrow import pa

_BEST = (
    re.compile(r"(?i)(?:.*[._ ])?(?:time|timestamp|datetime|date_?time|observed.*|ts|time_period|obs_?time)"),
    re.compile(r"(?i)(?:.*[._ ])?(?:date|day|datum|tarih|published.*|pub_?date|period|month)"),
    re.compile(r"(?i).*(?:updated|modified|changed|last_?seen).*"),
    re.compile(r"(?i).*(?:created|issued|recorded|inserted).*"),
)
_STEPS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often new rows come, in seconds: the usual distance, the longest usual one, the age of the newest."""

    usual: float
    longest: float
    age: float

    @property
    def regular(self) -> bool:
        """Events come when they come; only what has a beat can be promised."""
        return self.longest <= 5 * self.usual

    @property
    def promise(self) -> float:
        """Twice the beat and a bit, or over the longest pause (weekends), whichever is longer."""
        return max(2.2 * self.usual, self.longest + 1.2 * self.usual)


def time_of(table: "pa.Table", now: datetime) -> tuple[str | None, str]:
    """The column of the rows' own time, and why; None without one. Times that lie ahead tell no age."""
    from utils.arrow import compute, pa

    best: tuple[tuple[int, int, int], str] | None = None
    for position, field in enumerate(table.schema):
        if not (pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)):
            continue
        column = table.column(field.name)
        (newest,) = _moments(pa.repeat(compute.max(column), 1)) or (None,)
        if newest is None or newest > now + timedelta(days=1):
            continue
        rank = next((at for at, pattern in enumerate(_BEST) if pattern.fullmatch(field.name)), len(_BEST))
        candidate = ((column.null_count > 0, rank, position), field.name)
        best = candidate if best is None or candidate < best else best
    return (None, "") if best is None else (best[1], "the newest value says how old the rows are")


def rhythm_of(table: "pa.Table", name: str, now: datetime) -> Rhythm | None:
    """From the distances between the different times of a column; None with fewer than four."""
    moments = sorted(set(_moments(table.column(name).slice(0, 200_000))))
    if len(moments) < 4:
        return None
    gaps = sorted((after - before).total_seconds() for before, after in pairwise(moments))
    return Rhythm(
        gaps[len(gaps) // 2], gaps[min(len(gaps) - 1, int(len(gaps) * 0.98))], (now - moments[-1]).total_seconds()
    )


def written(seconds: float) -> str:
    """A duration of the configuration, rounded up to two steps.

    >>> written(86_400), written(5_000), written(90)
    ('1d', '84m', '90s')
    """
    for size, unit in _STEPS:
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{int(-(-seconds // size))}{unit}"
    return "1s"


def _moments(column: "pa.Array | pa.ChunkedArray") -> list[datetime]:
    """Those that Python knows, to the microsecond."""
    from utils.arrow import pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return [_aware(value) for value in values_of(column) if isinstance(value, date)]


def _aware(value: date) -> datetime:
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)
