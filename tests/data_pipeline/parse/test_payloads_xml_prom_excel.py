"""Real XML, metrics and workbook payloads are read to the last row and cell."""

import hashlib
from datetime import date
from decimal import Decimal

import orjson
import pytest

from data_pipeline.dataset import UNPARSED
from tests.data_pipeline.parse.reading import PAYLOADS, read, rows, types
from utils.arrow import compute

SHA256 = {
    "tcmb_today_iso8859_9.xml": "685c72252337986a66a2f591ba270a50014ba87be5b67b5ed206810048b15e68",
    "node_linux.prom": "db7f50f415124486970b93cdfe076a192287743c32b5de60d1581bff32081db1",
    "tonga_fx_workbook.xlsx": "dca1b885589023ff10604bcc64564bbc87e15ca1691f1216f437761a8e21cf8c",
}
RATES = ["AUD", "EUR", "FJD", "GBP", "JPY", "NZD", "USD", "WST", "CHF", "CAD", "SEK", "SGD"]
TONGA = {"sheet": "*", "header_row": 6, "drop_where": "is_null(date)"}


def data(name):
    return (PAYLOADS / name).read_bytes()


@pytest.mark.parametrize("name", SHA256)
def test_the_bytes_are_those_of_the_provider(name):
    """No editor and no git has touched them."""
    assert hashlib.sha256(data(name)).hexdigest() == SHA256[name]


@pytest.mark.parametrize("options", [{}, {"records": "Currency"}, {"records": "/Tarih_Date/Currency"}])
def test_turkish_bulletin_is_read_in_its_legacy_encoding(options):
    """19 currencies; the dotted capital I is right, units differ, 36 empty elements are null."""
    batch = read(data("tcmb_today_iso8859_9.xml"), parse_options=options)

    table = batch.table
    assert batch.rows == 19
    assert batch.schema.names[:5] == ["CrossOrder", "Kod", "CurrencyCode", "Unit", "Isim"]
    assert sum(column.null_count for column in table.columns) == 36
    assert table["Isim"][2].as_py() == "DANİMARKA KRONU"
    assert set(table["Unit"].to_pylist()) == {1, 100}
    assert table["ForexBuying"][0].as_py() == 2.8852


def test_turkish_bulletin_keeps_its_digits_where_decimals_are_declared():
    """A rate without a banknote price is null, not zero."""
    columns = {"code": {"from": "Kod"}, "rate": {"from": "ForexBuying", "type": "decimal"}}
    read_ = rows(data("tcmb_today_iso8859_9.xml"), parse_options={"attributes": True}, columns=columns)

    assert read_[0]["rate"] == Decimal("2.8852")
    assert next(row for row in read_ if row["code"] == "XDR")["BanknoteBuying"] is None


def test_node_metrics_are_read_to_the_last_sample():
    """3,027 samples of 1,228 families, 47 of them without one; a control character cuts no label in two."""
    batch = read(data("node_linux.prom"))

    table = batch.table
    product = table.filter(compute.equal(table["metric"], "node_dmi_info"))["labels"][0].as_py()
    labels = [orjson.loads(text) for text in table["labels"].to_pylist()]
    assert batch.rows == 3027
    assert types(batch) == {"metric": "string", "type": "string", "labels": "string", "value": "double"}
    assert orjson.loads(product)["product_version"] == "\ufffd\x1c[\ufffd"
    assert sum("" in found.values() for found in labels) == 108
    assert compute.max(table["value"]).as_py() == 1.8446744073709537e19
    assert compute.min(table["value"]).as_py() == -9.223372036854776e17
    assert table["value"].null_count == 0
    assert len(set(zip(table["metric"].to_pylist(), table["labels"].to_pylist(), strict=True))) == 3027


def test_tonga_workbook_gives_the_dated_rows_of_all_sheets():
    """Five sheets, two without data; currency codes of three blocks; telephone numbers have no date."""
    batch = read(
        data("tonga_fx_workbook.xlsx"), parse_options=TONGA, columns={"date": {"from": "column_1", "type": "date"}}
    )

    table = batch.table
    assert table["_sheet"].to_pylist() == ["2025 to 2026"] * 4 + ["2023 to 2024"] * 2 + ["2017 to 2018"] * 5
    assert batch.schema.names[:3] == ["_sheet", "date", "AUD"]
    assert {*RATES, *(f"{code}_2" for code in RATES), *(f"{code}_3" for code in RATES)} <= set(batch.schema.names)
    assert table["date"].to_pylist()[:5] == [*(date(2025, 1, day) for day in (1, 2, 3, 6)), date(2024, 12, 30)]
    assert table["AUD"].to_pylist()[:2] == ["Public Holiday: New Year's Day", "0.6785"]
    assert [table[name][1].as_py() for name in ("USD", "USD_2", "USD_3")] == [0.4182, 0.4106, 0.403]
    assert compute.sum(compute.starts_with(table["AUD"], "Public Holiday")).as_py() == 2


def test_a_holiday_in_a_declared_rate_keeps_its_text_in_its_row():
    """The column stays one of numbers; the holiday's row says what stood there."""
    columns = {"date": {"from": "column_1", "type": "date"}, "AUD": "float"}
    read_ = rows(data("tonga_fx_workbook.xlsx"), parse_options=TONGA, columns=columns)

    assert [row["AUD"] for row in read_][:2] == [None, 0.6785]
    assert [row["AUD"] is None for row in read_].count(True) == 2
    assert orjson.loads(read_[0][UNPARSED]) == {"AUD": "Public Holiday: New Year's Day"}


def test_one_sheet_of_the_workbook_ends_at_its_blank_row():
    """What stands below the blank rows is an address."""
    read_ = rows(
        data("tonga_fx_workbook.xlsx"),
        parse_options={"sheet": "2017 to 2018", "skip_rows": 5, "stop_at_blank": True},
        columns={"date": {"from": "column_1", "type": "date"}},
    )

    assert [row["date"].day for row in read_] == [2, 3, 4, 5, 6]
