"""The shipped example in a fresh state with no network: every dataset is delivered, and says honestly from where."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.contract import check_run
from tests.integration.installation import PROGRAM, Finished, execute

FROM_SNAPSHOT = {"earthquakes": 1707, "github_issues": 13, "fx_aud": 808}
DELIVERED = {"fx_1998": 180, "this_host": 1, "orders": 200}

NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""What a machine without a network looks like, wherever the test runs: nothing listens on the discard port."""


def command(state: Path, *words: str) -> list[str]:
    return [sys.executable, str(PROGRAM), *words, "--state-dir", str(state)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Finished, Path]:
    """Two runs in a fresh state, and that state."""
    folder = tmp_path_factory.mktemp("shipped")
    state = folder / "state"
    first, second = (execute(command(state, "run", "--json"), cwd=folder, env=NO_NETWORK) for _ in range(2))
    return first, second, state


def by_name(done: Finished) -> dict[str, dict[str, Any]]:
    return {run["dataset"]: run for run in done.json["datasets"]}


def test_every_dataset_is_delivered_without_a_network(runs: tuple[Finished, Finished, Path]) -> None:
    """Exit 0: three from their providers on this machine, three from their snapshots, all rows."""
    first, _, _ = runs
    told = by_name(first)

    check_run(first.json)
    assert (first.code, first.json["status"]) == (0, "degraded")
    assert {name: run["rows"] for name, run in told.items()} == FROM_SNAPSHOT | DELIVERED
    assert {name for name, run in told.items() if run["origin"] == "provider"} == set(DELIVERED)
    assert {run["status"] for name, run in told.items() if name in DELIVERED} == {"succeeded"}


def test_snapshots_say_what_they_are(runs: tuple[Finished, Finished, Path]) -> None:
    """Degraded, never accepted, no time of collection, the age of what they hold, and why."""
    first, second, _ = runs

    for done in (first, second):
        for name in FROM_SNAPSHOT:
            run = by_name(done)[name]
            assert (run["status"], run["origin"], run["accepted"]) == ("degraded", "snapshot", False)
            assert (run["collected_at"], run["age_s"]) == (None, None)
            assert run["data_age_s"] > 30 * 86_400
            assert run["error"]["transient"] is True
            assert run["reason"].endswith("; serving the shipped snapshot")
            assert run["quality"]["score"] is not None


def test_the_second_run_is_served_from_the_cache_where_it_may(runs: tuple[Finished, Finished, Path]) -> None:
    """Within the TTL nobody is asked again; what was only a snapshot is tried again."""
    _, second, _ = runs

    check_run(second.json)
    assert (second.code, second.json["status"]) == (0, "degraded")
    assert {name: by_name(second)[name]["origin"] for name in DELIVERED} == dict.fromkeys(DELIVERED, "cache")
    assert second.json["duration_s"] < 15


def test_what_was_delivered_can_be_shown(runs: tuple[Finished, Finished, Path]) -> None:
    """Readers get the rows of all six, snapshots included."""
    _, _, state = runs

    for name in ("earthquakes", "fx_1998"):
        shown = execute(command(state, "show", name, "--format", "csv"), cwd=state.parent)
        assert (shown.code, len(shown.out.splitlines())) == (0, 1 + (FROM_SNAPSHOT | DELIVERED)[name])


def test_the_log_of_it_is_whole(runs: tuple[Finished, Finished, Path]) -> None:
    """Both runs stand in the log, and the chain proves it."""
    _, _, state = runs

    verified = execute(command(state, "events", "verify", "--json"), cwd=state.parent)
    health = execute(command(state, "health", "--json"), cwd=state.parent)

    assert (verified.code, verified.json["whole"]) == (0, True)
    assert (health.code, health.json["healthy"]) == (0, True)
