"""Logs of a whole installation: where they go by configuration and by variables, and what becomes of old ones."""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from config.errors import ConfigError
from config.loading import load
from operations.logs import start_logging, tidy_logs
from operations.metrics import collect
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.logger import close, configure, get_logger

FEED = {"name": "feed", "collect": {"kind": "simulated", "rows": 3}}


@pytest.fixture(autouse=True)
def silence_afterwards() -> Iterator[None]:
    yield
    configure("WARNING", "off")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def pushes() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def loki(pushes: list[dict[str, Any]]) -> Iterator[str]:
    def answer(request: fault.Request) -> fault.Answer:
        zipped = request.headers.get("content-encoding") == "gzip"
        pushes.extend(json.loads(gzip.decompress(request.body) if zipped else request.body)["streams"])
        return fault.status(204)

    with FaultyServer(answer) as server:
        yield f"http://{urlsplit(server.url).netloc}"


def test_lines_go_to_loki_as_configured(installation: Installation, loki: str, pushes: list[dict[str, Any]]) -> None:
    """Beside the files; the metrics count them; what waits goes out when the command ends."""
    installation.configure(FEED, logging={"console": False, "loki": {"url": loki, "labels": {"job": "night"}}})
    with installation.system() as system:
        start_logging(system)
        get_logger("collect").info("event", rows=3)
        close()
        figures = collect(system).to_prometheus()

    assert [push["stream"] for push in pushes] == [{"job": "night", "component": "collect", "level": "info"}]
    assert json.loads(pushes[0]["values"][0][1])["rows"] == 3
    assert (installation.state / "logs" / "collect.jsonl").exists()
    assert 'orchestrator_loki_lines_total{outcome="sent"} 1' in figures


@pytest.mark.parametrize(
    ("written", "environ", "url", "labels"),
    [
        ({}, {"LOKI_URL": "http://loki:3100"}, "http://loki:3100", {"job": "orchestrator"}),
        ({}, {"LOKI_URL": "", "LOKI_LABELS": ""}, "", {"job": "orchestrator"}),
        (
            {"url": "http://file:3100"},
            {"LOKI_URL": "http://loki:3100", "LOKI_LABELS": '{"site": "a"}'},
            "http://loki:3100",
            {"site": "a"},
        ),
        (
            {"labels": {"site": "file", "job": "j"}},
            {
                "LOKI_LABELS": '{"site": "a"}',
                "ORCHESTRATOR_LOGGING__LOKI__URL": "http://ours:1",
                "LOKI_URL": "http://b:2",
            },
            "http://ours:1",
            {"site": "a", "job": "j"},
        ),
    ],
    ids=["by variable alone", "empty variables", "over the file", "ours over theirs"],
)
def test_the_variables_of_loki_are_read(
    tmp_path: Path, written: Mapping[str, Any], environ: Mapping[str, str], url: str, labels: dict[str, str]
) -> None:
    """As other programs know them; a map of labels lies over the file's key by key, like any."""
    path = tmp_path / "orchestrator.json"
    path.write_text(json.dumps({"logging": {"loki": written}, "datasets": [FEED]}))

    settings = load(path, environ=environ, cwd=tmp_path).settings

    assert (settings.logging.loki.url, settings.logging.loki.labels) == (url, labels)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"url": "loki:3100"}, "address of a Loki"),
        ({"url": "http://me:hunter2@/"}, "address of a Loki"),
        ({"url": "http://loki/?tenant=a"}, "address of a Loki"),
        ({"labels": {"a-b": "c"}}, "no name of a label"),
        ({"labels": {"level": "info"}}, "is given by the program"),
        ({"labels": {"job": ""}}, "is empty"),
        ({"labels": {}}, "no label is left"),
    ],
    ids=["no scheme", "no host", "a query", "a sign", "ours", "empty", "none"],
)
def test_a_wrong_loki_is_a_clear_fault(tmp_path: Path, written: Mapping[str, Any], words: str) -> None:
    """With the key; a password is not shown."""
    path = tmp_path / "orchestrator.json"
    path.write_text(json.dumps({"logging": {"loki": written}, "datasets": [FEED]}))

    with pytest.raises(ConfigError) as told:
        load(path, environ={}, cwd=tmp_path)

    assert words in str(told.value)
    assert "logging.loki" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_one_form_of_the_files_is_written_when_one_is_asked_for(installation: Installation) -> None:
    """`logging.files: json`."""
    installation.configure(FEED, logging={"console": False, "files": "json"})
    with installation.system() as system:
        start_logging(system)
        get_logger("collect").info("event")
        close()

    assert [path.name for path in (installation.state / "logs").glob("c*")] == ["collect.jsonl"]


def test_maintenance_drops_old_logs_and_compresses_what_was_left(installation: Installation) -> None:
    """By `retention.logs`; a dry run says what would go."""
    clock = ManualClock()
    installation.configure(FEED, retention={"logs": {"age": "2d"}})
    logs = installation.state / "logs"
    logs.mkdir(parents=True)
    for day in range(27, 32):
        (logs / f"collect-202512{day}T000000.000000Z.log.gz").write_bytes(b"packed")
    (logs / "collect-20251231T120000.000000Z.log").write_bytes(b"left by a killed process\n")
    os.utime(logs)
    with installation.system(clock) as system:
        dry = tidy_logs(system, dry_run=True)
        done = tidy_logs(system, dry_run=False)

    assert (dry.count, dry.freed) == (3, 3 * len(b"packed"))
    assert done.count == 3
    assert sorted(path.name for path in logs.glob("c*")) == [
        "collect-20251230T000000.000000Z.log.gz",
        "collect-20251231T000000.000000Z.log.gz",
        "collect-20251231T120000.000000Z.log.gz",
    ]


def test_an_installation_without_loki_does_not_know_it(installation: Installation) -> None:
    """No thread, no import."""
    from subprocess import run
    from sys import executable

    installation.configure(FEED)
    code = (
        "import sys; from pathlib import Path; from integrated_system import IntegratedSystem\n"
        "from operations.logs import start_logging\n"
        f"system = IntegratedSystem(Path({str(installation.config)!r}), state_dir=Path({str(installation.state)!r}))\n"
        "start_logging(system)\n"
        "assert not {'utils.loki', 'http.client'} & {*sys.modules}\n"
    )

    assert run([executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
