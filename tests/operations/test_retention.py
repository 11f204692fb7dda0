"""The past of an installation: sealed when it is old, forgotten where it is only listed, told as of any moment."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.store.views import Views
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError
from operations.maintain import Maintenance, maintain
from operations.run import run
from operations.status import status
from operations.step import Step
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import rfc3339, sealing
from utils.storage import StorageError

ANNA = Actor("anna")
DAY = 86_400.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def system(tmp_path: Path, clock: ManualClock) -> Iterator[IntegratedSystem]:
    """An installation with two simulated datasets; one of them is down on the second day."""
    installation = Installation(tmp_path)
    installation.configure(
        {"name": "steady", "collect": {"kind": "simulated", "rows": 3}},
        {"name": "shaky", "collect": {"kind": "simulated", "rows": 2, "script": [{"after": "1d", "do": "down"}]}},
        cache={"ttl": "1s"},
        retention={"versions": {"count": 100, "age": "4000d"}},
    )
    with installation.system(clock) as system:
        yield system


def _days(system: IntegratedSystem, clock: ManualClock, count: int) -> list[str]:
    """Run once a day; gives the moments right after each run."""
    moments = []
    for _ in range(count):
        run(system, ANNA)
        moments.append(rfc3339(clock.now()))
        clock.advance(DAY)
    return moments


def _step(done: Maintenance, name: str) -> Step:
    (step,) = [step for step in done.steps if step.name == name]
    return step


def _tables(system: IntegratedSystem) -> dict[str, list[tuple[Any, ...]]]:
    names = [name for view in system._kept.projections for name in view.tables]
    return {name: sorted(system.database.query(f"SELECT * FROM {name}"), key=repr) for name in names}


def test_maintenance_seals_what_is_older_than_the_retention(system: IntegratedSystem, clock: ManualClock) -> None:
    """A dry run says how much; afterwards everything is proven, readable and rebuilt as before."""
    _days(system, clock, 5)
    events = system.events.read(limit=10_000)
    clock.advance(88.5 * DAY)  # the first three days are old enough
    old = [event for event in events if event.time < rfc3339(clock.now() - timedelta(days=90))]

    dry = _step(maintain(system, ANNA, dry_run=True), "events")
    done = maintain(system, ANNA)
    again = _step(maintain(system, ANNA), "events")

    assert 0 < len(old) < len(events)
    assert (dry.count, dry.detail) == (len(old), "events would be sealed")
    assert _step(done, "events").count == len(old)
    assert (again.count, done.well) == (0, True)
    assert system.events.read(limit=len(events)) == events
    (segment,) = system.storage.list("events/")
    assert segment.path == f"events/segment-1-{len(old)}.parquet"
    live = _tables(system)
    maintain(system, ANNA, rebuild=True)
    assert {name: rows for name, rows in _tables(system).items() if name != "checkpoints"} == live


def test_runs_past_their_retention_are_forgotten_but_no_datasets_last(
    system: IntegratedSystem, clock: ManualClock
) -> None:
    """The lists get shorter, the state does not change; a rebuild forgets the same, and a dry run nothing."""
    _days(system, clock, 4)
    clock.advance(200 * DAY)
    before = status(system)
    runs = [entry.run_id for entry in system.views.runs()]

    dry = _step(maintain(system, ANNA, dry_run=True), "past_runs")
    assert len(system.views.runs()) == 4
    done = _step(maintain(system, ANNA), "past_runs")

    assert (dry.count, done.count) == (3, 3)
    assert [entry.run_id for entry in system.views.runs()] == runs[:1]
    assert [body["run_id"] for body in system.views.recent("steady")] == runs[:1]
    assert status(system).datasets == before.datasets
    live = _tables(system)
    system.events.rebuild()
    assert _tables(system) == live


def test_only_so_many_runs_are_forgotten_at_once(
    system: IntegratedSystem, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next maintenance goes on where the last one stopped."""
    monkeypatch.setattr("operations.retention.DATASET_RUNS_AT_ONCE", 4)  # two runs of two datasets
    _days(system, clock, 6)
    clock.advance(200 * DAY)

    counts = [_step(maintain(system, ANNA), "past_runs").count for _ in range(4)]

    assert counts == [2, 2, 1, 0]


def test_a_storage_that_is_away_is_said_and_nothing_is_lost(
    system: IntegratedSystem, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maintenance goes on with its other steps, and is not well."""
    _days(system, clock, 2)
    clock.advance(200 * DAY)
    events = system.events.read(limit=10_000)

    def full(*_: object, **__: object) -> None:
        raise StorageError("storage: the disk is full", path="p", hint="Free some space", transient=True)

    monkeypatch.setattr(system.storage, "writer", full)
    done = maintain(system, ANNA)

    step = _step(done, "events")
    assert (step.well, step.count) == (False, 0)
    assert step.detail.startswith("sealing was given up, nothing is lost: storage: the disk is full")
    assert system.events.read(limit=len(events)) == events
    assert system.database.query("SELECT count(*) FROM events") == [(len(events) + 1,)]


def test_beside_a_run_sealing_stops_when_the_time_is_over_and_goes_on_later(
    system: IntegratedSystem, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `run` spends seconds on it: what was sealed counts, the rest waits for the next time."""
    monkeypatch.setattr(sealing, "EVENTS_AT_MOST", 5)
    monkeypatch.setattr(sealing, "FEW", 1)
    _days(system, clock, 4)
    clock.advance(200 * DAY)
    count = system.events.head()[0]
    seal = sealing.Sealing.seal

    def slow(self: sealing.Sealing, due: sealing.Due) -> Any:
        clock.advance(2.0)
        return seal(self, due)

    monkeypatch.setattr(sealing.Sealing, "seal", slow)
    first = maintain(system, ANNA, seconds=5.0)
    monkeypatch.undo()
    monkeypatch.setattr(sealing, "FEW", 1)
    second = maintain(system, ANNA)

    assert _step(first, "events").count == 15
    assert "database" in first.left
    assert _step(second, "events").count == count - 15
    assert system.events.verify().fault is None


# --- as of ----------------------------------------------------------------------------------------


def test_the_state_as_of_a_moment_is_the_one_that_was_shown_then(system: IntegratedSystem, clock: ManualClock) -> None:
    """Word for word what `status` said, also where the log has been sealed and runs forgotten since."""
    shown = []
    for _ in range(4):
        run(system, ANNA)
        shown.append(status(system).to_json())
        moments = [rfc3339(clock.now())]
        shown[-1]["as_of"] = moments[0]
        clock.advance(DAY)

    for sealed in (False, True):
        for then in shown:
            assert status(system, as_of=then["as_of"]).to_json() == then
        clock.advance(200 * DAY)
        if not sealed:
            maintain(system, ANNA)
            assert list(system.storage.list("events/"))
    assert {then["datasets"][0]["status"] for then in shown} > {"succeeded"}


def test_before_the_first_event_nothing_had_run(system: IntegratedSystem, clock: ManualClock) -> None:
    """An empty past is a past as well."""
    _days(system, clock, 1)

    found = status(system, as_of="2025-01-01T00:00:00Z")

    assert found.sentence == "Nothing has run yet: 2 datasets wait for the first `run`."
    assert (found.last_run, found.as_of) == (None, "2025-01-01T00:00:00.000000Z")


@pytest.mark.parametrize("text", ["yesterday", "2030-01-01T00:00:00Z"], ids=["no time", "the future"])
def test_a_moment_that_cannot_be_told_is_refused(system: IntegratedSystem, text: str) -> None:
    """A clear error, and what to write."""
    with pytest.raises(UsageError, match="--as-of") as refused:
        status(system, as_of=text)

    assert refused.value.hint


def test_a_moments_zone_is_heeded(system: IntegratedSystem, clock: ManualClock) -> None:
    """Without one it is UTC."""
    run(system, ANNA)
    moment = clock.now().replace(tzinfo=None)

    assert status(system, as_of=f"{moment.isoformat()}+00:00").last_run is not None
    assert status(system, as_of=f"{moment.isoformat()}+01:00").last_run is None
    assert status(system, as_of=moment.isoformat()).last_run is not None


def test_past_states_are_kept_for_a_while_and_thrown_away_then(system: IntegratedSystem, clock: ManualClock) -> None:
    """The same moment is not replayed twice within a minute; nothing stays behind at the end."""
    first, second = _days(system, clock, 2)
    then, later = (datetime.fromisoformat(text) for text in (first, second))

    one = system.past.at(then)
    other = system.past.at(later)

    assert system.past.at(then) is one is not other
    assert (len(Views(one).runs()), len(Views(other).runs())) == (1, 2)
    clock.advance(30.0)
    assert system.past.at(then) is one
    clock.advance(45.0)
    system.past.at(then)
    with pytest.raises(StateError, match="was closed"):
        other.query("SELECT 1")
    folder = Path(one.name).parent
    system.close()
    assert not folder.exists()


def test_a_past_that_lies_in_a_missing_segment_is_an_error_that_names_it(
    system: IntegratedSystem, clock: ManualClock
) -> None:
    """Never a state from less than the whole past."""
    (first, *_) = _days(system, clock, 3)
    clock.advance(200 * DAY)
    maintain(system, ANNA)
    (segment,) = list(system.storage.list("events/"))
    system.storage.delete(segment.path)

    with pytest.raises(StateError, match=r"segment-1-.*is missing"):
        status(system, as_of=first)
    assert status(system).last_run is not None


def test_what_the_configuration_names_no_more_keeps_its_last_good_for_a_time(
    system: IntegratedSystem, clock: ManualClock, tmp_path: Path
) -> None:
    """A dataset that is named never loses it, however long it is down; one that left is forgotten later."""
    clock.advance(-0.5 * DAY)
    run(system, ANNA)
    system.close()
    installation = Installation(tmp_path)
    steady = {"name": "steady", "collect": {"kind": "simulated", "rows": 3}}
    installation.configure(steady, cache={"ttl": "1s"}, retention={"last_good": "10d"})

    def kept() -> dict[str, int]:
        with installation.system(clock) as here:
            maintain(here, ANNA)
            files = [blob.path.split("/")[1] for blob in here.storage.list("datasets/")]
            return {name: files.count(name) for name in ("steady", "shaky")}

    clock.advance(9 * DAY)
    assert kept() == {"steady": 1, "shaky": 1}
    clock.advance(40 * DAY)
    assert kept() == {"steady": 1, "shaky": 0}
    shaky = {"name": "shaky", "collect": {"kind": "simulated", "rows": 2}}
    installation.configure(steady, shaky, cache={"ttl": "1s"})
    assert installation.run("shaky", clock=clock).status == "succeeded"
