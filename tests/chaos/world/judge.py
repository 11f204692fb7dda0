"""Which rows are good and whether a batch may be read: the rules of the world's datasets, written a second time.

Nothing of the product is used here. What these datasets declare is in `configuration.py`.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.chaos.world.provider import COLUMNS, Content, Row

__all__ = ["Judged", "Key", "judge", "key_of"]

Key = tuple[str, ...]
"""A row as it is compared: every cell as text, "" where there is none."""

MOST_BAD = 0.2
"""Share of bad rows beyond which a batch is not to be read."""


class Judged(NamedTuple):
    """A content held against the rules at a moment.

    Attributes:
        readable: Whether readers may see its good rows; None: that depends on what was there before.
    """

    good: tuple[Key, ...]
    bad: tuple[Key, ...]
    readable: bool | None
    data_time: str | None


def judge(content: Content, now: float) -> Judged:
    """`now`: seconds since 1970, by the clock of who judges."""
    times = Counter(row.get("id") for row in content.rows)
    good, bad, newest = [], [], None
    for row in content.rows:
        if _is_good(row, now) and times[row["id"]] == 1:
            good.append(key_of(row))
            newest = row["day"] if newest is None else max(newest, row["day"])
        else:
            bad.append(key_of(row))
    readable: bool | None = bool(content.rows) and len(bad) <= MOST_BAD * len(content.rows)
    if content.columns != COLUMNS and content.rows:
        readable, bad, good = None, [], [*map(key_of, content.rows)]
        newest = max(row["day"] for row in content.rows)
    return Judged(tuple(good), tuple(bad), readable, None if newest is None else _moment(newest))


def key_of(row: Row) -> Key:
    """A row that was sent, or that somebody got."""
    return tuple(_text(row.get(name)) for name in COLUMNS)


def _is_good(row: Row, now: float) -> bool:
    number = row.get("v")
    return row.get("id") is not None and isinstance(number, int) and number >= 0 and row["day"].timestamp() <= now


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _moment(value) if isinstance(value, datetime) else str(value)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
