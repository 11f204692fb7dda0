"""Tables against an oracle: whatever the history, the table holds what a dict would."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import PipelineError
from data_pipeline.incremental import Cursor
from data_pipeline.store.manifest import Manifest, Part
from data_pipeline.store.merge import MOST_SMALL, Change, advanced
from data_pipeline.store.parts import Parts
from data_pipeline.store.widening import DELETED
from tests.counts import few
from utils.arrow import pa
from utils.storage import Storage

Row = dict[str, Any]
ROWS = pa.schema([("id", pa.int64()), ("sub", pa.string()), ("at", pa.int64()), ("value", pa.float64())])


class Table:
    """A table in a folder of its own, changed batch by batch."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage(folder)
        self.manifest: Manifest | None = None
        self.runs = 0

    def add(self, rows: Sequence[Row], change: Change, schema: pa.Schema = ROWS) -> Manifest:
        self.runs += 1
        parts = Parts(self.storage, "people", f"run{self.runs}")
        batch = parts.write([pa.RecordBatch.from_pylist(list(rows), schema=schema)], schema)
        self.manifest = advanced(parts, self.manifest, batch or Part("", 0, 0, 0, ""), schema, change).table
        return Manifest.from_bytes(self.manifest.to_bytes())

    def rows(self) -> list[Row]:
        assert self.manifest is not None
        parts = Parts(self.storage, "people", "reader")
        return [
            row
            for part in self.manifest.parts
            for found in parts.read(part, self.manifest.schema)
            for row in found.to_pylist()
        ]


def table() -> Table:
    return Table(Path(tempfile.mkdtemp(prefix="table-")))


def bag(rows: Sequence[Row]) -> Counter[str]:
    """Rows without their order."""
    return Counter(repr(sorted(row.items())) for row in rows)


ids = st.one_of(st.none(), st.integers(0, 6))
a_row = st.fixed_dictionaries(
    {
        "id": ids,
        "sub": st.sampled_from(["a", "b", None]),
        "at": st.one_of(st.none(), st.integers(0, 4)),
        "value": st.one_of(st.none(), st.sampled_from([0.5, 1.5])),
    }
)
batches = st.lists(st.lists(a_row, max_size=6), min_size=1, max_size=5)


def latest_of(rows: Sequence[Row], key: Sequence[str]) -> dict[tuple[Any, ...], Row]:
    """What stays of a batch by key: the greatest by `at`, then by `value`, null smallest, then the last."""
    found: dict[tuple[Any, ...], Row] = {}

    def order(row: Row) -> tuple[float, float]:
        return tuple(float("-inf") if row[name] is None else row[name] for name in ("at", "value"))

    for row in rows:
        name = tuple(row[column] for column in key)
        if name not in found or order(row) >= order(found[name]):
            found[name] = row
    return found


@settings(max_examples=few(120), deadline=None)
@given(
    history=batches,
    key=st.sampled_from([("id",), ("id", "sub")]),
    deletes=st.sampled_from(["keep", "flag", "remove"]),
    complete=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_merging_by_key_is_what_a_dict_would_do(
    history: list[list[Row]], key: tuple[str, ...], deletes: str, complete: list[bool]
) -> None:
    """Random histories with nulls in keys and cursors, doubles, deletions: rows with a key as in a dict of the last
    ones; rows without one are there as often as the batch that had most of them."""
    mine, oracle = table(), dict[tuple[Any, ...], Row]()
    flagged: set[tuple[Any, ...]] = set()
    loose: Counter[str] = Counter()
    for number, batch in enumerate(history):
        change = Change(merge=True, key=key, order=("at", "value"), deletes=deletes, complete=complete[number])
        mine.add(batch, change)
        keyed = [row for row in batch if all(row[name] is not None for name in key)]
        loose |= bag([row for row in batch if any(row[name] is None for name in key)])
        came = latest_of(keyed, key)
        if complete[number] and deletes == "remove":
            oracle = {}
        if complete[number] and deletes == "flag":
            flagged |= oracle.keys()
        oracle |= came
        flagged -= came.keys()

    found = mine.rows()
    with_key = [row for row in found if all(row[name] is not None for name in key)]
    flags = {tuple(row[name] for name in key) for row in with_key if row.get(DELETED)}
    bare = [{name: row[name] for name in ROWS.names} for row in found]
    assert bag([row for row in bare if row in with_key or all(row[n] is not None for n in key)]) == bag(
        list(oracle.values())
    )
    assert bag([row for row in bare if any(row[n] is None for n in key)]) == loose
    assert flags == flagged


@settings(max_examples=few(60), deadline=None)
@given(history=batches)
def test_appending_keeps_every_row_in_order(history: list[list[Row]]) -> None:
    """Without a cursor nothing is ever left out."""
    mine = table()
    for batch in history:
        mine.add(batch, Change())
    assert mine.rows() == [row for batch in history for row in batch]


@settings(max_examples=few(60), deadline=None)
@given(history=st.lists(st.dictionaries(st.sampled_from("abc"), st.lists(a_row, max_size=4)), min_size=1, max_size=5))
def test_a_partition_that_is_collected_again_is_replaced(history: list[dict[str, list[Row]]]) -> None:
    """The table holds the last rows of each partition, in the order of the partitions."""
    mine, oracle = table(), dict[str, list[Row]]()
    for pieces in history:
        rows = [row for key in pieces for row in pieces[key]]
        mine.add(rows, Change(pieces=tuple((key, len(pieces[key])) for key in pieces)))
        oracle |= pieces
    assert mine.rows() == [row for key in sorted(oracle) for row in oracle[key]]


moves = st.lists(
    st.tuples(
        st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.integers(0, 50),
                    "sub": st.sampled_from(["a", "b"]),
                    "at": st.one_of(st.none(), st.integers(0, 3)),
                    "value": st.sampled_from([0.5, 1.5]),
                }
            ),
            max_size=4,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=few(150), deadline=None)
@given(moves=moves, keyed=st.booleans(), lag=st.integers(0, 2))
def test_an_incremental_append_neither_loses_nor_doubles_a_row(
    moves: list[tuple[list[Row], bool]], keyed: bool, lag: int
) -> None:
    """A provider that inserts late rows within the lag, equal cursors and rows without one; some answers are partial.

    It sends what is not below the cursor less the lag, and rows without a cursor always; a partial answer ends early.
    In the end, after one whole answer, the table is what the provider has.
    """
    mine, provider, cursor, reach = table(), list[Row](), None, None
    change = Change(key=("id",) if keyed else (), cursor="at")
    for number, (rows, partial) in enumerate([*moves, ([], False)]):
        low = -1 if cursor is None else cursor - lag
        for place, row in enumerate(rows):
            at = None if row["at"] is None else max(low, 0) + row["at"]
            provider.append({**row, "at": at, **({"id": 100 * number + place} if keyed else {})})
        answer = [row for row in provider if row["at"] is None or row["at"] >= low]
        answer = answer[: len(answer) // 2] if partial else answer
        until = None if reach is None else Cursor("at", "int", reach)
        mine.add(answer, Change(key=change.key, cursor="at", until=until))
        seen = max([row["at"] for row in answer if row["at"] is not None], default=-1)
        reach = seen if reach is None else max(seen, reach)
        if not partial:
            cursor = max([row["at"] for row in answer if row["at"] is not None], default=cursor)
    assert bag(mine.rows()) == bag(provider)


def test_a_thousand_appends_leave_dozens_of_parts(tmp_path: Path) -> None:
    """Small parts are written together, larger ones less often; the order of rows stays."""
    mine = Table(tmp_path)
    rows = [{"id": number, "sub": "a", "at": number, "value": 0.5} for number in range(1000)]
    for row in rows:
        mine.add([row], Change())
    assert mine.manifest is not None
    assert len(mine.manifest.parts) <= MOST_SMALL + 1
    assert mine.rows() == rows


def test_parts_without_a_hit_are_reused(tmp_path: Path) -> None:
    """Copy on write: a merge writes again only the part that holds a key of the batch."""
    mine = Table(tmp_path)
    merge = Change(merge=True, key=("id",))
    for number in range(3):
        mine.add([{"id": number, "sub": "a", "at": 0, "value": 0.5}], merge)
    before = [part.path for part in (mine.manifest or Manifest(ROWS)).parts]

    after = [part.path for part in mine.add([{"id": 1, "sub": "b", "at": 1, "value": 1.5}], merge).parts]

    assert after[:2] == [before[0], before[2]]
    assert [row["sub"] for row in mine.rows()] == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("old", "new", "kind", "values"),
    [
        (pa.array([1, 2]), pa.array([0.5]), pa.float64(), [1.0, 2.0, 0.5]),
        (pa.array([2**53 + 1]), pa.array([0.5]), pa.string(), ["9007199254740993", "0.5"]),
        (pa.array([1]), pa.array(["x"]), pa.string(), ["1", "x"]),
        (pa.array([1]), pa.nulls(1), pa.int64(), [1, None]),
        (pa.nulls(1), pa.array(["x"]), pa.string(), [None, "x"]),
        (pa.array([[1]]), pa.array(["x"]), pa.string(), ["[1]", "x"]),
    ],
    ids=["whole to fraction", "too large for a float", "number to text", "no value", "was no value", "list to text"],
)
def test_a_column_grows_wide_enough_for_both(
    tmp_path: Path, old: pa.Array, new: pa.Array, kind: pa.DataType, values: list[Any]
) -> None:
    """Old rows are read in the wider type; integers never go through a float that cannot hold them."""
    mine = Table(tmp_path)
    mine.runs = 100
    for number, array in enumerate((old, new)):
        batch = pa.RecordBatch.from_arrays([array], ["x"])
        parts = Parts(mine.storage, "people", f"b{number}")
        part = parts.write([batch], batch.schema)
        assert part is not None
        mine.manifest = advanced(parts, mine.manifest, part, batch.schema, Change()).table
    assert mine.manifest is not None
    assert mine.manifest.schema.field("x").type == kind
    assert [row["x"] for row in mine.rows()] == values


def test_a_column_that_is_new_is_null_in_old_rows(tmp_path: Path) -> None:
    """And a column that no longer comes is null in new ones."""
    mine = Table(tmp_path)
    mine.add([{"a": 1}], Change(), pa.schema([("a", pa.int64())]))
    mine.add([{"b": 2}], Change(), pa.schema([("b", pa.int64())]))
    assert mine.rows() == [{"a": 1, "b": None}, {"a": None, "b": 2}]


def test_rows_in_quarantine_are_not_deleted(tmp_path: Path) -> None:
    """A full picture that holds a key, though in a bad row, does not say that it is gone."""
    mine = Table(tmp_path)
    remove = {"merge": True, "key": ("id",), "complete": True, "deletes": "remove"}
    mine.add([{"id": n, "sub": "a", "at": 0, "value": 0.5} for n in range(3)], Change(**remove))
    mine.add([{"id": 0, "sub": "b", "at": 0, "value": 0.5}], Change(**remove, doubted=pa.table({"id": [2]})))
    assert [(row["id"], row["sub"]) for row in mine.rows()] == [(2, "a"), (0, "b")]


@pytest.mark.parametrize(
    ("schema", "change", "told"),
    [
        (pa.schema([("id", pa.list_(pa.int64()))]), Change(merge=True, key=("id",)), "cannot be recognised by it"),
        (
            pa.schema([("id", pa.int64()), (DELETED, pa.bool_())]),
            Change(merge=True, key=("id",), deletes="flag"),
            "of its own",
        ),
    ],
    ids=["a list as key", "a column of the table's own name"],
)
def test_what_cannot_be_merged_is_refused(tmp_path: Path, schema: pa.Schema, change: Change, told: str) -> None:
    """With what is wrong, and before anything is written over."""
    with pytest.raises(PipelineError, match=told):
        Table(tmp_path).add([dict.fromkeys(schema.names)], change, schema)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "AAAA", "parts": []}'], ids=["empty", "bare", "cut"])
def test_a_damaged_list_of_files_is_told(content: bytes) -> None:
    """Not read as an empty table."""
    with pytest.raises(ValueError, match=r"not the list|Input is|input data"):
        Manifest.from_bytes(content)
