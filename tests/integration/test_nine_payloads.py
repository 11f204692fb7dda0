"""Nine payloads as real providers sent them, over real HTTP, by configuration alone: every row, names, chosen cells."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import faulty_server as fault
from tests.faulty_server import Answer, FaultyServer, Request
from tests.integration.installation import ROOT, Installation

PAYLOADS = ROOT / "tests" / "data" / "payloads"
SNAPSHOTS = ROOT / "config" / "snapshots"

Row = dict[str, Any]


def deliver(installation: Installation, answer: Any, media_type: str, **block: Any) -> list[Row]:
    """What readers get of one payload after a run that succeeded."""
    served = fault.ok(answer.read_bytes(), media_type) if isinstance(answer, Path) else answer
    collect = block.pop("collect", {})
    with FaultyServer(served) as server:
        installation.configure({"name": "payload", "collect": {"kind": "http", "url": server.url, **collect}, **block})
        result = installation.run_one(fresh=True)
    assert (result.status, result.quarantined) == ("succeeded", 0), result.reason
    rows = installation.rows("payload")
    assert len(rows) == result.rows
    return rows


def test_earthquakes_of_the_geological_survey(installation: Installation) -> None:
    """Rows two levels down, epoch milliseconds, honest nulls, negative magnitudes."""
    rows = deliver(
        installation,
        SNAPSHOTS / "usgs_earthquakes_week.geojson",
        "application/geo+json",
        parse={"records": "features"},
        columns={
            "mag": {"from": "properties.mag", "type": "float"},
            "time": {"from": "properties.time", "type": "timestamp", "format": "epoch_ms"},
        },
        key=["id"],
        data_time="time",
        rules=[{"unique": "id"}],
    )
    assert len(rows) == 1707
    assert rows[0]["time"] == datetime(2018, 2, 7, 1, 26, 13, 840000, tzinfo=UTC)
    assert sum(row["mag"] < 0 for row in rows if row["mag"] is not None) == 44
    assert sum(row["properties.felt"] is None for row in rows) == 1580
    assert rows[0]["properties.ids"] == ",ci37868143,"


def test_issues_of_a_repository_page_after_page(installation: Installation) -> None:
    """Five recorded exchanges; the next page is named in the Link header only, and its path changes."""
    exchanges = json.loads((PAYLOADS / "github_issues_pages.json").read_bytes())
    with FaultyServer() as server:

        def answer(request: Request) -> Answer:
            wanted = request.path + "".join(
                f"?{'&'.join(f'{k}={v}' for k, v in request.query.items())}" * bool(request.query)
            )
            found = next(each for each in exchanges if each["path"] == wanted)
            links = found["headers"].get("link", "").replace("https://api.github.com", f"http://{server.host}")
            return fault.ok(json.dumps(found["response"]).encode(), "application/json", link=links)

        server.answer = answer
        installation.configure(
            {
                "name": "issues",
                "collect": {
                    "kind": "http",
                    "url": f"http://{server.host}{exchanges[0]['path']}",
                    "paginate": {"kind": "link_header"},
                },
                "key": ["id"],
                "rules": [{"unique": "id"}],
            }
        )
        result = installation.run_one(fresh=True)
        assert server.count == 5
    assert (result.status, result.rows, result.partial) == ("succeeded", 13, False), result.reason
    rows = installation.rows("issues")
    assert [row["number"] for row in rows] == list(range(13, 0, -1))
    assert [row["id"] for row in rows] == list(range(1000, 1013))


def test_turkish_rates_of_a_month(installation: Installation) -> None:
    """Numbers as text with eight decimals, whole rows of null, a wrapped 64-bit integer."""
    rows = deliver(
        installation,
        PAYLOADS / "tcmb_fx_march_2026.json",
        "application/json;charset=UTF-8",
        parse={"records": "items"},
        columns={
            "day": {"from": "Tarih", "type": "date", "format": "%d-%m-%Y"},
            "usd": {"from": "TP_DK_USD_A_YTL", "type": "decimal"},
        },
        key=["day"],
        rules=[{"unique": "day"}],
    )
    assert len(rows) == 22
    assert [row["usd"] for row in rows[:2]] == [None, Decimal("43.80000000")]
    assert sum(row["usd"] is None for row in rows) == 8
    assert rows[0]["day"] == date(2026, 3, 1)
    assert rows[0]["UNIXTIME"] == 1772312400


def test_the_turkish_bulletin_in_an_old_encoding(installation: Installation) -> None:
    """ISO-8859-9, attributes, empty elements that are null and not zero, rates per 1 or per 100."""
    rows = deliver(
        installation,
        PAYLOADS / "tcmb_today_iso8859_9.xml",
        "text/xml",
        parse={"records": "/Tarih_Date/Currency"},
        columns={"ForexBuying": "decimal", "BanknoteBuying": "decimal", "Unit": "integer"},
        key=["Kod"],
        rules=[{"unique": "Kod"}],
    )
    assert len(rows) == 19
    by_code = {row["Kod"]: row for row in rows}
    assert by_code["USD"]["ForexBuying"] == Decimal("2.8852")
    assert by_code["DKK"]["Isim"] == "DANİMARKA KRONU"
    assert {row["Unit"] for row in rows} == {1, 100}
    named = ("Unit", "Isim", "CurrencyName", "ForexBuying", "ForexSelling", "BanknoteBuying", "BanknoteSelling",
             "CrossRateUSD", "CrossRateOther")  # fmt: skip
    assert sum(row[name] is None for row in rows for name in named) == 36


def test_australian_rates_below_a_preamble(installation: Installation) -> None:
    """A byte order mark, eleven lines before the data, series that start and stop, blank lines at the end."""
    rows = deliver(
        installation,
        PAYLOADS / "rba_fx_daily.csv",
        "application/octet-stream",
        parse={"skip_rows": 10},
        columns={"date": {"from": "Series ID", "type": "date", "format": "%d-%b-%Y"}},
        key=["date"],
        rules=[{"unique": "date"}],
    )
    assert len(rows) == 808
    assert (rows[0]["date"], rows[0]["FXRUSD"]) == (date(2023, 1, 3), 0.6828)
    assert sum(value is None for row in rows for value in row.values()) == 2880


def test_german_rates_with_dots_for_missing(installation: Installation) -> None:
    """Semicolons, a byte order mark, CRLF, a blank line after each series."""
    rows = deliver(
        installation,
        PAYLOADS / "bundesbank_fx_dec_1998.csv",
        "application/vnd.sdmx.data+csv;version=1.0.0;charset=UTF-8",
        parse={"na_values": ["."]},
        columns={"value": {"from": "OBS_VALUE", "type": "decimal"}},
    )
    assert len(rows) == 180
    assert sum(row["value"] is None for row in rows) == 72
    assert rows[0]["value"] == Decimal("14.214")
    assert "Börse" in rows[0]["BBK_TITLE"]


def test_metrics_of_a_node(installation: Installation) -> None:
    """A control character in a label, values above 2**63, families without a sample."""
    rows = deliver(
        installation, PAYLOADS / "node_linux.prom", "text/plain; version=0.0.4; charset=utf-8", key=["metric", "labels"]
    )
    assert len(rows) == 3027
    assert max(row["value"] for row in rows if row["value"] is not None) == 1.8446744073709537e19
    assert (
        sum(
            "\x1c" in json.loads(row["labels"] or "{}").get(name, "")
            for row in rows
            for name in json.loads(row["labels"] or "{}")
        )
        == 1
    )
    assert sum(row["type"] == "untyped" for row in rows) > 0


def test_a_workbook_made_for_people(installation: Installation) -> None:
    """Five sheets, three blocks of the same names side by side, holidays as text, telephone numbers below."""
    rows = deliver(
        installation,
        PAYLOADS / "tonga_fx_workbook.xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        parse={
            "sheet": "*",
            "header_row": 6,
            "na_values": ["Public Holiday: New Year's Day"],
            "drop_where": "is_null(date)",
        },
        columns={"date": {"from": "column_1", "type": "date"}, "AUD": "float"},
        key=["date"],
        rules=[{"unique": "date"}],
    )
    assert len(rows) == 11
    assert [row["_sheet"] for row in rows] == ["2025 to 2026"] * 4 + ["2023 to 2024"] * 2 + ["2017 to 2018"] * 5
    assert [row["AUD"] for row in rows[:3]] == [None, 0.6785, 0.6775]
    assert rows[1]["USD"] == 0.4182
    assert {"USD", "USD_2", "USD_3"} <= set(rows[0])


def test_a_columnar_file_with_old_times(installation: Installation) -> None:
    """INT96 times without a zone, narrow integers, text that looks like a date."""
    rows = deliver(
        installation, PAYLOADS / "alltypes_tiny_pages.parquet", "application/vnd.apache.parquet", key=["id"],
        rules=[{"unique": "id"}],
    )  # fmt: skip
    assert len(rows) == 7300
    assert len(rows[0]) == 13
    first = min(rows, key=lambda row: row["id"])
    assert (first["timestamp_col"].replace(tzinfo=None), first["date_string_col"]) == (
        datetime(2008, 12, 31, 23),
        "01/01/09",
    )


@pytest.mark.parametrize("name", ["alltypes_tiny_pages.parquet", "tonga_fx_workbook.xlsx", "node_linux.prom"])
def test_the_bytes_are_those_that_were_sent(name: str) -> None:
    """An editor that trims white space would break what the file is for."""
    import hashlib

    known = {
        "alltypes_tiny_pages.parquet": "f7a7678a53bfdb434d9a51f7f42a71365eae807b3f8e16bfcad67cd623748228",
        "tonga_fx_workbook.xlsx": "dca1b885589023ff10604bcc64564bbc87e15ca1691f1216f437761a8e21cf8c",
        "node_linux.prom": "db7f50f415124486970b93cdfe076a192287743c32b5de60d1581bff32081db1",
    }
    assert hashlib.sha256((PAYLOADS / name).read_bytes()).hexdigest() == known[name]
