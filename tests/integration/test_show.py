"""Rows on standard output and in files: every digit, every moment, in every format."""

import csv
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.exact import DECIMALS, EXACT, EXACT_CSV, IDS
from tests.integration.installation import Installation


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("exact"))
    (installation.folder / "exact.csv").write_text(EXACT_CSV)
    installation.configure(EXACT)
    installation.run()
    return installation


def test_show_csv_is_exact(ran: Installation) -> None:
    """Decimals and integers beyond 2^53 digit for digit, no exponent; text quoted where it must be."""
    done = ran.cli("show", "exact", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [int(row["id"]) for row in rows] == IDS
    assert [Decimal(row["amount"]) for row in rows] == DECIMALS
    assert "12345678901234567890.123456789" in done.out
    assert "E-" not in done.out.upper()
    assert [row["note"] for row in rows] == ['a "quoted", one', "Zoë", ""]
    assert rows[0]["at"] == "2026-01-01T00:00:00Z"


def test_show_json_is_exact(ran: Installation) -> None:
    """Decimals as strings, integers as integers."""
    rows = ran.cli("show", "exact", "--json").json

    assert [row["id"] for row in rows] == IDS
    assert [Decimal(row["amount"]) for row in rows] == DECIMALS
    assert {type(row["amount"]) for row in rows} == {str}
    assert not any("E" in row["amount"].upper() for row in rows)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_show_writes_files_that_come_back_equal(ran: Installation, kind: str) -> None:
    """Typed formats keep types: decimals, 64-bit integers, UTC timestamps."""
    path = ran.folder / f"exact.{kind}"

    done = ran.cli("show", "exact", "--format", kind, "--output", str(path))

    table = pq.read_table(path) if kind == "parquet" else pa.ipc.open_stream(path).read_all()
    assert (done.code, done.out) == (0, "")
    assert table["id"].to_pylist() == IDS
    assert table["amount"].to_pylist() == DECIMALS
    assert pa.types.is_decimal(table.schema.field("amount").type)
    assert str(table.schema.field("at").type.tz) == "UTC"


def test_truth_and_moments_look_the_same_in_csv_and_json(installation: Installation) -> None:
    """`true`, not Python's `True`; `Z`, not `+00:00`."""
    (installation.folder / "a.csv").write_text("paid,at\ntrue,2026-01-01T00:00:00Z\n")
    columns = {"paid": "boolean", "at": "timestamp"}
    installation.configure({"name": "a", "collect": {"kind": "file", "path": "a.csv"}, "columns": columns})
    installation.run()

    assert installation.cli("show", "a", "--format", "csv").out == "paid,at\ntrue,2026-01-01T00:00:00Z\n"
    assert installation.cli("show", "a", "--format", "json").json == [{"paid": True, "at": "2026-01-01T00:00:00Z"}]


@pytest.mark.parametrize("format", ["table", "csv", "json"])
def test_nanoseconds_are_shown_as_sent(installation: Installation, format: str) -> None:
    """Python's own moments end at microseconds; `show`, `try` and `quarantine show` do not."""
    moments = pa.array([1772445600000000001, 1], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"id": [1, 2], "at": moments}), installation.folder / "fine.parquet")
    rules = [{"range": {"column": "id", "max": 1}}]
    fine = {"name": "fine", "collect": {"kind": "file", "path": "fine.parquet"}, "rules": rules, "on_fail": "publish"}
    installation.configure(fine)
    installation.run()

    shown = installation.cli("show", "fine", "--format", format)
    bad = installation.cli("quarantine", "show", "fine", "--format", format)
    tried = installation.cli("try", "fine", *(["--json"] if format == "json" else []))

    assert "2026-03-02T10:00:00.000000001Z" in shown.out, shown.err
    assert "1970-01-01T00:00:00.000000001Z" in bad.out, bad.err
    assert "2026-03-02T10:00:00.000000001Z" in tried.out, tried.err
