"""N dict rows of eight columns from a generator through dlt into DuckDB, by Parquet load files (its quickest way)."""

import os
import sys
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from rows import rows

if __name__ == "__main__":
    count = int(sys.argv[1])
    here = Path.cwd()
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.duckdb(str(here / "bench.duckdb")),
        dataset_name="data",
        pipelines_dir=str(here / "pipelines"),
    )
    resource = dlt.resource(lambda: rows(count), name="items", write_disposition="append")
    pipeline.run(resource(), loader_file_format="parquet").raise_on_failed_jobs()
    with duckdb.connect(str(here / "bench.duckdb"), read_only=True) as database:
        print(database.execute("SELECT count(*) FROM data.items").fetchone()[0])
