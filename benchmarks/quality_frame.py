"""Orders with dirt that is known: ten columns, the same rows for the same seed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.quality_work import STATUS

_NOW_US = 1_767_225_600_000_000  # 2026-01-01
_AT_ONCE = 2_000_000
_ROW_GROUP = 250_000


def write(path: Path, rows: int) -> None:
    """A Parquet file of so many orders, made in parts: it may be larger than memory."""
    writer: pq.ParquetWriter | None = None
    try:
        for start in range(0, rows, _AT_ONCE):
            table = orders(min(_AT_ONCE, rows - start), start)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="snappy")
            writer.write_table(table, row_group_size=_ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()


def orders(rows: int, start: int = 0) -> pa.Table:
    """About one row in a hundred breaks each rule; every two-hundredth order has the number of another."""
    chance = np.random.default_rng(start)

    def some(share: float) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        return chance.random(rows) < share

    numbers = np.arange(start, start + rows, dtype=np.int64) * 7 + 11
    copies = chance.choice(rows, max(1, rows // 200), replace=False)
    numbers[copies] = numbers[chance.integers(0, rows, copies.size)]
    users = pa.array([f"user{number}" for number in range(50_000)])
    hosts = pa.array(["example.com", "mail.org", "corp.co.uk", "x.io", "uni-site.edu"])
    user = pc.binary_join_element_wise(
        users.take(pa.array(chance.integers(0, 50_000, rows))),
        pa.array(chance.integers(0, 10_000, rows)).cast(pa.string()),
        ".",
    )
    email = pc.binary_join_element_wise(user, hosts.take(pa.array(chance.integers(0, 5, rows))), "@")
    kind = chance.random(rows)
    email = pc.if_else(pa.array(kind < 0.01), pc.replace_substring(email, "@", " at "), email)
    email = pc.if_else(pa.array((kind >= 0.01) & (kind < 0.02)), pa.scalar(None, pa.string()), email)
    quantity = chance.integers(1, 101, rows)
    quantity[some(0.01)] *= -1
    amount = np.minimum(np.round(chance.lognormal(4, 1, rows), 2), 9999.0)
    amount[some(0.01)] *= -1
    discount = np.round(np.abs(amount) * chance.random(rows) * 0.5, 2)
    created = _NOW_US - chance.integers(0, 365 * 86_400, rows) * 1_000_000
    created[some(0.005)] = _NOW_US + 30 * 86_400_000_000
    updated = created + chance.integers(0, 5 * 86_400, rows) * 1_000_000
    late = some(0.01)
    updated[late] = created[late] - 3_600_000_000
    return pa.table(
        {
            "order_id": numbers,
            "customer_id": chance.integers(1, max(2, rows // 20), rows),
            "email": email,
            "status": _pick([*STATUS, "UNKNOWN"], np.where(some(0.01), 5, chance.integers(0, 5, rows))),
            "country": _pick(
                ["US", "DE", "FR", "IN", "BR", "JP", "GB", "CA", "USA"],
                np.where(some(0.01), 8, chance.integers(0, 8, rows)),
            ),
            "quantity": quantity,
            "amount": pa.array(amount, mask=some(0.02)),
            "discount": pa.array(discount, mask=some(0.05)),
            "created_at": pa.array(created, pa.timestamp("us"), mask=some(0.001)),
            "updated_at": pa.array(updated, pa.timestamp("us")),
        }
    )


def _pick(values: list[str], which: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.Array:
    return pa.array(values).take(pa.array(which))
