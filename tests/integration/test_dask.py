"""Runs on a Dask cluster: the same results as here, whatever becomes of its processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from config.sections import ExecutorSettings
from data_pipeline import in_slices
from data_pipeline.dataset import DatasetRun, Provenance
from data_pipeline.elsewhere import Elsewhere
from data_pipeline.errors import ExecutorAway
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.runner import PipelineRun
from data_pipeline.store.manifest import Manifest, Part
from data_pipeline.validate.engine import validate
from integrated_system import IntegratedSystem
from operations import dask_worker
from operations.actor import Actor
from operations.dask_cluster import DaskCluster
from operations.dask_marks import put_marks, take_marks
from operations.run import CancelToken, Execution, execute, resume, run
from tests import dask_cluster as clusters
from tests.integration.installation import PATIENT, Installation
from utils.arrow import pa

pytestmark = pytest.mark.xdist_group("dask")

SOURCE = """
import os, signal, time
from pathlib import Path

def rows(number):
    yield [{"id": n, "value": None if n % 7 == number % 7 else n * 1.5, "city": "x" * (n % 3)} for n in range(50)]

def halved(rows_001):
    return rows_001.head(25)

def many(count, runs):
    import numpy as np, pyarrow as pa
    before = int(Path(runs).read_text()) if Path(runs).exists() else 0
    Path(runs).write_text(str(before + 1))
    first = before * (count - 10)
    for start in range(first, first + count, 500_000):
        at = np.arange(start, min(start + 500_000, first + count))
        value = pa.array((at % 9973) * 0.1, mask=at % 11 == 0)
        yield pa.table({"id": at, "value": value, "city": pa.array(at % 1000).cast(pa.string())})

def alone(folder):
    mine = Path(folder, str(os.getpid()) + "-" + str(time.monotonic_ns()))
    mine.touch()
    others = len(list(Path(folder).iterdir()))
    time.sleep(0.02)
    mine.unlink()
    yield {"together": others}

def dies_once(mark):
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    yield {"id": 1}

def dies():
    os.kill(os.getpid(), signal.SIGKILL)
    yield {"id": 1}

def waits(begun, hold):
    Path(begun).touch()
    while Path(hold).exists():
        time.sleep(0.01)
    yield {"id": 1}
"""

RULES = [{"unique": "id"}, {"not_null": ["value"]}, {"row_count": {"min": 60}, "severity": "warning"}]


def python(name: str, function: str, params: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "collect": {"kind": "python", "function": function, "params": dict(params or {})}, **more}


def mixed(module: str, count: int) -> list[dict[str, Any]]:
    """Datasets with rules that rows break, others made of them, and simulated ones."""
    made = {"name": "made", "depends_on": ["rows-001"], "transform": f"{module}:halved", "rules": RULES[:1]}
    few = [{"row_count": {"min": 9}}]
    return [
        made,
        *(python(f"rows-{n:03}", f"{module}:rows", {"number": n}, rules=RULES) for n in range(1, count, 2)),
        *(
            {"name": f"rows-{n:03}", "collect": {"kind": "simulated", "rows": n}, "rules": few}
            for n in range(2, count, 2)
        ),
    ]


class Placed(Installation):
    """An installation whose datasets are functions of a module that no other test has."""

    def __init__(self, folder: Path, code: Path) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.code = code
        (self.module,) = (one.stem for one in code.glob("*.py"))

    def configure(self, *datasets: Mapping[str, Any], **sections: Any) -> None:
        patient = {**PATIENT, "retry": {"attempts": 1}}
        super().configure(*datasets, **{"code": [str(self.code)], "defaults": {"dataset": patient}, **sections})

    def on(self, address: str, *, cancel: CancelToken | None = None) -> PipelineRun:
        with self.system() as system:
            return run(system, Actor("ann"), fresh=True, executor=at(address), cancel=cancel)


def at(address: str) -> ExecutorSettings:
    return ExecutorSettings(kind="dask", address=address)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a module of a name that no other test has: the workers keep what they imported."""
    folder = tmp_path / "my"
    folder.mkdir()
    (folder / f"source_{uuid4().hex}.py").write_text(SOURCE)
    return folder


@pytest.fixture
def placed(tmp_path: Path, code: Path) -> Placed:
    return Placed(tmp_path / "one", code)


def judged(done: DatasetRun) -> tuple[Any, ...]:
    """All of a dataset run that is not a time."""
    found = (done.dataset, done.status, done.origin, done.accepted, done.rows, done.quarantined)
    return (*found, done.content_sha256, done.quality, done.failed_rules, done.reason)


def reports(placed: Placed) -> list[Any]:
    """What was judged of every batch, by dataset; without the moment it was judged at."""
    told = placed.events("batch.accepted") + placed.events("batch.held")
    return sorted(
        ([one["path"].split("/")[1], one["rows"], one["quality"], {**one["report"], "now": None}] for one in told),
        key=lambda one: one[0],
    )


def sums(finished: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What the protection counted of each provider, without what it waited for itself."""
    return {
        name: {k: v for k, v in told.items() if not k.endswith("_s")} for name, told in finished["providers"].items()
    }


def test_a_run_on_dask_is_the_run_here(placed: Placed, tmp_path: Path, dask_cluster: str) -> None:
    """Reports, scores, what readers see; each dataset is told once; the providers' counters come along."""
    here = Placed(tmp_path / "two", placed.code)
    for each in (placed, here):
        each.configure(*mixed(each.module, 20))

    there, at_home = placed.on(dask_cluster), here.run(fresh=True)

    assert there.status == at_home.status == "succeeded"
    assert [judged(one) for one in there.datasets] == [judged(one) for one in at_home.datasets]
    assert reports(placed) == reports(here)
    assert placed.rows("made") == here.rows("made") != []
    assert len(placed.events("dataset.collected")) == len(there.datasets)
    ends = [each.events("run.finished")[0] for each in (placed, here)]
    assert ends[0]["counts"] == ends[1]["counts"]
    assert sums(ends[0]) == sums(ends[1]) != {}


def test_the_work_of_a_killed_worker_is_done_by_others(placed: Placed, dask_cluster: str, tmp_path: Path) -> None:
    """Each dataset is told once, those that were finished on it included."""
    placed.configure(
        *mixed(placed.module, 10), python("fatal", f"{placed.module}:dies_once", {"mark": str(tmp_path / "died")})
    )

    done = placed.on(dask_cluster)

    assert (tmp_path / "died").exists()
    assert done.status == "succeeded"
    told = [one["dataset"] for one in placed.events("dataset.collected")]
    assert sorted(told) == sorted(one.dataset for one in done.datasets)
    assert all(placed.rows(name) for name in ("fatal", "made", "rows-002"))


def test_a_provider_is_not_asked_by_more_workers_than_it_may(placed: Placed, dask_cluster: str, tmp_path: Path) -> None:
    """Its bulkhead holds over all processes."""
    (tmp_path / "in").mkdir()
    narrow = {placed.module: {"resilience": {"bulkhead": {"concurrency": 1}}}}
    datasets = [python(f"d{n}", f"{placed.module}:alone", {"folder": str(tmp_path / "in")}) for n in range(8)]
    placed.configure(*datasets, providers=narrow)

    placed.on(dask_cluster)

    assert [placed.rows(one["name"]) for one in datasets] == [[{"together": 1}]] * 8


def test_a_run_that_is_stopped_leaves_nothing_behind_and_goes_on_later(
    placed: Placed, dask_cluster: str, tmp_path: Path
) -> None:
    """What is in flight elsewhere is not recorded once the run is over; the rest is run when it goes on."""
    begun, hold, cancel = tmp_path / "begun", tmp_path / "hold", CancelToken()
    hold.touch()
    waits = python("long", f"{placed.module}:waits", {"begun": str(begun), "hold": str(hold)})
    placed.configure(waits, *mixed(placed.module, 4))

    with once_there(begun, lambda: cancel.cancel("SIGINT")):
        stopped = placed.on(dask_cluster, cancel=cancel)
    hold.unlink()

    assert stopped.status == "interrupted"
    assert {one.dataset: one.status for one in stopped.datasets}["long"] == "skipped"
    with placed.system() as system:
        again = resume(system, Actor("ann"), stopped.run_id, executor=at(dask_cluster))
    assert again.status == "succeeded"
    assert placed.rows("long") == [{"id": 1}]
    told = [one["dataset"] for one in placed.events("dataset.collected")]
    assert sorted(told) == sorted({one.dataset for one in stopped.datasets})


@contextmanager
def once_there(path: Path, act: Callable[[], None]) -> Iterator[None]:
    """Do something as soon as a file appears."""
    over = threading.Event()

    def look() -> None:
        while not path.exists() and not over.wait(0.01):
            pass
        if not over.is_set():
            act()

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


@pytest.mark.prove
@pytest.mark.parametrize(
    ("workers", "database"),
    [(2, ""), (4, ""), (2, "postgres")],
    ids=["two-workers", "four-workers", "two-workers-postgresql"],
)
def test_300_datasets_with_a_worker_killed_in_the_middle_are_the_run_here(
    workers: int, database: str, placed: Placed, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Identical reports, scores and rows; each told once, though a worker of several threads died at work."""
    here = Placed(tmp_path / "two", placed.code)
    url = request.getfixturevalue(database) if database else ""
    placed.configure(*mixed(placed.module, 300), database={"url": url})
    here.configure(*mixed(placed.module, 300))
    told: list[str] = []

    with clusters.started(workers=workers, threads=4) as cluster:
        pids = [nanny.process.pid for nanny in cluster.workers.values()]

        def kill_in_the_middle(done: DatasetRun) -> None:
            told.append(done.dataset)
            if len(told) == 150:
                os.kill(pids[0], signal.SIGKILL)

        with placed.system() as system:
            where = at(cluster.scheduler_address)
            there = run(system, Actor("ann"), fresh=True, executor=where, progress=kill_in_the_middle)
        assert {nanny.process.pid for nanny in cluster.workers.values()} != set(pids)
    at_home = here.run(fresh=True)

    assert [judged(one) for one in there.datasets] == [judged(one) for one in at_home.datasets]
    assert reports(placed) == reports(here)
    collected = [one["dataset"] for one in placed.events("dataset.collected")]
    assert sorted(collected) == sorted(one.dataset for one in there.datasets) == sorted(told)
    for name in ("made", "rows-001", "rows-150", "rows-299"):
        assert placed.rows(name) == here.rows(name) != []


@pytest.mark.prove
def test_a_dataset_that_kills_every_worker_is_given_up(placed: Placed, dask_cluster: str) -> None:
    """The others are delivered."""
    placed.configure(python("deadly", f"{placed.module}:dies"), {"name": "well", "collect": {"kind": "simulated"}})

    done = placed.on(dask_cluster)

    deadly, well = done.datasets
    assert (deadly.status, well.status) == ("failed", "succeeded")
    assert str(deadly.reason).startswith("deadly: 2 workers were given it, and each died while it ran it")
    assert "app.memory_limit" in (deadly.error or {})["hint"]


TABLE_RULES = [
    {**rule, "scope": "dataset"}
    for rule in (
        {"unique": "id", "severity": "warning"},
        {"unique": ["city", "id"], "severity": "warning"},
        {"not_null": ["value"], "tolerance": 0.2},
        {"aggregate": {"expr": "sum(value)", "equals": "1"}, "severity": "warning"},
    )
]


def growing(placed: Placed, rows: int) -> dict[str, Any]:
    """A table that each run adds rows to, ten of them once more, with rules on all of it."""
    params = {"count": rows, "runs": str(placed.folder / "runs")}
    return python("table", f"{placed.module}:many", params, write="append", rules=TABLE_RULES)


def outcomes(placed: Placed) -> list[Any]:
    """What the rules said of each version, in order."""
    return [one["report"]["outcomes"] for one in placed.events("batch.accepted")]


def test_a_large_table_is_judged_by_all_workers(
    placed: Placed, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slice by slice, with the report of one pass; also where the cluster has one thread, which is at it already."""
    monkeypatch.setattr(in_slices, "LEAST_ROWS", 100)
    monkeypatch.setattr(in_slices, "LEAST_WORKERS", 1)
    monkeypatch.setattr(in_slices, "SLICE_ROWS", 70)
    seen: list[tuple[int, int]] = []
    once = in_slices.observed

    def noted(part: in_slices.Slice, *given: Any, **more: Any) -> bytes:
        seen.append((part.start, part.rows))
        return once(part, *given, **more)

    monkeypatch.setattr(in_slices, "observed", noted)
    here = Placed(tmp_path / "two", placed.code)
    for each in (placed, here):
        each.configure(growing(each, 90))

    for _ in range(2):
        placed.on(small.scheduler_address)
        here.run(fresh=True)

    assert outcomes(placed) == outcomes(here)
    assert len(outcomes(here)) == 2
    assert sorted(seen) == [(0, 70), (70, 70), (140, 40)]  # 90 rows are too few


@pytest.mark.prove
def test_60_million_rows_are_judged_where_they_are(placed: Placed, dask_cluster: str) -> None:
    """The report of two processes, slice by slice, is the one of a single machine, bit for bit."""
    from distributed import Client

    path, parts, each = "tables/table/large.json", 60, 1_000_000
    placed.configure(growing(placed, 1))
    with placed.system() as system, Client(dask_cluster, set_as_default=False) as client:
        written = [large_part(system, number, each) for number in range(parts)]
        system.storage.put_bytes(path, Manifest(LARGE, tuple(written)).to_bytes())
        rules = tuple(rule for rule in system.settings.datasets[0].rules if rule.scope == "dataset")
        work = in_slices.TableWork("table", path, parts * each, system.clock.now())
        mark = put_marks(system)
        told = dask_worker.digest_of(system)
        there = dask_worker.Installation(str(placed.config), str(system.state_dir), told, mark)
        submit = partial(client.get_executor(pure=False).submit, partial(dask_worker.observe_slice, there))
        memory = system.settings.app.memory_limit

        began = time.monotonic()
        found = in_slices.judged_in_slices(
            work, submit, system.results, rules, memory_limit=memory, rows=in_slices.SLICE_ROWS
        )
        middle = time.monotonic()
        nowhere = Provenance(provider="", collected_at=work.now)
        whole = validate(system.results.batch(path, nowhere, memory_limit=memory), rules, now=work.now).report
        ended = time.monotonic()
        take_marks(system, mark)
    print(f"60 million rows: {middle - began:.1f} s by two processes, {ended - middle:.1f} s by one")

    assert found.to_json() == whole.to_json()
    assert {one.rule: one.failed for one in found.outcomes}["unique(id) of the table"] == 2 * 59 * 10


LARGE = pa.schema([("id", pa.int64()), ("value", pa.float64()), ("city", pa.string())])


def large_part(system: IntegratedSystem, number: int, count: int) -> Part:
    """A file of a table, the first ten keys of which are the last ones of the file before."""
    import numpy as np
    import pyarrow.parquet as pq

    at = np.arange(number * (count - 10), number * (count - 10) + count)
    value = pa.array(np.sqrt(at % 9973), mask=at % 11 == 0)
    table = pa.table({"id": at, "value": value, "city": pa.array(at % 1000).cast(pa.string())}, schema=LARGE)
    path = f"tables/table/large-{number}.parquet"
    with system.storage.writer(path) as file:
        pq.write_table(table, file, row_group_size=131_072)
    assert file.stored is not None
    return Part(path, count, file.stored.size, table.nbytes, file.stored.sha256)


@pytest.mark.prove
def test_a_cluster_of_our_own_comes_and_goes_with_the_command(placed: Placed) -> None:
    """Standard output is the result alone; its workers have ended in order, and left nothing."""
    placed.configure(*mixed(placed.module, 20), executor={"kind": "dask", "workers": 2})

    done = placed.cli("run", "--json", timeout=120)

    assert (done.code, done.json["status"]) == (0, "succeeded"), done.err
    assert "distributed" not in done.err
    told = [one["dataset"] for one in placed.events("dataset.collected")]
    assert sorted(told) == sorted(one["dataset"] for one in done.json["datasets"])
    assert [path for path in (placed.state / "tmp").rglob("worker-*") if path.is_dir()] == []


# --- clusters that are of no use ------------------------------------------------------------------


@pytest.fixture
def small() -> Iterator[Any]:
    """A scheduler of its own, and one worker, both in this process."""
    with clusters.started(workers=1, threads=1, processes=False, connect="3s") as cluster:
        yield cluster
    dask_worker.forget_all()


def impatient(system: IntegratedSystem, address: str, *, connect: float = 60.0, patience: float = 60.0) -> PipelineRun:
    """A run that does not wait for its cluster as long as runs do."""
    cluster = DaskCluster(system, at(address), connect=connect, patience=patience)
    force = system.runner.workforce(1, elsewhere=Elsewhere(cluster))
    try:
        return execute(system, system.settings.datasets, RunRequest(fresh=True), Execution(force, CancelToken()))
    finally:
        force.close()


def test_no_run_begins_where_no_scheduler_answers(placed: Placed, free_tcp_port: int) -> None:
    """In bounded time, with the address and what to do; nothing is in the log."""
    placed.configure(*mixed(placed.module, 3))
    with placed.system() as system, pytest.raises(ExecutorAway) as caught:
        impatient(system, f"tcp://127.0.0.1:{free_tcp_port}", connect=1.0)

    assert f"no Dask scheduler answers at tcp://127.0.0.1:{free_tcp_port} within 1 s" in str(caught.value)
    assert "--executor local" in caught.value.hint
    assert placed.events("run.started") == []


def test_no_run_begins_without_workers(placed: Placed, small: Any) -> None:
    """A scheduler alone runs nothing, and would let us wait for ever."""
    small.scale(0)
    placed.configure(*mixed(placed.module, 3))
    with (
        placed.system() as system,
        pytest.raises(ExecutorAway, match=r"no worker is connected to tcp://\S+, for 0.3 s"),
    ):
        impatient(system, small.scheduler_address, connect=3.0, patience=0.3)


@pytest.mark.parametrize("what", ["its last worker", "its scheduler"])
def test_a_run_that_loses(what: str, placed: Placed, small: Any, tmp_path: Path) -> None:
    """It ends soon, interrupted, keeps what was finished, and goes on elsewhere."""
    begun, hold = tmp_path / "begun", tmp_path / "hold"
    hold.touch()
    waits = python("z-long", f"{placed.module}:waits", {"begun": str(begun), "hold": str(hold)}, priority=-1)
    placed.configure({"name": "first", "collect": {"kind": "simulated"}}, waits)

    lose, said = {
        "its last worker": (lambda: small.scale(0), "no worker is connected"),
        "its scheduler": (lambda: small.sync(small.scheduler.close), "is gone, and did not come back within 3 s"),
    }[what]

    with placed.system() as system, pytest.raises(ExecutorAway) as caught, once_there(begun, lose):
        impatient(system, small.scheduler_address, connect=3.0, patience=0.3)
    hold.unlink()

    assert said in str(caught.value)
    assert "run --resume" in caught.value.hint
    (ended,) = placed.events("run.finished")
    assert ended["status"] == "interrupted"
    with placed.system() as system:
        (run_id,) = [one.run_id for one in system.views.runs(status="interrupted")]
        assert [one.dataset for one in resume(system, Actor("ann"), run_id).datasets] == ["z-long"]


def test_workers_of_another_release_are_refused_by_name(
    placed: Placed, dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would run other code. The scheduler lives here, and has our release."""
    monkeypatch.setattr(dask_worker, "release", lambda: "9.9.9")
    placed.configure(*mixed(placed.module, 3))
    with placed.system() as system, pytest.raises(ExecutorAway) as caught:
        impatient(system, dask_cluster)

    assert re.fullmatch(
        r"the worker tcp://127.0.0.1:\d+ has Python 3\.\d+ and version 0\.\d+\.\d+ of this program,"
        r" here it is Python 3\.\d+ and version 9\.9\.9",
        str(caught.value),
    )


def test_a_configuration_that_changed_meanwhile_is_not_run_there(placed: Placed, dask_cluster: str) -> None:
    """Workers read the file; who asks has read another one. The next run is well."""
    placed.configure(*mixed(placed.module, 3))
    with placed.system() as system:
        assert len(system.settings.datasets) == 3
        placed.configure(*mixed(placed.module, 5))
        with pytest.raises(ExecutorAway, match="is not the one of the process that asks") as caught:
            impatient(system, dask_cluster)

    assert "same variables" in caught.value.hint
    assert placed.on(dask_cluster).status == "succeeded"


def test_workers_that_cannot_import_us_are_named(placed: Placed, small: Any, tmp_path: Path) -> None:
    """A worker that was started in another folder has Dask, and nothing of ours."""
    small.scale(0)
    placed.configure(*mixed(placed.module, 3))
    command = [sys.executable, "-m", "distributed.cli.dask_worker", small.scheduler_address]
    options = ["--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path)]
    with subprocess.Popen([*command, *options], cwd=tmp_path, stderr=subprocess.DEVNULL) as worker:
        try:
            with placed.system() as system, pytest.raises(ExecutorAway) as caught:
                impatient(system, small.scheduler_address, patience=120.0)
        finally:
            worker.kill()

    assert re.match(r"the worker tcp://\S+ cannot run our code: ModuleNotFoundError", str(caught.value))
    assert "PYTHONPATH" in caught.value.hint
    assert placed.events("run.started") == []
