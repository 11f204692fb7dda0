"""Transforms that tests of derived datasets name, and how often each was called."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pyarrow as pa

CALLED: list[tuple[str, Any]] = []
"""The function, and what a test wants to know of what it was given."""


def total(orders: Any) -> Any:
    CALLED.append(("total", str(orders.dtypes["amount"])))
    return orders.groupby("country", as_index=False)["amount"].sum()


def grand(total: Any) -> list[dict[str, Any]]:
    CALLED.append(("grand", len(total)))
    return [{"amount": int(total["amount"].sum())}]


def joined(customers: Any, orders: Any) -> Any:
    return orders.merge(customers, on="country", how="left")


def countries(orders: pa.Table) -> pa.Table:
    """Says only which countries there are: other amounts give the same rows."""
    CALLED.append(("countries", orders.num_rows))
    return orders.select(["country"]).group_by("country").aggregate([]).sort_by("country")


def in_parts(orders: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    yield from orders


def stamped(orders: Any, now: datetime, run_date: date) -> Any:
    return orders.assign(made=now, day=run_date)


def breaking(orders: Any) -> Iterator[dict[str, Any]]:
    yield {"n": len(orders)}
    raise ValueError("no country is called XX")


def nothing(orders: Any) -> None:
    del orders


def two(orders: Any, customers: Any) -> None:
    """Takes two tables."""
