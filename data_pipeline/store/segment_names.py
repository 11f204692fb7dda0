"""Which segments and groups of a batch failed stands in the file of its good rows: values of rows are in no event.

They go when the file goes, and no reader of its rows sees them.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_pipeline.batch import Batch
    from data_pipeline.validate.engine import Validation
    from data_pipeline.validate.report import Report
    from utils.arrow import pa

__all__ = ["named", "split"]

_KEY = b"failing_segments"


def split(batch: "Batch", validation: "Validation") -> "Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]":
    """Good and bad rows; with the good ones go the names of the segments that failed."""
    names = validation.report.names()
    if not names:
        yield from validation.split(batch)
        return
    kept = {_KEY: json.dumps(names)}
    for good, bad in validation.split(batch):
        yield good.replace_schema_metadata(kept), bad


def named(report: "Report", footer: "pa.Schema") -> "Report":
    """The report with the names that a file keeps."""
    kept = (footer.metadata or {}).get(_KEY)
    return report if kept is None else report.named(json.loads(kept))
