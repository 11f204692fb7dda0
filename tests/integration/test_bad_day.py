"""A provider's bad day: with the rules that the page on quality names, last good stays what readers and sinks get."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faulty_server import Answer, FaultyServer, html
from tests.integration.installation import Installation
from tests.integration.people import csv, people
from utils.clock import ManualClock

HEADER = b"id,name,day\n"
ROWS = 20
DAY_1, DAY_2, DAY_3 = (b"2026-03-0%d" % number for number in (1, 2, 3))


def table(day: bytes, rows: int = ROWS, *, name: bytes = b"", header: bytes = HEADER) -> Answer:
    return csv(header + b"".join(b"%d,%s,%s\n" % (n, name or b"name %d" % n, day) for n in range(1, rows + 1)))


RULES: list[dict[str, Any]] = [
    {"not_null": {"columns": ["id", "name"]}},
    {"row_count": {"min": ROWS * 3 // 4, "severity": "critical"}},
    {"fresh": {"column": "day", "within": "36h", "severity": "critical"}},
]
BAD_DAYS: dict[str, tuple[Answer, str]] = {
    "half the rows gone": (table(DAY_3, ROWS // 2), "broke critical row_count"),
    "a declared column renamed": (table(DAY_3, header=b"id,full name,day\n"), "20 of 20 rows are quarantined"),
    "all nulls": (csv(HEADER + b"".join(b"%d,,\n" % n for n in range(ROWS))), "broke critical fresh(day)"),
    "yesterday's file again": (table(DAY_2), "broke critical fresh(day)"),
    "the file of the day before": (table(DAY_1), "broke critical fresh(day)"),
    "only the header": (csv(HEADER), "the batch has no rows"),
    "a login page": (html(), "HTML"),
    "a file that was cut off": (
        Answer(body=table(DAY_3).body, headers={"Content-Type": "text/csv"}, announced=10_000),
        "cut",
    ),
}
WAYS: dict[str, dict[str, Any]] = {
    "replaced": {},
    "merged, what is gone removed": {"write": "merge", "key": ["id"], "deletes": "remove"},
}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(table(DAY_2)) as server:
        yield server


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("bad", "why"), BAD_DAYS.values(), ids=BAD_DAYS)
def test_a_bad_day_never_replaces_last_good(
    installation: Installation, server: FaultyServer, bad: Answer, why: str, way: dict[str, Any]
) -> None:
    """Readers and the file keep the good rows, the dataset does not look well, and the next good day is delivered."""
    clock = ManualClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
    sink = {"kind": "file", "path": "out.csv"}
    block = people(server.url, rules=RULES, parse={"format": "csv", "na_values": [""]}, publish=[sink], **way)
    installation.configure(block)
    assert installation.run_one(clock=clock).status == "succeeded"
    out = installation.folder / "out.csv"
    good, sent = sorted(row["name"] for row in installation.rows("people")), out.read_bytes()
    server.answer = bad
    clock.advance(86_400.0 + 3600.0)

    run = installation.run_one(fresh=True, clock=clock)
    after, still = sorted(row["name"] for row in installation.rows("people")), out.read_bytes()
    server.answer = table(DAY_3, name=b"new")
    next_day = installation.run_one(fresh=True, clock=clock)

    assert run.status in {"degraded", "failed"}
    assert (run.accepted, run.origin, run.rows) == (False, "last_good", ROWS)
    assert why in (run.reason or "")
    assert (after, still) == (good, sent)
    assert (next_day.status, {row["name"] for row in installation.rows("people")}) == ("succeeded", {"new"})


def test_a_column_that_nobody_declared_is_missed_all_the_same(installation: Installation, server: FaultyServer) -> None:
    """The contract of the columns holds the batch, without any rule (`schema.missing: hold`)."""
    installation.configure(people(server.url, rules=[], columns={}, data_time=None))
    installation.run_one()
    server.answer = table(DAY_3, header=b"id,full name,day\n")

    run = installation.run_one(fresh=True)

    assert (run.status, run.accepted, run.origin) == ("degraded", False, "last_good")
    assert "`name`" in (run.reason or "")
    assert {"id", "name", "day"} == set(installation.rows("people")[0])


def test_the_same_bytes_for_days_are_no_news(installation: Installation, server: FaultyServer) -> None:
    """Unchanged: no new version; `changed` says when that has lasted too long, and the rows stay."""
    clock = ManualClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
    rules = [{"changed": {"within": "1d", "severity": "critical"}}]
    installation.configure(people(server.url, rules=rules, data_time=None))
    first = installation.run_one(clock=clock)
    clock.advance(3600.0)
    same = installation.run_one(fresh=True, clock=clock)
    clock.advance(2 * 86_400.0)

    stale = installation.run_one(fresh=True, clock=clock)

    assert (same.status, same.unchanged, same.version) == ("succeeded", True, first.version)
    assert (stale.status, stale.rows, stale.version) == ("failed", ROWS, first.version)
    assert "changed" in (stale.reason or "")
    assert len(installation.events("batch.accepted")) == 1
