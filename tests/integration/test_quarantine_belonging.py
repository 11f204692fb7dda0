"""Rows that were set aside come back only where they belong: into a table, a piece, the batch that readers see."""

import pytest

from data_pipeline.errors import BatchNotDelivered, DatasetBusy, PipelineError
from data_pipeline.mending.belonging import Superseded
from operations import gate
from operations.actor import Actor, NotAllowedError
from operations.maintain import maintain
from operations.quarantine import drop, listed
from operations.replay import replay
from operations.show import delivered
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from tests.integration.log_histories import views
from tests.integration.mending import ACTOR, ANY, GOOD, POSITIVE, again, counts, mend, prices, shelf, stock
from utils.database import StateError

# Tables


def test_rows_are_appended_to_a_table(installation: Installation, feed: Feed) -> None:
    """Of every batch that has any waiting; sinks get what is new, and nothing else."""
    block = {"write": "append", "publish": [{"kind": "sql", "url": "sqlite:///out.db", "table": "t", "mode": "append"}]}
    installation.configure(stock(**block))
    for start in (1, 10):
        feed.rows = prices(*GOOD, -1, start=start)
        installation.run_one(fresh=True)
    installation.configure(stock(ANY, **block))

    found = again(installation)

    assert counts(found) == [(1, 1, 0), (1, 1, 0)]
    assert [price for _, price in shelf(installation)] == [*GOOD, *GOOD, -1, -1]
    assert [attempt.rows for attempt in found.publications] == [1, 1]
    assert again(installation).replays == ()


def test_a_newer_row_of_the_same_key_stays(installation: Installation, feed: Feed) -> None:
    """By the cursor; the cursor itself does not move, so nothing is left uncollected."""
    asked = {"kind": "python", "function": "tests.integration.feed:since"}
    block = {"collect": asked, "key": ["id"], "incremental": {"cursor": "at"}}
    feed.rows = [{**row, "at": 1} for row in prices(*GOOD, -1, -2)]
    installation.configure(stock(**block))
    installation.run_one()
    feed.rows = [{"id": 9, "price": 99, "at": 2}]
    installation.run_one(fresh=True)
    installation.configure(stock(ANY, **block))

    found = again(installation)

    assert counts(found) == [(2, 2, 0)]
    assert dict(shelf(installation)) == {**dict(enumerate(GOOD, 1)), 9: 99, 10: -2}
    installation.run_one(fresh=True)
    assert feed.asked[-1] == 2


def test_without_a_cursor_an_older_row_never_replaces_one_that_came_since(
    installation: Installation, feed: Feed
) -> None:
    """Nothing says which is newer: refused by key, unless somebody insists."""
    block = {"write": "merge", "key": ["id"]}
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock(**block))
    installation.run_one()
    feed.rows = prices(*GOOD, 9)
    installation.run_one(fresh=True)
    installation.configure(stock(ANY, **block))

    with pytest.raises(Superseded, match="the table has rows of 1 of these keys"):
        again(installation)
    before = dict(shelf(installation))
    again(installation, force=True)

    assert (before[9], dict(shelf(installation))[9]) == (9, -1)


def test_rows_join_their_piece(installation: Installation, feed: Feed) -> None:
    """And only that; a piece that was collected again since is refused."""
    block = {
        "collect": {"kind": "python", "function": "tests.integration.feed:piece"},
        "partition": {"by": ["a", "b"]},
    }
    feed.pieces = {"a": prices(*GOOD, -1), "b": prices(*GOOD, -2, start=20)}
    installation.configure(stock(**block))
    installation.run_one()
    installation.configure(stock(ANY, **block))

    found = again(installation)

    assert counts(found) == [(2, 2, 0)]
    assert [price for _, price in shelf(installation)] == [*GOOD, -1, *GOOD, -2]
    installation.configure(stock(**block))
    installation.run_one(fresh=True, full=True)
    feed.pieces = {"a": prices(*GOOD, -1), "b": prices(*GOOD, -2, -3, start=20)}
    installation.run_one(fresh=True)
    installation.configure(stock(ANY, **block))
    with pytest.raises(Superseded, match="the piece a was collected again"):
        again(installation, sorted(run["run_id"] for run in installation.events("rows.quarantined"))[1])


# Refused


def test_rows_of_an_older_batch_never_stand_beside_those_of_a_newer_one(installation: Installation, feed: Feed) -> None:
    """Unless somebody insists: then they stand at the end."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    old = installation.run_one().version
    feed.rows = prices(1, 2, 3)
    installation.run_one(fresh=True)
    installation.configure(stock(ANY))

    with pytest.raises(Superseded, match="took its place") as refused:
        again(installation, old)
    assert f"quarantine drop stock --run {old}" in refused.value.hint
    assert shelf(installation) == [(1, 1), (2, 2), (3, 3)]
    again(installation, old, force=True)
    assert shelf(installation) == [(1, 1), (2, 2), (3, 3), (9, -1)]
    assert installation.events("quarantine.replayed")[-1]["force"] is True


def test_of_several_batches_those_that_can_are_replayed(installation: Installation, feed: Feed) -> None:
    """An older one is told, and no reason to fail."""
    installation.configure(stock())
    for last in (-1, -2):
        feed.rows = prices(*GOOD, last)
        installation.run_one(fresh=True)
    installation.configure(stock(ANY))

    found = again(installation)

    assert [one.accepted for one in found.replays] == [0, 1]
    assert "took its place" in str(found.replays[0].skipped)
    assert shelf(installation)[-1] == (9, -2)


def test_rows_of_a_held_batch_wait_for_its_decision(installation: Installation, feed: Feed) -> None:
    """They are kept like any; once the batch is accepted they join it."""
    rule = {"range": {"column": "price", "min": 0, "severity": "critical"}}
    installation.configure(stock(rule))
    feed.rows = prices(*GOOD)
    installation.run_one()
    feed.rows = prices(*GOOD, -1, 20)
    assert not installation.run_one(fresh=True).accepted
    path = mend(installation, "csv", lambda text: text.replace("9,-1", "9,11"))

    with pytest.raises(PipelineError, match="is held: nobody decided") as refused:
        again(installation, file=path)
    assert "accept stock" in refused.value.hint
    with installation.system() as system:
        gate.accept(system, ACTOR, "stock")
    again(installation, file=path)

    assert shelf(installation) == [(row["id"], row["price"]) for row in prices(*GOOD, 11, 20)]


def test_what_the_gate_would_hold_changes_nothing(installation: Installation, feed: Feed) -> None:
    """Rows that pass row by row may still make a batch that its rules refuse."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    installation.run_one()
    most = {"row_count": {"max": 8, "severity": "critical"}}
    installation.configure(stock(ANY, most))

    with pytest.raises(BatchNotDelivered, match=r"the gate would hold .*row_count"):
        again(installation)
    assert (len(shelf(installation)), len(installation.events("batch.accepted"))) == (8, 1)
    again(installation, force=True)
    assert len(shelf(installation)) == 9


def test_rules_on_the_whole_table_are_asked_too(installation: Installation, feed: Feed) -> None:
    """A mended key that the table has already is seen, though it is unique in its own batch."""
    block = {"write": "append"}
    whole = {"unique": {"columns": ["id"], "scope": "dataset", "severity": "critical"}}
    installation.configure(stock(POSITIVE, whole, **block))
    feed.rows = prices(*GOOD)
    installation.run_one()
    feed.rows = prices(*GOOD, -1, start=20)
    installation.run_one(fresh=True)
    path = mend(installation, "csv", lambda text: text.replace("28,-1", "1,1"))

    with pytest.raises(BatchNotDelivered, match=r"the gate would hold .*unique\(id\)"):
        again(installation, file=path)

    assert len(shelf(installation)) == 16


def test_a_dataset_that_runs_is_left_alone(installation: Installation, feed: Feed) -> None:
    """Its lease is held by somebody else."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    installation.run_one()

    with installation.system() as other:
        other.leases.acquire(["dataset:stock"], run="r1")
        with installation.system() as system, pytest.raises(DatasetBusy):
            replay(system, ACTOR, "stock")

    assert installation.events("quarantine.replayed") == []


def test_a_viewer_may_neither_replay_nor_drop(installation: Installation, feed: Feed) -> None:
    """Both change what readers get, or what is kept."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    installation.run_one()
    viewer = Actor("vic", "viewer")

    with installation.system() as system:
        for change in (replay, drop):
            with pytest.raises(NotAllowedError):
                change(system, viewer, "stock")


def test_what_was_dropped_meanwhile_is_not_replayed(
    installation: Installation, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the rows and telling the log somebody else gave them up: no row joins."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    installation.run_one()
    installation.configure(stock(ANY))
    with installation.system() as system:
        flush = system.results.flush

        def meanwhile() -> None:
            flush()
            with installation.system() as other:
                drop(other, Actor("bob"), "stock")

        monkeypatch.setattr(system.results, "flush", meanwhile)
        with pytest.raises(StateError, match="replayed or dropped meanwhile"):
            replay(system, ACTOR, "stock")

    assert len(shelf(installation)) == 8


def test_rows_with_a_new_column_join_once_it_is_welcome(installation: Installation, feed: Feed) -> None:
    """Until then they are set aside again, for the same reason."""
    installation.configure(stock(schema={"new": "discard_row"}))
    feed.rows = prices(*GOOD)
    installation.run_one()
    feed.rows = [*prices(*GOOD), {"id": 9, "price": 9, "colour": "red"}]
    installation.run_one(fresh=True)

    still = again(installation)
    installation.configure(stock(schema={"new": "evolve"}))
    found = again(installation)

    assert (counts(still), still.replays[0].reasons) == ([(1, 0, 1)], {"schema(new: colour)": 1})
    assert counts(found) == [(1, 1, 0)]
    assert installation.rows("stock")[-2:] == [
        {"id": 8, "price": 10, "colour": None},
        {"id": 9, "price": 9, "colour": "red"},
    ]
    assert installation.events("schema.drifted")[-1]["column"] == "colour"


@pytest.mark.parametrize("write", ["replace", "append"])
def test_a_rollback_takes_mended_rows_back_into_quarantine(installation: Installation, feed: Feed, write: str) -> None:
    """As they were set aside, beside those that still wait; and from there they come again, once."""
    feed.rows = prices(*GOOD, -1, *GOOD, -2, -200)
    installation.configure(stock(write=write))
    installation.run_one()
    installation.configure(stock(ANY, write=write))
    version = again(installation).replays[0].version
    whole = shelf(installation)

    with installation.system() as system:
        gate.rollback(system, ACTOR, "stock")
        without = len(delivered(system, "stock").table)
        (entry,) = listed(system)
        maintain(system, ACTOR)
        with pytest.raises(PipelineError, match="was rolled back") as refused:
            gate.accept(system, ACTOR, "stock", version)
        live = views(system)
        system.events.rebuild()
        assert views(system) == live
    found = again(installation)

    assert without == 16
    assert (entry.state, entry.rows, entry.replayed, entry.reasons) == ("waiting", 3, 0, {"range(price)": 3})
    assert "quarantine replay stock" in refused.value.hint
    assert counts(found) == [(3, 2, 1)]
    assert shelf(installation) == whole
