"""Delimited text of well-known public providers that the project never saw, by configuration alone."""

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.faulty_server import FaultyServer, ok
from tests.integration.delivering import deliver
from tests.integration.installation import Installation

SDMX_CSV = """KEY,FREQ,CURRENCY,CURRENCY_DENOM,TIME_PERIOD,OBS_VALUE,OBS_STATUS,TITLE_COMPL
EXR.D.USD.EUR.SP00.A,D,USD,EUR,2026-02-12,1.1874,A,"ECB reference exchange rate, US dollar/Euro, 2.15 pm (C.E.T.)"
EXR.D.USD.EUR.SP00.A,D,USD,EUR,2026-02-13,,H,"ECB reference exchange rate, US dollar/Euro, 2.15 pm (C.E.T.)"
"""
EUROSTAT = (
    "freq,unit,geo\\TIME_PERIOD\t2023-Q4 \t2024-Q1 \t2024-Q2 \nQ,PC,DE\t1.2 p\t: \t-0.3 \nQ,PC,TR\t64.8 \t67 b\t: c\n"
)
FRED = "observation_date,DGS10\n2026-02-12,4.12\n2026-02-13,.\n2026-02-16,\n"
GTFS = (
    "\ufeffstop_id,stop_name,stop_lat,stop_lon,location_type\r\n"
    '"0007","Eminönü, ""Sirkeci""", 41.0155,28.9770,\r\n'
    "8,Kadıköy,40.9923,29.0239,1\r\n"
)
DAY, MOMENT = date(2026, 2, 13), datetime(2026, 2, 13, 15, 30, tzinfo=UTC)
SHEET = """Umsatz 2026,,,,
,,,,
Filiale,Januar,,Februar,
,Stück,EUR,Stück,EUR
Köln,3,"1.234,56",4,"99,00"
Bonn,-,"-7,00",2,"1.000.000,01"
Summe,3,"1.227,56",6,"1.000.099,01"
"""
STAMPS = """id;nanos;millis;serial;julian;day_of_year;open;amount;when
1;1770996600123456000;1770996600123;46066,645833333336;2461085,1458333333;2026044;J;1.234,56;13.02.2026 16:30
2;1770996600000000000;1770996600000;46066;2461084,5;2026044;N;-0,5;13.02.2026 16:30
"""
STAR_TABLE = """# HEASARC-like export
# columns follow
name|ra|dec
M 31|10.684|41.269
M 33|23.462|30.660
"""
SOCRATA = (
    '"unique_key","created_date","location","closed"\n'
    '"60000001","2026-02-13T15:30:00.000","POINT (-73.9 40.7)","true"\n'
    '"60000002","2026-02-13T15:31:00.000","","false"\n'
)
FLAGS = """Country Name,Country Code,Indicator Name,Indicator Code,2022,2023,2024,
"Türkiye",TUR,"Population, total",SP.POP.TOTL,84979913,85325965,85518661,
"Korea, Rep.",KOR,"Population, total",SP.POP.TOTL,51672569,51712619,,
"""
INDICATORS = '"Data Source","World Development Indicators",\n\n"Last Updated Date","2026-01-28",\n\n' + FLAGS


SHAPES: dict[str, tuple[bytes, dict[str, Any], list[dict[str, Any]]]] = {
    "ECB: SDMX-CSV": (
        SDMX_CSV.encode(),
        {
            "columns": {
                "day": {"from": "TIME_PERIOD", "type": "date"},
                "rate": {"from": "OBS_VALUE", "type": "decimal"},
            },
            "key": ["KEY", "day"],
        },
        [
            {
                "KEY": "EXR.D.USD.EUR.SP00.A",
                "FREQ": "D",
                "CURRENCY": "USD",
                "CURRENCY_DENOM": "EUR",
                "day": day,
                "rate": rate,
                "OBS_STATUS": status,
                "TITLE_COMPL": "ECB reference exchange rate, US dollar/Euro, 2.15 pm (C.E.T.)",
            }
            for day, rate, status in ((date(2026, 2, 12), Decimal("1.1874"), "A"), (date(2026, 2, 13), None, "H"))
        ],
    ),
    "Eurostat: tabs, a key of three parts, flags behind figures": (
        EUROSTAT.encode(),
        {
            "parse": {
                "na_values": [": ", ":", ": c"],
                "melt": {"id": "series", "name": "quarter", "value": "value"},
                "drop_where": "is_null(value)",
            },
            "columns": {"series": {"from": "freq,unit,geo\\TIME_PERIOD"}},
        },
        [
            {"series": series, "quarter": quarter, "value": value}
            for series, quarter, value in (
                ("Q,PC,DE", "2023-Q4", "1.2 p"),
                ("Q,PC,DE", "2024-Q2", "-0.3"),
                ("Q,PC,TR", "2023-Q4", "64.8 "),
                ("Q,PC,TR", "2024-Q1", "67 b"),
            )
        ],
    ),
    "FRED: a dot for nothing": (
        FRED.encode(),
        {"parse": {"na_values": "."}, "columns": {"observation_date": "date", "DGS10": "decimal"}},
        [
            {"observation_date": date(2026, 2, 12), "DGS10": Decimal("4.12")},
            {"observation_date": date(2026, 2, 13), "DGS10": None},
            {"observation_date": date(2026, 2, 16), "DGS10": None},
        ],
    ),
    "World Bank: a preamble, a comma at the end of each line, years as headings": (
        INDICATORS.encode("utf-8-sig"),
        {
            "parse": {
                "skip_rows": 4,
                "melt": {
                    "id": ["Country Name", "code", "Indicator Name", "Indicator Code"],
                    "name": "year",
                    "value": "people",
                },
                "drop_where": "is_null(people)",
            },
            "columns": {"code": {"from": "Country Code"}, "year": "integer", "people": "integer"},
        },
        [
            {
                "Country Name": name,
                "code": code,
                "Indicator Name": "Population, total",
                "Indicator Code": "SP.POP.TOTL",
                "year": year,
                "people": people,
            }
            for name, code, year, people in (
                ("Türkiye", "TUR", 2022, 84_979_913),
                ("Türkiye", "TUR", 2023, 85_325_965),
                ("Türkiye", "TUR", 2024, 85_518_661),
                ("Korea, Rep.", "KOR", 2022, 51_672_569),
                ("Korea, Rep.", "KOR", 2023, 51_712_619),
            )
        ],
    ),
    "GTFS: a byte order mark, ids with zeros, blanks before numbers": (
        GTFS.encode(),
        {"columns": {"stop_lat": "float", "location_type": "integer"}, "key": ["stop_id"]},
        [
            {"stop_id": stop, "stop_name": name, "stop_lat": north, "stop_lon": east, "location_type": kind}
            for stop, name, north, east, kind in (
                ("0007", 'Eminönü, "Sirkeci"', 41.0155, 28.977, None),
                ("8", "Kadıköy", 40.9923, 29.0239, 1),
            )
        ],
    ),
    "a sheet's export: merged headings, German figures, a total": (
        SHEET.encode(),
        {
            "parse": {"skip_rows": 3, "footer_rows": 1, "decimal": ",", "thousands": ".", "na_values": "-"},
            "columns": {
                "branch": {"from": "column_1"},
                "january": {"from": "Stück", "type": "integer"},
                "january_eur": {"from": "EUR", "type": "decimal"},
                "february": {"from": "Stück_2", "type": "integer"},
                "february_eur": {"from": "EUR_2", "type": "decimal"},
            },
        },
        [
            {
                "branch": branch,
                "january": one,
                "january_eur": Decimal(first),
                "february": two,
                "february_eur": Decimal(second),
            }
            for branch, one, first, two, second in (
                ("Köln", 3, "1234.56", 4, "99"),
                ("Bonn", None, "-7", 2, "1000000.01"),
            )
        ],
    ),
    "times in every count, yes and no in German": (
        STAMPS.encode("cp1252"),
        {
            "parse": {"decimal": ",", "thousands": "."},
            "zone": "Europe/Istanbul",
            "columns": {
                "nanos": {"type": "timestamp", "format": "epoch_ns"},
                "millis": {"type": "timestamp", "format": "epoch_ms"},
                "serial": {"type": "timestamp", "format": "excel"},
                "julian": {"type": "timestamp", "format": "julian"},
                "day_of_year": {"type": "date", "format": "%Y%j"},
                "open": "boolean",
                "amount": "decimal",
                "when": {"type": "timestamp", "format": "%d.%m.%Y %H:%M"},
            },
        },
        [
            {
                "id": 1,
                "nanos": MOMENT.replace(microsecond=123_456),
                "millis": MOMENT.replace(microsecond=123_000),
                "serial": MOMENT.replace(hour=12),
                "julian": MOMENT,
                "day_of_year": DAY,
                "open": True,
                "amount": Decimal("1234.56"),
                "when": MOMENT.replace(hour=13),
            },
            {
                "id": 2,
                "nanos": MOMENT,
                "millis": MOMENT,
                "serial": datetime(2026, 2, 12, 21, tzinfo=UTC),
                "julian": datetime(2026, 2, 13, tzinfo=UTC),
                "day_of_year": DAY,
                "open": False,
                "amount": Decimal("-0.5"),
                "when": MOMENT.replace(hour=13),
            },
        ],
    ),
    "bars between cells, comments above": (
        STAR_TABLE.encode(),
        {"parse": {"comment": "#"}},
        [{"name": "M 31", "ra": 10.684, "dec": 41.269}, {"name": "M 33", "ra": 23.462, "dec": 30.66}],
    ),
    "Socrata: everything in quotes": (
        SOCRATA.encode(),
        {"zone": "America/New_York", "columns": {"created_date": "timestamp"}, "key": ["unique_key"]},
        [
            {
                "unique_key": 60_000_001,
                "created_date": datetime(2026, 2, 13, 20, 30, tzinfo=UTC),
                "location": "POINT (-73.9 40.7)",
                "closed": True,
            },
            {
                "unique_key": 60_000_002,
                "created_date": datetime(2026, 2, 13, 20, 31, tzinfo=UTC),
                "location": None,
                "closed": False,
            },
        ],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_reads_by_configuration_alone(installation: Installation, name: str) -> None:
    """Every row, every column, every cell."""
    sent, block, expected = SHAPES[name]
    assert deliver(installation, sent, "text/plain", **block) == expected


SOLAR_WIND = b""":Data_list: wind.txt
:Created: 2026 Feb 13 1205 UT
#                Modified Seconds   Solar Wind
# UT Date   Time  Julian  of the   Density  Speed
2026 02 13  1200   61084   43200      3.5   412.1
2026 02 13  1201   61084   43260  -9999.9  -1.0e+01
"""
ERDDAP = b"""time,latitude,sst
UTC,degrees_north,degree_C
2026-02-13T12:00:00Z,40.5,NaN
2026-02-13T13:00:00Z,40.5,8.25
"""


def test_cells_that_stand_below_each_other(installation: Installation) -> None:
    """As space weather is told: blanks as many as it takes, two signs of comments, a figure for nothing."""
    rows = deliver(
        installation,
        SOLAR_WIND,
        "text/plain",
        parse={"skip_rows": 2, "comment": "#", "header_row": 0, "delimiter": " ", "na_values": "-9999.9"},
        columns={"density": {"from": "column_7", "type": "float"}, "time": {"from": "column_4", "type": "string"}},
    )
    assert [(row["column_1"], row["column_2"], row["time"], row["density"], row["column_8"]) for row in rows] == [
        (2026, "02", "1200", 3.5, 412.1),
        (2026, "02", "1201", None, -10.0),
    ]


def test_a_row_of_units_below_the_names(installation: Installation) -> None:
    """It is left out by how it begins."""
    rows = deliver(installation, ERDDAP, "text/csv", parse={"comment": "UTC,"}, columns={"time": "timestamp"})
    assert [(row["time"], row["sst"]) for row in rows] == [
        (datetime(2026, 2, 13, 12, tzinfo=UTC), None),
        (datetime(2026, 2, 13, 13, tzinfo=UTC), 8.25),
    ]


FIXED_WIDTH = """ACW00011604  17.1167  -61.7833   10.1    ST JOHNS COOLIDGE FLD
AE000041196  25.3330   55.5170   34.0    SHARJAH INTER. AIRP            GSN     41196
AEM00041194  25.2550   55.3640   10.4    DUBAI INTL                             41194
"""


def test_columns_of_fixed_width_are_one_column_of_text_and_lose_nothing(installation: Installation) -> None:
    """No option cuts a line at positions; whole lines are kept, and a function of one's own can cut them."""
    rows = deliver(
        installation,
        FIXED_WIDTH.encode(),
        "text/plain",
        parse={"header_row": 0, "delimiter": "\t"},
        path="/stations.txt",
    )
    assert [row["column_1"] for row in rows] == FIXED_WIDTH.splitlines()


def archive(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.mkdir("__MACOSX")
        for name, text in files.items():
            opened.writestr(name.replace("__", "."), text)
    return stream.getvalue()


def test_a_member_of_a_zip_archive_over_http(installation: Installation) -> None:
    """GTFS as its publishers serve it; the part behind `!` is not asked for."""
    sent = archive(stops__txt=GTFS, routes__txt="route_id\n1\n")
    with FaultyServer(ok(sent, "application/zip")) as server:
        collect = {"kind": "http", "url": f"http://{server.host}/gtfs.zip!stops.txt"}
        installation.configure({"name": "stops", "collect": collect, "key": ["stop_id"]})
        assert installation.run_one(fresh=True).status == "succeeded"
        assert [request.path for request in server.requests] == ["/gtfs.zip"]
    assert [row["stop_id"] for row in installation.rows("stops")] == ["0007", "8"]


def test_a_zip_archive_of_one_file_is_that_file(installation: Installation) -> None:
    """As banks serve their history, whatever the address is called."""
    sent = archive(eurofxref__csv="Date, USD, JPY, \n2026-02-13,1.1866,181.83,\n2026-02-12,N/A,182.01,\n")
    rows = deliver(
        installation,
        sent,
        path="/download?id=3",
        parse={"na_values": "N/A", "melt": {"id": "Date", "name": "currency", "value": "rate"},
               "drop_where": "is_null(rate)"},
        columns={"Date": "date"},
    )  # fmt: skip
    assert [(row["Date"], row["currency"], row["rate"]) for row in rows] == [
        (DAY, "USD", 1.1866),
        (DAY, "JPY", 181.83),
        (date(2026, 2, 12), "JPY", 182.01),
    ]


def test_a_zip_archive_of_several_files_is_neither_guessed_at_nor_stacked(installation: Installation) -> None:
    """The error says what is in it and what to write."""
    with FaultyServer(ok(archive(stops__txt=GTFS, routes__txt="route_id\n1\n"), "application/zip")) as server:
        installation.configure({"name": "payload", "collect": {"kind": "http", "url": server.url}})
        result = installation.run_one(fresh=True)
    assert result.status == "failed"
    assert "a zip archive of 2 files: stops.txt, routes.txt" in str(result.reason)
    assert result.error is not None
    assert result.error["hint"].endswith("`….zip!stops.txt`")
