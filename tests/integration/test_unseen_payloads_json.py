"""JSON of well-known public providers that the project never saw, over real HTTP, by configuration alone."""

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.delivering import deliver
from tests.integration.installation import Installation

OPEN_METEO = {
    "latitude": 41.0, "longitude": 29.125, "utc_offset_seconds": 0, "timezone": "GMT", "elevation": 39.0,
    "hourly_units": {"time": "iso8601", "temperature_2m": "°C", "precipitation": "mm"},
    "hourly": {
        "time": ["2026-02-13T00:00", "2026-02-13T01:00", "2026-02-13T02:00"],
        "temperature_2m": [7.4, None, 6],
        "precipitation": [0.0, 0.1, 0.0],
    },
}  # fmt: skip
YAHOO = {
    "chart": {
        "result": [
            {
                "meta": {"currency": "USD", "symbol": "AAPL"},
                "timestamp": [1770993000, 1771252200],
                "indicators": {
                    "quote": [
                        {"close": [261.5, None], "open": [260.0, 262.1], "volume": [46_000_000, 9_007_199_254_740_993]}
                    ],
                    "adjclose": [{"adjclose": [261.2, None]}],
                },
            }
        ],
        "error": None,
    }
}
PROMETHEUS_RANGE = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            {"metric": {"__name__": "up", "job": "node", "instance": "a:9100"},
             "values": [[1770993000.781, "1"], [1770993015.781, "NaN"]]},
            {"metric": {"__name__": "up", "job": "db"}, "values": [[1770993000.781, "0.5"]]},
        ],
    },
}  # fmt: skip
PROMETHEUS_NOW = {
    "status": "success",
    "data": {
        "resultType": "vector",
        "result": [
            {"metric": {"job": "node"}, "value": [1770993000.5, "1.5"]},
            {"metric": {"job": "db"}, "value": [1770993000.5, "+Inf"]},
        ],
    },
}
COMPACT = {
    "CompactData": {
        "DataSet": {
            "Series": [
                {"@FREQ": "M", "@REF_AREA": "TR", "@UNIT_MULT": "0",
                 "Obs": [{"@TIME_PERIOD": "2025-11", "@OBS_VALUE": "41.2"},
                         {"@TIME_PERIOD": "2025-12", "@OBS_VALUE": "42.8"}]},
                {"@FREQ": "M", "@REF_AREA": "DE", "@UNIT_MULT": "0",
                 "Obs": {"@TIME_PERIOD": "2025-12", "@OBS_VALUE": "0.85", "@OBS_STATUS": "E"}},
            ]
        }
    }
}  # fmt: skip
KLINES = [
    [1770940800000, "66112.40000000", "66900.00000000", "65800.01000000", "66500.10000000", "12345.67800000",
     1770944399999, "819999999.12345678", 1500000, "6000.00000000", "399999999.00000000", "0"],
    [1770944400000, "66500.10000000", "66600.00000000", "66000.00000000", "66010.00000000", "2345.00000000",
     1770947999999, "155000000.00000000", 300000, "1000.00000000", "66000000.00000000", "0"],
]  # fmt: skip
COINGECKO = {
    "prices": [[1770940800000, 66112.4], [1770944400000, 66500.1]],
    "market_caps": [[1770940800000, 1.31e12], [1770944400000, 1.32e12]],
    "total_volumes": [[1770940800000, 4.1e10], [1770944400000, 4.2e10]],
}
QUOTES = {
    "AAPL": {"price": 261.5, "range": {"low": 255.0, "high": 265.0}, "day": "2026-02-13"},
    "MSFT": {"price": 401, "range": {"low": 395.5, "high": 404.0}, "day": "2026-02-13"},
    "007.L": {"price": None, "range": None, "day": "2026-02-12"},
}
DAILY = {
    "Meta Data": {"2. Symbol": "IBM", "3. Last Refreshed": "2026-02-13"},
    "Time Series (Daily)": {
        "2026-02-13": {"1. open": "261.2000", "4. close": "262.3800", "5. volume": "4050613"},
        "2026-02-12": {"1. open": "270.0000", "4. close": "259.5200", "5. volume": "9007199254740993"},
    },
}
RATES = {
    "amount": 1.0, "base": "EUR", "start_date": "2026-02-12", "end_date": "2026-02-13",
    "rates": {"2026-02-12": {"JPY": 182.01, "USD": 1.1874}, "2026-02-13": {"USD": 1.1866, "TRY": 51.8}},
}  # fmt: skip
KRAKEN = {
    "error": [],
    "result": {"XXBTZUSD": [[1770940800, "66112.4", 12], [1770944400, "66500.1", 7]], "last": 1770940800},
}
POPULATION = [
    ["NAME", "P1_001N", "state"],
    ["Alabama", "5024279", "01"],
    ["Wyoming", "576851", "56"],
]
WORLD_BANK = [
    {"page": 1, "pages": 1, "per_page": 50, "total": 2, "sourceid": "2", "lastupdated": "2026-01-28"},
    [
        {"indicator": {"id": "SP.POP.TOTL", "value": "Population, total"}, "country": {"id": "TR", "value": "Türkiye"},
         "countryiso3code": "TUR", "date": "2024", "value": 85518661, "unit": "", "obs_status": "", "decimal": 0},
        {"indicator": {"id": "SP.POP.TOTL", "value": "Population, total"}, "country": {"id": "TR", "value": "Türkiye"},
         "countryiso3code": "TUR", "date": "2023", "value": None, "unit": "", "obs_status": "", "decimal": 0},
    ],
]  # fmt: skip
HITS = {
    "took": 3, "timed_out": False,
    "hits": {
        "total": {"value": 2, "relation": "eq"},
        "hits": [
            {"_index": "logs", "_id": "a1", "_score": None,
             "_source": {"@timestamp": "2026-02-13T15:30:00.123Z", "http.status": 200, "tags": ["x", "y"]}},
            {"_index": "logs", "_id": "a2", "_score": None,
             "_source": {"@timestamp": "2026-02-13T15:30:01Z", "http": {"status": 503}}},
        ],
    },
}  # fmt: skip
JSON_STAT_LIKE = {"data": {"fields": [{"id": "day"}, {"id": "n"}], "rows": [["2026-02-13", "7"], ["2026-02-12", None]]}}

MOMENT = datetime(2026, 2, 13, 14, 30, tzinfo=UTC)


SHAPES: dict[str, tuple[Any, dict[str, Any], list[dict[str, Any]]]] = {
    "open-meteo: columns instead of rows": (
        OPEN_METEO,
        {"parse": {"records": "hourly"}, "columns": {"time": "timestamp"}, "data_time": "time"},
        [
            {"time": datetime(2026, 2, 13, hour, tzinfo=UTC), "temperature_2m": warm, "precipitation": rain}
            for hour, warm, rain in ((0, 7.4, 0.0), (1, None, 0.1), (2, 6.0, 0.0))
        ],
    ),
    "a chart: columns in several places": (
        YAHOO,
        {
            "parse": {
                "records": "chart.result[0].{time: timestamp, open: indicators.quote[0].open, "
                "adjusted: indicators.adjclose[0].adjclose, volume: indicators.quote[0].volume}"
            },
            "columns": {"time": {"type": "timestamp", "format": "epoch_s"}},
        },
        [
            {"time": MOMENT, "open": 260.0, "adjusted": 261.2, "volume": 46_000_000},
            {"time": datetime(2026, 2, 16, 14, 30, tzinfo=UTC), "open": 262.1, "adjusted": None, "volume": 2**53 + 1},
        ],
    ),
    "Prometheus: series of pairs": (
        PROMETHEUS_RANGE,
        {
            "parse": {"records": "explode(data.result, 'values')"},
            "columns": {
                "job": {"from": "metric.job"},
                "time": {"from": "values.column_1", "type": "timestamp", "format": "epoch_s"},
                "value": {"from": "values.column_2", "type": "float"},
            },
        },
        [
            {"metric.__name__": "up", "job": job, "metric.instance": instance, "time": time, "value": value}
            for job, instance, time, value in (
                ("node", "a:9100", MOMENT.replace(microsecond=781_000), 1.0),
                ("node", "a:9100", MOMENT.replace(second=15, microsecond=781_000), None),
                ("db", None, MOMENT.replace(microsecond=781_000), 0.5),
            )
        ],
    ),
    "Prometheus: one pair a series": (
        PROMETHEUS_NOW,
        {
            "parse": {"records": "data.result[*].{job: metric.job, time: value[0], value: value[1]}"},
            "columns": {"time": {"type": "timestamp", "format": "epoch_s"}, "value": "string"},
        },
        [
            {"job": job, "time": MOMENT.replace(microsecond=500_000), "value": value}
            for job, value in (("node", "1.5"), ("db", "+Inf"))
        ],
    ),
    "IMF: observations inside of series, one alone without a list": (
        COMPACT,
        {
            "parse": {"records": "explode(CompactData.DataSet.Series, 'Obs')"},
            "columns": {
                "area": {"from": "@REF_AREA"},
                "month": {"from": "Obs.@TIME_PERIOD", "type": "date", "format": "%Y-%m"},
                "value": {"from": "Obs.@OBS_VALUE", "type": "decimal"},
                "status": {"from": "Obs.@OBS_STATUS", "type": "string"},
            },
            "key": ["area", "month"],
        },
        [
            {"@FREQ": "M", "area": area, "@UNIT_MULT": "0", "month": month, "value": Decimal(value), "status": status}
            for area, month, value, status in (
                ("TR", date(2025, 11, 1), "41.20", None),
                ("TR", date(2025, 12, 1), "42.80", None),
                ("DE", date(2025, 12, 1), "0.85", "E"),
            )
        ],
    ),
    "Binance: lists without names": (
        KLINES,
        {
            "parse": {"records": "[*].{open_time: [0], open: [1], close: [4], trades: [8]}"},
            "columns": {
                "open_time": {"type": "timestamp", "format": "epoch_ms"},
                "open": "decimal",
                "close": "decimal",
            },
        },
        [
            {
                "open_time": datetime(2026, 2, 13, 0, tzinfo=UTC),
                "open": Decimal("66112.40000000"),
                "close": Decimal("66500.10000000"),
                "trades": 1_500_000,
            },
            {
                "open_time": datetime(2026, 2, 13, 1, tzinfo=UTC),
                "open": Decimal("66500.10000000"),
                "close": Decimal("66010.00000000"),
                "trades": 300_000,
            },
        ],
    ),
    "CoinGecko: three series of pairs side by side": (
        COINGECKO,
        {
            "parse": {"records": "{at: prices[*][0], price: prices[*][1], cap: market_caps[*][1]}"},
            "columns": {"at": {"type": "timestamp", "format": "epoch_ms"}},
        },
        [
            {"at": datetime(2026, 2, 13, 0, tzinfo=UTC), "price": 66112.4, "cap": 1.31e12},
            {"at": datetime(2026, 2, 13, 1, tzinfo=UTC), "price": 66500.1, "cap": 1.32e12},
        ],
    ),
    "quotes by symbol": (
        QUOTES,
        {
            "parse": {"records": "keyed(@)"},
            "columns": {"symbol": {"from": "_key"}, "day": "date"},
            "key": ["symbol"],
            "rules": [{"unique": "symbol"}],
        },
        [
            {"symbol": "AAPL", "price": 261.5, "range.low": 255.0, "range.high": 265.0, "day": date(2026, 2, 13)},
            {"symbol": "MSFT", "price": 401.0, "range.low": 395.5, "range.high": 404.0, "day": date(2026, 2, 13)},
            {"symbol": "007.L", "price": None, "range.low": None, "range.high": None, "day": date(2026, 2, 12)},
        ],
    ),
    "Alpha Vantage: days as keys, names with dots and blanks": (
        DAILY,
        {
            "parse": {"records": 'keyed("Time Series (Daily)")'},
            "columns": {
                "day": {"from": "_key", "type": "date"},
                "open": {"from": "1. open", "type": "decimal"},
                "close": {"from": "4. close", "type": "float"},
                "volume": {"from": "5. volume", "type": "integer"},
            },
        },
        [
            {"day": date(2026, 2, 13), "open": Decimal("261.2000"), "close": 262.38, "volume": 4_050_613},
            {"day": date(2026, 2, 12), "open": Decimal("270.0000"), "close": 259.52, "volume": 2**53 + 1},
        ],
    ),
    "Frankfurter: days as keys, currencies as keys": (
        RATES,
        {
            "parse": {
                "records": "keyed(rates)",
                "melt": {"id": "day", "name": "currency", "value": "rate"},
                "drop_where": "is_null(rate)",
            },
            "columns": {"day": {"from": "_key", "type": "date"}},
        },
        [
            {"day": day, "currency": currency, "rate": rate}
            for day, currency, rate in (
                (date(2026, 2, 12), "JPY", 182.01),
                (date(2026, 2, 12), "USD", 1.1874),
                (date(2026, 2, 13), "USD", 1.1866),
                (date(2026, 2, 13), "TRY", 51.8),
            )
        ],
    ),
    "Kraken: a list of lists by key": (
        KRAKEN,
        {
            "parse": {"records": "keyed(result)", "drop_where": "_key == 'last'"},
            "columns": {"at": {"from": "column_1", "type": "timestamp", "format": "epoch_s"}, "value": "integer"},
        },
        [
            {
                "_key": "XXBTZUSD",
                "at": datetime(2026, 2, 13, hour, tzinfo=UTC),
                "column_2": price,
                "column_3": n,
                "value": None,
            }
            for hour, price, n in ((0, "66112.4", 12), (1, "66500.1", 7))
        ],
    ),
    "a census: the names in the first list": (
        POPULATION,
        {
            "parse": {"records": "[1:]"},
            "columns": {
                "name": {"from": "column_1"},
                "population": {"from": "column_2", "type": "integer"},
                "state": {"from": "column_3"},
            },
        },
        [
            {"name": "Alabama", "population": 5_024_279, "state": "01"},
            {"name": "Wyoming", "population": 576_851, "state": "56"},
        ],
    ),
    "World Bank: rows behind a description": (
        WORLD_BANK,
        {
            "parse": {"records": "[1][*].{country: country.id, year: date, people: value}"},
            "columns": {"year": {"type": "date", "format": "%Y"}},
            "data_time": "$[0].lastupdated",
        },
        [
            {"country": "TR", "year": date(2024, 1, 1), "people": 85_518_661},
            {"country": "TR", "year": date(2023, 1, 1), "people": None},
        ],
    ),
    "Elasticsearch: hits, one name with a dot and one nested": (
        HITS,
        {
            "parse": {
                "records": 'hits.hits[*].{id: _id, at: _source."@timestamp", '
                'status: _source."http.status" || _source.http.status, tags: _source.tags}'
            },
            "columns": {"at": "timestamp"},
        },
        [
            {
                "id": "a1",
                "at": datetime(2026, 2, 13, 15, 30, 0, 123_000, tzinfo=UTC),
                "status": 200,
                "tags": '["x","y"]',
            },
            {"id": "a2", "at": datetime(2026, 2, 13, 15, 30, 1, tzinfo=UTC), "status": 503, "tags": None},
        ],
    ),
    "names beside rows": (
        JSON_STAT_LIKE,
        {
            "parse": {"records": "data.rows"},
            "columns": {"day": {"from": "column_1", "type": "date"}, "n": {"from": "column_2", "type": "integer"}},
        },
        [{"day": date(2026, 2, 13), "n": 7}, {"day": date(2026, 2, 12), "n": None}],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_reads_by_configuration_alone(installation: Installation, name: str) -> None:
    """Every row, every column, every cell."""
    sent, block, expected = SHAPES[name]
    assert deliver(installation, json.dumps(sent).encode(), "application/json", **block) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_that_json_should_not_have(installation: Installation, encoding: str) -> None:
    """With a byte order mark they tell themselves; without one the configuration does."""
    parse = {"records": "hourly"} | ({"encoding": encoding} if encoding == "utf-16-le" else {})
    sent = {**OPEN_METEO, "hourly": {"town": ["Şile", "Kadıköy"], "n": [1, 2]}}
    rows = deliver(installation, json.dumps(sent, ensure_ascii=False).encode(encoding), "application/json", parse=parse)
    assert rows == [{"town": "Şile", "n": 1}, {"town": "Kadıköy", "n": 2}]


def test_compressed_lines(installation: Installation) -> None:
    """A `.ndjson.gz` file, served as bytes; a list and columns inside of a line stay one row."""
    lines = [{"id": n, "x": [1, 2], "y": [3, 4], "at": {"$date": "2026-02-13T15:30:00Z"}} for n in (2**63, 7)]
    sent = gzip.compress("\n".join(map(json.dumps, lines)).encode())
    rows = deliver(installation, sent, path="/export.ndjson.gz", columns={"id": "decimal"})
    assert [(row["id"], row["x"], row["at"]) for row in rows] == [
        (2**63, "[1,2]", MOMENT.replace(hour=15)),
        (7, "[1,2]", MOMENT.replace(hour=15)),
    ]
