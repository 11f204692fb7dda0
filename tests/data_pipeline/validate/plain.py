"""A batch from a dict of columns, for tests that need no random tables."""

from datetime import UTC, datetime
from typing import Any

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from utils.arrow import pa

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def batch_of(columns: dict[str, Any]) -> Batch:
    return Batch.from_table(pa.table(columns), provenance=Provenance("test", NOW))


def has_text(frame: Any) -> Any:
    """A rule of somebody's own: rows with a text."""
    return frame["text"].notna()
