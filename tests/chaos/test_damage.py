"""Databases damaged on the disk, seen by the whole product: what can be had again is; the log is never thrown away."""

import json
import os
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from operations.actor import Actor
from operations.breakers import listed
from operations.health import health
from operations.run import run
from tests.chaos.state import Battered, simulated
from tests.faulty_server import FaultyServer, as_json, status

NAMES = ["a", "b", "c"]
ROWS = [{"id": 1}, {"id": 2}, {"id": 3}]


def overwrite(path: Path) -> None:
    """All but the first page, as a bad disk would."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * max(4096, len(content) - 4096))


def events(battered: Battered, kind: str) -> list[dict[str, Any]]:
    with battered.system() as system:
        return [event.data for event in system.events.read() if event.type == kind]


def test_a_damaged_coordination_database_stops_no_delivery(battered: Battered) -> None:
    """It is set aside and told as event, warning and in `health`; three more runs go on, none is refused."""
    battered.configure(simulated(NAMES))
    for _ in range(4):  # the log remembers larger fencing numbers than a new database would give
        with battered.system() as system:
            run(system, Actor("test"), fresh=True)
    overwrite(battered.state / "coordination.db")

    done = battered.cli("run", "--fresh", "--json")

    assert done.returncode == 0, done.stderr
    assert [d["status"] for d in json.loads(done.stdout)["datasets"]] == ["succeeded"] * 3
    (told,) = events(battered, "state.set_aside")
    assert Path(told["moved_to"]).is_file()
    assert "set_aside" in (battered.state / "logs" / "state.log").read_text()
    with battered.system() as system:
        checks = {check.name: check for check in health(system).checks}
        assert checks["coordination"].healthy
        assert Path(told["moved_to"]).name in checks["coordination"].detail


@pytest.mark.parametrize("delivers", [True, False], ids=["a healthy provider", "a dead provider"])
def test_a_damaged_file_of_small_versions_stops_no_delivery(battered: Battered, delivers: bool) -> None:
    """It is set aside and told; what was lost is collected anew, or told as damaged; nobody sees a wrong row."""
    battered.configure(simulated(NAMES))
    for _ in range(2):
        with battered.system() as system:
            run(system, Actor("test"), fresh=True)
    overwrite(battered.state / "storage" / ".small.db")
    if not delivers:
        battered.configure(simulated(NAMES, failure_rate=1.0))

    done = battered.cli("run", "--fresh", "--json")
    kept = battered.cli("maintain", "--json")
    asked = battered.cli("health", "--json")

    assert {d["status"] for d in json.loads(done.stdout)["datasets"]} == {"succeeded" if delivers else "failed"}
    (told,) = events(battered, "state.set_aside")
    assert Path(told["moved_to"]).is_file()
    assert told["lost"]
    assert "set_aside" in (battered.state / "logs" / "state.log").read_text()
    for answer in (done, kept, asked):
        assert "Traceback" not in answer.stdout + answer.stderr
        json.loads(answer.stdout)
    checks = {check["name"]: check for check in json.loads(asked.stdout)["checks"]}
    assert Path(told["moved_to"]).name in checks["storage"]["detail"]
    assert checks["versions"]["healthy"] is delivers
    if delivers:
        assert done.returncode == 0
        assert len(json.loads(battered.cli("show", NAMES[0], "--json").stdout)) == 3
        assert json.loads(battered.cli("run", "--fresh", "--json").stdout)["datasets"][0]["status"] == "succeeded"


def test_a_deleted_coordination_database_stops_no_delivery(battered: Battered) -> None:
    """The page says that it may be deleted when no process runs; the fencing numbers go on from the log's."""
    battered.configure(simulated(NAMES))
    for _ in range(3):
        with battered.system() as system:
            run(system, Actor("test"), fresh=True)
    for file in battered.state.glob("coordination.db*"):
        file.unlink()

    with battered.system() as system:
        result = run(system, Actor("test"), fresh=True)

    assert [dataset.status for dataset in result.datasets] == ["succeeded"] * 3
    assert not events(battered, "state.set_aside")


def test_whatever_is_damaged_in_it_every_command_works(battered: Battered, tmp_path: Path) -> None:
    """Twenty seeded damages of a used coordination database: runs succeed, circuits are listed, health answers."""
    with FaultyServer(as_json(ROWS)) as server:
        limited = {"resilience": {"rate_limit": {"rate": 1000, "burst": 1000, "quota": 100_000}}}
        dead = {"name": "dead", "provider": "dead", "collect": {"kind": "http", "url": "http://127.0.0.1:9/"}}
        dead["resilience"] = {"retry": {"attempts": 1}}
        fine = {"name": "fine", "provider": "fine", "collect": {"kind": "http", "url": server.url}}
        opens = {"resilience": {"breaker": {"failure_threshold": 1}}}
        battered.configure([dead, fine], providers={"fine": limited, "dead": opens})
        with battered.system() as system:
            run(system, Actor("test"), fresh=True)
        sound = tmp_path / "sound"
        shutil.copytree(battered.state, sound)
        dice = random.Random(11)
        for _ in range(20):
            content = bytearray((sound / "coordination.db").read_bytes())
            page = dice.randrange(len(content) // 4096) * 4096
            # The rows lie at the end of their page, and what says where they are at its front.
            at = page + dice.choice([dice.randrange(100), 4095 - dice.randrange(400)])
            content[at] ^= 1 << dice.randrange(8)
            for file in battered.state.glob("coordination.db*"):
                file.unlink()
            (battered.state / "coordination.db").write_bytes(content)

            with battered.system() as system:
                result = {d.dataset: d.status for d in run(system, Actor("test"), fresh=True).datasets}
                assert result["fine"] == "succeeded", at
                assert {breaker.provider for breaker in listed(system)} >= {"fine", "dead"}
                assert health(system).checks


def test_damage_under_an_open_connection_leaves_the_local_decision(battered: Battered) -> None:
    """The run that is going on delivers, its circuit opens all the same, its quota counts; the next run mends it."""
    with FaultyServer(as_json(ROWS)) as server:
        opens = {"breaker": {"failure_threshold": 1}, "rate_limit": {"rate": 1000, "burst": 1000, "quota": 3}}
        battered.configure(
            [
                {
                    "name": name,
                    "provider": name,
                    "collect": {"kind": "http", "url": server.url},
                    "resilience": {"retry": {"attempts": 1}},
                }
                for name in ("x", "y")
            ],
            providers={"x": {"resilience": opens}, "y": {"resilience": opens}},
        )
        with battered.system() as system:
            for round_ in range(2):
                statuses = {d.status for d in run(system, Actor("test"), fresh=True).datasets}
                assert statuses == {"succeeded"}
                if not round_:
                    for suffix in ("", "-wal"):
                        file = battered.state / f"coordination.db{suffix}"
                        with file.open("r+b") as damaged:  # in place: the file that is open, not another one
                            damaged.seek(100)
                            damaged.write(os.urandom(max(0, file.stat().st_size - 100)))
            server.answer = status(503)
            run(system, Actor("test"), fresh=True)
            asked = server.count
            reasons = [d.reason or "" for d in run(system, Actor("test"), fresh=True).datasets]

        assert server.count == asked, "neither the open circuit nor the quota held"
        assert all("circuit open" in reason or "quota" in reason for reason in reasons), reasons
        server.answer = as_json(ROWS)
        assert battered.cli("run", "--json").returncode == 0


@pytest.mark.parametrize("command", [["run"], ["status"], ["health"], ["events"]], ids=lambda given: given[0])
def test_a_damaged_log_is_never_thrown_away(battered: Battered, command: list[str]) -> None:
    """It is the memory of everything: exit 1, what is wrong, and what to do; the file stays as it is."""
    battered.configure(simulated(NAMES))
    with battered.system() as system:
        run(system, Actor("test"))
    log = battered.state / "orchestrator.db"
    log.write_bytes(b"no database " * 1000)
    before = log.read_bytes()

    done = battered.cli(*command, "--json")

    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert "orchestrator.db" in error["message"]
    assert "damaged" in error["message"]
    assert "backup" in error["hint"]
    assert log.read_bytes() == before
    assert not list(battered.state.glob("*corrupt*"))


def flipped_pages(log: Path) -> None:
    overwrite(log)


def a_directory(log: Path) -> None:
    log.unlink()
    log.mkdir()


def newer(log: Path) -> None:
    with sqlite3.connect(log) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def something_elses(log: Path) -> None:
    log.unlink()
    with sqlite3.connect(log) as database:
        database.execute("CREATE TABLE events (number)")
    database.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (flipped_pages, "damaged"),
        (a_directory, "is a directory"),
        (newer, "newer release"),
        (something_elses, "another program"),
    ],
    ids=["its pages are garbage", "a directory", "of a newer version", "another program's"],
)
def test_what_is_wrong_with_the_log_is_said_with_a_way_out(battered: Battered, damage, words: str) -> None:
    """In words that fit the fault."""
    battered.configure(simulated(NAMES))
    with battered.system() as system:
        run(system, Actor("test"))
    damage(battered.state / "orchestrator.db")

    done = battered.cli("run", "--json")

    assert done.returncode == 1, done.stdout
    error = json.loads(done.stdout)["error"]
    assert words in error["message"] + error["hint"]
    assert error["hint"]
