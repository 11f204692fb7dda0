"""Each symptom of docs/operations.md is provoked, and the program says what the page shows."""

import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from tests.faulty_server import Answer, FaultyServer, html, status
from tests.integration.installation import PATIENT, Installation
from tests.integration.people import csv
from tests.markdown import DOCS, is_shape_of
from utils.events import NewEvent

PAGE = DOCS / "operations.md"
HEADER = b"id,name,day\n"
GOOD = csv(HEADER + b"".join(b"%d,anna,2026-01-02\n" % n for n in range(20)))


class Scene:
    """An installation with one dataset, `people`, of a provider that does as it is told."""

    def __init__(self, folder: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installation = Installation(folder)
        self.server = server
        self.monkeypatch = monkeypatch
        self.declare()

    def declare(self, sections: dict[str, Any] | None = None, **more: Any) -> None:
        """What the configuration says of it, besides where it is."""
        dataset = {
            "name": "people",
            "provider": "registry",
            "collect": {"kind": "http", "url": self.server.url},
            **more,
        }
        self.installation.configure(dataset, **(sections or {}))

    def type(self, *words: str) -> int:
        return self.installation.typed(*words)

    def run(self, *words: str) -> int:
        return self.type("run", *words)

    def then(self, answer: Answer) -> None:
        """A good delivery, after which the provider answers otherwise."""
        assert self.run() == 0
        self.server.answer = answer

    @property
    def state(self) -> Path:
        return self.installation.state

    def system(self) -> IntegratedSystem:
        """The same installation, as another process of it."""
        return IntegratedSystem(self.installation.config, state_dir=self.state, environ={})


Provoking = Callable[[Scene], None]
SYMPTOMS: dict[str, Provoking] = {}


def symptom(heading: str) -> Callable[[Provoking], Provoking]:
    """What provokes the symptom that the page has under this heading."""

    def kept(provoking: Provoking) -> Provoking:
        SYMPTOMS[heading] = provoking
        return provoking

    return kept


def pages_symptoms() -> dict[str, str]:
    """Heading -> the first block below it, of the chapter about symptoms."""
    chapter = PAGE.read_text("utf-8").partition("\n## By symptom\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^### ([^\n]+)\n\n```text\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL))


# --- the configuration


@symptom("A key is not known")
def _unknown_key(scene: Scene) -> None:
    scene.declare(promises={"max_age": "26h"})
    scene.type("config", "check")


@symptom("A variable is not set")
def _unset_variable(scene: Scene) -> None:
    scene.declare({"providers": {"registry": {"auth": {"kind": "bearer", "token": "${REGISTRY_TOKEN}"}}}})
    scene.monkeypatch.delenv("REGISTRY_TOKEN", raising=False)
    scene.run()


@symptom("A dataset is unknown")
def _unknown_dataset(scene: Scene) -> None:
    scene.run("poeple")


# --- providers


@symptom("A dataset is degraded: its provider fails")
def _provider_fails(scene: Scene) -> None:
    scene.then(status(503))
    scene.run("--fresh")


@symptom("The provider is not even asked")
def _circuit_open(scene: Scene) -> None:
    scene.declare({"defaults": {"dataset": PATIENT, "resilience": {"breaker": {"failure_threshold": 1}}}})
    scene.then(status(503))
    scene.run("--fresh")
    scene.run("--fresh")


@symptom("It says that a web page came")
def _web_page(scene: Scene) -> None:
    scene.server.answer = html()
    scene.run()


@symptom("The provider says that we may not")
def _refused(scene: Scene) -> None:
    scene.server.answer = status(401)
    scene.run()


@symptom("The provider has news, and the run brings none")
def _within_ttl(scene: Scene) -> None:
    scene.then(csv(HEADER + b"99,zoe,2026-01-03\n"))
    scene.run()


# --- quality


@symptom("A batch is held for a critical rule")
def _held(scene: Scene) -> None:
    scene.declare(rules=[{"range": {"column": "id", "min": 0, "severity": "critical"}}])
    scene.then(csv(HEADER + b"".join(b"%d,anna,2026-01-02\n" % n for n in range(-1, 30))))
    scene.run("--fresh")


@symptom("A batch is held for too many bad rows")
def _too_many(scene: Scene) -> None:
    scene.declare(rules=[{"range": {"column": "id", "min": 0}}])
    scene.then(csv(HEADER + b"".join(b"%d,anna,2026-01-02\n" % n for n in range(-10, 20))))
    scene.run("--fresh")


@symptom("A batch is held for its columns")
def _columns(scene: Scene) -> None:
    scene.then(csv(b"id,full_name,day\n" + b"".join(b"%d,anna,2026-01-02\n" % n for n in range(20))))
    scene.run("--fresh")


@symptom("The promise is broken though every run succeeds")
def _old_data(scene: Scene) -> None:
    scene.declare(columns={"day": "date"}, data_time="day", promise={"max_age": "26h"})
    scene.run()
    scene.type("why", "people")


@symptom("A rule was mended, and the rows are still away")
def _newer_came(scene: Scene) -> None:
    bad = HEADER + b"-1,anna,2026-01-02\n" + b"".join(b"%d,anna,2026-01-02\n" % n for n in range(20))
    scene.declare(rules=[{"range": {"column": "id", "min": 0}}])
    scene.server.answer = csv(bad)
    scene.run()
    scene.server.answer = GOOD
    scene.run("--fresh")
    scene.declare(rules=[{"range": {"column": "id", "min": -9}}])
    scene.type("quarantine", "replay", "people")


# --- runs and schedules


@symptom("A dataset is skipped")
def _skipped(scene: Scene) -> None:
    with scene.system() as other:
        other.leases.acquire(["dataset:people"])
        scene.run()


@symptom("A run is crashed")
def _crashed(scene: Scene) -> None:
    with scene.system() as other:
        data = {"actor": "cron", "datasets": ["people"], "fresh": False, "owner": "elsewhere|x|y|1|1"}
        run_id = "01a1ff5b-b32b-7b76-a145-f85bce91b6a3"
        other.events.append(
            [
                NewEvent("run.started", run_id, data, source="runner"),
                NewEvent("run.crashed", run_id, {"owner": data["owner"]}, source="runner"),
            ]
        )
    scene.type("runs", "list")


@symptom("Nothing runs by itself")
def _nobody(scene: Scene) -> None:
    scene.declare(schedule={"every": "1h"})
    scene.type("schedules", "pause", "people")
    scene.type("schedules", "list")


# --- telling


@symptom("Nobody was told")
def _nobody_told(scene: Scene) -> None:
    scene.server.answer = status(404)
    scene.declare({"alerts": {"channels": {"team": scene.server.url.replace("http://", "json://")}}})
    scene.type("alerts", "test", "team")


@symptom("No anomaly is ever told")
def _learning(scene: Scene) -> None:
    scene.run()
    scene.type("detect")


# --- faces


@symptom("The API's port is taken")
def _port_taken(scene: Scene) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        scene.type("api", "--port", str(taken.getsockname()[1]))


@symptom("The API will not listen for others")
def _no_token(scene: Scene) -> None:
    scene.type("api", "--host", "0.0.0.0", "--port", "0")


# --- state


@symptom("`orchestrator.db` is damaged")
def _damaged_log(scene: Scene) -> None:
    scene.run()
    for name in ("orchestrator.db-wal", "orchestrator.db-shm"):
        (scene.state / name).unlink(missing_ok=True)
    (scene.state / "orchestrator.db").write_bytes(b"not a database at all, whatever it was" * 1000)
    scene.type("status")


@symptom("The state is of a newer release")
def _newer_release(scene: Scene) -> None:
    scene.run()
    with sqlite3.connect(scene.state / "orchestrator.db") as database:
        database.execute("PRAGMA user_version = 999")
        database.execute("INSERT INTO schema_version VALUES (999, '9.8.7')")
    database.close()
    scene.type("status")


@symptom("`coordination.db` was set aside")
def _set_aside(scene: Scene) -> None:
    scene.run()
    for name in ("coordination.db-wal", "coordination.db-shm"):
        (scene.state / name).unlink(missing_ok=True)
    (scene.state / "coordination.db").write_bytes(b"not a database at all, whatever it was" * 1000)
    scene.type("health")


@symptom("A version is damaged")
def _damaged_version(scene: Scene) -> None:
    scene.run()
    for path in [*(scene.state / "storage" / "datasets").rglob("*.parquet"), scene.state / "storage" / ".small.db"]:
        if path.is_file():
            path.unlink()
    scene.type("show", "people")


@symptom("The chain of the log does not hold")
def _tampered(scene: Scene) -> None:
    scene.run()
    with sqlite3.connect(scene.state / "orchestrator.db") as database:
        database.execute("UPDATE log SET data = replace(data, '20', '21') WHERE seq = 4")
    database.close()
    scene.type("events", "verify")


@symptom("A backup is damaged")
def _damaged_backup(scene: Scene) -> None:
    scene.run()
    backup = scene.state.parent / "backup.tar.gz"
    assert scene.type("backup", str(backup)) == 0
    data = bytearray(backup.read_bytes())
    del data[len(data) // 2 :]
    backup.write_bytes(bytes(data))
    scene.type("backup", "--verify", str(backup))


@symptom("`restore` refuses the folder")
def _not_empty(scene: Scene) -> None:
    scene.run()
    backup = scene.state.parent / "backup.tar.gz"
    assert scene.type("backup", str(backup)) == 0
    scene.type("restore", str(backup), "--into", str(scene.state))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with FaultyServer(GOOD) as server:
        yield Scene(tmp_path, server, monkeypatch)


def test_every_symptom_of_the_page_is_provoked_and_no_other():
    """The page has at least fifteen, and this file one provocation for each."""
    assert list(pages_symptoms()) == list(SYMPTOMS)
    assert len(SYMPTOMS) >= 15
    assert all(set(shown.split("\n")) - {"…", ""} for shown in pages_symptoms().values())


@pytest.mark.parametrize("heading", SYMPTOMS)
def test_the_program_says_what_the_page_shows(heading: str, scene: Scene, capsys: pytest.CaptureFixture[str]):
    """What is printed has the lines of the page, in order; ids, times and the provider's address are another's."""
    SYMPTOMS[heading](scene)

    told = capsys.readouterr()

    shown = pages_symptoms()[heading]
    said = (told.out + told.err).replace(str(scene.state.parent), "/srv/orchestrator")
    assert is_shape_of(f"…\n{shown}\n…", said), f"shown:\n{shown}\nsaid:\n{said}"


def test_what_a_damaged_coordination_database_costs_is_told_in_whole_words(
    scene: Scene, capsys: pytest.CaptureFixture[str]
):
    """Nothing of it looks like a secret to the log, which would mask it."""
    SYMPTOMS["`coordination.db` was set aside"](scene)

    assert "access and refresh tokens, so a login may have to be renewed" in capsys.readouterr().err
