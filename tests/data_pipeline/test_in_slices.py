"""A table that is judged slice by slice has the report of one pass, bit for bit."""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_pipeline.dataset import Provenance
from data_pipeline.errors import StoreError
from data_pipeline.in_slices import Slice, TableWork, judged_in_slices, observed, slices_of
from data_pipeline.store.manifest import Manifest, Part
from data_pipeline.store.results import Results
from data_pipeline.store.views import Views
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import parse_rules
from data_pipeline.validate.surroundings import NOTHING_AROUND
from utils.arrow import pa
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.storage import Storage

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MEMORY = 10**9
RULES = parse_rules(
    {**rule, "scope": "dataset"}
    for rule in (
        {"unique": "id"},
        {"unique": "name"},
        {"unique": ["day", "name"]},
        {"not_null": ["amount"]},
        {"range": {"column": "amount", "min": 0.5, "max": 900.0}},
        {"monotonic": "at"},
        {"aggregate": {"expr": "sum(amount)", "equals": "12345"}},
        {"row_count": {"min": 10_000}},
        {"range": {"column": "amount", "max": 500.0}, "by": ["day"], "tolerance": 0.4, "id": "by_day"},
        {"not_null": ["amount"], "where": "day = 'mo'", "id": "mondays"},
    )
)


def rows(first: int, count: int) -> "pa.Table":
    """Rows with keys that occur in other parts too, gaps, and sums that depend on the order of adding."""
    dice = np.random.default_rng(first)
    amounts = dice.lognormal(3, 3, count)
    return pa.table(
        {
            "id": pa.array(np.arange(first, first + count), pa.int64()),
            "name": pa.array([f"n{n % 4000}" for n in range(first, first + count)]),
            "day": pa.array(dice.choice(["mo", "tu", "we"], count)),
            "amount": pa.array(amounts, mask=dice.random(count) < 0.05),
            "at": pa.array(np.arange(first, first + count) - (np.arange(count) == 77) * 50, pa.int64()),
        }
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A table of three files with small row groups, the last of narrower types."""
    storage = Storage(tmp_path_factory.mktemp("storage"))
    parts = []
    narrow = {"id": pa.int32(), "at": pa.int32()}
    for number, (first, count) in enumerate([(0, 3000), (2995, 2500), (6000, 1500)]):
        table = rows(first, count)
        if number == 2:
            fields = [pa.field(f.name, narrow.get(f.name, f.type)) for f in table.schema]
            table = table.cast(pa.schema(fields))
        sink = io.BytesIO()
        pq.write_table(table, sink, row_group_size=700)
        stored = storage.put_bytes(f"tables/orders/p{number}.parquet", sink.getvalue())
        parts.append(Part(stored.path, count, stored.size, table.nbytes, stored.sha256))
    storage.put_bytes("tables/orders/v.json", Manifest(rows(0, 1).schema, tuple(parts)).to_bytes())
    return Results(storage, cast("Views", None))


WORK = TableWork("orders", "tables/orders/v.json", 7000, NOW)


def in_one_pass(results: Results) -> Report:
    table = results.batch(WORK.path, Provenance(provider="", collected_at=NOW), memory_limit=MEMORY)
    return validate(table, RULES, now=NOW).report


def elsewhere(results: Results, pool: ThreadPoolExecutor) -> "Callable[[Slice], Future[bytes]]":
    return lambda part: pool.submit(observed, part, results, RULES, NOTHING_AROUND, memory_limit=MEMORY)


@pytest.mark.parametrize("size", [7000, 2500, 999, 131], ids="{}-rows".format)
def test_the_report_is_the_one_of_a_single_pass(size: int, results: Results) -> None:
    """Whatever the slices are: across files, in the middle of a row group, larger than all."""
    with ThreadPoolExecutor(3) as pool:
        found = judged_in_slices(WORK, elsewhere(results, pool), results, RULES, memory_limit=MEMORY, rows=size)

    whole = in_one_pass(results)
    assert found.to_json() == whole.to_json()
    assert found.outcomes == whole.outcomes
    assert {one.kind for one in found.outcomes if one.failed} >= {"unique", "not_null", "range", "monotonic"}


def test_slices_are_the_table() -> None:
    """Each row once, in order."""
    found = slices_of(WORK, 3000)

    assert [(one.start, one.rows) for one in found] == [(0, 3000), (3000, 3000), (6000, 1000)]
    assert len({one.name for one in found}) == 3
    assert slices_of(replace(WORK, rows=0), 3000) == []


def test_a_file_that_is_gone_is_told(results: Results) -> None:
    """By whoever looks at it, in the words of the store."""
    gone = replace(WORK, path="tables/orders/gone.json")
    with ThreadPoolExecutor(1) as pool, pytest.raises(StoreError, match=r"gone\.json"):
        judged_in_slices(gone, elsewhere(results, pool), results, RULES, memory_limit=MEMORY, rows=5000)


def test_a_run_that_stops_waits_for_no_slice(results: Results) -> None:
    """And those that did not begin are called off."""
    never: list[Future[bytes]] = []

    def submit(_: Slice) -> "Future[bytes]":
        never.append(Future())
        return never[-1]

    token = CancelToken()
    token.cancel("SIGINT")
    with cancellable(token), pytest.raises(Cancelled):
        judged_in_slices(WORK, submit, results, RULES, memory_limit=MEMORY, rows=5000)
    assert [future.cancelled() for future in never] == [True, True]
