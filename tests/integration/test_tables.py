"""Tables that grow: what a user sees of `write: append` and `write: merge`, and what survives."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.pipeline import RunContext
from data_pipeline.store.distinct import NotDelivered
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.maintain import maintain
from operations.run import run
from tests.integration.feed import Feed, Row
from tests.integration.installation import Installation
from utils.clock import ManualClock

DAY = 86_400.0


def people(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:everything"}
    return {"name": "people", "collect": collect, "key": ["id"], "write": "merge", **more}


def rows(*found: tuple[int, str]) -> list[Row]:
    return [{"id": number, "name": name} for number, name in found]


def delivered(installation: Installation, **how: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in installation.rows("people", **how)]


def column_of(system: IntegratedSystem, dataset: str, column: str) -> Iterator[Any]:
    return system.distinct.each(dataset, column)


def test_a_merge_replaces_by_key_and_readers_get_the_whole_table(installation: Installation, feed: Feed) -> None:
    """`show` and `load` have the table, `show --batch` what came last; `rows` of the run are those it brought."""
    installation.configure(people())
    feed.rows = rows((1, "anna"), (2, "bert"))
    installation.run_one()
    feed.rows = rows((2, "berta"), (3, "cleo"), (3, "clea"))

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.rows) == ("succeeded", 3)
    assert sorted(delivered(installation)) == [(1, "anna"), (2, "berta"), (3, "clea")]
    assert delivered(installation, last_batch=True) == [(2, "berta"), (3, "cleo"), (3, "clea")]
    with installation.system() as system:
        assert len(system.load("people")) == 3
        assert system.views.versions("people")[0].rows == 3


def test_what_is_served_in_place_of_a_delivery_is_the_whole_table(installation: Installation, feed: Feed) -> None:
    """Last good and the copy within the TTL count all rows, not those of the last batch."""
    installation.configure(people(write="append", key=[]))
    feed.rows = rows((1, "anna"), (2, "bert"))
    installation.run_one()
    feed.rows = rows((3, "cleo"))
    installation.run_one(fresh=True)

    cached = installation.run_one()
    feed.breaks_after = 0
    failed = installation.run_one(fresh=True)

    assert (cached.origin, cached.rows) == ("cache", 3)
    assert (failed.origin, failed.rows, failed.status) == ("last_good", 3, "degraded")
    assert delivered(installation) == [(1, "anna"), (2, "bert"), (3, "cleo")]


@pytest.mark.parametrize(
    ("deletes", "expected"),
    [
        ("keep", [(1, "anna"), (2, "bert"), (3, "cleo")]),
        ("flag", [(1, "anna", False), (2, "bert", True), (3, "cleo", True)]),
        ("remove", [(1, "anna")]),
    ],
)
def test_rows_that_a_full_picture_does_not_hold(
    installation: Installation, feed: Feed, deletes: str, expected: list[tuple[Any, ...]]
) -> None:
    """Kept, flagged or removed; a row that comes back is there again."""
    installation.configure(people(deletes=deletes))
    feed.rows = rows((1, "anna"), (2, "bert"), (3, "cleo"))
    installation.run_one()
    feed.rows = rows((1, "anna"))
    installation.run_one(fresh=True)
    assert sorted(delivered(installation)) == expected

    feed.rows = rows((1, "anna"), (2, "bert"), (3, "cleo"))
    installation.run_one(fresh=True)
    assert sorted(found[:2] for found in delivered(installation)) == [(1, "anna"), (2, "bert"), (3, "cleo")]
    assert not any(row.get("_deleted") for row in installation.rows("people"))


def test_a_partial_answer_deletes_nothing(installation: Installation, feed: Feed) -> None:
    """What did not come may be behind the break; what came is merged, and the run is degraded."""
    installation.configure(people(deletes="remove"))
    feed.rows = rows((1, "anna"), (2, "bert"))
    installation.run_one()
    feed.rows, feed.breaks_after = rows((1, "anne"), (2, "bert")), 1

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.partial, ran.accepted) == ("degraded", True, True)
    assert sorted(delivered(installation)) == [(1, "anne"), (2, "bert")]


def test_quarantined_rows_are_neither_merged_nor_deleted(installation: Installation, feed: Feed) -> None:
    """A bad row does not replace the good one that is there, and its key is not gone."""
    installation.configure(people(deletes="remove", rules=[{"not_null": "name"}]))
    feed.rows = rows(*((number, "x") for number in range(10)))
    installation.run_one()
    feed.rows = [{"id": 0, "name": None}, *rows(*((number, "y") for number in range(2, 10)))]

    ran = installation.run_one(fresh=True)

    assert (ran.rows, ran.quarantined) == (8, 1)
    assert sorted(delivered(installation)) == [(0, "x"), *((number, "y") for number in range(2, 10))]


def test_a_held_batch_does_not_touch_the_table(installation: Installation, feed: Feed) -> None:
    """Readers keep the table; the candidate is there to be looked at."""
    installation.configure(people(rules=[{"row_count": {"min": 2}, "severity": "critical"}]))
    feed.rows = rows((1, "anna"), (2, "bert"))
    installation.run_one()
    feed.rows = rows((3, "cleo"))

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.origin, ran.rows) == ("failed", "last_good", 2)
    assert sorted(delivered(installation)) == [(1, "anna"), (2, "bert")]
    assert delivered(installation, last_batch=True) == [(3, "cleo")]


def test_a_rule_on_the_dataset_judges_the_whole_table(installation: Installation, feed: Feed) -> None:
    """A batch that is fine by itself is held when the table with it would not be."""
    unique = {"unique": "name", "scope": "dataset", "severity": "critical"}
    installation.configure(people(rules=[unique, {"unique": "name"}]))
    feed.rows = rows((1, "anna"), (2, "bert"))
    assert installation.run_one().status == "succeeded"
    feed.rows = rows((3, "anna"))

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.accepted, ran.quarantined) == ("failed", False, 0)
    assert [(rule.rule, rule.failed, rule.of) for rule in ran.failed_rules] == [("unique(name) of the table", 2, 3)]
    assert sorted(delivered(installation)) == [(1, "anna"), (2, "bert")]


def test_the_same_answer_twice_is_appended_once(installation: Installation, feed: Feed) -> None:
    """The same bytes are no news."""
    installation.configure(people(write="append", key=[]))
    feed.rows = rows((1, "anna"))
    installation.run_one()

    ran = installation.run_one(fresh=True)

    assert (ran.status, ran.unchanged) == ("succeeded", True)
    assert delivered(installation) == [(1, "anna")]


def test_full_starts_an_appended_table_anew(installation: Installation, feed: Feed) -> None:
    """And does so even when the provider sends the same."""
    installation.configure(people(write="append", key=[]))
    for name in ("anna", "bert", "cleo"):
        feed.rows = rows((1, name))
        installation.run_one(fresh=True)

    installation.run_one(full=True)

    assert delivered(installation) == [(1, "cleo")]


def test_from_replace_to_merge_and_back(installation: Installation, feed: Feed) -> None:
    """The version that is there becomes the first part of the table; nothing is collected again for it."""
    feed.rows = rows((1, "anna"), (2, "bert"))
    installation.configure(people(write="replace"))
    installation.run_one()
    installation.configure(people())
    feed.rows = rows((2, "berta"))
    installation.run_one(fresh=True)
    assert sorted(delivered(installation)) == [(1, "anna"), (2, "berta")]

    installation.configure(people(write="replace"))
    feed.rows = rows((9, "ines"))
    installation.run_one(fresh=True)
    assert delivered(installation) == [(9, "ines")]


def test_maintenance_keeps_every_file_that_a_kept_version_needs(installation: Installation, feed: Feed) -> None:
    """Old versions go with the files that only they name; leftovers of killed runs go after a day."""
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    installation.configure(people(), retention={"versions": {"count": 2, "age": "30d"}}, cache={"ttl": "1s"})
    for number in range(6):
        feed.rows = rows((number, "x"), (0, f"run {number}"))
        installation.run_one(fresh=True, clock=clock)
        clock.advance(60.0)
    before = sorted(delivered(installation))
    with installation.system(clock) as system:
        system.storage.put_bytes("tables/people/killed.parquet", b"half a run")
        system.storage.flush()
        fresh = maintain(system, Actor("test"))
        assert system.storage.exists("tables/people/killed.parquet")
        assert next(step.count for step in fresh.steps if step.name == "versions") == 4
        kept = [version.version for version in system.views.versions("people")]

    clock.advance(1000 * DAY)  # far beyond any file's own time
    with installation.system(clock) as system:
        maintain(system, Actor("test"))
        assert not system.storage.exists("tables/people/killed.parquet")
        needed = set().union(*(system.results.files(version) for version in system.views.versions("people")))
        assert {blob.path for blob in system.storage.list("tables/")} == needed
    assert len(kept) == 2
    assert sorted(delivered(installation)) == before == [(0, "run 5"), *((n, "x") for n in range(1, 6))]


def test_a_kill_before_the_event_leaves_the_table_as_it_was(installation: Installation, feed: Feed) -> None:
    """Parts are written before anybody hears of the version; nobody sees them then, and the next run is right."""
    installation.configure(people())
    feed.rows = rows((1, "anna"))
    installation.run_one()
    feed.rows = rows((1, "anne"), (2, "bert"))

    with installation.system() as system:
        # The line without the runner: what it wrote is never recorded.
        context = RunContext("0-killed", system.clock.now(), fresh=True, current=system.views.current())
        system.pipeline.run(system.settings.dataset("people"), context)
        system.pipeline.flush()
    assert delivered(installation) == [(1, "anna")]

    with installation.system() as system:
        run(system, Actor("test"), fresh=True)
    assert sorted(delivered(installation)) == [(1, "anne"), (2, "bert")]


def test_views_are_rebuilt_with_tables_and_all(installation: Installation, feed: Feed) -> None:
    """The log alone says how many rows the table has, and where."""
    installation.configure(people())
    for number in range(3):
        feed.rows = rows((number, "x"))
        installation.run_one(fresh=True)
    with installation.system() as system:
        before = system.views.versions("people")
        maintain(system, Actor("test"), rebuild=True)
        assert system.views.versions("people") == before
        assert [version.rows for version in before] == [3, 2, 1]


def test_a_missing_key_column_is_told(installation: Installation, feed: Feed) -> None:
    """Which column, and what there is instead."""
    installation.configure(people(key=["ident"]))
    feed.rows = rows((1, "anna"))

    ran = installation.run_one()

    assert ran.status == "failed"
    assert "no column `ident`" in (ran.error or {})["message"]
    assert "`id`, `name`" in (ran.error or {})["message"]


def test_values_of_a_column_are_given_in_order(installation: Installation, feed: Feed) -> None:
    """Each once, of the whole table; what is wrong with the question is told."""
    installation.configure(people(write="append", key=[]))
    with installation.system() as system, pytest.raises(NotDelivered, match="nothing was delivered of dataset"):
        list(column_of(system, "people", "name"))
    for names in (["bert", "anna", None], ["cleo", "anna"]):
        feed.rows = rows(*enumerate(names))
        installation.run_one(fresh=True)
    with installation.system() as system:
        assert list(column_of(system, "people", "name")) == ["bert", "anna", "cleo"]
        with pytest.raises(NotDelivered, match="has no column `nme`; it has `id`, `name`"):
            list(column_of(system, "people", "nme"))
        with pytest.raises(NotDelivered, match="did you mean `people`"):
            list(column_of(system, "poeple", "name"))


def test_files_that_were_read_are_remembered_with_the_version(installation: Installation) -> None:
    """Each file goes into the table once, and the log alone says which did."""
    folder = installation.folder / "in"
    folder.mkdir()
    collect = {"kind": "file", "path": str(folder / "*.csv")}
    installation.configure({"name": "people", "collect": collect, "write": "append"})
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(f"id,name\n1,{name}\n")
        installation.run_one(fresh=True)

    assert delivered(installation) == [(1, "a"), (1, "b")]
    assert installation.run_one(fresh=True).unchanged
    with installation.system() as system:
        before = system.views.ledger("people")
        maintain(system, Actor("test"), rebuild=True)
        assert system.views.ledger("people") == before
    assert [path.rpartition("/")[2] for path in sorted(before)] == ["a.csv", "b.csv"]
    installation.run_one(full=True)
    assert delivered(installation) == [(1, "a"), (1, "b")]


def test_files_that_were_left_out_delete_nothing(installation: Installation) -> None:
    """Only new files are read; the rows of the others are not gone. One file that is read again is a full picture."""
    folder = installation.folder / "in"
    folder.mkdir()
    collect = {"kind": "file", "path": str(folder / "*.csv")}
    installation.configure(people(collect=collect, deletes="remove"))
    (folder / "a.csv").write_text("id,name\n1,anna\n2,bert\n")
    installation.run_one(fresh=True)
    (folder / "a.csv").write_text("id,name\n1,anne\n")
    installation.run_one(fresh=True)
    assert delivered(installation) == [(1, "anne")]

    (folder / "b.csv").write_text("id,name\n3,cleo\n")
    installation.run_one(fresh=True)
    assert sorted(delivered(installation)) == [(1, "anne"), (3, "cleo")]
    assert any("does not say which rows were deleted" in n for n in installation.events("batch.accepted")[-1]["notes"])
