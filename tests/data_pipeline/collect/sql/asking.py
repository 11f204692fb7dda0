"""Ask a database as the line does, and look at the rows."""

from pathlib import Path
from typing import Any

from data_pipeline.collect.sql.sql import Options, SqlCollector
from data_pipeline.dataset import Collected
from tests.data_pipeline.collect.requests import make_request
from utils.arrow import pa

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"


def collect(collector: SqlCollector, folder: Path, url: str, query: str, **given: Any) -> Collected:
    request = {key: given.pop(key) for key in list(given) if key not in Options.model_fields}
    options = Options(url=url, query=query, **given)
    made = make_request(
        options, folder / "spool", base=folder, provider=collector.provider_of(options, "rates"), **request
    )
    return collector.collect(made)


def table(collected: Collected) -> "pa.Table":
    assert collected.rows is not None
    made = pa.Table.from_batches(list(collected.rows()))
    collected.close()
    return made


def rows(collected: Collected) -> list[dict[str, Any]]:
    return table(collected).to_pylist()
