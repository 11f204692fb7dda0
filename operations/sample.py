"""The first rows of a batch, as people and programs may see them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED
from data_pipeline.parse.declared import kind_of
from data_pipeline.python_values import rows_of

ROWS = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """Column -> type in the configuration's words, and a few rows with plain values."""

    columns: dict[str, str]
    rows: list[dict[str, Any]]


def sample(batch: Batch, count: int = ROWS) -> Sample:
    """The first rows; the hidden column of unread cells is not shown."""
    names = [name for name in batch.schema.names if name != UNPARSED]
    columns = {name: _word(batch.schema.field(name).type) for name in names}
    rows: list[dict[str, Any]] = []
    for part in batch.batches():
        rows += rows_of(part.select(names).slice(0, count - len(rows)))
        if len(rows) >= count:
            break
    return Sample(columns, [{name: plain(value) for name, value in row.items()} for row in rows])


def plain(value: Any) -> Any:
    """A value that JSON can hold; decimals and wide integers as text, digit for digit."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _word(kind: Any) -> str:
    found = kind_of(kind)
    return str(kind) if found == "other" else found
