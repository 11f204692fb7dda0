"""What a rule may know beside its batch: of accepted, undamaged versions, and only when it asks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.errors import StoreError
from data_pipeline.store.surroundings import Around, Neighbours
from data_pipeline.validate.kernels.columns import CannotJudge
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.advice import advice
from operations.run import run
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from utils.arrow import pa
from utils.clock import ManualClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def people(**more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": "tests.integration.feed:everything"}
    return {"name": "people", "collect": collect, **more}


def deliver(installation: Installation, feed: Feed, ids: Sequence[int | None], clock: ManualClock | None = None) -> str:
    """Deliver one column of ids; the version it became."""
    feed.rows = [{"id": number, "name": f"n{number}"} for number in ids]
    ran = installation.run_one(fresh=True, clock=clock or ManualClock(START))
    assert ran.version is not None
    return ran.version


def around(system: IntegratedSystem, name: str = "people", **given: Any) -> Around:
    last_good = system.results.last_good(system.views.current_of(name))
    return Neighbours(system.distinct, system.results, system.views, system.settings).of(name, last_good, **given)


def test_the_values_of_another_dataset_are_those_its_readers_see(installation: Installation, feed: Feed) -> None:
    """Each once, without null, of the whole table; the version is noted."""
    installation.configure(people(write="append"))
    deliver(installation, feed, [3, 1, None, 3])
    version = deliver(installation, feed, [2, 1])

    with installation.system() as system:
        found = around(system)
        assert found.values_of("people", "id").to_pylist() == [3, 1, 2]
        assert found.looked_at == {"people": version}


def test_a_held_batch_is_nobodys_reference(installation: Installation, feed: Feed) -> None:
    """What waits for a decision is not among the values, nor is it the version before."""
    installation.configure(people(rules=[{"row_count": {"min": 2}, "severity": "critical"}]))
    good = deliver(installation, feed, [1, 2])
    feed.rows = [{"id": 9, "name": "x"}]
    assert installation.run_one(fresh=True, clock=ManualClock(START)).status == "failed"

    with installation.system() as system:
        found = around(system)
        before = found.before(["id"])
        assert before is not None
        assert pa.Table.from_batches(before)["id"].to_pylist() == [1, 2]
        assert found.values_of("people", "id").to_pylist() == [1, 2]
        assert found.looked_at == {"people": good}


def test_a_damaged_version_is_nobodys_reference(installation: Installation, feed: Feed) -> None:
    """The one before it is taken; when none is whole there is nothing to look at."""
    installation.configure(people())
    first = deliver(installation, feed, [1, 2])
    deliver(installation, feed, [1, 2, 3])
    with installation.system() as system:
        last_good = system.results.last_good(system.views.current_of("people"))
        assert last_good is not None
        (path,) = system.results.files(last_good)
        system.storage.put_bytes(path, b"x" * last_good.size)
        found = Neighbours(system.distinct, system.results, system.views, system.settings).of("people", last_good)

        before = found.before(["id"])

        assert before is not None
        assert pa.Table.from_batches(before)["id"].to_pylist() == [1, 2]
        assert found.values_of("people", "id").to_pylist() == [1, 2]
        assert found.looked_at == {"people": first}


@pytest.mark.parametrize(
    ("dataset", "column", "words"),
    [
        ("people", "nme", "dataset `people` has no column `nme`; it has `id`, `name`"),
        ("poeple", "id", "did you mean `people`"),
        ("later", "id", "nothing was delivered of dataset `later` yet; `run later` first"),
    ],
    ids=["no such column", "no such dataset", "nothing delivered"],
)
def test_what_is_not_there_is_said(
    installation: Installation, feed: Feed, dataset: str, column: str, words: str
) -> None:
    """A rule on it cannot judge, and tells why."""
    feed.rows = [{"id": 1, "name": "a"}]
    installation.configure(people(), people(name="later"))
    installation.run("people", clock=ManualClock(START))

    with installation.system() as system, pytest.raises(CannotJudge, match=words):
        around(system).values_of(dataset, column)


def test_columns_of_the_version_before_come_in_the_order_asked_for(installation: Installation, feed: Feed) -> None:
    """Of a single file and of a table in parts alike; None where a column is missing or nothing was delivered."""
    for settings in ({}, {"write": "append"}):
        installation.configure(people(name=f"p{len(settings)}", **settings))
        with installation.system() as system:
            assert around(system, f"p{len(settings)}").before(["id"]) is None
        deliver(installation, feed, [7, 8])

        with installation.system() as system:
            found = around(system, f"p{len(settings)}")
            before = found.before(["name", "id"])
            assert before is not None
            assert pa.Table.from_batches(before).to_pylist() == [{"name": "n7", "id": 7}, {"name": "n8", "id": 8}]
            assert found.before(["id", "gone"]) is None


def test_values_are_read_once_a_version_and_forgotten_within_half_the_memory(
    installation: Installation, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next batch takes what was read; a column that does not fit is refused by name."""
    installation.configure(people(), app={"memory_limit": "64KB"})
    deliver(installation, feed, range(3_000))
    with installation.system() as system:
        reads = []
        batches = system.results.batches
        monkeypatch.setattr(system.results, "batches", lambda *given: reads.append(given[1]) or batches(*given))
        for _ in range(3):
            assert len(around(system).values_of("people", "id")) == 3_000
        assert reads == [["id"]]
        assert len(around(system).values_of("people", "name")) == 3_000
        assert len(around(system).values_of("people", "id")) == 3_000
        assert reads == [["id"], ["name"], ["id"]]
        system.distinct.forget()
        around(system).values_of("people", "id")
        assert reads[3:] == [["id"]]

    deliver(installation, feed, range(9_000))
    with installation.system() as system, pytest.raises(CannotJudge, match="9,000 different values of `id`"):
        around(system).values_of("people", "id")


def test_all_chunks_of_a_batch_see_the_same_version(installation: Installation, feed: Feed) -> None:
    """Also when another run delivers a newer one meanwhile."""
    installation.configure(people())
    deliver(installation, feed, [1])
    with installation.system() as system:
        found = around(system)
        assert found.values_of("people", "id").to_pylist() == [1]
        deliver(installation, feed, [2])

        assert found.values_of("people", "id").to_pylist() == [1]
        assert around(system).values_of("people", "id").to_pylist() == [2]


def test_nothing_is_read_unless_a_rule_asks(installation: Installation, feed: Feed) -> None:
    """A run without such rules opens no version for them, and its event names none."""
    installation.configure(people())
    deliver(installation, feed, [1])
    deliver(installation, feed, [2])

    assert not any("looked_at" in event or "content_since" in event for event in installation.events("batch.accepted"))


def test_content_is_unchanged_since_it_first_came(installation: Installation, feed: Feed) -> None:
    """Also when it was stored anew meanwhile, because the configuration had changed."""
    clock = ManualClock(START)
    installation.configure(people())
    deliver(installation, feed, [1, 2], clock)
    clock.advance(3_600)
    installation.configure(people(rules=[{"not_null": "id"}]))
    deliver(installation, feed, [1, 2], clock)
    clock.advance(3_600)
    installation.configure(people(rules=[{"unique": "id"}]))
    deliver(installation, feed, [1, 2], clock)

    with installation.system() as system:
        last_good = system.results.last_good(system.views.current_of("people"))
        assert last_good is not None
        same = around(system, content=last_good.body["content_sha256"])
        assert same.unchanged_since() == START
        assert around(system, content="another").unchanged_since() is None
        assert around(system).unchanged_since() is None
        assert around(system, content=last_good.body["content_sha256"], pieces=["2026-03"]).unchanged_since() is None


def test_a_reference_that_cannot_be_read_is_an_error_of_the_store(installation: Installation, feed: Feed) -> None:
    """Its list of files is damaged and there is no other version: nothing is judged by a part of it."""
    installation.configure(people(write="append"))
    deliver(installation, feed, [1])
    with installation.system() as system:
        found = around(system)
        assert found.before(["id"]) is not None
        last_good = system.results.newest(system.views.current_of("people"))
        assert last_good is not None
        system.storage.put_bytes(last_good.path, b"{}")
        with pytest.raises(StoreError, match="not the list"):
            found.before(["id"])


def test_a_batch_that_drifted_is_held_against_the_version_that_readers_have(
    installation: Installation, feed: Feed
) -> None:
    """Prices in cents do not replace those in euros; the event says which version was looked at; the first is taken."""
    clock = ManualClock(START)
    rule = {"drift": {"column": "id", "psi": 0.2}, "severity": "critical"}
    installation.configure(people(rules=[rule]))
    first = deliver(installation, feed, range(400), clock)
    feed.rows = [{"id": number * 100, "name": "x"} for number in range(400)]

    held = installation.run_one(fresh=True, clock=clock)
    again = deliver(installation, feed, range(5, 405), clock)

    assert (held.status, held.version) == ("failed", first)
    assert [one.rule for one in held.failed_rules] == ["drift(id)"]
    assert [event["looked_at"] for event in installation.events("batch.held")] == [{"people": first}]
    accepted = installation.events("batch.accepted")
    assert [event.get("looked_at") for event in accepted] == [None, {"people": first}]
    assert accepted[-1]["version"] == again


def test_rules_on_the_whole_table_see_it_with_the_batch_in_it(installation: Installation, feed: Feed) -> None:
    """An order's lines may come in several batches; their sum is judged where they are together."""
    rule = {"aggregate": {"expr": "count(*)", "by": "name", "max": 2}, "severity": "critical"}
    installation.configure(people(write="append", rules=[{**rule, "scope": "dataset"}]))
    deliver(installation, feed, [1, 2])
    deliver(installation, feed, [1])
    feed.rows = [{"id": 4, "name": "n4"}, {"id": 1, "name": "n1"}]

    held = installation.run_one(fresh=True, clock=ManualClock(START))

    assert (held.status, held.rows) == ("failed", 3)
    assert [one.rule for one in held.failed_rules] == ["aggregate(count(*) by name) of the table"]
    assert "1 of 3 groups by `name`" in str(installation.events("batch.held")[0]["report"])


def test_what_must_stand_elsewhere_is_looked_up_in_what_this_run_delivered(
    installation: Installation, feed: Feed
) -> None:
    """Whatever the order in the configuration, and though both are new."""
    rule = {"references": {"column": "id", "dataset": "customers", "key": "id"}}
    feed.rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    installation.configure(people(name="orders", priority=9, rules=[rule]), people(name="customers"))

    ran = {one.dataset: one for one in installation.run(clock=ManualClock(START)).datasets}

    assert (ran["orders"].status, ran["orders"].failed_rules) == ("succeeded", ())
    with installation.system() as system:
        run(system, Actor("test"), ("orders",), fresh=True)
        assert not system.distinct._read  # what a run looked up is let go of when it ends
    event = next(event for event in installation.events("batch.accepted") if event.get("looked_at"))
    assert event["looked_at"] == {"customers": ran["customers"].version}


@pytest.mark.parametrize("state", ["accepted", "held"])
def test_failing_groups_are_named_to_who_asks_and_in_no_event(
    installation: Installation, feed: Feed, state: str
) -> None:
    """They stand in the file of the rows, go with it, and are advice as long as it is there."""
    severity = "error" if state == "accepted" else "critical"
    rule = {"aggregate": {"expr": "count(*)", "by": "name", "max": 1}, "severity": severity}
    installation.configure(people(rules=[rule]))
    feed.rows = [{"id": 1, "name": "anna"}, {"id": 2, "name": "anna"}, {"id": 3, "name": "bert"}]
    installation.run_one(clock=ManualClock(START))

    (event,) = installation.events(f"batch.{state}")
    assert "1 of 2 groups by `name`" in str(event)
    assert "anna" not in str(event)
    with installation.system() as system:
        (version,) = system.views.versions("people")
        (outcome,) = system.results.report(version).outcomes
        assert outcome.examples == ((("name", "anna"), ("count(*)", "2"), ("max", "1")),)
        (told,) = advice(system, "people")
        assert "off by up to 1: name anna, count(*) 2, max 1." in told.text
    assert {"id", "name"} == set(installation.rows("people", last_batch=True)[0])
