"""Short ways to parse bytes in these tests."""

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_pipeline.batch import Batch
from data_pipeline.dataset import Collected, Payload, Provenance
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.parse import parse

PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"
SNAPSHOTS = Path(__file__).parents[3] / "config" / "snapshots"

PROVENANCE = Provenance("provider", datetime(2026, 3, 1, tzinfo=UTC))


def payload(data: bytes, name: str = "", *, charset: str = "") -> Payload:
    """A payload held in memory."""
    return Payload(lambda: io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest(), name, charset=charset)


def read(
    *datas: bytes,
    parse_options: dict[str, Any] | None = None,
    columns: dict[str, Any] | None = None,
    names: tuple[str, ...] = (),
    charset: str = "",
    provenance: Provenance = PROVENANCE,
    **settings: Any,
) -> Batch:
    """The batch of some payloads, options written as in the configuration."""
    names = names or ("",) * len(datas)
    payloads = tuple(payload(data, name, charset=charset) for data, name in zip(datas, names, strict=True))
    return parse(
        Collected(provenance, payloads),
        dataset="fx_daily",
        options=ParseOptions.model_validate(parse_options or {}),
        columns={name: ColumnOptions.model_validate(value) for name, value in (columns or {}).items()},
        **settings,
    )


def rows(*datas: bytes, **settings: Any) -> list[dict[str, Any]]:
    """The rows of some payloads as Python objects."""
    result: list[dict[str, Any]] = read(*datas, **settings).table.to_pylist()
    return result


def types(batch: Batch) -> dict[str, str]:
    """Column name -> Arrow type in words."""
    return {field.name: str(field.type) for field in batch.schema}
