"""Workers of a Dask cluster on other machines: their state directory is their own, the servers are those of all."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.sections import ExecutorSettings
from data_pipeline.dataset import DatasetRun
from data_pipeline.in_slices import Slice, TableWork, judged_in_slices
from data_pipeline.validate.report import Report
from operations import dask_worker
from operations.actor import Actor
from operations.dask_marks import put_marks, take_marks
from operations.run import run
from tests.integration.installation import Installation
from tests.integration.test_elsewhere import Threads, run_on
from tests.redis_server import RedisServer
from tests.servers.s3 import Bucket, bucket, s3_endpoint  # noqa: F401 - fixtures
from utils.resilience.shared_state import Verdict

pytestmark = [pytest.mark.xdist_group("dask"), pytest.mark.usefixtures("patient_redis")]

NOT_THERE = "/proc/self/cwd/there"
"""A state directory that each process has in another place: its working directory."""

RULES = [{"unique": "id"}, {"row_count": {"min": 5}, "severity": "warning"}]


class Machines(Installation):
    """An installation on servers, whose workers keep what is their own in a folder that the configuration names."""

    def __init__(self, folder: Path, servers: dict[str, Any]) -> None:
        super().__init__(folder)
        self.servers = servers
        self.theirs = folder / "theirs"

    def on_servers(self, **without: Any) -> None:
        datasets = [
            {"name": f"d{n}", "collect": {"kind": "simulated", "rows": 3 + n}, "rules": RULES} for n in range(6)
        ]
        sections = {**self.servers, **without, "app": {"state_dir": str(self.theirs)}}
        self.configure(*datasets, **sections)


@pytest.fixture
def machines(tmp_path: Path, postgres: str, redis_server: RedisServer, bucket: Bucket) -> Machines:  # noqa: F811
    servers = {
        "database": {"url": postgres},
        "cache": {"url": redis_server.url},
        "storage": {"url": f"s3://{bucket.name}/state", "options": bucket.options},
    }
    made = Machines(tmp_path, servers)
    made.on_servers()
    return made


def judged(done: DatasetRun) -> tuple[Any, ...]:
    return (done.dataset, done.status, done.origin, done.rows, done.content_sha256, done.quality, done.failed_rules)


@pytest.mark.prove
def test_workers_elsewhere_do_what_would_be_done_here(
    machines: Machines, tmp_path: Path, dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same reports and scores; the rows are read back here, and nothing was written into our state directory."""
    (tmp_path / "alone").mkdir()
    alone = Machines(tmp_path / "alone", {})
    alone.on_servers()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    machines.state = Path(NOT_THERE)

    with machines.system() as system:
        executor = ExecutorSettings(kind="dask", address=dask_cluster)
        done = run(system, Actor("ann"), fresh=True, executor=executor)
    at_home = alone.run(fresh=True)

    assert done.status == "succeeded"
    assert [judged(one) for one in done.datasets] == [judged(one) for one in at_home.datasets]
    assert machines.rows("d3") == alone.rows("d3") != []
    assert (machines.theirs / "storage").is_dir()  # the copies of a machine are its own
    assert not (machines.theirs / "orchestrator.db").exists()
    with machines.system() as system:
        assert {event.subject for event in system.events.read(type="dataset.collected")} == {
            one.dataset for one in done.datasets
        }
        assert system.leases.held() == []
        assert [blob.path for blob in system.storage.list("executor/")] == []
    assert list((here / "there" / "executor").iterdir()) == []


@pytest.fixture
def said(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dask_worker.Seen]]:
    """What a worker on another machine answers to the question whether it can work; given what differs there."""
    with machines.system() as system:
        mark = put_marks(system)
        same = {"state_dir": "/nowhere/state", "digest": dask_worker.digest_of(system), "mark": mark}

        def ask(**other: str) -> dask_worker.Seen:
            asked = {"config": str(machines.config), **same, **other}
            try:
                return dask_worker.Seen(
                    *dask_worker.look(asked["config"], asked["state_dir"], asked["digest"], asked["mark"])
                )
            finally:
                dask_worker.forget_all()

        ask.mark = mark  # type: ignore[attr-defined]  # for who takes it away
        yield ask
        take_marks(system, mark)


def test_a_worker_elsewhere_finds_the_marks_of_who_asks(said: Any, machines: Machines, tmp_path: Path) -> None:
    """In the database, in the storage and in the Redis; whichever lacks it is another one, and is named."""
    assert said() == dask_worker.Seen(*dask_worker.about())
    with machines.system() as system:
        system.cache.delete(said.mark)
        assert "the Redis here (cache.url) is not the Redis of the process that asks" in said().message
        system.storage.put_bytes(f"executor/{said.mark[9:]}", b"-")  # there was no Redis when it was put
        assert "localhost" in said(mark="executor:0").hint
        assert said().message == ""
        system.storage.delete(f"executor/{said.mark[9:]}")
        assert "the storage here (storage.url) is not the storage of the process that asks" in said().message
    assert "the database here (postgresql://" in said(mark="executor:0").message


def test_the_configuration_of_a_worker_elsewhere_may_lie_in_another_folder(
    said: Any, machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found as always there: by its variable, or in the folder it was started in. A changed one is refused."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "orchestrator.yaml").write_text(machines.config.read_text())
    monkeypatch.chdir(other)

    assert said(config="/nowhere/orchestrator.json").message == ""
    (other / "orchestrator.yaml").write_text(machines.config.read_text().replace("d5", "d9"))
    told = said(config="/nowhere/orchestrator.json")

    assert f"the configuration {other}/orchestrator.yaml is not the one of the process that asks" in told.message


@pytest.mark.parametrize(
    ("without", "missing"),
    [("database", "database.url"), ("cache", "cache.url"), ("storage", "storage.url")],
)
def test_what_is_missing_for_other_machines_is_named(machines: Machines, without: str, missing: str) -> None:
    """Before anything is run; a worker with the same state directory needs none of it."""
    machines.on_servers(**{without: {}})
    with machines.system() as system:
        mark = put_marks(system)
        digest = dask_worker.digest_of(system)
        try:
            afar = dask_worker.Seen(*dask_worker.look(str(machines.config), "/nowhere/state", digest, mark))
            near = dask_worker.Seen(*dask_worker.look(str(machines.config), str(machines.state), digest, mark))
        finally:
            dask_worker.forget_all()
            take_marks(system, mark)

    assert "there is no state directory /nowhere/state" in afar.message
    assert f"not configured: {missing} (" in afar.message
    assert "database.url, cache.url, storage.url" in afar.hint
    assert near.message == ""


def test_a_server_that_cannot_be_reached_from_there_is_told(machines: Machines, tmp_path: Path) -> None:
    """In words that name it, and soon."""
    machines.on_servers(database={"url": "postgresql://bob:hunter2-and-more@127.0.0.1:1/orders"})
    try:
        told = dask_worker.Seen(*dask_worker.look(str(machines.config), "/nowhere", "0", "executor:0"))
        assert "is not the one of the process that asks" in told.message  # it has not even the same configuration
        with machines.system() as system:
            digest = dask_worker.digest_of(system)
        told = dask_worker.Seen(*dask_worker.look(str(machines.config), "/nowhere", digest, "executor:0"))
    finally:
        dask_worker.forget_all()

    assert "postgresql://127.0.0.1/orders: the server cannot be reached" in told.message
    assert "hunter2" not in told.message + told.hint


def test_machines_share_verdicts_quotas_and_leases(machines: Machines, tmp_path: Path) -> None:
    """Two state directories, one installation."""
    machines.state = tmp_path / "one"
    with machines.system() as first:
        machines.state = tmp_path / "two"
        with machines.system() as second:
            first.verdicts.save("ecb", Verdict("open", 1.0, 2.0, 1, "down"))
            assert second.verdicts.all() == {"ecb": Verdict("open", 1.0, 2.0, 1, "down")}
            assert first.quotas.take("ecb", 60.0, 7, 1, 0, 0) == (True, 1)
            assert second.quotas.take("ecb", 60.0, 7, 1, 0, 0) == (False, 1)
            assert list(first.leases.acquire(["a"])) == ["a"]
            assert second.leases.acquire(["a"]) == {}
            assert first.secret == second.secret
            first.cache.set("key", "value", ttl=60.0)
            found = second.cache.get("key")
            assert found is not None
            assert found.value == "value"
            assert not list(tmp_path.glob("*/installation.key"))


def test_datasets_run_beside_another_state_directory_are_told_here(machines: Machines, tmp_path: Path) -> None:
    """As by a worker on another machine: what it stores and writes into the log is what we read."""
    machines.state = tmp_path / "one"
    with machines.system() as first:
        machines.state = tmp_path / "two"
        with machines.system() as second:
            done = run_on(first, Threads(second))

            assert {one.dataset: one.status for one in done.datasets} == {f"d{n}": "succeeded" for n in range(6)}
            assert first.leases.held() == []
    machines.state = tmp_path / "one"
    assert len(machines.rows("d3")) == 6


def test_slices_of_a_table_are_judged_on_another_machine(machines: Machines, tmp_path: Path) -> None:
    """Its files are fetched from the object store; the report is the one of a single pass. Its readers get the same."""
    rules = [
        {"unique": "id", "scope": "dataset"},
        {"aggregate": {"expr": "sum(value)", "equals": "1"}, "scope": "dataset", "severity": "warning"},
    ]
    table = {"name": "table", "collect": {"kind": "simulated", "rows": 1000}, "rules": rules}
    machines.configure(table, **machines.servers)
    machines.state = tmp_path / "one"
    machines.run()
    ours = machines.rows("table")
    with machines.system() as first:
        machines.state = tmp_path / "two"
        with machines.system() as second, ThreadPoolExecutor(1) as elsewhere:
            (stored,) = first.events.read(type="batch.accepted")
            work = TableWork("table", stored.data["path"], 1000, first.clock.now())
            dataset = second.settings.find("table")
            assert dataset is not None
            seen: list[int] = []

            def observed(part: Slice) -> bytes:
                seen.append(part.rows)
                return second.pipeline.observe_slice(part, dataset)

            def judged_by(rows: int) -> Report:
                submit = partial(elsewhere.submit, observed)
                limit = first.settings.app.memory_limit
                return judged_in_slices(work, submit, first.results, dataset.rules, memory_limit=limit, rows=rows)

            whole, sliced = judged_by(1000), judged_by(300)

    assert seen == [1000, 300, 300, 300, 100]
    assert [one.to_json() for one in sliced.outcomes] == [one.to_json() for one in whole.outcomes]
    assert whole.outcomes[1].failed == 1
    assert machines.rows("table") == ours != []
    assert {one.origin for one in machines.run().datasets} == {"cache"}
