"""The read models: what they say after each kind of event, and that replaying the log gives them again."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.store import decisions, projection, provider_counters, quarantine_views, run_views
from data_pipeline.store.projection import PipelineViews
from data_pipeline.store.provider_counters import ProviderCounters, counted
from data_pipeline.store.views import Views
from tests.counts import few
from tests.databases import another, opened_at
from utils import events
from utils.clock import ManualClock
from utils.events import EventStore, NewEvent, rfc3339, uuid7

MIGRATIONS = [
    *(";".join((events.SCHEMA, projection.SCHEMA)), projection.FILES_SCHEMA, provider_counters.SCHEMA),
    *(decisions.SCHEMA, quarantine_views.SCHEMA, run_views.SCHEMA),
]
PROJECTIONS = [PipelineViews(), ProviderCounters()]


class Log:
    """A log with the pipeline's views, and short words for what happens in it."""

    def __init__(self, address: str) -> None:
        self.clock = ManualClock()
        self.database = opened_at(address, MIGRATIONS)
        self.store = EventStore(self.database, projections=PROJECTIONS, clock=self.clock)
        self.views = Views(self.database)

    def add(self, type: str, subject: str, **data: Any) -> None:
        self.store.append([NewEvent(type, subject, data)])
        self.clock.advance(1.0)

    def dataset_run(self, dataset: str, run_id: str, status: str = "succeeded", **data: Any) -> None:
        kind = {"succeeded": "dataset.collected"}.get(status, f"dataset.{status}")
        self.add(kind, dataset, **_dataset_run(dataset, run_id, status, **data))

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        names = [name for projection in PROJECTIONS for name in projection.tables]
        return {name: sorted(self.database.query(f"SELECT * FROM {name}"), key=repr) for name in names}

    def close(self) -> None:
        self.store.close()
        self.database.close()


def _dataset_run(dataset: str, run_id: str, status: str, **data: Any) -> dict[str, Any]:
    accepted = status == "succeeded"
    return {
        "run_id": run_id,
        "dataset": dataset,
        "provider": "example.org",
        "status": status,
        "accepted": accepted,
        "version": run_id if accepted else None,
        "collected_at": "2026-01-01T00:00:00.000000Z" if accepted else None,
        "data_time": None,
        "fence": 1,
        **data,
    }


def _version(version: str, **data: Any) -> dict[str, Any]:
    return {"version": version, "rows": 3, "size": 10, "path": f"datasets/{version}.parquet", **data}


@pytest.fixture
def log(address: str) -> Iterator[Log]:
    log = Log(address)
    yield log
    log.close()


def test_a_run_goes_from_queued_to_its_end(log: Log) -> None:
    """Each step is seen, with its moment and what was asked for."""
    seen = []
    for kind, data in (
        ("run.queued", {"actor": "ann", "datasets": ["fx"]}),
        ("run.started", {"actor": "worker", "owner": "host|boot|ns|1|2", "datasets": ["fx"]}),
        ("run.finished", {"status": "degraded", "counts": {"degraded": 1}}),
    ):
        log.add(kind, "r1", **data)
        run = log.views.run("r1")
        assert run is not None
        seen.append(run)

    assert [run.status for run in seen] == ["queued", "running", "degraded"]
    last = seen[-1]
    assert (last.actor, last.owner) == ("ann", "host|boot|ns|1|2")
    assert (last.queued_at, last.started_at, last.finished_at) == tuple(
        f"2026-01-01T00:00:0{second}.000000Z" for second in range(3)
    )
    assert last.request["datasets"] == ["fx"]
    assert last.summary is not None
    assert last.summary["counts"] == {"degraded": 1}


def test_a_crashed_run_can_be_taken_up_again(log: Log) -> None:
    """It keeps when it first began, and loses the end it never had."""
    log.add("run.started", "r1", actor="a", owner="one")
    log.add("run.crashed", "r1", owner="one")
    crashed = log.views.runs(status="crashed")

    log.add("run.started", "r1", actor="a", owner="two")

    (running,) = log.views.runs(status="running")
    assert [run.run_id for run in crashed] == ["r1"]
    assert (running.owner, running.started_at, running.finished_at) == ("two", "2026-01-01T00:00:00.000000Z", None)


def test_runs_of_a_rare_status_are_found_without_looking_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run asks for those that are running; ten thousand that are over must not slow it down (SQLite's plan)."""
    log = Log(str(tmp_path / "log.db"))
    asked: list[str] = []
    query = log.database.query

    def planned(sql: str, values: Any = ()) -> Any:
        asked.extend(row[3] for row in query(f"EXPLAIN QUERY PLAN {sql}", values))
        return query(sql, values)

    for number in range(40):
        log.add("run.started", f"run-{number:02d}", actor="me", owner="here")
        log.add("run.finished", f"run-{number:02d}", status="succeeded")
    log.add("run.started", "run-99", actor="me", owner="here")
    log.database.query("ANALYZE")
    monkeypatch.setattr(log.database, "query", planned)

    assert [run.run_id for run in log.views.runs(status="running")] == ["run-99"]
    assert asked[0] == "SEARCH runs USING INDEX runs_by_status (status=?)"
    log.close()


def test_what_providers_took_is_summed_over_runs(log: Log) -> None:
    """A run that tells of nothing changes nothing."""
    log.add("run.finished", "r1", status="succeeded", providers={"ecb": {"requests": 3, "retry_wait_s": 0.5}})
    log.add("run.finished", "r2", status="succeeded")
    log.add("run.finished", "r3", status="failed", providers={"ecb": {"requests": 2}, "fx": {"failures": 1}})

    assert counted(log.database) == {"ecb": {"requests": 5.0, "retry_wait_s": 0.5}, "fx": {"failures": 1.0}}


def test_a_run_that_finished_is_not_crashed_afterwards(log: Log) -> None:
    """Somebody may take it for dead while its last event is on its way."""
    log.add("run.started", "r1", actor="a", owner="one")
    log.add("run.finished", "r1", status="succeeded")
    log.add("run.crashed", "r1", owner="one")

    assert [run.status for run in log.views.runs()] == ["succeeded"]


def test_the_current_version_is_moved_only_by_what_was_accepted(log: Log) -> None:
    """Last good stays through failures; these are counted in a row."""
    log.dataset_run("fx", "r1", fence=3)
    log.dataset_run("fx", "r2", "failed", fence=4)
    log.dataset_run("fx", "r3", "failed", fence=2)
    failed = log.views.current_of("fx")
    log.dataset_run("fx", "r4", "degraded")
    current = log.views.current()["fx"]

    assert failed is not None
    assert (failed.version, failed.status, failed.failures, failed.runs, failed.fence) == ("r1", "failed", 2, 3, 4)
    assert (current.version, current.run_id, current.failures, current.runs) == ("r1", "r4", 0, 4)
    assert current.collected_at == "2026-01-01T00:00:00.000000Z"
    assert log.views.current_of("unknown") is None


def test_a_newer_version_without_a_data_time_forgets_the_older_ones(log: Log) -> None:
    """The data's own age belongs to the data that is there."""
    log.dataset_run("fx", "r1", data_time="2025-12-31T00:00:00.000000Z")
    before = log.views.current()["fx"].data_time
    log.dataset_run("fx", "r2", "failed")
    meanwhile = log.views.current()["fx"].data_time
    log.dataset_run("fx", "r3")

    assert (before, meanwhile) == ("2025-12-31T00:00:00.000000Z",) * 2
    assert log.views.current()["fx"].data_time is None


def test_a_skipped_turn_does_not_hide_the_last_real_one(log: Log) -> None:
    """It is listed in its run, and nowhere else."""
    log.dataset_run("fx", "r1")
    log.dataset_run("fx", "r2", "skipped")

    assert log.views.current()["fx"].run_id == "r1"
    assert log.views.latest()["fx"]["run_id"] == "r1"
    assert [body["status"] for body in log.views.dataset_runs("r2")] == ["skipped"]
    assert [body["run_id"] for body in log.views.recent("fx")] == ["r2", "r1"]
    assert log.views.recent("fx", limit=1)[0]["time"] == "2026-01-01T00:00:01.000000Z"


def test_versions_are_listed_newest_first_and_go_when_maintenance_removed_them(log: Log) -> None:
    """A held one that is accepted later is one version, not two."""
    log.add("batch.accepted", "fx", **_version("r1"))
    log.add("batch.held", "fx", **_version("r2", reason="too few rows"))
    log.add("batch.accepted", "air", **_version("r3"))
    held = log.views.version("fx", "r2")
    log.add("batch.accepted", "fx", **_version("r2"))
    log.add("maintenance.finished", "maintenance", removed=["datasets/r1.parquet"])

    assert held is not None
    assert (held.state, held.body["reason"]) == ("held", "too few rows")
    assert [(v.dataset, v.version, v.state) for v in log.views.versions()] == [
        ("air", "r3", "accepted"),
        ("fx", "r2", "accepted"),
    ]
    assert [v.version for v in log.views.versions("fx")] == ["r2"]
    assert log.views.version("fx", "r1") is None


def test_what_a_missed_occurrence_brought_is_newer_than_what_was_there_when_its_run_began(log: Log) -> None:
    """Its run has the id of the moment at which it was due: hours before a run by hand, and it came after that."""
    noon = log.clock.now()
    late = Occurrence(noon - timedelta(hours=5), "fx").run_id
    by_hand = uuid7(noon.timestamp())
    for run_id in (by_hand, late):
        log.add("batch.accepted", "fx", **_version(run_id, collected_at=rfc3339(log.clock.now())))
        log.dataset_run("fx", run_id, rows=3)

    newest_first = [late, by_hand]
    assert [version.version for version in log.views.versions("fx")] == newest_first
    assert [version.version for version in log.views.versions()] == newest_first
    assert [version.version for version in log.views.versions("fx", limit=1)] == [late]
    collected = log.views.collected_last("fx")
    assert collected is not None
    assert collected.version == late
    assert [run["run_id"] for run in log.views.recent("fx", limit=1)] == [late]
    turn = log.views.last_turn("fx")
    assert turn is not None
    assert turn["run_id"] == late


def test_quarantine_that_maintenance_removed_is_listed_no_more(log: Log) -> None:
    """What is gone from storage is gone from the list."""
    log.add("rows.quarantined", "fx", run_id="r1", rows=2, path="quarantine/fx/r1.parquet", reasons={"not_null(a)": 2})
    log.add("rows.quarantined", "fx", run_id="r2", rows=1, path="quarantine/fx/r2.parquet", reasons={"not_null(a)": 1})

    log.add("maintenance.finished", "maintenance", removed=["quarantine/fx/r1.parquet"])

    assert [entry.run_id for entry in log.views.quarantined("fx")] == ["r2"]


def test_quarantine_breakers_and_anomalies_are_seen(log: Log) -> None:
    """Each with what its event said, of one dataset or of all."""
    log.add("rows.quarantined", "fx", run_id="r1", rows=2, path="quarantine/r1", reasons={"not_null(mag)": 2})
    log.add("breaker.opened", "example.org", reason="6 of 10 failed", open_until=None)
    log.add("breaker.half_opened", "example.org", reason="trial")
    log.add("anomaly.detected", "fx", run_id="r1", metric="rows", score=0.9)
    log.add("anomaly.detected", "air", metric="nulls", score=0.8)

    (quarantined,) = log.views.quarantined("fx")
    assert (quarantined.rows, quarantined.state) == (2, "waiting")
    assert quarantined.reasons == {"not_null(mag)": 2}
    assert log.views.quarantined("air") == []
    assert log.views.breakers() == {
        "example.org": {"state": "half_opened", "since": "2026-01-01T00:00:02.000000Z", "reason": "trial"}
    }
    assert [anomaly["dataset"] for anomaly in log.views.anomalies()] == ["air", "fx"]
    assert [anomaly["metric"] for anomaly in log.views.anomalies(dataset="fx", limit=1)] == ["rows"]


def test_events_that_no_view_shows_change_none(log: Log) -> None:
    """A plug-in's own types too."""
    before = log.tables()
    log.add("quality.scored", "fx", score=90.0)
    log.add("my.own", "fx")
    log.add("breaker.polished", "fx")

    assert log.tables() == before


NAMES = st.sampled_from(["fx", "air", "ü"])
RUNS = st.sampled_from(["r1", "r2", "r3", "r4"])
ENDS = st.sampled_from(["succeeded", "failed", "interrupted"])
COUNTED = st.dictionaries(
    NAMES, st.dictionaries(st.sampled_from(["requests", "retry_wait_s"]), st.integers(0, 9) | st.floats(0, 1e6))
)
MOMENTS = st.one_of(st.none(), st.sampled_from(["2026-01-01T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z"]))
NUMBERS = st.integers(0, 2**40)


def _data(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


def _event(
    types: st.SearchStrategy[str], subjects: st.SearchStrategy[str], data: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[NewEvent]:
    return st.builds(NewEvent, type=types, subject=subjects, data=data)


OUTCOME = _data(
    run_id=RUNS,
    provider=NAMES,
    status=st.sampled_from(["succeeded", "degraded", "failed", "skipped"]),
    accepted=st.booleans(),
    version=st.one_of(st.none(), RUNS),
    collected_at=MOMENTS,
    data_time=MOMENTS,
    fence=NUMBERS,
    quality=st.one_of(st.none(), st.floats(0, 100), st.just(float("nan"))),
)
BATCH = _data(version=RUNS, rows=NUMBERS, size=NUMBERS, path=RUNS.map("datasets/{}".format), reason=st.text())
DECISION = {
    **dict.fromkeys(("actor", "reason", "last_run"), NAMES),
    "version": RUNS,
    "fence": NUMBERS,
    "seen": st.dictionaries(NAMES, NAMES, max_size=2),
}
BY_HAND = {
    **DECISION,
    "rows": NUMBERS,
    "size": NUMBERS,
    "path": RUNS.map("datasets/{}".format),
    "collected_at": MOMENTS,
    "data_time": MOMENTS,
    "files": st.lists(st.tuples(NAMES, NUMBERS, st.floats(0, 1e9), NAMES), max_size=2),
}
HISTORY = st.lists(
    st.one_of(
        _event(st.just("batch.accepted"), NAMES, _data(**BY_HAND)),
        _event(st.just("batch.rejected"), NAMES, _data(**DECISION)),
        _event(st.just("version.rolled_back"), NAMES, _data(**BY_HAND, withdrawn=st.lists(RUNS, max_size=3))),
        _event(st.sampled_from(sorted(projection.OUTCOMES)), NAMES, OUTCOME),
        _event(st.sampled_from(["batch.accepted", "batch.held"]), NAMES, BATCH),
        _event(
            st.just("rows.quarantined"),
            NAMES,
            _data(run_id=RUNS, rows=NUMBERS, path=st.text(), reasons=st.dictionaries(st.text(), NUMBERS, max_size=2)),
        ),
        _event(
            st.sampled_from(["breaker.opened", "breaker.half_opened", "breaker.closed"]),
            NAMES,
            _data(reason=st.text(), open_until=st.one_of(st.none(), st.floats())),
        ),
        _event(st.just("anomaly.detected"), NAMES, _data(run_id=RUNS, metric=NAMES, score=st.floats(0, 1))),
        _event(
            st.just("maintenance.finished"),
            st.just("maintenance"),
            _data(removed=st.lists(RUNS.map("datasets/{}".format))),
        ),
        _event(st.just("run.queued"), RUNS, _data(actor=NAMES, datasets=st.lists(NAMES))),
        _event(st.just("run.started"), RUNS, _data(actor=NAMES, owner=NAMES, fresh=st.booleans())),
        _event(
            st.just("run.finished"),
            RUNS,
            _data(status=ENDS, providers=COUNTED),
        ),
        _event(st.sampled_from(["run.crashed", "run.cancelled"]), RUNS, _data(owner=NAMES)),
        _event(st.just("quality.scored"), NAMES, _data(score=st.floats(0, 100))),
    ),
    max_size=40,
)


def _rebuilt_is_live(address: str, history: list[NewEvent], cuts: list[int]) -> None:
    log = Log(address)
    other = EventStore(log.database, projections=PROJECTIONS, clock=log.clock)
    rest, sizes = list(history), iter(cuts)
    for turn in count():
        part, rest = rest[: (size := next(sizes, 5))], rest[size:]
        (log.store, other)[turn % 2].append(part)
        log.clock.advance(1.0)
        if not rest:
            break
    live = log.tables()

    assert log.store.rebuild() == len(history)

    assert log.tables() == live
    other.close()
    log.close()


CUTS = st.lists(st.integers(1, 7), max_size=20)


@settings(max_examples=few(80))
@given(history=HISTORY, cuts=CUTS)
def test_rebuilt_views_are_the_live_ones(
    tmp_path_factory: pytest.TempPathFactory, history: list[NewEvent], cuts: list[int]
) -> None:
    """For any history, however it was cut into commits, and by however many stores it was written."""
    _rebuilt_is_live(str(tmp_path_factory.mktemp("views") / "log.db"), history, cuts)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY, cuts=CUTS)
def test_rebuilt_views_are_the_live_ones_over_postgresql(
    postgres: str, history: list[NewEvent], cuts: list[int]
) -> None:
    """The same; fewer histories, because each takes a server many round trips."""
    _rebuilt_is_live(another(postgres), history, cuts)


def test_the_latest_runs_are_found_without_a_look_at_all_that_ever_ran(tmp_path: Path) -> None:
    """SQLite begins with the datasets, however many runs there were: a status must not slow down with the past."""
    log = Log(str(tmp_path / "log.db"))
    log.dataset_run("fx", "r1")
    asked: list[str] = []
    query = log.database.query
    with pytest.MonkeyPatch.context() as heard:
        heard.setattr(log.database, "query", lambda sql, *values: (asked.append(sql), query(sql, *values))[1])
        assert set(log.views.latest()) == {"fx"}
    (latest,) = [sql for sql in asked if "dataset_runs" in sql]
    plan = [row[3] for row in query(f"EXPLAIN QUERY PLAN {latest}")]
    log.close()

    assert [step.split()[:2] for step in plan] == [["SCAN", "d"], ["SEARCH", "r"]]
