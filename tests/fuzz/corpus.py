"""What is damaged: small payloads of every format, each with a configuration that reads it."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from data_pipeline.parse.encoding import IN_MEMORY
from utils.arrow import pa

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
WORKBOOKS = PAYLOADS.parent / "workbooks"


@dataclass(frozen=True, slots=True)
class Piece:
    """A payload and how it is read: `options` without the format, which is told or found."""

    format: str
    data: bytes
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)


@cache
def pieces() -> dict[str, Piece]:
    """All of them by name, always in the same order."""
    return {**_delimited(), **_json(), **_columnar(), **_markup(), **_others()}


def _delimited() -> dict[str, Piece]:
    bundesbank = (PAYLOADS / "bundesbank_fx_dec_1998.csv").read_bytes()[:9_000]
    bundesbank = bundesbank[: bundesbank.rindex(b"\n") + 1]
    wide = b"Currency;02.01.2024;03.01.2024\r\nUSD;1,0956;\r\nTRY;32,70;1.033,5\r\n"
    tables = b"title\nday,x,y\n1,2,3\n\nday,y,z\n2,4,5\n"
    quoted = 'id,"a ""name""",at\n1,"İzmir, ""TR""",2024-01-01 10:00\n2,"two\nlines",\n007,5" pipe,x\n'
    return {
        "csv, sdmx": Piece("csv", bundesbank, {"na_values": ["."]}, {"OBS_VALUE": "decimal", "TIME_PERIOD": "date"}),
        "csv, blanks": Piece("csv", b' id   "a b"\tn\n  1  "x  y"  2.5\n 22      z  3\n', {"delimiter": " "}),
        "csv, quoted": Piece("csv", quoted.encode(), {"drop_where": "id = '1'"}, {"at": "timestamp", "id": "string"}),
        "csv, utf-16": Piece("csv", quoted.encode("utf-16"), {}, {"id": "integer"}),
        "csv, latin": Piece("csv", quoted.encode("iso8859-9"), {"encoding": "iso8859-9"}),
        "csv, melted": Piece(
            "csv",
            wide,
            {"decimal": ",", "thousands": ".", "melt": {"id": ["Currency"], "name": "day", "value": "rate"}},
            {"day": {"type": "date", "format": "%d.%m.%Y"}, "rate": "decimal"},
        ),
        "csv, melted untyped": Piece("csv", wide, {"melt": {"id": "Currency"}, "drop_where": "is_null(value)"}),
        "csv, footer": Piece("csv", tables, {"skip_rows": 1, "footer_rows": 2, "stop_at_blank": True}),
        "csv, tables": Piece("csv", tables, {"skip_rows": 1, "repeated_header": True}, {"day": "integer"}),
        "csv, transposed": Piece("csv", wide, {"transpose": True, "delimiter": ";"}),
        "csv, streamed": Piece(
            "csv",
            b"n,t,x\n" + b'1,"a ""b""\nc",2.5\n' * (IN_MEMORY // 17 + 9),
            {"drop_where": "n > 1"},
            {"x": "decimal"},
        ),
        "csv, gzip": Piece("csv", gzip.compress(bundesbank, mtime=0)),
        "csv, comments": Piece("csv", b"# c\na\tb\n1\t2\n# d\n3\t4\n", {"comment": "#", "header_row": 1}),
    }


def _json() -> dict[str, Piece]:
    tcmb = (PAYLOADS / "tcmb_fx_march_2026.json").read_bytes()
    issues = json.dumps(
        [{"id": 2**63 + n, "user": {"login": "a", "x": [1, {"y": None}]}, "n": n / 3} for n in range(9)]
    )
    lines = (
        b'{"a": 1, "b": "2024-01-01T00:00:00Z", "c": {"d": [1, 2.5e3]}}\n'
        b'{"a": 18446744073709551616, "b": null, "C": true, "c": {"$numberLong": "12"}}\n'
    ) * 10
    return {
        "json, records": Piece("json", tcmb, {"records": "items"}, {"TP_DK_USD_A_YTL": "decimal"}),
        "json, nested": Piece("json", issues.encode(), {"flatten": True}, {"id": "integer", "n": "decimal"}),
        "json, kept": Piece("json", issues.encode(), {"flatten": False, "drop_where": "n > 1"}),
        "json, columns": Piece(
            "json",
            b'{"hourly": {"time": ["2026-02-13T00:00", null], "ns": [1770996600123456789, 2], "x": [1.5, "a"]}}',
            {"records": "hourly"},
            {"time": "timestamp", "ns": {"type": "timestamp", "format": "epoch_ns"}},
        ),
        "json, keyed": Piece(
            "json",
            b'{"A": {"p": 1, "q": {"r": null}}, "B": [{"p": 2}, [3, 4]], "C": {"$numberLong": "5"}, "D": 6}',
            {"records": "keyed(@)"},
            {"key": {"from": "_key"}},
        ),
        "json, exploded": Piece(
            "json",
            b'{"d": [{"m": {"j": "a"}, "v": [[1.5, "1"], [2, "NaN"]]}, {"m": {}, "v": {"w": 1}}, {"v": []}]}',
            {"records": "explode(d, 'v')"},
            {"at": {"from": "v.column_1", "type": "timestamp", "format": "epoch_s"}},
        ),
        "json, plain": Piece("json", b'[1, 2.5, "x", null, true]'),
        "jsonl": Piece("jsonl", lines, {}, {"b": "timestamp"}),
        "jsonl, streamed": Piece("jsonl", lines * (IN_MEMORY // len(lines) + 1), {}, {"a": "decimal"}),
        "jsonl, melted": Piece("jsonl", lines, {"melt": {"id": "b"}}),
        "jsonl, gzip": Piece("jsonl", gzip.compress(lines, mtime=0)),
    }


def _columnar() -> dict[str, Piece]:
    from pyarrow import parquet

    table = pa.table(
        {
            "id": pa.array([1, None, 2**62], pa.int64()),
            "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None, datetime(1960, 5, 5, tzinfo=UTC)]),
            "day": pa.array([date(2024, 2, 29), None, date(1, 1, 1)]),
            "price": pa.array([Decimal("1.10"), None, Decimal("-99.99")], pa.decimal128(12, 2)),
            "name": pa.array(["a", None, "ş" * 50]).dictionary_encode(),
            "tags": pa.array([["x"], None, []], pa.list_(pa.string())),
        }
    )
    stored, stream, file = io.BytesIO(), io.BytesIO(), io.BytesIO()
    parquet.write_table(table, stored, compression="snappy")
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    columns = {"price": "decimal", "id": {"type": "integer", "scale": 100}}
    return {
        "parquet": Piece("parquet", stored.getvalue(), {}, columns),
        "parquet, int96": Piece("parquet", (PAYLOADS / "alltypes_tiny_pages.parquet").read_bytes()),
        "arrow stream": Piece("arrow", stream.getvalue(), {"drop_where": "id > 1"}),
        "arrow file": Piece("arrow", file.getvalue(), {}, columns),
    }


def _markup() -> dict[str, Piece]:
    tcmb = (PAYLOADS / "tcmb_today_iso8859_9.xml").read_bytes()
    soap = (
        b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        b'<r xmlns="urn:r"><row k="1"><v>1.5</v><w><z>a</z></w></row><row k="2"><v/></row></r></s:Body></s:Envelope>'
    )
    entities = (
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><r><x>&c;</x><x>1</x></r>'
    )
    return {
        "xml, latin": Piece("xml", tcmb, {"records": "//Currency"}, {"ForexBuying": "decimal"}),
        "xml, guessed": Piece("xml", tcmb),
        "xml, soap": Piece("xml", soap, {"records": "//r:row", "namespaces": {"r": "urn:r"}}, {"v": "float"}),
        "xml, around": Piece(
            "xml",
            soap,
            {"records": "//row"},
            {"r": {"from": "../row/@k"}, "w": {"from": "ancestor::s:Body/*/@x"}, "n": {"from": "./w/z"}},
        ),
        "xml, entities": Piece("xml", entities, {"records": "//x"}),
        "html": Piece("csv", b"<!doctype html><html><body><table><tr><td>1</td></tr></table></body></html>"),
    }


def _others() -> dict[str, Piece]:
    metrics = (PAYLOADS / "node_linux.prom").read_bytes()[:6_000]
    metrics = metrics[: metrics.rindex(b"\n") + 1]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "x,y\n1,2\n")
    return {
        "prometheus": Piece("prometheus", metrics),
        "prometheus, dropped": Piece("prometheus", metrics, {"drop_where": "value < 1"}),
        "workbook": Piece("excel", _workbook(), {"sheet": "Rates", "footer_rows": 1}, {"day": "date"}),
        **{
            f"workbook, {kind}": Piece("excel", (WORKBOOKS / f"base.{kind}").read_bytes())
            for kind in ("xls", "xlsb", "ods")
        },
        "workbook, all": Piece("excel", _workbook(), {"sheet": "*", "stop_at_blank": True}),
        "workbook, real": Piece(
            "excel", (PAYLOADS / "tonga_fx_workbook.xlsx").read_bytes(), {"transpose": True, "skip_rows": 1}
        ),
        "zip": Piece("csv", packed.getvalue()),
        "nothing": Piece("csv", b""),
    }


def _workbook() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Rates"
    for row in (["day", "USD", "note"], [datetime(2024, 1, 2), 1.0956, "a"], ["x", 3, None], ["sum", "=B2+B3", None]):
        sheet.append(row)
    book.create_sheet("More").append(["day", 1, True])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
