"""Real payloads are read to the last row and digit."""

from datetime import UTC, date, datetime
from decimal import Decimal

from tests.data_pipeline.parse.reading import PAYLOADS, SNAPSHOTS, read, types
from utils.arrow import compute


def test_bundesbank_rates_are_read_with_dots_as_missing():
    """180 rows between blank lines; 72 of them hold no value, and then the status is K."""
    batch = read((PAYLOADS / "bundesbank_fx_dec_1998.csv").read_bytes(), parse_options={"na_values": ["."]})

    table = batch.table
    missing = table.filter(compute.is_null(table["OBS_VALUE"]))
    assert batch.rows == 180
    assert missing.num_rows == 72
    assert set(missing["OBS_STATUS"].to_pylist()) == {"K"}
    assert table.slice(0, 1)["TIME_PERIOD"].to_pylist() == [date(1998, 12, 21)]
    assert table["OBS_VALUE"][0].as_py() == 14.214
    assert table["BBK_ERX_SUFFIX"][0].as_py() == "000"
    assert "Börse" in table["BBK_TITLE"][0].as_py()
    assert batch.schema.names[0] == "DATAFLOW"


def test_reserve_bank_rates_are_read_below_their_preamble():
    """808 rows after the line `Series ID`; 2,880 cells are empty and blank lines at the end are none."""
    batch = read(
        (PAYLOADS / "rba_fx_daily.csv").read_bytes(),
        parse_options={"skip_rows": 10},
        columns={"date": {"from": "Series ID", "type": "date", "format": "%d-%b-%Y"}},
        data_time="date",
        zone="Australia/Sydney",
    )

    table = batch.table
    assert batch.rows == 808
    assert sum(column.null_count for column in table.columns) == 2880
    assert table["date"][0].as_py() == date(2023, 1, 3)
    assert table["FXRUSD"][0].as_py() == 0.6828
    assert batch.provenance.data_time == datetime(2026, 3, 19, 13, tzinfo=UTC)
    assert batch.provenance.notes == ()


def test_turkish_rates_keep_their_decimals_and_their_wrapped_integer():
    """22 rows, 8 of them null on weekends; text with eight decimals becomes exact decimals."""
    batch = read(
        (PAYLOADS / "tcmb_fx_march_2026.json").read_bytes(),
        parse_options={"records": "items"},
        columns={
            "day": {"from": "Tarih", "type": "date", "format": "%d-%m-%Y"},
            "usd": {"from": "TP_DK_USD_A_YTL", "type": "decimal"},
            "time": {"from": "UNIXTIME", "type": "timestamp", "format": "epoch_s"},
        },
        data_time="time",
    )

    table = batch.table
    assert batch.rows == 22
    assert table["usd"].null_count == 8
    assert types(batch)["usd"] == "decimal128(38, 8)"
    assert table["usd"].to_pylist()[1] == Decimal("43.80000000")
    assert table["time"][0].as_py() == datetime(2026, 2, 28, 21, tzinfo=UTC)
    assert table["day"][0].as_py() == date(2026, 3, 1)
    assert batch.provenance.data_time == max(table["time"].to_pylist())


def test_earthquakes_come_with_nested_columns_and_epoch_times():
    """1,707 features; whole and fractional magnitudes are one float column, nulls stay nulls, negatives stay."""
    batch = read(
        (SNAPSHOTS / "usgs_earthquakes_week.geojson").read_bytes(),
        parse_options={"records": "features"},
        columns={
            "mag": {"from": "properties.mag", "type": "float"},
            "time": {"from": "properties.time", "type": "timestamp", "format": "epoch_ms"},
        },
        data_time="$.metadata.generated",
    )

    table = batch.table
    assert batch.rows == 1707
    assert table["properties.felt"].null_count == 1580
    assert table["properties.nst"].null_count == 465
    assert compute.sum(compute.less(table["mag"], 0)).as_py() == 44
    assert table["time"][0].as_py() == datetime(2018, 2, 7, 1, 26, 13, 840000, tzinfo=UTC)
    assert table["geometry.coordinates"][0].as_py().startswith("[-118.")
    assert table["properties.ids"][0].as_py() == ",ci37868143,"
    assert batch.provenance.data_time == datetime(2018, 2, 7, 1, 49, 14, tzinfo=UTC)


def test_github_issues_are_found_by_a_path_through_lists():
    """13 issues in five recorded exchanges; columns that are null everywhere stay, without a type."""
    batch = read((PAYLOADS / "github_issues_pages.json").read_bytes(), parse_options={"records": "[].response[]"})

    table = batch.table
    assert table["number"].to_pylist() == list(range(13, 0, -1))
    assert table["id"].to_pylist() == list(range(1000, 1013))
    assert types(batch)["milestone"] == "null"


def test_parquet_keeps_its_narrow_types_and_its_times():
    """7,300 rows, 13 columns; naive INT96 times are UTC, text that looks like a date stays text."""
    batch = read((PAYLOADS / "alltypes_tiny_pages.parquet").read_bytes())

    assert batch.rows == 7300
    assert types(batch)["tinyint_col"] == "int8"
    assert types(batch)["float_col"] == "float"
    assert types(batch)["timestamp_col"] == "timestamp[us, tz=UTC]"
    assert types(batch)["date_string_col"] == "string"
    assert sum(column.null_count for column in batch.table.columns) == 0
