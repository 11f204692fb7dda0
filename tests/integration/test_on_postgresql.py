"""One line of the configuration puts log, views and history into PostgreSQL: every command does what it did."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.caller import Caller
from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.events import verify
from operations.maintain import maintain
from operations.metrics import as_json
from operations.status import status
from tests.databases import another
from tests.integration import feed as provider
from tests.integration.installation import Installation
from tests.postgres import address, execute
from utils.clock import ManualClock

ACTOR = Actor("test")


def _dataset(name: str) -> dict[str, Any]:
    return {"name": name, "collect": {"kind": "python", "function": "tests.integration.feed:everything"}, "key": ["id"]}


def _on(installation: Installation, url: str, *names: str, **sections: Any) -> Installation:
    database = {"url": url.replace("postgresql://", "postgresql+psycopg://"), **sections.pop("database", {})}
    installation.configure(*map(_dataset, names or ("orders",)), database=database, **sections)
    return installation


def test_the_command_line_works_over_postgresql(installation: Installation, postgres: str) -> None:
    """As a user types it: run, look, rebuild, prove; nothing of it lies in a file."""
    (installation.folder / "a.csv").write_text("id,v\n1,2\n2,3\n")
    collect = {"kind": "file", "path": str(installation.folder / "a.csv")}
    installation.configure({"name": "orders", "collect": collect}, database={"url": postgres})

    ran = installation.cli("run", "--json")
    shown = installation.cli("show", "orders", "--json")
    verified = installation.cli("events", "verify", "--json")
    kept = installation.cli("maintain", "--rebuild", "--json")

    assert (ran.code, shown.code, verified.code, kept.code) == (0, 0, 0, 0), (ran.err, shown.err, kept.err)
    assert shown.json == [{"id": 1, "v": 2}, {"id": 2, "v": 3}]
    assert verified.json["whole"] is True
    assert kept.json["steps"][0]["name"] == "views"
    assert not (installation.state / "orchestrator.db").exists()
    assert execute(postgres, "SELECT max(seq) FROM events")[0][0] > verified.json["events"]


def test_everything_reads_the_same_as_over_sqlite(tmp_path: Path, postgres: str, feed: provider.Feed) -> None:
    """The same runs in both: the same events, views, metrics, history; and rebuilt views are the live ones."""

    def told(installation: Installation) -> dict[str, Any]:
        feed.rows = [{"id": 1, "v": 2.5}, {"id": 2, "v": None}]
        installation.run()
        feed.rows = [*feed.rows, {"id": 3, "v": 1e9}]
        installation.run(fresh=True)
        feed.breaks_after = 1
        installation.run(fresh=True)
        feed.breaks_after = None
        with installation.system() as system:
            before = {name: sorted(map(repr, system.database.query(f"SELECT * FROM {name}"))) for name in VIEWS}
            rebuilt = maintain(system, ACTOR, rebuild=True)
            after = {name: sorted(map(repr, system.database.query(f"SELECT * FROM {name}"))) for name in VIEWS}
            assert before == after
            assert rebuilt.well
            assert verify(system).fault is None
            figures = {metric: block for block in system.history.blocks(["orders"]) for metric in block.metrics}
            return {
                "events": [(event.type, event.source, event.version) for event in system.events.read()],
                "rows": installation.rows("orders"),
                "views": {name: len(rows) for name, rows in before.items()},
                "current": system.views.current()["orders"].failures,
                "points": {name: figures[name].series(name)[1].tolist() for name in ("rows", "mean(v)", "max(v)")},
                "metrics": sorted(as_json(system)),
            }

    here, there = Installation(tmp_path / "here"), Installation(tmp_path / "there")
    for installation in (here, there):
        installation.folder.mkdir()
    here.configure(_dataset("orders"))

    assert told(here) == told(_on(there, postgres))


VIEWS = ("runs", "dataset_runs", "datasets", "versions", "provider_counters", "publications")


def test_the_past_is_read_kept_and_forgotten_as_over_sqlite(
    installation: Installation, postgres: str, feed: provider.Feed
) -> None:
    """`status --as-of`, old runs beyond their retention, sealed events; and the dashboard reads from there too."""
    _on(installation, postgres, retention={"runs": "10d", "events": "10d"})
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    feed.rows = [{"id": 1}]
    installation.run(clock=clock)
    clock.advance(86_400)
    feed.breaks_after = 0
    installation.run(fresh=True, clock=clock)
    clock.advance(30 * 86_400)
    feed.breaks_after = None
    installation.run(fresh=True, clock=clock)

    with installation.system(clock) as system:
        then = status(system, as_of="2026-01-01T12:00:00Z")
        kept = {step.name: step.count for step in maintain(system, ACTOR).steps}
        later = status(system, as_of="2026-01-02T12:00:00Z")
        runs = system.views.runs()
        whole = verify(system)
    source = Source(
        lambda: IntegratedSystem(installation.config, state_dir=installation.state, environ={}, clock=clock),
        patience=120.0,
    )
    try:
        seen = source.ask(Caller(ACTOR), "status").document
    finally:
        source.close()

    assert [(one.dataset, one.status) for one in (*then.datasets, *later.datasets)] == [
        ("orders", "succeeded"),
        ("orders", "degraded"),
    ]
    assert kept["past_runs"] == 2
    assert kept["events"] > 0
    assert len(runs) == 1
    assert whole.fault is None
    assert [one["dataset"] for one in seen["datasets"]] == ["orders"]


def test_installations_share_a_database_each_in_a_schema(tmp_path: Path, postgres: str, feed: provider.Feed) -> None:
    """What one does, the other does not see."""
    feed.rows = [{"id": 1}]
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(_on(Installation(tmp_path / name), another(postgres), name))

    made[0].run()

    with made[0].system() as one, made[1].system() as two:
        assert one.events.head()[0] > 0
        assert two.events.head()[0] == 0
        assert list(one.views.current()) == ["one"]


@pytest.mark.parametrize("command", ["run", "events verify"])
def test_a_server_that_is_not_there_is_told_by_every_command(installation: Installation, command: str) -> None:
    """With exit code 1, where it should be, what to do, and without the password."""
    _on(installation, "postgresql://bob:hunter2-and-more@127.0.0.1:1/orders")

    found = installation.cli(*command.split())

    assert found.code == 1
    assert "postgresql://127.0.0.1/orders: the server cannot be reached" in found.err
    assert "see that it runs" in found.err
    assert "hunter2" not in found.out + found.err
    assert "Traceback" not in found.err


WAITING = """
import os
def rows():
    with open({fifo!r}) as fifo:  # opened once the test does so as well; at its end when that has stopped the server
        fifo.read()
    yield {{"id": 1}}
    yield {{"id": 2}}
"""


def test_a_run_whose_database_goes_away_says_so_and_loses_nothing(
    installation: Installation, own_server: Any, feed: provider.Feed
) -> None:
    """It ends with exit code 1; the run before is whole, and once the server is back the log goes on where it was."""
    url = address("postgres", own_server)
    feed.rows = [{"id": 1}]
    _on(installation, url).run()
    fifo = installation.folder / "fifo"
    os.mkfifo(fifo)
    (installation.folder / "waiting.py").write_text(WAITING.format(fifo=str(fifo)))
    collect = {"kind": "python", "function": "waiting:rows"}
    installation.configure({**_dataset("orders"), "collect": collect}, database={"url": url}, code=["."])

    with subprocess.Popen(installation.command("run", "--fresh"), stderr=subprocess.PIPE, text=True) as running:
        with fifo.open("w"):
            own_server.stop()
        _, said = running.communicate(timeout=120)
    own_server.ensure_postgres_running()

    assert running.returncode == 1
    assert "the server cannot be reached" in said
    assert "see that it runs" in said
    assert "Traceback" not in said
    assert installation.rows("orders") == [{"id": 1}]
    feed.rows = [{"id": 1}, {"id": 2}]
    assert _on(installation, url).run(fresh=True).status == "succeeded"
    assert installation.rows("orders") == [{"id": 1}, {"id": 2}]
    with installation.system() as system:
        assert verify(system).fault is None
        assert [run.status for run in system.views.runs()] == ["succeeded", "crashed", "succeeded"]
