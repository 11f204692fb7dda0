"""What waits in quarantine is listed, shown as a sample that anybody gets, given up by name, and kept long enough."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PipelineError, StoreError
from data_pipeline.store.quarantine_views import Quarantined
from data_pipeline.validate.samples import chosen
from operations.maintain import maintain
from operations.quarantine import drop, files_of, listed, rows
from operations.replay import replay
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from tests.integration.mending import ACTOR, ANY, GOOD, POSITIVE, prices, shelf, stock
from utils.clock import ManualClock

DAY = 86_400.0
MANY = 2_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, tzinfo=UTC))


def ran(installation: Installation, feed: Feed, clock: ManualClock, *found: Any, **more: Any) -> None:
    feed.rows = prices(*found)
    installation.configure(stock(POSITIVE, {"not_null": "price"}, **more), retention={"quarantine": {"age": "5d"}})
    installation.run_one(fresh=True, clock=clock)


def files(installation: Installation) -> list[str]:
    with installation.system() as system:
        return [blob.path for blob in system.storage.list("quarantine/")]


def entries(installation: Installation) -> list[Quarantined]:
    with installation.system() as system:
        return listed(system, "stock")


# Shown


def test_a_sample_is_the_same_for_whoever_asks_and_never_the_first_rows(installation: Installation, feed: Feed) -> None:
    """`showing 500 of 2,000`: chosen by hash, in the order of the batch; the report names some of the same."""
    feed.rows = prices(*([-1] * MANY), *([1] * 5 * MANY))
    installation.configure(stock())
    installation.run_one()

    table = installation.cli("quarantine", "show", "stock")
    some = installation.cli("quarantine", "show", "stock", "--limit", "7", "--json")
    with installation.system() as system:
        every = rows(system, "stock")

    assert table.out.splitlines()[-1] == "showing 500 of 2,000 rows; all with --all or --output"
    assert len(table.out.splitlines()) == 502
    assert [row["_row"] for row in some.json] == list(chosen(range(1, MANY + 1), 7))
    assert "showing 7 of 2,000" in some.err
    assert (every.count, every.of) == (MANY, MANY)
    (accepted,) = installation.events("batch.accepted")
    assert accepted["report"]["samples"] == {"range(price)": list(chosen(range(1, MANY + 1)))}


def test_rows_say_which_file_brought_them(installation: Installation) -> None:
    """Beside the number in the batch, the file and the number in it."""
    for name, prices_in in (("a", [1, 2, 3]), ("b", [4, -1, 5, 6, 7])):
        text = "id,price\n" + "".join(f"{n},{price}\n" for n, price in enumerate(prices_in))
        (installation.folder / f"{name}.csv").write_text(text)
    installation.configure({"name": "stock", "collect": {"kind": "file", "path": "*.csv"}, "rules": [POSITIVE]})
    installation.run_one()

    with installation.system() as system:
        (row,) = rows(system, "stock").table.to_pylist()

    assert (row["_row"], Path(row["_file"]).name, row["_file_row"]) == (5, "b.csv", 2)


def test_the_list_tells_what_became_of_rows(installation: Installation, feed: Feed, clock: ManualClock) -> None:
    """Newest first: what waits, what was replayed, what was dropped."""
    for last in (-1, -2, -3):
        ran(installation, feed, clock, *GOOD, last, write="append")
    first, second, third = (entry.run_id for entry in reversed(entries(installation)))
    with installation.system() as system:
        drop(system, ACTOR, "stock", first, reason="a test delivery")
    installation.configure(stock(ANY, write="append"))
    with installation.system() as system:
        replay(system, ACTOR, "stock", second)

    told = installation.cli("quarantine", "list", "--json")

    found = [(e["run_id"], e["state"], e["rows"], e["replayed"], e["dropped"]) for e in told.json["quarantine"]]
    assert found == [(third, "waiting", 1, 0, 0), (second, "replayed", 0, 1, 0), (first, "dropped", 0, 0, 1)]
    (event,) = installation.events("quarantine.dropped")
    assert (event["actor"], event["reason"], event["dropped"]) == ("ada", "a test delivery", 1)


# Given up


def test_rows_that_broke_one_rule_are_given_up(installation: Installation, feed: Feed, clock: ManualClock) -> None:
    """The others stay, and can be replayed to their places."""
    ran(installation, feed, clock, -1, *GOOD, None, *GOOD)
    with installation.system() as system:
        dropped = drop(system, ACTOR, "stock", rules=["not_null(price)"])
    assert [(count, left) for _, count, left in dropped.runs] == [(1, 1)]

    installation.configure(stock(ANY))
    with installation.system() as system:
        replay(system, ACTOR, "stock")

    assert [number for number, _ in shelf(installation)] == [n for n in range(1, 19) if n != 10]
    (entry,) = entries(installation)
    assert (entry.state, entry.replayed, entry.dropped, entry.reasons) == ("replayed", 1, 1, {})
    assert [path.endswith("-accepted.parquet") for path in files(installation)] == [True]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"rules": ["unique(id)"]}, r"no quarantined row broke unique\(id\)"),
        ({"run_id": "r0"}, "nothing of the run r0 is in quarantine"),
    ],
    ids=["a rule that none broke", "a run that left none"],
)
def test_what_is_not_there_cannot_be_given_up(
    installation: Installation, feed: Feed, clock: ManualClock, how: dict[str, Any], words: str
) -> None:
    """The error names what there is; nothing was dropped."""
    ran(installation, feed, clock, -1, *GOOD)

    with installation.system() as system, pytest.raises(PipelineError, match=words):
        drop(system, ACTOR, "stock", **how)

    assert entries(installation)[0].rows == 1


def test_a_file_that_is_gone_is_told_and_can_be_given_up(
    installation: Installation, feed: Feed, clock: ManualClock
) -> None:
    """Neither shown nor replayed by mistake; and no entry that nobody gets rid of."""
    ran(installation, feed, clock, -1, *GOOD)
    with installation.system() as system:
        system.storage.delete(entries(installation)[0].path)
        for ask in (lambda: rows(system, "stock"), lambda: replay(system, ACTOR, "stock")):
            with pytest.raises(StoreError) as told:
                ask()
            assert "quarantine drop" in told.value.hint
        drop(system, ACTOR, "stock")

    assert entries(installation)[0].state == "dropped"


# Kept


def test_rows_are_kept_as_long_as_is_said_and_no_longer(
    installation: Installation, feed: Feed, clock: ManualClock
) -> None:
    """`retention.quarantine.age`; the result says how many of them nobody replayed."""
    ran(installation, feed, clock, -1, *GOOD)
    clock.advance(3 * DAY)
    ran(installation, feed, clock, -1, -2, *GOOD)
    clock.advance(3 * DAY)

    with installation.system(clock) as system:
        dry = maintain(system, ACTOR, dry_run=True)
        assert len(listed(system)) == 2
        done = maintain(system, ACTOR)

    for result in (dry, done):
        (step,) = [step for step in result.steps if step.name == "quarantine"]
        assert (step.count, step.freed > 0) == (1, True)
        assert "nobody replayed 1 of them" in step.detail
    assert [entry.rows for entry in entries(installation)] == [2]
    assert len(files(installation)) == 1


def test_the_oldest_go_beyond_the_size(installation: Installation, feed: Feed, clock: ManualClock) -> None:
    """`retention.quarantine.size` counts what waits."""
    for last in (-1, -2):
        ran(installation, feed, clock, *GOOD, last)
        clock.advance(60)
    with installation.system(clock) as system:
        size = max(system.storage.size(entry.path) for entry in listed(system))
    installation.configure(stock(), retention={"quarantine": {"size": size}})

    with installation.system(clock) as system:
        maintain(system, ACTOR)
        (entry,) = listed(system)
        assert system.storage.exists(entry.path)


def test_files_that_no_event_names_are_removed_a_day_later(
    installation: Installation, feed: Feed, clock: ManualClock
) -> None:
    """A replay that was killed leaves one; one that goes on just now is not disturbed."""
    ran(installation, feed, clock, -1, *GOOD)
    (entry,) = entries(installation)
    with installation.system(clock) as system:
        held = files_of(system).read(entry)
        left = files_of(system).write(entry, held, "killed")
        maintain(system, ACTOR)
        assert system.storage.exists(left)
        later = ManualClock(datetime.now(UTC))
    later.advance(2 * DAY)

    installation.configure(stock(), retention={"quarantine": {"age": "9000d"}})
    with installation.system(later) as system:
        maintain(system, ACTOR)

    assert files(installation) == [entry.path]
