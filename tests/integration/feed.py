"""A provider in Python whose rows and faults a test sets: what `collect: {kind: python}` calls."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


class Feed:
    """What the provider has, and how it was asked.

    Attributes:
        rows: All it has; `since`: it sends those whose `at` is not below the cursor, and those without one.
        pieces: Rows by partition; a partition that is not there is an error of the provider.
        breaks_after: Rows after which an answer breaks off; None: never.
        asked: The cursor or the partition's key of each collection.
    """

    def __init__(self) -> None:
        self.rows: Sequence[Row] = ()
        self.pieces: Mapping[str, Sequence[Row]] = {}
        self.breaks_after: int | None = None
        self.asked: list[Any] = []

    def answer(self, rows: Sequence[Row]) -> Iterator[Row]:
        for number, row in enumerate(rows):
            if number == self.breaks_after:
                raise ConnectionError("the line went dead")
            yield row


FEED = Feed()
"""The provider of this process; the fixture `feed` makes a new one for each test."""


def everything() -> Iterator[Row]:
    """All rows."""
    FEED.asked.append(None)
    return FEED.answer(FEED.rows)


def since(cursor: Any) -> Iterator[Row]:
    """The rows that are not below a cursor, and those without one."""
    FEED.asked.append(cursor)
    return FEED.answer([row for row in FEED.rows if cursor is None or row["at"] is None or row["at"] >= cursor])


def whatever(cursor: Any) -> Iterator[Row]:
    """All rows, from wherever they were asked for."""
    FEED.asked.append(cursor)
    return FEED.answer(FEED.rows)


def piece(partition: Any) -> Iterator[Row]:
    """The rows of a partition."""
    FEED.asked.append(partition.key)
    if partition.key not in FEED.pieces:
        raise ConnectionError(f"there is no {partition.key} yet")
    return FEED.answer(FEED.pieces[partition.key])
