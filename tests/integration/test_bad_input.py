"""What a user can get wrong: a clear message, the right exit code, nothing lost, no traceback."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from tests.faulty_server import Answer, FaultyServer, Request
from tests.integration.contract import check_error
from tests.integration.installation import PROGRAM, Finished, Installation, execute
from tests.integration.people import GOOD, GOOD_ROWS, people
from utils.database import StateError
from utils.sqlite import prepare_directory

FINE = {"name": "fine", "collect": {"kind": "simulated", "rows": 20}}


def refused(done: Finished, code: int) -> str:
    """What was said by a command that must have failed in words."""
    assert done.code == code, done
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    assert done.err.startswith("error: ")
    return done.err


# Configuration


def test_a_missing_configuration_is_named(installation: Installation) -> None:
    """The path that was asked for, exit 2; nothing is created."""
    said = refused(installation.cli("run"), 2)

    assert str(installation.config) in said
    assert not installation.state.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("datasets: [\n  - {name: a", "orchestrator.yaml"),
        ("dataset: []\n", "did you mean `datasets`?"),
        ("datasets:\n  - {name: a, collect: {kind: ftp}}\n", "ftp"),
        ("datasets:\n  - {name: a, collect: {kind: host}, rulez: []}\n", "rules"),
        ("datasets:\n  - {name: Bad Name, collect: {kind: host}}\n", "Bad Name"),
        ('storage: {url: "ftp://b/p"}\n', "s3://bucket/prefix"),
        ("datasets:\n  - {name: a, collect: {kind: host}, rules: [{not_nul: a}]}\n", "not_null"),
        ("app: {state_dir: [1]}\n", "app.state_dir"),
        ("\x00\x01", "orchestrator.yaml"),
    ],
    ids=["cut off", "key", "kind", "dataset key", "name", "storage", "rule", "type", "binary"],
)
def test_a_broken_configuration_is_told_with_file_and_fix(tmp_path: Path, text: str, said: str) -> None:
    """Exit 2, the file, the place, and what was probably meant; no state is made."""
    config = tmp_path / "orchestrator.yaml"
    config.write_text(text)

    with (
        pytest.raises(ConfigError) as caught,
        IntegratedSystem(config, state_dir=tmp_path / "state") as system,
    ):
        run(system, Actor("test"))

    assert "orchestrator.yaml" in str(caught.value)
    assert said in f"{caught.value} {caught.value.hint}"
    assert not (tmp_path / "state").exists()


def test_all_faults_come_at_once_and_exit_2(tmp_path: Path) -> None:
    """One line a fault on standard error; as JSON in one error."""
    config = tmp_path / "orchestrator.yaml"
    config.write_text("dataset: []\napp: {nme: x}\ndatasets:\n  - {name: a, collect: {kind: host}, keyy: [a]}\n")
    command = [sys.executable, str(PROGRAM), "run", "--config", str(config)]

    told = execute(command, cwd=tmp_path)
    programs = execute([*command, "--json"], cwd=tmp_path)

    said = refused(told, 2)
    assert all(word in said for word in ("`datasets`", "`name`", "`key`"))
    check_error(programs.json["error"])
    assert (programs.code, programs.json["error"]["type"]) == (2, "ConfigError")
    assert not (tmp_path / "state").exists()


def test_an_unknown_dataset_names_the_nearest(installation: Installation) -> None:
    """A slip of the finger is corrected; nothing else of the request is run."""
    installation.configure(FINE, {"name": "earthquakes", "collect": {"kind": "simulated"}})

    said = refused(installation.cli("run", "fine", "earthquake"), 2)

    assert "unknown dataset `earthquake`" in said
    assert "did you mean `earthquakes`" in said
    assert installation.events("run.started") == []


# State


@pytest.mark.parametrize("kind", ["a file", "under a file", "not writable"])
def test_a_state_directory_that_cannot_be_used(installation: Installation, kind: str) -> None:
    """Exit 1, the path, and what to do: another --state-dir."""
    installation.configure(FINE)
    taken = installation.folder / "taken"
    taken.write_text("mine")
    installation.state = {"a file": taken, "under a file": taken / "state", "not writable": Path("/proc/state")}[kind]

    said = refused(installation.cli("run"), 1)
    programs = installation.cli("status", "--json")

    assert str(installation.state) in said
    assert "--state-dir" in said
    assert (programs.code, programs.json["error"]["type"]) == (1, "StateError")
    assert taken.read_text() == "mine"


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """SQLite's locks lie there; better no run than lost data."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        f"22 21 0:30 / {tmp_path}/nas rw,relatime shared:2 - nfs4 filer:/export rw\n"
    )

    with pytest.raises(StateError, match=r"network file system \(nfs4\)") as caught:
        prepare_directory(tmp_path / "nas" / "state", mounts=str(mounts))
    prepare_directory(tmp_path / "state", mounts=str(mounts))

    assert "local disk" in caught.value.hint
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("command", ["run", "status", "maintain"])
def test_a_state_on_a_network_file_system_is_told_by_every_command(installation: Installation, command: str) -> None:
    """Exit 1, the kind of the file system, and the way out; nothing is written there."""
    installation.configure(FINE)
    mounts = installation.folder / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        f"22 21 0:30 / {installation.state} rw,relatime shared:2 - cifs //filer/export rw\n"
    )
    # No network file system can be mounted here: the program reads another mount table, all else is as it is.
    other_table = (
        "import runpy, sys; sys.argv = sys.argv[2:]; sys.path.insert(0, sys.argv[0].rpartition('/')[0]);"
        "from utils.sqlite import prepare_directory;"
        "prepare_directory.__kwdefaults__['mounts'] = sys.orig_argv[3];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    python, *rest = installation.command(command, "--json")

    said = execute([python, "-c", other_table, str(mounts), *rest], cwd=installation.folder)

    assert said.code == 1
    assert said.json["error"]["type"] == "StateError"
    assert "network file system (cifs)" in said.json["error"]["message"]
    assert "--state-dir" in said.json["error"]["hint"]
    assert not installation.state.exists()


def test_a_damaged_log_stops_the_run_before_it_begins(installation: Installation) -> None:
    """A database that is none: told, exit 1, and the file is left for whoever repairs it."""
    installation.configure(FINE)
    installation.run()
    for name in ("orchestrator.db-wal", "orchestrator.db-shm"):
        (installation.state / name).unlink(missing_ok=True)
    log = installation.state / "orchestrator.db"
    log.write_bytes(b"this is not a database" * 1000)

    said = refused(installation.cli("run"), 1)

    assert "orchestrator.db" in said
    assert "damaged" in said
    assert log.read_bytes().startswith(b"this is not a database")


def test_a_log_that_cannot_be_written_stops_the_run_before_it_begins(installation: Installation) -> None:
    """No run without its log: not one request goes out."""
    with FaultyServer(GOOD) as server:
        installation.configure(people(server.url))
        installation.run()
        with installation.system() as system:
            assert system.events.head()[0] > 0
            with read_only(system.database):
                with pytest.raises(StateError) as caught:
                    run(system, Actor("test"), fresh=True)
                asked = server.count

    assert "cannot be written" in str(caught.value)
    assert asked == 1


@contextlib.contextmanager
def read_only(database: Any) -> Iterator[None]:
    """Every connection of a database refuses to write, as on a disk that went read-only."""
    connect, idle = database.connect, database._idle[:]

    def refusing() -> Any:
        connection = connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    database.connect = refusing
    database._idle.clear()
    try:
        yield
    finally:
        database.connect = connect
        database._idle[:] = idle


def test_storage_that_cannot_be_written_costs_the_delivery_not_the_copy(installation: Installation) -> None:
    """Something stands where the version should be written: last good is served, the reason told, nothing crashes."""
    with FaultyServer(GOOD) as server:
        storage = installation.folder / "storage"
        installation.configure(people(server.url), storage={"url": str(storage)})
        installation.run()
        installation.configure(people(server.url, rules=[]), storage={"url": str(installation.config / "below")})

        (result,) = installation.run(fresh=True).datasets

    assert result.status in {"degraded", "failed"}
    assert result.error is not None
    assert result.error["type"] == "StoreError"


# Two at once


def test_a_dataset_that_runs_elsewhere_is_skipped(installation: Installation) -> None:
    """The second run leaves it to the first: skipped with the reason, exit 0; the first delivers."""
    asked, answer_now = threading.Event(), threading.Event()

    def slow(request: Request) -> Answer:
        asked.set()
        assert answer_now.wait(120)
        return GOOD

    with FaultyServer(slow) as server:
        installation.configure(people(server.url), FINE)
        first: list[Finished] = []
        thread = threading.Thread(target=lambda: first.append(installation.cli("run", "--json")))
        thread.start()
        try:
            assert asked.wait(120)
            second = installation.cli("run", "people", "--json")
            told = installation.cli("run", "people")
        finally:
            answer_now.set()
            thread.join()

    (skipped,) = second.json["datasets"]
    assert (second.code, second.json["status"], told.code) == (0, "succeeded", 0)
    assert (skipped["status"], skipped["origin"], skipped["rows"]) == ("skipped", "none", 0)
    assert "already running" in skipped["reason"]
    delivered = {run["dataset"]: run for run in first[0].json["datasets"]}
    assert (first[0].code, delivered["people"]["rows"]) == (0, GOOD_ROWS)
    assert server.count == 1


def test_the_state_of_another_user_is_not_readable(installation: Installation) -> None:
    """The state's directory is 0700, its databases 0600."""
    installation.configure(FINE)
    installation.run()

    assert installation.state.stat().st_mode & 0o777 == 0o700
    for name in ("orchestrator.db", "coordination.db"):
        assert (installation.state / name).stat().st_mode & 0o777 == 0o600


def test_an_unwritable_output_is_told(installation: Installation) -> None:
    """`show --output` into a folder that is not there: a message, exit 1, no half a file."""
    installation.configure(FINE)
    installation.run()
    target = installation.folder / "nowhere" / "rows.csv"

    said = refused(installation.cli("show", "fine", "--format", "csv", "--output", str(target)), 1)

    assert str(target) in said
    assert not target.parent.exists()


def test_a_missing_file_is_the_datasets_failure_not_the_programs(installation: Installation) -> None:
    """The dataset fails and says which file; the others go on."""
    installation.configure({"name": "prices", "collect": {"kind": "file", "path": "prices.csv"}}, FINE)

    done = installation.cli("run")

    assert done.code == 1
    assert "prices.csv" in done.out
    assert "✓ succeeded" in done.out
    assert "Traceback" not in done.err + done.out


@pytest.mark.parametrize("streams", ["<&- 2>&-", "<&- >&- 2>&-"], ids=["output only", "none"])
def test_closed_standard_streams_are_no_crash(installation: Installation, streams: str) -> None:
    """cron and daemons start programs without a terminal, some without any standard stream."""
    installation.configure(FINE)
    script = f"{' '.join(installation.command('run', '--json'))} {streams}"

    done = execute(["/bin/sh", "-c", script], cwd=installation.folder)

    assert done.code == 0
    assert installation.events("run.finished")[0]["status"] == "succeeded"


def test_a_terminal_that_knows_only_ascii_is_no_crash(installation: Installation) -> None:
    """Signs it cannot draw become question marks."""
    installation.configure(FINE)

    done = installation.cli("run", env={"PYTHONIOENCODING": "ascii"})

    assert done.code == 0
    assert "? succeeded" in done.out


@pytest.mark.parametrize("words", ["run", "run --json"])
def test_output_that_cannot_be_written_is_told(installation: Installation, words: str) -> None:
    """A full disk behind `>`: exit 1 in words, and the run itself is kept."""
    installation.configure(FINE)
    script = f"{' '.join(installation.command(*words.split()))} >/dev/full"

    done = execute(["/bin/sh", "-c", script], cwd=installation.folder)

    assert done.code == 1
    assert "error: standard output cannot be written: No space left on device" in done.err
    assert "Traceback" not in done.err
    assert installation.events("run.finished")[0]["status"] == "succeeded"


@pytest.mark.parametrize("name", ["logs", "cache", "tmp", "storage"])
def test_a_file_where_a_folder_of_the_state_should_be(installation: Installation, name: str) -> None:
    """Logs and cache are replaceable: the run goes on. What cannot do without is told in words."""
    installation.configure(FINE)
    installation.state.mkdir(mode=0o700)
    (installation.state / name).write_text("mine")

    done = installation.cli("run")

    assert done.code == (0 if name in {"logs", "cache"} else 1)
    assert "Traceback" not in done.out + done.err
    assert "internal error" not in done.out + done.err
    if done.code:
        assert name in done.out + done.err
