"""The command line as users and programs meet it: what it prints where, and how it exits."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from tests.integration.contract import check_error, check_run
from tests.integration.exact import EXACT, EXACT_CSV
from tests.integration.installation import PROGRAM, Installation, environment, execute

FINE = {"name": "fine", "collect": {"kind": "simulated", "rows": 20}, "rules": [{"not_null": ["id"]}, {"unique": "id"}]}
DOWN = {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that ran once: a good dataset, exact figures, some quarantined rows, one that failed."""
    installation = Installation(tmp_path_factory.mktemp("ran"))
    (installation.folder / "exact.csv").write_text(EXACT_CSV)
    (installation.folder / "dirty.csv").write_text("id\n" + "1\n" * 2 + "".join(f"{n}\n" for n in range(2, 40)))
    dirty = {"name": "dirty", "collect": {"kind": "file", "path": "dirty.csv"}, "rules": [{"unique": "id"}]}
    installation.configure(FINE, EXACT, dirty, {"name": "dead", "collect": DOWN})
    installation.run()
    return installation


# run --json


def test_run_json_is_the_contract_and_nothing_else(ran: Installation) -> None:
    """Every field of the contract with its type, on standard output alone; logs go to standard error."""
    done = ran.cli("run", "--fresh", "--json")

    check_run(done.json)
    runs = {run["dataset"]: run for run in done.json["datasets"]}
    assert list(runs) == ["fine", "exact", "dirty", "dead"]
    assert (done.code, done.json["status"]) == (1, "failed")
    assert [runs[name]["status"] for name in runs] == ["succeeded", "succeeded", "succeeded", "failed"]
    assert runs["dirty"]["failed_rules"] == [{"rule": "unique(id)", "severity": "error", "failed": 2, "of": 40}]
    assert runs["dirty"]["quality"]["cap"] == {"at": 85, "by": "unique(id)"}
    assert runs["dirty"]["quality"]["score"] == 85 < runs["dirty"]["quality"]["uncapped"]
    assert runs["fine"]["quality"]["dimensions"]["accuracy"] is None
    assert "run.finished" in done.err


def test_a_run_of_all_kinds_of_statuses_keeps_the_contract(ran: Installation) -> None:
    """From the cache, and only the named datasets, in the order of the configuration's file or of the words."""
    done = ran.cli("run", "exact", "fine", "--json")

    check_run(done.json)
    assert [(run["dataset"], run["origin"]) for run in done.json["datasets"]] == [("exact", "cache"), ("fine", "cache")]
    assert done.code == 0


def test_a_table_is_for_people(ran: Installation) -> None:
    """Status with its sign, origin, both ages; no colour codes in a pipe."""
    done = ran.cli("run", "fine", env={"NO_COLOR": "1"})

    assert done.out.splitlines()[0].split() == [
        "dataset",
        "status",
        "origin",
        "rows",
        "score",
        "copy",
        "age",
        "data",
        "age",
    ]
    assert done.out.splitlines()[1].split()[:5] == ["fine", "✓", "succeeded", "cache", "20"]
    assert "\033" not in done.out + done.err


def test_dry_run_does_nothing(installation: Installation) -> None:
    """What would be asked is told; no run, no event."""
    installation.configure(FINE)

    done = installation.cli("run", "--dry-run", "--json")

    assert done.json == {
        "dry_run": True,
        "datasets": [{"dataset": "fine", "provider": "fine", "action": "ask the provider"}],
    }
    assert installation.events("run.started") == []


def test_a_limit_takes_the_most_important_and_then_those_that_waited_longest(installation: Installation) -> None:
    """Call by call each has its turn; what the plan says is what is run."""
    installation.configure(
        {"name": "a", "collect": {"kind": "simulated"}},
        {"name": "b", "collect": {"kind": "simulated"}},
        {"name": "c", "collect": {"kind": "simulated"}, "priority": 5},
    )

    def ran(*options: str) -> list[str]:
        return [one["dataset"] for one in installation.cli("run", "--limit", "2", *options, "--json").json["datasets"]]

    assert ran("--dry-run") == ["a", "c"]
    assert [ran("--fresh"), ran("--fresh"), ran("--fresh")] == [["a", "c"], ["b", "c"], ["a", "c"]]
    wrong = installation.cli("run", "--limit", "2", "--resume", "x")
    assert (wrong.code, "--limit does not go with --resume" in wrong.err) == (2, True)


# status


def test_status_opens_with_a_sentence_and_the_worst_comes_first(ran: Installation) -> None:
    """What failed is named at once; the table is sorted by how bad it is."""
    done = ran.cli("status")

    lines = done.out.splitlines()
    assert lines[0] == "3 of 4 datasets delivered as they should; 1 dataset failed (dead)."
    assert [line.split()[0] for line in lines[3:7]] == ["dead", "dirty", "exact", "fine"]
    assert done.code == 0


def test_status_of_sixty_datasets_fits_on_a_screen(installation: Installation) -> None:
    """At most 25 lines, and no failed dataset is cut off by a healthy one."""
    good = [{"name": f"good_{n:02}", "collect": {"kind": "simulated", "rows": 1}} for n in range(55)]
    dead = [{"name": f"dead_{n}", "collect": DOWN} for n in range(5)]
    installation.configure(*good, *dead, defaults={"dataset": {"retry": {"attempts": 1}}})
    installation.run()

    lines = installation.cli("status").out.splitlines()

    assert len(lines) <= 25
    assert lines[0].startswith("55 of 60 datasets delivered as they should; 5 datasets failed (dead_0, ")
    assert {line.split()[0] for line in lines if "✗ failed" in line} == {f"dead_{n}" for n in range(5)}


def test_status_json_has_no_field_named_running(ran: Installation) -> None:
    """`running` is a value of a status, never a name: who looks for it must not find it in a quiet system."""
    told = ran.cli("status", "--json").json

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for inner in value.values() for name in keys(inner)}
        return {name for inner in value for name in keys(inner)} if isinstance(value, list) else set()

    assert "running" not in keys(told)
    assert "running" not in json.dumps(told)
    assert [dataset["dataset"] for dataset in told["datasets"]] == ["dead", "dirty", "exact", "fine"]


def test_before_the_first_run_status_says_so(installation: Installation) -> None:
    """No data yet is a state of its own, not an error."""
    installation.configure(FINE)

    done = installation.cli("status")

    assert (done.code, done.out.splitlines()[0]) == (0, "Nothing has run yet: 1 dataset waits for the first `run`.")


# Every command


def commands() -> dict[str, Any]:
    """All commands by the words that call them."""
    root = typer.main.get_command(app)
    found: dict[str, Any] = {}

    def visit(words: tuple[str, ...], command: Any) -> None:
        inner = getattr(command, "commands", None)
        if inner is None or command.invoke_without_command:
            found[" ".join(words)] = command
        for name, child in (inner or {}).items():
            visit((*words, name), child)

    visit((), root)
    return found


def test_every_command_has_the_four_options() -> None:
    """`--config --state-dir --json --debug`, also without a command."""
    for words, command in commands().items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert options >= {"--config", "--state-dir", "--json", "--debug"}, words


def test_all_commands_of_this_release_are_there() -> None:
    """Their names are a promise."""
    assert set(commands()) == {
        *("", "add", "try", "record", "run", "status", "health", "show", "detect", "metrics", "maintain"),
        *("record-metric", "suggest-rules", "detect feedback"),
        *("backup", "restore", "migrate"),
        *("why", "report", "profile", "lineage"),
        *("runs list", "runs show", "runs cancel"),
        *("schedule", "serve", "schedules list", "schedules pause", "schedules resume"),
        *("backfill", "partitions", "backfills list", "backfills show", "backfills resume", "backfills cancel"),
        *("versions", "accept", "reject", "rollback"),
        *("dashboard", "demo"),
        *("events", "events verify", "breakers list", "breakers reset"),
        *("quarantine list", "quarantine show", "quarantine replay", "quarantine drop"),
        *("events consumers", "events retry", "events forget", "breakers open", "breakers close"),
        *("config check", "config show", "config init"),
        *("alerts list", "alerts ack", "alerts resolve", "alerts silence", "alerts silences", "alerts unsilence"),
        *("tokens create", "tokens list", "tokens revoke"),
        *("monitor", "services", "api", "alerts explain", "alerts test", "alerts dead", "alerts resend"),
    }


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("health", {"healthy", "checks"}),
        ("detect", {"judged", "anomalies", "learning", "ahead", "incidents"}),
        ("events --limit 3", {"events"}),
        ("events verify", {"events", "head", "fault", "signed_from", "whole"}),
        ("events consumers", {"consumers", "parked"}),
        ("quarantine list", {"quarantine"}),
        ("breakers list", {"breakers"}),
        ("alerts list --all", {"incidents", "silences"}),
        ("alerts silences", {"silences"}),
        ("alerts dead", {"letters"}),
        ("alerts resend", {"letters", "sent", "waiting"}),
        ("alerts test --event dataset.failed --dataset fine", {"event", "subject", "data_of", "reactions", "told"}),
        ("why fine", {"dataset", "status", "sentence", "last_good", "changes", "next_try", "commands"}),
        ("report", {"format", "run_id", "status", "datasets"}),
        ("profile fine", {"dataset", "rows", "nulls", "columns", "data_age_s"}),
        ("runs list", {"runs"}),
        ("runs list --status queued", {"runs"}),
        ("run --due", {"due", "status", "runs"}),
        ("maintain --dry-run", {"dry_run", "freed_bytes", "steps", "left"}),
        ("config check", {"files", "datasets", "providers", "problems"}),
        ("config show", {"files", "values"}),
        ("metrics", {"orchestrator_dataset_up", "orchestrator_events"}),
    ],
)
def test_json_is_one_document_on_standard_output(ran: Installation, words: str, fields: set[str]) -> None:
    """Whatever the command: one JSON object, and nothing beside it."""
    done = ran.cli(*words.split(), "--json")

    assert set(done.json) >= fields


def test_the_options_may_stand_before_the_command(ran: Installation) -> None:
    """`--state-dir X events verify` and `events --state-dir X verify` ask the same log."""
    program = [sys.executable, str(PROGRAM)]
    where = ["--config", str(ran.config), "--state-dir", str(ran.state), "--json"]

    before = execute([*program, *where, "events", "verify"], cwd=ran.folder)
    between = execute([*program, "events", *where, "verify"], cwd=ran.folder)

    assert before.json["whole"] is True
    assert before.json == between.json


# Errors and exit codes


@pytest.mark.parametrize(
    ("words", "code", "kind", "said"),
    [
        ("run nothing", 2, "ConfigError", "unknown dataset `nothing`"),
        ("events verify --head 7:abc", 2, "UsageError", "'7:abc' is no head of a log"),
        ("detect fine.rowz", 1, "PipelineError", "there is no figure 'rowz'"),
        ("quarantine show dirty --run r0", 1, "PipelineError", "nothing of the run r0 is in quarantine"),
        ("run fin", 2, "ConfigError", "fine"),
        ("show dead", 1, "PipelineError", "nothing was delivered yet"),
        ("quarantine show fine", 1, "PipelineError", "nothing is in quarantine"),
        ("breakers reset nobody", 1, "PipelineError", "nobody"),
        ("breakers open nobody", 1, "PipelineError", "nobody"),
        ("breakers close nobody --hold", 1, "PipelineError", "nobody"),
        ("run --resume 0", 1, "PipelineError", "there is no run 0"),
        ("run --no-such-option", 2, "UsageError", "--no-such-option"),
        ("run --workers 0", 2, "UsageError", "--workers"),
    ],
)
def test_an_error_is_told_to_programs_as_json(ran: Installation, words: str, code: int, kind: str, said: str) -> None:
    """`{"error": {type, message, hint, transient}}` on standard output, and the exit code of the contract."""
    done = ran.cli(*words.split(), "--json")

    assert set(done.json) == {"error"}
    check_error(done.json["error"])
    assert (done.code, done.json["error"]["type"]) == (code, kind)
    assert said in done.json["error"]["message"] + done.json["error"]["hint"]


def test_tracebacks_only_with_debug(ran: Installation) -> None:
    """People get one line and what to do; with --debug the traceback too, under the same exit code."""
    plain = ran.cli("run", "nothing")
    debug = ran.cli("run", "nothing", "--debug")

    assert (plain.code, plain.out) == (2, "")
    assert plain.err.startswith("error: unknown dataset `nothing`")
    assert "Traceback" not in plain.err
    assert debug.code == 2
    assert "Traceback (most recent call last)" in debug.err


def test_health_exits_1_when_unhealthy(ran: Installation) -> None:
    """A failed dataset is unhealthy."""
    assert ran.cli("health").code == 1


def test_degraded_is_healthy(installation: Installation) -> None:
    """Served from a copy within its promise: exit 0, 1 with --strict; `health` exits 0."""
    (installation.folder / "copy.csv").write_text("id,value\n1,2.5\n")
    installation.configure({"name": "dead", "collect": DOWN, "snapshot": "copy.csv"})

    codes = [installation.cli(*words.split()).code for words in ("run", "run --strict", "health")]

    assert codes == [0, 1, 0]


def test_a_reader_that_has_enough_is_no_error(ran: Installation) -> None:
    """`show … | head -1`: exit 0 and silence."""
    process = subprocess.Popen(
        ran.command("show", "fine", "--format", "csv"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({"PYTHONUNBUFFERED": "1"}),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        said = process.stderr.read()

    assert (process.wait(120), said) == (0, b"")


def test_a_failed_run_says_what_to_do(installation: Installation) -> None:
    """The hint of an error reaches people too, not only readers of JSON."""
    (installation.folder / "prices.csv").write_text("id\n1\n")
    installation.configure({"name": "a", "collect": {"kind": "file", "path": "price.csv"}})

    done = installation.cli("run")

    assert done.code == 1
    assert f"did you mean {installation.folder / 'prices.csv'}?" in done.out


def test_an_event_of_a_failure_tells_its_reason_once(installation: Installation) -> None:
    """For people, as `status` words it: what programs read (`error` as an object) is left to `--json`."""
    installation.configure({"name": "a", "collect": {"kind": "file", "path": "price.csv"}})
    installation.cli("run")

    line = installation.cli("events", "--type", "dataset.failed").out

    assert line.count("there is no file") == 1
    assert "{" not in line


def test_the_events_of_a_transaction_name_their_steps(installation: Installation) -> None:
    """Otherwise one line would look like the other."""
    sinks = [{"kind": "file", "path": path} for path in ("out/a.csv", "out/b.csv")]
    collect = {"kind": "simulated", "rows": 2}
    installation.configure({"name": "a", "collect": collect, "publish": sinks, "publish_together": True})
    installation.run()

    lines = installation.cli("events", "--type", "transaction.step_done").out.splitlines()

    steps = ["prepare out/a.csv", "prepare out/b.csv", "put out/a.csv", "put out/b.csv", "clear"]
    assert [line.partition("/1 ")[2] for line in lines] == steps


def test_no_event_is_said_in_words(ran: Installation) -> None:
    """A type that never came, or a typing error, is not answered with silence."""
    assert ran.cli("events", "--type", "bach.held").out == "No event fits.\n"


def test_quarantine_show_speaks_the_same_formats(ran: Installation) -> None:
    """The rows that broke a rule, with the reason, as CSV."""
    done = ran.cli("quarantine", "show", "dirty", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [(row["id"], row["_rules"], row["_row"]) for row in rows] == [
        ("1", '["unique(id)"]', "1"),
        ("1", '["unique(id)"]', "2"),
    ]


# Streams, beginnings, the whole


def test_events_follow_streams_until_stopped(installation: Installation) -> None:
    """JSON lines: what is there, then what another process adds; Ctrl-C ends it with 130."""
    installation.configure(FINE)
    installation.run()
    follower = subprocess.Popen(
        installation.command("events", "--follow", "--json", "--type", "run.*"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert follower.stdout is not None
    try:
        before = [json.loads(follower.stdout.readline()) for _ in range(2)]
        second = installation.run(fresh=True)
        after = [json.loads(follower.stdout.readline()) for _ in range(2)]
    finally:
        follower.send_signal(signal.SIGINT)
        rest, said = follower.communicate(timeout=120)

    assert [event["type"] for event in (*before, *after)] == ["run.started", "run.finished"] * 2
    assert {event["subject"] for event in after} == {second.run_id}
    assert set(after[0]) >= {"id", "seq", "time", "source", "type", "subject", "data", "version", "prev_hash", "hash"}
    assert (follower.returncode, rest, said) == (130, "", "")


def test_config_init_writes_one_that_runs(tmp_path: Path) -> None:
    """From nothing to the first delivery in two commands; an existing file is never overwritten."""
    program = [sys.executable, str(PROGRAM)]

    written = execute([*program, "config", "init"], cwd=tmp_path)
    ran = execute([*program, "run", "--json"], cwd=tmp_path)
    again = execute([*program, "config", "init"], cwd=tmp_path)

    assert (written.code, (tmp_path / "orchestrator.yaml").exists()) == (0, True)
    assert (ran.code, {run["status"] for run in ran.json["datasets"]}) == (0, {"succeeded"})
    assert (tmp_path / "state").is_dir()
    assert again.code != 0
    assert "exists already" in again.err


def test_demo_tells_five_stories(tmp_path: Path) -> None:
    """With simulated providers, in a state that goes away; nothing is written where it was called."""
    done = execute([sys.executable, str(PROGRAM), "demo", "--json"], cwd=tmp_path)

    chapters = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [chapter["title"].split(":")[0] for chapter in chapters] == [
        "1. Start",
        "2. Metrics",
        "3. Resilience",
        "4. Isolation",
        "5. Events",
    ]
    assert any("last_good" in line for line in chapters[2]["lines"])
    assert list(tmp_path.iterdir()) == []


def test_without_a_command_it_runs_maintains_and_shows(installation: Installation) -> None:
    """`run`, then maintenance because it is overdue, then `status`; as JSON both in one document."""
    installation.configure(FINE, maintenance={"every": "1ms"})

    told = installation.cli()
    programs = installation.cli("--json")

    assert told.code == 0
    assert "✓ succeeded  provider" in told.out
    assert "maintenance was due" in told.out
    assert "The one dataset delivered as it should." in told.out
    check_run(programs.json["run"])
    assert programs.json["status"]["datasets"][0]["status"] == "succeeded"
    assert len(installation.events("maintenance.finished")) == 2


def test_a_fresh_state_is_not_overdue(installation: Installation) -> None:
    """Maintenance comes `maintenance.every` after the first event, not with it."""
    installation.configure(FINE)

    installation.cli()

    assert installation.events("maintenance.finished") == []


def test_the_environment_finds_configuration_and_state(ran: Installation) -> None:
    """`ORCHESTRATOR_CONFIG` and `ORCHESTRATOR_APP__STATE_DIR` stand in for the two options."""
    env = {"ORCHESTRATOR_CONFIG": str(ran.config), "ORCHESTRATOR_APP__STATE_DIR": str(ran.state)}

    done = execute([sys.executable, str(PROGRAM), "status", "--json"], cwd=ran.folder, env={**os.environ, **env})

    assert [dataset["dataset"] for dataset in done.json["datasets"]] == ["dead", "dirty", "exact", "fine"]
