"""How old the data itself is, wherever a provider says so: through the whole line, from real files and answers."""

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.arrow import pa

CSV = b"id,day\n1,2026-03-01\n2,2026-02-28\n"


def _zipped(folder: Path) -> None:
    with zipfile.ZipFile(folder / "stock_20260301.zip", "w") as archive:
        archive.writestr("stock.csv", CSV)


def _gzipped(folder: Path) -> None:
    (folder / "rates_20260301.csv.gz").write_bytes(gzip.compress(CSV))


def _plain(folder: Path) -> None:
    for name in ("rates_20260228.csv", "rates_20260301.csv"):
        (folder / name).write_bytes(CSV)
    os.utime(folder / "rates_20260301.csv", (1772323200, 1772323200))  # 2026-03-01
    os.utime(folder / "rates_20260228.csv", (1772000000, 1772000000))


@pytest.mark.parametrize(
    ("make", "path", "data_time"),
    [
        (_plain, "rates_*.csv", 'filename "rates_%Y%m%d.csv"'),
        (_zipped, "stock_*.zip!stock.csv", 'filename "stock_%Y%m%d.zip"'),
        (_zipped, "stock_*.zip", 'filename "stock_%Y%m%d.zip"'),
        (_gzipped, "rates_*", 'filename "rates_%Y%m%d.csv"'),
        (_gzipped, "rates_*", 'filename "rates_%Y%m%d.csv.gz"'),
        (_plain, "rates_*.csv", "last_modified"),
        (_plain, "rates_20260228.csv", "day"),
    ],
    ids=[
        "the newest of the names", "the archive's name", "an archive without members named", "what was compressed",
        "the compressed name itself", "the time of the newest file", "a column",
    ],
)  # fmt: skip
def test_of_files(installation: Installation, make: Any, path: str, data_time: str) -> None:
    """The newest moment, in UTC."""
    make(installation.folder)
    installation.configure(
        {
            "name": "rates",
            "collect": {"kind": "file", "path": path},
            "columns": {"day": "date"},
            "data_time": data_time,
        }
    )
    assert installation.run_one(fresh=True).data_time == "2026-03-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("path", "data_time"),
    [
        ("d.json", "$.meta.generated"),
        ("d.json", "last_modified"),
        ("daily/rates_20260301.json?key=1", 'filename "rates_%Y%m%d.json"'),
    ],
    ids=["a field of the document", "Last-Modified", "the address"],
)
def test_of_answers(installation: Installation, path: str, data_time: str) -> None:
    """A time without a zone is of the dataset's zone."""
    document = {"meta": {"generated": "2026-03-01T02:00:00"}, "rates": [{"id": 1}]}
    with FaultyServer(fault.as_json(document, last_modified="Sun, 01 Mar 2026 00:00:00 GMT")) as server:
        installation.configure(
            {
                "name": "rates",
                "collect": {"kind": "http", "url": f"http://{server.host}/{path}"},
                "parse": {"records": "rates"},
                "data_time": data_time,
                "zone": "UTC" if data_time != "$.meta.generated" else "Africa/Johannesburg",
            }
        )
        assert installation.run_one(fresh=True).data_time == "2026-03-01T00:00:00.000000Z"


def test_a_year_that_no_clock_tells_is_no_age(installation: Installation) -> None:
    """It is delivered as it is, and a note says why there is no age."""
    moments = pa.array([2**60], pa.int64()).view(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"id": [1], "at": moments}), installation.folder / "far.parquet")
    installation.configure({"name": "far", "collect": {"kind": "file", "path": "far.parquet"}, "data_time": "at"})

    result = installation.run_one(fresh=True)

    assert (result.status, result.rows, result.data_time) == ("succeeded", 1, None), result.reason
    assert "a year that no clock tells" in str(installation.events("batch.accepted"))
    assert installation.cli("show", "far", "--json").json == [{"id": 1, "at": "+38504-08-17T21:30:06.846976Z"}]
