"""What differs between two versions: counted exactly, told with values, refused where it makes no sense."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import PipelineError
from data_pipeline.store.comparing import Rows, compared, rows_at
from operations import difference as module
from operations.actor import Actor
from operations.dataset_runs import dataset_runs, quality_history
from operations.difference import difference
from operations.gate import rollback
from operations.raw_kept import raw_kept
from operations.versions import versions
from tests.integration.installation import Installation
from utils.arrow import pa

ACTOR = Actor("test")


def _made(folder: Path, *contents: str, **more: Any) -> Installation:
    """One dataset `orders` of a file that had these contents, one after the other."""
    made, file = Installation(folder), folder / "in.csv"
    made.configure({"name": "orders", "collect": {"kind": "file", "path": str(file)}, **more})
    for content in contents:
        file.write_text(content)
        made.run(fresh=True)
    return made


def test_rows_are_matched_by_the_key_and_told_with_both_values(tmp_path: Path) -> None:
    """One row came, one is gone, one has another value; a column is new."""
    made = _made(tmp_path, "id,name\n1,a\n2,b\n3,c\n", "id,name,more\n4,d,x\n3,C,y\n1,a,z\n", key=["id"])

    with made.system() as system:
        found = difference(system, "orders")

    rows = found.rows
    assert (rows.key, rows.added, rows.removed, rows.changed, rows.same) == (("id",), 1, 1, 1, 1)
    assert rows.samples["added"] == [{"id": "4", "name": "d", "more": "x"}]
    assert rows.samples["removed"] == [{"id": "2", "name": "b"}]
    assert rows.samples["changed"] == [{"key": {"id": "3"}, "values": {"name": {"before": "c", "after": "C"}}}]
    assert [(one["column"], one["before"]) for one in found.columns] == [("more", None)]
    assert {(one["column"], one["figure"]) for one in found.figures} >= {("id", "mean")}


def test_without_a_key_whole_rows_are_counted_each_as_often_as_it_is_there(tmp_path: Path) -> None:
    """Two equal rows became three: one was added. The version before is the default."""
    made = _made(tmp_path, "id\n1\n1\n2\n", "id\n1\n1\n1\n")

    with made.system() as system:
        rows = difference(system, "orders").rows

    assert (rows.key, rows.added, rows.removed, rows.changed, rows.same) == ((), 1, 1, 0, 2)


def test_a_key_that_comes_twice_is_no_key(tmp_path: Path) -> None:
    """Whole rows are compared, and it is said."""
    made = _made(tmp_path, "id,v\n1,a\n1,b\n", "id,v\n1,a\n1,c\n", key=["id"])

    with made.system() as system:
        rows = difference(system, "orders").rows

    assert (rows.added, rows.removed, rows.changed) == (1, 1, 0)
    assert "more than once" in rows.note


def test_a_batch_that_is_held_is_compared_with_what_readers_see(tmp_path: Path) -> None:
    """Without being asked for by its name, and the change of its score is told in words."""
    rule = {"range": {"column": "id", "max": 9, "severity": "critical"}}
    made = _made(tmp_path, "id\n1\n2\n", "id\n1\n99\n", rules=[rule])

    with made.system() as system:
        found = difference(system, "orders")
        accepted = [one.version for one in versions(system, "orders").versions if one.state == "accepted"]

    assert (found.before["version"], found.after["state"]) == (accepted[0], "held")
    assert any("range" in change.words for change in found.changes)


def test_a_column_of_another_type_is_left_out_and_named(tmp_path: Path) -> None:
    """Else each row would be another one."""
    made = _made(tmp_path, "id,v\n1,1\n2,2\n", "id,v\n1,1.5\n2,2.5\n", key=["id"])

    with made.system() as system:
        listed = versions(system, "orders").versions
        found = difference(system, "orders", listed[1].version, listed[0].version)

    assert [one["column"] for one in found.columns] == ["v"]
    assert (found.rows.same, found.rows.changed) == (2, 0)
    assert "v" in found.rows.note


def test_more_rows_than_the_limit_are_not_compared_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns and figures are; the reason is told."""
    made = _made(tmp_path, "id\n1\n", "id\n1\n2\n")
    monkeypatch.setattr(module, "MOST_ROWS", 2)

    with made.system() as system:
        rows = difference(system, "orders").rows

    assert (rows.added, rows.samples) == (None, {})
    assert rows.note == "3 rows are too many to compare one by one"


@pytest.mark.parametrize(
    ("contents", "asked", "words"),
    [
        ((), (), "nothing was delivered yet"),
        (("id\n1\n",), (), "there is no version before"),
        (("id\n1\n",), ("none",), "there is no version none"),
    ],
    ids=["never ran", "first version", "unknown version"],
)
def test_what_cannot_be_compared_is_told(
    tmp_path: Path, contents: tuple[str, ...], asked: tuple[str, ...], words: str
) -> None:
    """With what to look at."""
    made = _made(tmp_path, *contents)

    with made.system() as system, pytest.raises(PipelineError, match=words):
        difference(system, "orders", *asked)


VALUES = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["", "a", "b"]))
TABLES = st.lists(st.tuples(st.one_of(st.none(), st.integers(-3, 3)), VALUES), max_size=12)


def _opened(rows: list[tuple[int | None, str | None]], cut: int) -> Rows:
    table = pa.table(
        {"n": pa.array([n for n, _ in rows], pa.int64()), "t": pa.array([t for _, t in rows], pa.string())}
    )
    return lambda columns: iter(table.select(list(columns)).to_batches(max_chunksize=cut))


@given(TABLES, TABLES, st.integers(1, 5))
def test_comparing_agrees_with_counting(
    old: list[tuple[int | None, str | None]], new: list[tuple[int | None, str | None]], cut: int
) -> None:
    """As multisets of rows, however the streams are cut; a null is no value but itself."""
    before, after = _opened(old, cut), _opened(new, cut + 1)

    found = compared(before, after, ["n", "t"])

    def those(positions: Any, rows: Rows) -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row.values()) for row in rows_at(rows, ["n", "t"], [int(at) for at in positions]))

    assert those(found.added, after) == Counter(new) - Counter(old)
    assert those(found.removed, before) == Counter(old) - Counter(new)
    assert found.same == (Counter(new) & Counter(old)).total()


def test_values_of_any_type_are_compared(tmp_path: Path) -> None:
    """Lists and maps as text, NaN as a null, -0.0 as 0.0."""
    old = pa.table({"k": [1, 2], "list": [[1], None], "half": [None, 0.0]})
    new = pa.table({"k": [1, 2], "list": [[1], [2]], "half": [float("nan"), -0.0]})

    found = compared(
        lambda names: iter(old.select(list(names)).to_batches()),
        lambda names: iter(new.select(list(names)).to_batches()),
        ["k", "list", "half"],
        ["k"],
    )

    assert found.changed.tolist() == [[1, 1]]


def test_versions_are_told_as_they_were_at_a_moment(tmp_path: Path) -> None:
    """After a rollback, what was the current one before it; and the runs that there were."""
    made = _made(tmp_path, "id\n1\n", "id\n1\n2\n")

    with made.system() as system:
        before = versions(system, "orders")
        moment = before.versions[0].time
        ran_first = dataset_runs(system, "orders", as_of=before.versions[1].time)
        rollback(system, ACTOR, "orders", reason="wrong file")
        then, now = versions(system, "orders", as_of=moment), versions(system, "orders")
        ran = dataset_runs(system, "orders")

    assert then.current == before.current != now.current
    assert [one.state for one in then.versions] == ["accepted", "accepted"]
    assert [one.why for one in now.versions if one.current] == ["wrong file"]
    assert len(ran_first) <= 1 < len(ran) == 2
    assert ran[0]["time"] > ran[1]["time"]


def test_the_score_and_its_parts_are_told_over_time(tmp_path: Path) -> None:
    """Oldest first, the last so many, within the period."""
    contents = ["id\n1\n2\n", 'id\n1\n""\n', "id\n1\n2\n3\n"]
    made = _made(tmp_path, *contents, rules=[{"not_null": ["id"], "severity": "warning"}])

    with made.system() as system:
        whole = quality_history(system, "orders")
        last = quality_history(system, "orders", limit=1)
        later = quality_history(system, "orders", since=whole.points[1]["time"])

    assert [one["time"] for one in whole.points] == sorted(one["time"] for one in whole.points)
    assert (len(whole.points), whole.cut) == (3, False)
    assert whole.points[1]["dimensions"]["completeness"] < whole.points[0]["dimensions"]["completeness"]
    assert (last.points, last.cut) == (whole.points[2:], True)
    assert later.points == whole.points[1:]


def test_raw_answers_that_are_kept_are_listed(tmp_path: Path) -> None:
    """Newest first, with their sizes; how long they are kept."""
    made = _made(tmp_path, "id\n1\n", "id\n1\n2\n", keep_raw="7d")

    with made.system() as system:
        found = raw_kept(system, "orders")
        ran = [run["run_id"] for run in dataset_runs(system, "orders")]

    assert [one["run_id"] for one in found.runs] == ran
    assert found.keeps == "7 d"
    assert all(one["size"] > 0 for one in found.runs)
