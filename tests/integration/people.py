"""One dataset of one provider, in good days and bad: what the tests of the whole line collect."""

from typing import Any

from tests.faulty_server import Answer, ok

GOOD_CSV = b"id,name,day\n1,anna,2026-01-01\n2,bert,2026-01-01\n3,cleo,2026-01-01\n"
GOOD_ROWS = 3
GOOD = ok(GOOD_CSV, "text/csv; charset=utf-8")


def csv(body: bytes, **headers: str) -> Answer:
    return ok(body, "text/csv; charset=utf-8", **headers)


def people(url: str, **more: Any) -> dict[str, Any]:
    """The dataset `people` at an address; further keys as in the configuration, those of `collect` by `collect`."""
    collect = {"kind": "http", "url": url, "max_size": "2MB", **more.pop("collect", {})}
    return {
        "name": "people",
        "collect": collect,
        "columns": {"id": "integer", "name": "string", "day": "date"},
        "data_time": "day",
        "rules": [{"not_null": ["id", "name"]}, {"unique": "id"}],
        **more,
    }
